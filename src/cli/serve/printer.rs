//! Prints on a thread of its own: nobody who reads slowly, or not at all, stops the server.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::super::output::{self, Failure};

/// What is written at once: that it was read shows that somebody reads.
const PIECE: usize = 4 << 10;

/// What was not read for so long is taken for what nobody reads.
const STALLED: Duration = Duration::from_secs(1);

/// The same at the end.
const STALLED_AT_THE_END: Duration = Duration::from_millis(300);

enum Text {
    Output(String),
    Error(String),
}

struct Queue {
    texts: VecDeque<Text>,
    /// Something is being written.
    busy: bool,
    moved_at: Instant,
    failure: Option<Failure>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && !self.busy
    }
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nobody panics over the queue")
    }
}

/// The thread, and what it has still to print.
pub(super) struct Printer {
    shared: Arc<Shared>,
    started: bool,
}

impl Printer {
    pub(super) fn new() -> Self {
        let (texts, moved_at) = (VecDeque::new(), Instant::now());
        let queue = Queue { texts, busy: false, moved_at, failure: None };
        let shared = Shared { queue: Mutex::new(queue), changed: Condvar::new() };
        Self { shared: Arc::new(shared), started: false }
    }

    /// Prints to standard output, some time.
    pub(super) fn print(&mut self, text: &str) {
        self.push(Text::Output(text.to_owned()));
    }

    /// Prints a line to standard error, some time.
    pub(super) fn say(&mut self, line: &str) {
        self.push(Text::Error(format!("{line}\n")));
    }

    fn push(&mut self, text: Text) {
        {
            let mut queue = self.shared.queue();
            if queue.is_empty() {
                queue.moved_at = Instant::now();
            }
            queue.texts.push_back(text);
        }
        self.shared.changed.notify_all();
        // With the first text: by then the signals are blocked that no other thread may take.
        if !std::mem::replace(&mut self.started, true) {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name("printer".into()).spawn(move || run(&shared));
            if let Err(error) = thread {
                self.shared.queue().failure = Some(Failure::Output(error));
            }
        }
    }

    /// Whether all is printed.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.queue().is_empty()
    }

    /// Whether nothing of what waits has been read for long.
    pub(super) fn is_stalled(&self) -> bool {
        let queue = self.shared.queue();
        !queue.is_empty() && queue.moved_at.elapsed() >= STALLED
    }

    /// Why something could not be printed.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.shared.queue().failure.take()
    }

    /// Waits until all is printed, as long as it is read.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut queue = self.shared.queue();
        while !queue.is_empty() {
            let waited = queue.moved_at.max(begun).elapsed();
            let Some(left) = STALLED_AT_THE_END.checked_sub(waited) else { break };
            let woken = self.shared.changed.wait_timeout(queue, left);
            queue = woken.expect("nobody panics over the queue").0;
        }
        queue.failure.take().map_or(Ok(()), Err)
    }
}

/// Prints until the process ends.
fn run(shared: &Shared) {
    loop {
        let waiting = shared.changed.wait_while(shared.queue(), |queue| queue.texts.is_empty());
        let mut queue = waiting.expect("nobody panics over the queue");
        let Some(text) = queue.texts.pop_front() else { continue };
        queue.busy = true;
        drop(queue);
        let (Text::Output(bytes) | Text::Error(bytes)) = &text;
        for piece in bytes.as_bytes().chunks(PIECE) {
            let written = match text {
                Text::Output(_) => output::print_bytes(piece),
                Text::Error(_) => {
                    output::say_bytes(piece);
                    Ok(())
                }
            };
            let mut queue = shared.queue();
            queue.moved_at = Instant::now();
            if let Err(failure) = written {
                queue.failure = Some(failure);
                break;
            }
        }
        shared.queue().busy = false;
        shared.changed.notify_all();
    }
}
