//! The proof that nothing shorter fails.

use std::collections::BTreeSet;

use super::simpler::{PAGE, plainest};
use super::vocabulary::shorter_in_vocabulary;
use super::{DoesNotFail, Minimized, Options, minimize};
use crate::op::{
    BufferHandle, CacheKey, CircularBufferSpec, MeshHandle, Name, Op, ProgramHandle, ThreadId,
    TraceHandle,
};
use crate::scenario::Case;
use crate::search::aim::{Hunted, Model};
use crate::search::enumerate::{Enumeration, Limits, alphabet, enumerate};
use crate::search::optimum::{Optimum, optimum, size};
use crate::units::Bytes;

/// Results of more operations than these are not proven: the number of sequences grows with the
/// power of their length.
pub const PROVEN_OPERATIONS_MAX: usize = 7;

/// No shorter sequence over an alphabet fails the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The operations that the sequences were made of.
    pub letters: Vec<Op>,
    /// How many sequences were looked at: shorter ones, and if [`Proof::is_of_input`] those as long
    /// with smaller sizes; all in which every operation does something.
    pub sequences: u64,
    /// How many states they lead to.
    pub states: u64,
    /// Whether the letters are all words of the input, in the sense of [`words`], and no sequence
    /// of them that is as long as the case and has smaller sizes fails either.
    ///
    /// [`words`]: crate::search::optimum::words
    pub is_of_input: bool,
}

/// Reduces a failing case, and enumerates every shorter sequence, and every smaller one; one that
/// fails is reduced in its turn.
///
/// The alphabet has every word of the case that came in, in its sizes and smaller ones; then
/// sequences as long as the result and smaller in their sizes are looked at as well. If those are
/// too many for the limits, it has every kind of operation of that case in its plainest form, on
/// the names that the result needs; or else the operations of the result. There is no proof of a
/// result of more than seven operations, or past a limit. The sequences are those of one thread: of
/// a result in which threads take turns, the proof is that one thread cannot do with less.
///
/// Where the failure is a difference between two sets of fixes, a shorter case is also looked for
/// in the plain words of a program, whether the input has them or not: sequences of them, shortest
/// first, in up to 10,000 states, and the result with one operation fewer and another exchanged.
/// Nothing is claimed of those. A class alone says too little of a cause for that: other words
/// would fail in the same class for another reason.
///
/// ```
/// use freeorder::{fix::Preset, scenario::{Case, Scenario}, server::ServerKind};
/// use freeorder::violation::OracleName;
/// use freeorder::search::{aim::{Aim, Failure, Model}, enumerate::Limits};
/// use freeorder::search::minimize::{Options, minimize_and_prove};
/// let text = "freeorder 1\nopen m0 2x4\nalloc b0 on m0 dram 3x2048\nview b1 of b0\nexit\n";
/// let failure = Failure::Oracle(OracleName::TrackerTruth);
/// let aim = Aim { fixes: Preset::Final.fixes(), server: ServerKind::K2, failure };
/// let case = Case::of(&text.parse::<Scenario>()?);
/// let (mut options, limits) = (Options::default(), Limits::default());
/// let (minimized, proof) = minimize_and_prove(&case, &mut Model::new(aim), &mut options, limits)?;
/// assert_eq!(minimized.case.ops.len(), 3);
/// assert!(proof.is_some_and(|proof| proof.sequences > 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the case does not fail.
pub fn minimize_and_prove(
    case: &Case,
    model: &mut Model,
    options: &mut Options<'_>,
    limits: Limits,
) -> Result<(Minimized, Option<Proof>), DoesNotFail> {
    settled(case, model, options, (limits, Words::All))
}

/// The same for whoever needs the case but not the whole proof: sequences of the input's words are
/// enumerated in their plainest form only.
///
/// # Errors
/// If the case does not fail.
pub fn minimize_by_enumeration(
    case: &Case,
    model: &mut Model,
    options: &mut Options<'_>,
    limits: Limits,
) -> Result<Minimized, DoesNotFail> {
    settled(case, model, options, (limits, Words::Plain)).map(|(minimized, _)| minimized)
}

/// Which of the input's words are enumerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Each kind of operation in its plainest form.
    Plain,
    /// Those, and then all words in all their sizes.
    All,
}

fn settled(
    case: &Case,
    model: &mut Model,
    options: &mut Options<'_>,
    (limits, words): (Limits, Words),
) -> Result<(Minimized, Option<Proof>), DoesNotFail> {
    let mut minimized = minimize(case, model, options)?;
    loop {
        if !minimized.complete {
            return Ok((minimized, None));
        }
        let better = match prove(case, &by_one_thread(&minimized.case), model, (limits, words)) {
            Ok(proof) => return Ok((minimized, proof)),
            Err(better) => better,
        };
        let again = minimize(&better, model, options)?;
        let replays = minimized.replays + again.replays;
        if measure(&again.case) >= measure(&minimized.case) {
            return Ok((Minimized { replays, ..minimized }, None));
        }
        minimized = Minimized { replays, ..again };
    }
}

/// What one thread can say. The courses of threads that take turns are too many to enumerate; the
/// sequences of their words are not.
fn by_one_thread(case: &Case) -> Case {
    let ops = case.ops.iter().map(|(_, op)| (ThreadId(0), op.clone())).collect();
    Case { setup: case.setup.clone(), ops, ..Case::default() }
}

/// What goes down: the length first, then the sizes.
fn measure(case: &Case) -> (usize, Bytes) {
    (case.ops.len(), size(case))
}

/// The proof, if the limits allow one, or a shorter case.
fn prove(
    input: &Case,
    result: &Case,
    model: &mut Model,
    (limits, words): (Limits, Words),
) -> Result<Option<Proof>, Case> {
    let hunted = model.hunted(input);
    let mut proof = None;
    let mut left = limits;
    if result.ops.len() <= PROVEN_OPERATIONS_MAX {
        proof = settle(result, alphabet(result), hunted, &mut left)?;
    }
    if proof.is_some() {
        let plain = alphabet(&with_kinds_of(input, result));
        proof = settle(result, plain, hunted, &mut left)?.or(proof);
        if words == Words::All {
            proof = compare(input, result, hunted, left)?.or(proof);
        }
    }
    // Only a difference ties a failure to its cause, so that other words cannot change it.
    let is_difference = hunted.aim.failure.without().is_some();
    let shorter =
        if is_difference { shorter_in_vocabulary(result, model, (hunted, limits)) } else { None };
    shorter.map_or(Ok(proof), Err)
}

/// Looks at every shorter sequence, as far as the states that are left allow.
fn settle(
    result: &Case,
    letters: Vec<Op>,
    hunted: Hunted,
    left: &mut Limits,
) -> Result<Option<Proof>, Case> {
    let Enumeration { found, sequences, states, limited, .. } =
        enumerate(result, &letters, hunted, result.ops.len().saturating_sub(1), *left);
    left.states_max = left.states_max.saturating_sub(states);
    match found {
        Some(shorter) => Err(shorter),
        None => Ok((!limited).then_some(Proof { letters, sequences, states, is_of_input: false })),
    }
}

/// Looks at every sequence of the input's words that is better than the result.
fn compare(
    input: &Case,
    result: &Case,
    hunted: Hunted,
    left: Limits,
) -> Result<Option<Proof>, Case> {
    let Optimum { letters, sequences, states, better, limited } =
        optimum(input, result, hunted, left);
    match better {
        Some(better) => Err(better),
        None => Ok((!limited).then_some(Proof { letters, sequences, states, is_of_input: true })),
    }
}

/// The operation with little said in it: its memory, that it has circular buffers and that it reads
/// something stay, since they decide what it can do.
fn plain_of_its_kind(op: &Op) -> Op {
    let mut plain = plainest(op);
    match (&mut plain, op) {
        (Op::Alloc { spec, .. }, Op::Alloc { spec: said, .. }) => {
            spec.buffer_type = said.buffer_type;
        }
        (Op::Run(plain), Op::Run(said)) => {
            plain.reads.extend(said.reads.first());
            let group = CircularBufferSpec { count: 1, size: PAGE, cores: None };
            plain.circular_buffers.extend(said.circular_buffers.first().map(|_| group));
        }
        _ => {}
    }
    plain
}

/// The result with one plain operation more of each kind that the input has, on the result's names;
/// a kind of name that the result does not need comes once.
fn with_kinds_of(input: &Case, result: &Case) -> Case {
    let used: BTreeSet<Name> = result.ops.iter().flat_map(|(_, op)| op.names()).collect();
    let mut wider = result.clone();
    let mut kinds: BTreeSet<Op> = BTreeSet::new();
    for (_, op) in &input.ops {
        let mut plain = plain_of_its_kind(op);
        plain.rename(|name| {
            let kind = std::mem::discriminant(&name);
            let known = used.iter().find(|known| std::mem::discriminant(*known) == kind);
            known.copied().unwrap_or(match name {
                Name::Buffer(_) => Name::Buffer(BufferHandle(0)),
                Name::Mesh(_) => Name::Mesh(MeshHandle(0)),
                Name::Program(_) => Name::Program(ProgramHandle(0)),
                Name::Key(_) => Name::Key(CacheKey(0)),
                Name::Trace(_) => Name::Trace(TraceHandle(0)),
                Name::Process(_) => name,
            })
        });
        kinds.insert(plain);
    }
    wider.ops.extend(kinds.into_iter().map(|op| (ThreadId(0), op)));
    wider
}
