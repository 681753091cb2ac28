//! Replaying what the C++ class `FreeListOpt` was asked: the `.trace` files.

use std::fmt;

use super::error::ConformError;
use super::lines::Here;
use super::tally::Conformance;
use crate::allocator::{ClearLowest, Direction, FreeListConfig, FreeListOpt, SearchPolicy};
use crate::suggest;
use crate::units::{Bytes, DeviceAddr};

/// The operations, each with its form.
const FORMS: [(&str, &str); 5] = [
    ("new", "new capacity=BYTES offset=ADDRESS min=BYTES align=BYTES policy=best|first"),
    ("alloc", "alloc SIZE bottom|top -> ADDRESS|none"),
    ("alloc_at", "alloc_at ADDRESS SIZE -> ADDRESS|none"),
    ("free", "free ADDRESS [-> unknown]"),
    ("clear", "clear"),
];

/// A line that is being read, word by word.
struct Words<'a> {
    here: &'a Here<'a>,
    rest: &'a str,
    form: &'static str,
}

impl<'a> Words<'a> {
    fn of(here: &'a Here<'a>) -> Self {
        Self { here, rest: here.text, form: "" }
    }

    fn column(&self) -> Option<u64> {
        Some((self.here.text.len() - self.rest.len()) as u64 + 1)
    }

    /// The next word, and the column it stands in.
    fn next(&mut self) -> Option<(&'a str, Option<u64>)> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let column = self.column();
        let end = self.rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((word, column))
    }

    fn wrong(&self, column: Option<u64>, message: &str) -> ConformError {
        self.here.malformed(column, message, format!("the form is `{}`", self.form))
    }

    fn expect(&mut self, what: &str) -> Result<(&'a str, Option<u64>), ConformError> {
        let column = self.column();
        self.next().ok_or_else(|| self.wrong(column, &format!("{what} is missing")))
    }

    fn number(&mut self, what: &str) -> Result<u64, ConformError> {
        let (word, column) = self.expect(what)?;
        self.parse(word, column, what)
    }

    fn parse(&self, word: &str, column: Option<u64>, what: &str) -> Result<u64, ConformError> {
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| word.parse().ok()).flatten();
        number.ok_or_else(|| self.wrong(column, &format!("{what} is not a number: `{word}`")))
    }

    fn arrow(&mut self) -> Result<(), ConformError> {
        match self.expect("the answer")? {
            ("->", _) => Ok(()),
            (word, column) => Err(self.wrong(column, &format!("`{word}` stands for `->`"))),
        }
    }

    /// `-> ADDRESS` or `-> none`, and the end of the line.
    fn answer(&mut self) -> Result<Answer, ConformError> {
        self.arrow()?;
        let (word, column) = self.expect("the answer")?;
        let answer = match word {
            "none" => Answer(None),
            _ => Answer(Some(DeviceAddr(self.parse(word, column, "the answer")?))),
        };
        self.end()?;
        Ok(answer)
    }

    fn end(&mut self) -> Result<(), ConformError> {
        match self.next() {
            None => Ok(()),
            Some((word, column)) => {
                Err(self.wrong(column, &format!("`{word}` stands after the end")))
            }
        }
    }
}

/// What an allocation was answered.
#[derive(PartialEq)]
struct Answer(Option<DeviceAddr>);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("none"),
        }
    }
}

/// The allocator of a trace, once it is made.
#[derive(Default)]
pub(super) struct Trace {
    list: Option<FreeListOpt>,
}

impl Trace {
    /// Replays one line.
    pub fn replay(&mut self, here: &Here<'_>, found: &mut Conformance) -> Result<(), ConformError> {
        let mut words = Words::of(here);
        let (name, column) = words.expect("an operation")?;
        let Some(&(name, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
            let hint = suggest::hint(name, FORMS.iter().map(|(known, _)| *known));
            return Err(here.malformed(column, &format!("unknown operation `{name}`"), hint));
        };
        words.form = form;
        if name == "new" {
            self.list = Some(FreeListOpt::new(config(&mut words)?));
            return Ok(());
        }
        let Some(list) = &mut self.list else {
            let message = format!("`{name}` before the allocator was made");
            return Err(here.impossible(&message, "the first line is `new ..`"));
        };
        match name {
            "alloc" => allocate(list, words, found),
            "alloc_at" => allocate_at(list, words, found),
            "free" => free(list, words, found),
            _ => {
                words.end()?;
                list.clear(ClearLowest::Keep);
                Ok(())
            }
        }
    }
}

fn allocate(
    list: &mut FreeListOpt,
    mut words: Words<'_>,
    found: &mut Conformance,
) -> Result<(), ConformError> {
    let size = Bytes(words.number("the size")?);
    let direction = match words.expect("the direction")? {
        ("bottom", _) => Direction::BottomUp,
        ("top", _) => Direction::TopDown,
        (word, column) => return Err(words.wrong(column, &format!("unknown direction `{word}`"))),
    };
    let recorded = words.answer()?;
    found.compare(words.here, "address", (recorded, Answer(list.allocate(size, direction))));
    Ok(())
}

fn allocate_at(
    list: &mut FreeListOpt,
    mut words: Words<'_>,
    found: &mut Conformance,
) -> Result<(), ConformError> {
    let start = DeviceAddr(words.number("the address")?);
    let size = Bytes(words.number("the size")?);
    let recorded = words.answer()?;
    let modelled = Answer(list.allocate_at_address(start, size));
    found.compare(words.here, "address", (recorded, modelled));
    Ok(())
}

fn free(
    list: &mut FreeListOpt,
    mut words: Words<'_>,
    found: &mut Conformance,
) -> Result<(), ConformError> {
    let address = DeviceAddr(words.number("the address")?);
    let mut recorded = "known";
    if !words.rest.trim_ascii().is_empty() {
        words.arrow()?;
        let (word, column) = words.expect("the answer")?;
        if word != "unknown" {
            return Err(words.wrong(column, &format!("unknown answer `{word}`")));
        }
        words.end()?;
        recorded = "unknown";
    }
    let modelled = if list.deallocate(address).is_some() { "known" } else { "unknown" };
    found.compare(words.here, "the address", (recorded, modelled));
    Ok(())
}

const PARAMETERS: [&str; 5] = ["capacity", "offset", "min", "align", "policy"];

/// Reads the parameters of `new`, in any order, each once.
fn config(words: &mut Words<'_>) -> Result<FreeListConfig, ConformError> {
    let mut values: [Option<(&str, Option<u64>)>; PARAMETERS.len()] = [None; PARAMETERS.len()];
    while let Some((word, column)) = words.next() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let Some(index) = PARAMETERS.iter().position(|&known| known == name) else {
            let hint = suggest::hint(name, PARAMETERS.into_iter());
            let message = format!("unknown parameter `{name}`");
            return Err(words.here.malformed(column, &message, hint));
        };
        if values[index].replace((value, column)).is_some() {
            return Err(words.wrong(column, &format!("`{name}` is given twice")));
        }
    }
    let value = |index: usize| {
        let missing =
            || words.wrong(words.column(), &format!("`{}=` is missing", PARAMETERS[index]));
        values[index].ok_or_else(missing)
    };
    let number = |index: usize| {
        let (word, column) = value(index)?;
        words.parse(word, column, &format!("`{}`", PARAMETERS[index]))
    };
    let policy = match value(4)? {
        ("best", _) => SearchPolicy::Best,
        ("first", _) => SearchPolicy::First,
        (word, column) => return Err(words.wrong(column, &format!("unknown policy `{word}`"))),
    };
    let config = FreeListConfig {
        max_size: Bytes(number(0)?),
        offset: DeviceAddr(number(1)?),
        min_allocation: Bytes(number(2)?),
        alignment: Bytes(number(3)?),
        policy,
    };
    if !fits(&config) {
        let message = "the region is too large for the model";
        let hint = "it may have 2^32 - 2 units of its alignment, and end below 2^62";
        return Err(words.here.impossible(message, hint));
    }
    Ok(config)
}

/// Whether the model can hold the region: [`FreeListOpt::new`] would panic otherwise.
fn fits(config: &FreeListConfig) -> bool {
    let FreeListConfig { max_size, offset, alignment, .. } = *config;
    let shift = alignment.0.max(1).trailing_zeros().min(max_size.0.trailing_zeros());
    let end = u128::from(max_size.0) + u128::from(offset.0) + u128::from(alignment.0);
    max_size.0.checked_shr(shift).unwrap_or(0) < u64::from(u32::MAX) && end < 1 << 62
}
