//! What listens to the tracker of each thread: captures, and the one processor that counts.

use std::collections::BTreeMap;

use crate::op::ThreadId;

/// Who is told of everything that a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    /// A capture.
    Capture,
    /// The counters in shared memory.
    Counters,
}

/// The processors of a process, of each thread the oldest first.
///
/// The first mesh that a process opens puts the counters behind whatever its thread captures, and
/// the end of a capture takes away the last of its thread, whatever that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processors {
    threads: BTreeMap<ThreadId, Vec<Processor>>,
    opened: bool,
}

impl Processors {
    /// A mesh was opened on a thread.
    pub fn open(&mut self, thread: ThreadId) {
        if !std::mem::replace(&mut self.opened, true) {
            self.threads.entry(thread).or_default().push(Processor::Counters);
        }
    }

    /// A capture begins.
    pub fn begin(&mut self, thread: ThreadId) {
        self.threads.entry(thread).or_default().push(Processor::Capture);
    }

    /// A capture ends: what is taken away.
    pub fn end(&mut self, thread: ThreadId) -> Option<Processor> {
        self.threads.get_mut(&thread)?.pop()
    }

    /// Whether what a thread does is counted.
    pub fn counts(&self, thread: ThreadId) -> bool {
        self.threads.get(&thread).is_some_and(|own| own.contains(&Processor::Counters))
    }

    /// Whether what any thread does is counted.
    pub fn counts_anywhere(&self) -> bool {
        self.threads.keys().any(|&thread| self.counts(thread))
    }

    /// Whether a mesh was ever opened.
    pub fn has_opened(&self) -> bool {
        self.opened
    }

    /// Whether a thread captures.
    pub fn captures(&self, thread: ThreadId) -> bool {
        self.threads.get(&thread).is_some_and(|own| own.contains(&Processor::Capture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counters stand where the first mesh was opened, and go with an end that is not theirs.
    #[test]
    fn the_last_of_a_thread_goes() {
        let (first, second) = (ThreadId(0), ThreadId(1));
        let mut all = Processors::default();
        assert_eq!(all.end(first), None);
        all.begin(first);
        all.open(first);
        all.open(second);
        assert!(all.counts(first) && !all.counts(second) && all.captures(first));
        assert_eq!(all.end(second), None);
        assert_eq!(all.end(first), Some(Processor::Counters));
        assert!(all.captures(first) && !all.counts_anywhere() && all.has_opened());
        assert_eq!(all.end(first), Some(Processor::Capture));
        all.open(first);
        assert!(!all.counts(first), "they are made once");
    }
}
