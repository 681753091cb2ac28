//! Ctrl-C and SIGTERM: verbs that have something to lose end by themselves, all others at once.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code that shells expect.
const INTERRUPTED: i32 = 130;

static ENDS_BY_ITSELF: AtomicBool = AtomicBool::new(false);
static WAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Ends the process, or asks the verb to end if it does so by itself; the second time it does not
/// ask.
pub fn interrupt() {
    if !ENDS_BY_ITSELF.load(Ordering::Relaxed) || WAS_ASKED.swap(true, Ordering::Relaxed) {
        // Nothing is ever half-written.
        process::exit(INTERRUPTED);
    }
}

/// From now on SIGTERM is heard as Ctrl-C is, by every thread that is started later on.
#[cfg(target_os = "linux")]
pub fn hear_sigterm() {
    let mut mask = nix::sys::signal::SigSet::empty();
    mask.add(nix::sys::signal::Signal::SIGTERM);
    if mask.thread_block().is_ok() {
        std::thread::spawn(move || {
            while mask.wait().is_ok() {
                interrupt();
            }
        });
    }
}

/// Says that the verb looks at [`was_asked`] and ends by itself.
pub fn ends_by_itself() {
    ENDS_BY_ITSELF.store(true, Ordering::Relaxed);
}

/// Whether somebody asked to end.
pub fn was_asked() -> bool {
    WAS_ASKED.load(Ordering::Relaxed)
}
