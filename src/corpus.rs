//! The corpus that ships with the crate: scenarios whose expectations come from the documents, and
//! the shortest reproducers of real bugs of the past.

use std::path::Path;

use crate::scenario::{Scenario, ScenarioError};

/// A scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without the ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl File {
    /// The scenario.
    ///
    /// # Errors
    /// If the file does not parse, which a test excludes.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        self.text.parse()
    }

    /// The first comment of the file, which says where it comes from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        let comment = self.text.lines().find_map(|line| line.strip_prefix("# "));
        comment.unwrap_or_default()
    }
}

macro_rules! files {
    ($(#[$doc:meta])* $list:ident in $folder:literal: $($name:literal),* $(,)?) => {
        $(#[$doc])*
        pub const $list: &[File] = &[$(File {
            name: $name,
            text: include_str!(concat!("../corpus/", $folder, "/", $name, ".scenario")),
        }),*];
    };
}

files! {
    /// `corpus/claims`: a scenario for every testable sentence of the documents.
    CLAIMS in "claims":
    "address-reuse-frees-in-turn",
    "all-three-fixes-show-every-device",
    "allocated-1112-freed-2133",
    "allocations-83416-remaining-381",
    "buffer-view",
    "circular-buffer-clash",
    "circular-buffer-clash-justified",
    "circular-buffers-flushed-by-device",
    "circular-buffers-on-device-0-only",
    "close-frees-in-silence",
    "deallocate-twice",
    "emission-policies-by-servers",
    "full-socket-loses-allocs",
    "full-socket-loses-frees",
    "kernel-binaries-14-mb-and-36-kb",
    "l1-kept-above-circular-buffers",
    "late-drop-of-a-dead-handle",
    "mark-twice",
    "mesh-buffer-on-8-devices",
    "owner-id-in-the-key",
    "process-killed-and-not-reaped",
    "process-killed-and-reaped",
    "program-buffer-pool",
    "program-cache-cleared-before-close",
    "reconnect-overtakes",
    "regular-buffer",
    "runs-accumulate",
    "s-clearlow",
    "s-expired",
    "s-gc-reuse",
    "s-meshid",
    "s-nodispatch",
    "s-stalefree",
    "s-throwleak",
    "s-typecollide",
    "s-view",
    "s-zero",
    "server-restart",
    "submesh-over-its-parent",
    "three-fixes-and-final-exclude-each-other",
    "tracking-starts-late",
}

files! {
    /// `corpus/defects`: the shortest reproducers of real bugs of the past.
    DEFECTS in "defects":
    "alias-registered",
    "allocator-before-cache",
    "best-is-first",
    "bulk-free-first",
    "cached-programs-counted",
    "cbs-outlive-device",
    "close-keeps-buffers",
    "close-without-drain",
    "close-without-free",
    "commands-outlive-program",
    "counted-traces",
    "dataflow-buffers-missing",
    "deallocate-after-close",
    "deallocate-forces-root",
    "deallocation-reads-this",
    "devices-end-at-close",
    "extra-owner",
    "first-fit-fragments",
    "hit-not-validated",
    "hook-stays",
    "hooked-flag-missing",
    "inspector-reports-twice",
    "interleaved-prefill",
    "late-buffer-node",
    "late-free-of-a-dead-handle",
    "manager-reset-first",
    "no-cb-deallocate",
    "no-expiry-check",
    "no-owned-buffer-pool",
    "no-process-slots",
    "parent-and-submesh-overlap",
    "pointer-identity",
    "pool-outlives-program",
    "racy-deallocate",
    "region-lost",
    "release-trace-after-close",
    "stale-meta-block",
    "stale-override",
    "static-mesh",
    "static-tensors",
    "trace-buffers-in-dram",
    "trace-of-active-manager",
    "trace-size-kept",
    "track-before-state",
    "tracker-skips-program-cache",
    "unmirror-after-close",
    "untracked-allocations",
}

files! {
    /// `corpus/alphabets`: operations over which the reproducers are the shortest.
    ALPHABETS in "alphabets":
    "core",
    "instruments",
    "l1",
    "threads",
    "traces",
}

/// Whether a path is a scenario file, by its ending.
#[must_use]
pub fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "scenario")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is not in the list would be tested by nobody.
    #[test]
    fn every_file_of_the_folders_is_in_its_list_and_parses() {
        let lists = [("claims", CLAIMS), ("defects", DEFECTS), ("alphabets", ALPHABETS)];
        for (folder, list) in lists {
            is_what_is_in(list, &Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder));
        }
    }

    fn is_what_is_in(list: &[File], folder: &Path) {
        let files = std::fs::read_dir(folder).expect("the corpus is part of the project");
        let paths = files.map(|file| file.expect("a readable folder").path());
        let mut names: Vec<String> = paths
            .filter(|path| is_scenario(path))
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        let listed: Vec<&str> = list.iter().map(|file| file.name).collect();
        assert_eq!(listed, names);
        for file in list {
            let scenario = file.scenario().unwrap_or_else(|error| panic!("{}: {error}", file.name));
            assert_eq!(scenario.to_string(), file.text, "{} prints back", file.name);
        }
    }
}
