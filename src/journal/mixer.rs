//! A fast hasher whose results are the same everywhere.

use std::hash::Hasher;

use super::mix;

/// Folds whatever is hashed with [`mix`]: the same on every machine, unlike the standard hasher.
///
/// ```
/// use std::hash::{Hash, Hasher};
/// use freeorder::journal::Mixer;
/// let mut hasher = Mixer::default();
/// "order".hash(&mut hasher);
/// assert_ne!(hasher.finish(), Mixer::default().finish());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}
