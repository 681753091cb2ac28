//! Ids that are counted for the whole process, as one program counts them.

use super::lockstep::Pair;
use crate::op::MeshHandle;

impl Pair<'_> {
    /// Ids are counted for the whole process: the first that is seen says where this program began.
    pub(super) fn adopt_ids(&mut self) {
        if self.first_mesh.is_some() {
            return;
        }
        for (name, seen) in &self.seen.meshes {
            let number = name.trim_start_matches('m').parse().map_or(u32::MAX, |number| number);
            let mesh = self.model.runtime().mesh_device(MeshHandle(number));
            if let Some(mesh) = mesh {
                self.first_mesh = Some(seen.id.saturating_sub(mesh.mesh_id));
            }
        }
    }

    /// An error's text with ids as this program counts them.
    pub(super) fn plain(&mut self, text: &str, modelled: &str) -> String {
        let first = u64::from(self.first_mesh.unwrap_or(0));
        let text = renumber(text, "on MeshDevice ", |id| id.saturating_sub(first));
        let mut first = self.first_program;
        let mut counted = None;
        renumber(modelled, PROGRAM, |id| *counted.insert(id));
        let text = renumber(&text, PROGRAM, |id| {
            let first = *first.get_or_insert(id.saturating_sub(counted.unwrap_or(id)));
            id.saturating_sub(first)
        });
        self.first_program = first;
        text
    }
}

/// What stands before the id of a program that clashes.
const PROGRAM: &str = "circular buffers in program ";

/// The text with the number behind some words exchanged.
fn renumber(text: &str, before: &str, exchange: impl FnOnce(u64) -> u64) -> String {
    let Some(start) = text.find(before).map(|place| place + before.len()) else {
        return text.to_owned();
    };
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    match rest[..end].parse() {
        Ok(number) => format!("{}{}{}", &text[..start], exchange(number), &rest[end..]),
        Err(_) => text.to_owned(),
    }
}
