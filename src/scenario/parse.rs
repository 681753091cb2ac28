//! The text form, read back: one pass over the lines, stopping at the first thing that is wrong.

use std::str::FromStr;

use super::error::{Position, ScenarioError};
use super::lex::{Limit, Source, Word, Words, up_to};
use super::readers::{operation, setup_reader, top_level_reader};
use super::{Item, Line, Scenario, SetupLine, VERSION};
use crate::allocator::Reserved;
use crate::runtime::Setup;

/// How deep `repeat` blocks can be nested.
const NESTING_MAX: usize = 8;
/// How many lines there can be once every repeat is unrolled, the lines with braces included.
const UNROLLED_MAX: u64 = 20_000_000;

const REPEAT_COUNT: Limit = up_to("repeat count", 1_000_000);

type Parsed<T> = Result<T, ScenarioError>;

impl FromStr for Scenario {
    type Err = ScenarioError;

    /// Reads the text form, which `docs/scenario.md` describes.
    fn from_str(text: &str) -> Parsed<Self> {
        let mut sources = Source::lines(text);
        read_version(sources.next())?;
        let mut parser = Parser::default();
        for source in sources {
            source.check_characters()?;
            parser.line(Words::new(source))?;
        }
        parser.finish()
    }
}

impl Scenario {
    /// Reads the text form from the bytes of a file.
    ///
    /// ```
    /// use freeorder::scenario::Scenario;
    /// let scenario = Scenario::parse_bytes(b"freeorder 1\nopen m0 2x4\nexit\n")?;
    /// assert_eq!(scenario.ops().count(), 2);
    /// assert_eq!(scenario.to_string(), "freeorder 1\nopen m0 2x4\nexit\n");
    /// # Ok::<(), freeorder::scenario::ScenarioError>(())
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong with the text; bytes that are not UTF-8 come before all else.
    pub fn parse_bytes(bytes: &[u8]) -> Parsed<Self> {
        std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error))?.parse()
    }
}

fn invalid_utf8(bytes: &[u8], error: std::str::Utf8Error) -> ScenarioError {
    let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
    let last_line = valid.rsplit('\n').next().unwrap_or_default();
    let line = valid.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = last_line.chars().count() + 1;
    ScenarioError::InvalidUtf8 {
        at: Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            offset: valid.len(),
            length: error.error_len().unwrap_or(bytes.len() - valid.len()),
        },
    }
}

fn read_version(first: Option<Source<'_>>) -> Parsed<()> {
    let source = first.unwrap_or(Source { number: 1, offset: 0, text: "" });
    let marked = source.text.starts_with('\u{feff}');
    let missing = |at| Err(ScenarioError::MissingVersion { at, byte_order_mark: marked });
    source.check_characters()?;
    let mut words = Words::new(source);
    words.form = "freeorder 1";
    let Some(keyword) = words.next_word() else {
        return missing(source.position(0, source.text.len()));
    };
    if keyword.text != "freeorder" {
        return missing(words.position(keyword));
    }
    let Some(version) = words.next_word() else {
        return missing(words.position(keyword));
    };
    if version.text != VERSION.to_string() {
        let (at, found) = (words.position(version), version.shown());
        return Err(ScenarioError::UnknownVersion { at, found });
    }
    words.finish()?;
    match words.comment {
        None => Ok(()),
        Some(_) => Err(ScenarioError::Misplaced {
            at: words.comment_position(),
            message: "a comment stands on the version line".to_owned(),
            hint: "put it on the next line",
        }),
    }
}

/// What a block does with its lines.
#[derive(Clone, Copy, Debug)]
enum BlockKind {
    Repeat(u32),
    Any,
}

impl BlockKind {
    /// As errors name it.
    fn name(self) -> &'static str {
        match self {
            Self::Repeat(_) => "repeat",
            Self::Any => "block",
        }
    }
}

/// A `repeat` or `any` that is not closed yet.
#[derive(Debug)]
struct Block {
    /// Its first line, still without a body.
    line: Line,
    kind: BlockKind,
    /// Where the count is, or the word `any`.
    at: Position,
    /// How often its body is executed, the blocks around it included.
    rounds: u64,
    body: Vec<Line>,
}

#[derive(Debug, Default)]
struct Parser {
    lines: Vec<Line>,
    open: Vec<Block>,
    has_operations: bool,
    unrolled: u64,
    /// Where the lines stand that must fit the machine, which is known at the end only.
    regions: Vec<(Position, SetupLine)>,
}

impl Parser {
    fn line(&mut self, mut words: Words<'_>) -> Parsed<()> {
        let Some(first) = words.next_word() else { return self.push(&words, Item::Blank) };
        match first.text {
            "}" => return self.close(words, first),
            "repeat" => return self.repeat(words, first),
            "any" => return self.any(words, first),
            _ => {}
        }
        let item = if let Some(read) = top_level_reader(first.text) {
            self.check_top_level(&words, first)?;
            read(&mut words)?
        } else if let Some(read) = setup_reader(first.text) {
            self.check_setup(&words, first)?;
            let item = read(&mut words)?;
            if let Item::Setup(fact) = item {
                self.regions.push((words.last_position(), fact));
            }
            item
        } else {
            self.has_operations = true;
            operation(&mut words, first)?
        };
        words.finish()?;
        self.push(&words, item)
    }

    fn push(&mut self, words: &Words<'_>, item: Item) -> Parsed<()> {
        self.count_line(words)?;
        let line = finished(words, item);
        self.open.last_mut().map_or(&mut self.lines, |block| &mut block.body).push(line);
        Ok(())
    }

    /// Adds the line as often as it is executed.
    fn count_line(&mut self, words: &Words<'_>) -> Parsed<()> {
        let rounds = self.open.last().map_or(1, |block| block.rounds);
        self.unrolled = self.unrolled.saturating_add(rounds);
        if self.unrolled <= UNROLLED_MAX {
            return Ok(());
        }
        let at = self.open.last().map_or_else(|| words.line_position(), |block| block.at);
        Err(ScenarioError::OutOfRange {
            at,
            message: format!("the repeats unroll to more than {UNROLLED_MAX} lines"),
            hint: "lower a repeat count".to_owned(),
        })
    }

    fn repeat(&mut self, mut words: Words<'_>, keyword: Word<'_>) -> Parsed<()> {
        self.has_operations = true;
        if self.open.len() == NESTING_MAX {
            let message = format!("more than {NESTING_MAX} repeats stand inside each other");
            return Err(misplaced(&words, keyword, message, "put some of them one after another"));
        }
        self.check_not_in_any(&words, keyword)?;
        words.form = "repeat 3 {";
        let number = words.word("a repeat count")?;
        let count = words.number(number, REPEAT_COUNT)?;
        words.fixed("{")?;
        words.finish()?;
        self.count_line(&words)?;
        let rounds = self.open.last().map_or(1, |block| block.rounds).saturating_mul(count);
        self.open.push(Block {
            line: finished(&words, Item::Blank),
            kind: BlockKind::Repeat(u32::try_from(count).expect("the limit is below 2^32")),
            at: words.position(number),
            rounds,
            body: Vec::new(),
        });
        Ok(())
    }

    fn any(&mut self, mut words: Words<'_>, keyword: Word<'_>) -> Parsed<()> {
        self.has_operations = true;
        self.check_top_level(&words, keyword)?;
        words.form = "any {";
        words.fixed("{")?;
        words.finish()?;
        self.count_line(&words)?;
        self.open.push(Block {
            line: finished(&words, Item::Blank),
            kind: BlockKind::Any,
            at: words.position(keyword),
            rounds: 1,
            body: Vec::new(),
        });
        Ok(())
    }

    fn check_not_in_any(&self, words: &Words<'_>, keyword: Word<'_>) -> Parsed<()> {
        let in_any = self.open.iter().any(|block| matches!(block.kind, BlockKind::Any));
        if in_any { self.check_top_level(words, keyword) } else { Ok(()) }
    }

    fn close(&mut self, mut words: Words<'_>, brace: Word<'_>) -> Parsed<()> {
        words.form = "}";
        words.finish()?;
        if words.comment.is_some() {
            return Err(ScenarioError::Misplaced {
                at: words.comment_position(),
                message: "a comment stands behind a closing brace".to_owned(),
                hint: "put it on the first line of the block, or on a line of its own",
            });
        }
        if self.open.is_empty() {
            let message = "`}` closes nothing".to_owned();
            let hint = "a block starts with `repeat 3 {` or `any {`";
            return Err(misplaced(&words, brace, message, hint));
        }
        self.count_line(&words)?;
        let block = self.open.pop().expect("a block is open");
        let item = match block.kind {
            BlockKind::Repeat(count) => Item::Repeat(count, block.body),
            BlockKind::Any => Item::Any(block.body),
        };
        let line = Line { item, ..block.line };
        self.open.last_mut().map_or(&mut self.lines, |outer| &mut outer.body).push(line);
        Ok(())
    }

    fn check_top_level(&self, words: &Words<'_>, keyword: Word<'_>) -> Parsed<()> {
        let Some(block) = self.open.last() else { return Ok(()) };
        let message = format!("`{}` stands inside a {}", keyword.text, block.kind.name());
        Err(misplaced(words, keyword, message, "put it outside of the braces"))
    }

    fn check_setup(&self, words: &Words<'_>, keyword: Word<'_>) -> Parsed<()> {
        if !self.has_operations {
            return Ok(());
        }
        let message = format!("the setup line `{}` comes after an operation", keyword.text);
        Err(misplaced(words, keyword, message, "setup lines come before the first operation"))
    }

    fn finish(self) -> Parsed<Scenario> {
        if let Some(block) = self.open.last() {
            return Err(ScenarioError::Misplaced {
                at: block.at,
                message: format!("the {} is never closed", block.kind.name()),
                hint: "end its lines with a line `}`",
            });
        }
        let scenario = Scenario { lines: self.lines };
        let setup = scenario.setup();
        for (at, fact) in self.regions {
            if let Some((message, hint)) = misfit(&setup, fact) {
                return Err(ScenarioError::OutOfRange { at, message, hint });
            }
        }
        Ok(scenario)
    }
}

/// What is wrong with a line of the setup on the machine, and what would be right.
pub(super) fn misfit(setup: &Setup, fact: SetupLine) -> Option<(String, String)> {
    let bare = setup.machine.memory_map(Reserved::default());
    let reserved = setup.machine.memory_map(setup.reserved);
    let machine = setup.machine;
    match fact {
        SetupLine::L1Base(base) => {
            let end = reserved.l1.offset.offset(reserved.l1.bank_size);
            let alignment = bare.dram_alignment;
            if base >= end {
                let hint = format!("on a {machine} with these reserves L1 ends at {end}");
                Some((format!("l1-base {base} is not below the end of L1"), hint))
            } else if base.0 % alignment.0 != 0 {
                let hint = format!("on a {machine} it is a multiple of {alignment}");
                Some((format!("l1-base {base} is not aligned"), hint))
            } else {
                None
            }
        }
        SetupLine::L1Small(size) if size >= bare.l1.bank_size => {
            let hint = format!("on a {machine} L1 has {} bytes in all", bare.l1.bank_size);
            Some((format!("l1-small {size} leaves no L1"), hint))
        }
        SetupLine::TraceRegion(_) if reserved.dram.bank_size.0 == 0 => {
            let hint = format!("on a {machine} a bank has {} bytes", bare.dram.bank_size);
            Some(("trace-region leaves no DRAM".to_owned(), hint))
        }
        SetupLine::L1Small(_)
        | SetupLine::TraceRegion(_)
        | SetupLine::Machine(_)
        | SetupLine::L1Limit(_)
        | SetupLine::CoreRanges(_)
        | SetupLine::Tracked(_)
        | SetupLine::Class(_) => None,
    }
}

fn finished(words: &Words<'_>, item: Item) -> Line {
    Line { item, comment: words.comment.map(str::to_owned), number: words.line_number() }
}

fn misplaced(
    words: &Words<'_>,
    word: Word<'_>,
    message: String,
    hint: &'static str,
) -> ScenarioError {
    ScenarioError::Misplaced { at: words.position(word), message, hint }
}
