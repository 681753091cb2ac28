//! What follows the first word of a line: setup, picks, expectations and operations.

use super::error::ScenarioError;
use super::lex::{Word, Words};
use super::limits::{ADDRESS, COUNT, PICK, SIZE};
use super::operations::OPERATIONS;
use super::{Class, Expectation, Item, Measure, SetupLine};
use crate::allocator::Machine;
use crate::fix::{FixSet, FixSetError};
use crate::op::{Op, Stream, ThreadId};
use crate::runtime::circular_buffer::CoreRangeForm;
use crate::server::ServerKind;
use crate::suggest;
use crate::units::{Bytes, DeviceAddr};
use crate::violation::OracleName;
use crate::world::Action;

type Parsed<T> = Result<T, ScenarioError>;

/// Reads the rest of a line.
pub(super) type Reader = fn(&mut Words<'_>) -> Result<Item, ScenarioError>;

/// The lines that stand anywhere but in a block.
const TOP_LEVEL: [(&str, Reader); 3] =
    [("picks", picks), ("schedule", schedule), ("expect", expect)];

/// The lines that stand before the first operation.
const SETUP: [(&str, Reader); 8] = [
    ("machine", machine),
    ("l1-small", |words| size(words, "l1-small 32768", SetupLine::L1Small)),
    ("trace-region", |words| size(words, "trace-region 1048576", SetupLine::TraceRegion)),
    ("l1-base", |words| address(words, "l1-base 101152", SetupLine::L1Base)),
    ("l1-limit", |words| address(words, "l1-limit 300000", SetupLine::L1Limit)),
    ("core-ranges", core_ranges),
    ("tracked", tracked),
    ("class", class),
];

/// The reader of a line that stands anywhere but in a block.
pub(super) fn top_level_reader(keyword: &str) -> Option<Reader> {
    TOP_LEVEL.iter().find(|(name, _)| *name == keyword).map(|&(_, read)| read)
}

/// The reader of a setup line.
pub(super) fn setup_reader(keyword: &str) -> Option<Reader> {
    SETUP.iter().find(|(name, _)| *name == keyword).map(|&(_, read)| read)
}

/// Reads `drop b0` or `t1: drop b0`.
pub(super) fn operation(words: &mut Words<'_>, first: Word<'_>) -> Parsed<Item> {
    words.form = "t1: drop b0";
    let Some((name, rest)) = first.split_once(':') else {
        return Ok(Item::Op(ThreadId(0), operation_at(words, first)?));
    };
    let thread = words.thread(name)?;
    if !rest.text.is_empty() {
        return Err(words.unexpected(Some(rest), "a space behind the colon"));
    }
    let keyword = words.word("an operation")?;
    Ok(Item::Op(thread, operation_at(words, keyword)?))
}

fn operation_at(words: &mut Words<'_>, keyword: Word<'_>) -> Parsed<Op> {
    let Some(row) = OPERATIONS.iter().find(|row| row.keyword == keyword.text) else {
        return Err(unknown_keyword(words, keyword));
    };
    words.form = row.form;
    (row.read)(words)
}

fn unknown_keyword(words: &Words<'_>, keyword: Word<'_>) -> ScenarioError {
    let at = words.position(keyword);
    let names = OPERATIONS.iter().map(|row| row.keyword);
    let others = SETUP.iter().chain(&TOP_LEVEL).map(|(name, _)| *name).chain(["repeat"]);
    // It is known, and yet it was not read as what it is: a thread stands before it.
    if others.clone().any(|name| name == keyword.text) {
        let message = format!("a thread stands before `{}`", keyword.text);
        return ScenarioError::Misplaced { at, message, hint: "only operations have a thread" };
    }
    let nearest = suggest::hint(keyword.text, names.chain(others));
    // The list of all keywords would bury the message.
    let hint = if nearest.starts_with("did you mean") {
        nearest
    } else if words.thread(keyword).is_ok() {
        format!("did you mean `{}:`?", keyword.text)
    } else {
        "docs/scenario.md lists the operations".to_owned()
    };
    ScenarioError::UnknownName { at, what: "operation", found: keyword.shown(), hint }
}

fn machine(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "machine T3K";
    let word = words.word("a machine such as `T3K`")?;
    let machine = Machine::from_name(word.text).ok_or_else(|| {
        words.unknown(word, "machine", Machine::ALL.into_iter().map(Machine::name))
    })?;
    Ok(Item::Setup(SetupLine::Machine(machine)))
}

fn size(words: &mut Words<'_>, form: &'static str, fact: fn(Bytes) -> SetupLine) -> Parsed<Item> {
    words.form = form;
    Ok(Item::Setup(fact(Bytes(words.next_number(SIZE)?))))
}

fn address(
    words: &mut Words<'_>,
    form: &'static str,
    fact: fn(DeviceAddr) -> SetupLine,
) -> Parsed<Item> {
    words.form = form;
    Ok(Item::Setup(fact(DeviceAddr(words.next_number(ADDRESS)?))))
}

fn core_ranges(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "core-ranges wheel|document";
    let forms = [("wheel", CoreRangeForm::Wheel), ("document", CoreRangeForm::Document)];
    Ok(Item::Setup(SetupLine::CoreRanges(words.one_of(&forms)?)))
}

fn tracked(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "tracked on|off";
    Ok(Item::Setup(SetupLine::Tracked(words.one_of(&[("on", true), ("off", false)])?)))
}

fn class(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "class lifecycle|environment|application";
    let classes = Class::ALL.map(|class| (class.name(), class));
    Ok(Item::Setup(SetupLine::Class(words.one_of(&classes)?)))
}

fn picks(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "picks 0 1 2";
    let mut picks = Vec::new();
    while let Some(word) = words.next_word() {
        picks.push(words.number(word, PICK)?);
    }
    Ok(Item::Picks(picks))
}

fn schedule(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "schedule t0 t1 old new";
    let mut turns = Vec::new();
    while let Some(word) = words.next_word() {
        turns.push(match word.text {
            "old" => Action::Deliver(Stream::Old),
            "new" => Action::Deliver(Stream::New),
            _ => Action::Step(words.thread(word)?),
        });
    }
    Ok(Item::Schedule(turns))
}

fn expect(words: &mut Words<'_>) -> Parsed<Item> {
    words.form = "expect final k2: unknown_free=0 balance=1";
    let set = words.word("a set of fixes such as `final`")?;
    let fixes = fixes(words, set)?;
    let expected = "a server with a colon such as `k2:`";
    let word = words.word(expected)?;
    let name = match word.split_once(':') {
        Some((name, rest)) if rest.text.is_empty() => name,
        Some(_) | None => return Err(words.unexpected(Some(word), expected)),
    };
    let server = name.text.parse::<ServerKind>().map_err(|_| {
        words.unknown(name, "server", ServerKind::ALL.into_iter().map(ServerKind::name))
    })?;
    let mut measures = vec![measure(words)?];
    while !words.is_at_end() {
        let next = measure(words)?;
        if measures.iter().any(|(known, _)| *known == next.0) {
            return Err(ScenarioError::Misplaced {
                at: words.last_position(),
                message: format!("`{}` is expected twice", next.0),
                hint: "name each measure once",
            });
        }
        measures.push(next);
    }
    let fixes_text = set.text.to_owned();
    Ok(Item::Expect(Expectation { fixes, fixes_text, server, measures }))
}

fn fixes(words: &Words<'_>, set: Word<'_>) -> Parsed<FixSet> {
    set.text.parse::<FixSet>().map_err(|error| {
        let (what, name, hint) = match error {
            // The preset or baseline is what the set starts with.
            FixSetError::UnknownBase { name, hint } => {
                ("preset or baseline", set.part(0, name.len()), hint)
            }
            FixSetError::UnknownFix { name, hint } => ("fix", fix_at(set, &name), hint),
        };
        if name.text.is_empty() {
            return words.unexpected(Some(name), &format!("a {what}"));
        }
        ScenarioError::UnknownName { at: words.position(name), what, found: name.shown(), hint }
    })
}

/// Where the name of an unknown fix stands in a set: behind a sign, up to a `+` or the end.
fn fix_at<'a>(set: Word<'a>, name: &str) -> Word<'a> {
    let signs = set.text.match_indices(['+', '-']).map(|(sign, _)| sign + 1);
    let mut starts = signs.filter(|&from| {
        let rest = set.text[from..].strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
    });
    starts.next().map_or(set, |from| set.part(from, name.len()))
}

fn measure(words: &mut Words<'_>) -> Parsed<(Measure, u64)> {
    let expected = "a measure with a count such as `unknown_free=0`";
    let word = words.word(expected)?;
    let parts = word.split_once('=');
    let (name, count) = parts.ok_or_else(|| words.unexpected(Some(word), expected))?;
    let measures = Measure::NUMBERS.into_iter();
    let mut all = measures.chain(OracleName::ALL.map(Measure::Oracle));
    let measure = all.find(|measure| measure.name() == name.text).ok_or_else(|| {
        let numbers = Measure::NUMBERS.into_iter().map(Measure::name);
        words.unknown(name, "measure", numbers.chain(OracleName::ALL.map(OracleName::name)))
    })?;
    Ok((measure, words.number(count, COUNT)?))
}
