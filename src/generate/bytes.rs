//! Programs from a fuzzer's bytes: operations one by one, until the bytes run out.

use super::draw::Drawer;
use super::profile::Profile;
use super::threads::THREADS_MAX;
use super::values;
use crate::choice::{Bytes, Choices};
use crate::op::{Stream, ThreadId};
use crate::scenario::Case;
use crate::world::Action;

/// The most operations that are read, whatever the length of the input.
pub(super) const OPERATIONS_MAX: usize = 4096;

/// Turns that a schedule can name: the threads and the two sockets.
pub(super) const TURNS: u64 = THREADS_MAX + 2;

/// The pick before an operation that begins the schedule.
pub(super) const NOBODYS: u64 = 63;

/// The program that the bytes say: every byte string is one.
///
/// There are no phases: the bytes are a list of operations, each as the profile can draw it after
/// those before it. [`encode`](super::encode) writes them.
///
/// ```
/// use freeorder::generate::{Profile, from_bytes};
/// let case = from_bytes(Profile::Tame, &[0; 40]);
/// assert!(case.ops[0].1.to_string().starts_with("open m0"));
/// ```
#[must_use]
pub fn from_bytes(profile: Profile, bytes: &[u8]) -> Case {
    let mut choices = Bytes::new(bytes);
    let mut case = Case { setup: values::setup(setup(profile, &mut choices)), ..Case::default() };
    let mut drawer = Drawer::new(profile);
    case.ops.reserve(bytes.len() / 4 + 1);
    while choices.has_more() && case.ops.len() < OPERATIONS_MAX {
        match choices.pick(threads(profile)) {
            NOBODYS => {
                while choices.has_more() {
                    case.schedule.push(turn(choices.pick(TURNS)));
                }
            }
            whose => {
                let thread = ThreadId((whose % THREADS_MAX) as u32);
                case.ops.push((thread, drawer.next(&mut choices)));
            }
        }
    }
    case
}

/// Which of the setups the program starts from.
pub(super) fn setup(profile: Profile, choices: &mut impl Choices) -> u64 {
    if profile == Profile::Basic { 0 } else { choices.pick(2) }
}

/// Of how many a pick before each operation is: whose it is, and rarely that there is none, because
/// the rest is the schedule.
pub(super) fn threads(profile: Profile) -> u64 {
    if profile.is_threaded() { NOBODYS + 1 } else { 1 }
}

/// The pick that says whose an operation is.
///
/// # Errors
/// With the threads that the profile has.
pub(super) fn whose(profile: Profile, thread: ThreadId) -> Result<u64, &'static str> {
    match (profile.is_threaded(), u64::from(thread.0)) {
        (false, 0) => Ok(0),
        (false, _) => Err("t0 alone"),
        (true, thread) if thread < THREADS_MAX => Ok(thread),
        (true, _) => Err("t0 to t3"),
    }
}

fn turn(pick: u64) -> Action {
    match pick {
        thread @ 0..THREADS_MAX => Action::Step(ThreadId(thread as u32)),
        THREADS_MAX => Action::Deliver(Stream::Old),
        _ => Action::Deliver(Stream::New),
    }
}

/// The pick that is the turn; none if there is no such thread.
pub(super) fn pick_of(turn: Action) -> Option<u64> {
    match turn {
        Action::Step(thread) => Some(u64::from(thread.0)).filter(|&thread| thread < THREADS_MAX),
        Action::Deliver(Stream::Old) => Some(THREADS_MAX),
        Action::Deliver(Stream::New) => Some(THREADS_MAX + 1),
    }
}
