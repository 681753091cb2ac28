//! Lines into words, and words into numbers and names.

use super::error::{Position, ScenarioError};
use crate::suggest;

/// How many characters of a wrong word a message repeats.
const SHOWN_MAX: usize = 40;

/// A part of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// Bytes from the start of the line.
    start: usize,
}

impl<'a> Word<'a> {
    fn tail(self, from: usize) -> Self {
        Self { text: &self.text[from..], start: self.start + from }
    }

    /// The part from byte `from`, `length` bytes long.
    pub fn part(self, from: usize, length: usize) -> Self {
        Self { text: &self.text[from..from + length], start: self.start + from }
    }

    /// What stands before and behind the first `separator`.
    pub fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        Some((self.part(0, at), self.tail(at + separator.len_utf8())))
    }

    /// The items of a list with commas.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let (item, tail) = match rest?.split_once(',') {
                Some((item, tail)) => (item, Some(tail)),
                None => (rest?, None),
            };
            rest = tail;
            Some(item)
        })
    }

    /// The word as messages repeat it.
    pub fn shown(self) -> String {
        let mut shown: String = self.text.chars().take(SHOWN_MAX).collect();
        if shown.len() < self.text.len() {
            shown.push_str("...");
        }
        shown
    }
}

/// A number and the values it may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Its name; starts with a consonant.
    pub what: &'static str,
    pub least: u64,
    pub most: u64,
}

impl Limit {
    /// Whether a number is within.
    pub fn has(self, number: u64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

/// A limit of numbers from 0.
pub(super) const fn up_to(what: &'static str, most: u64) -> Limit {
    Limit { what, least: 0, most }
}

/// A limit of numbers from 1.
pub(super) const fn one_to(what: &'static str, most: u64) -> Limit {
    Limit { what, least: 1, most }
}

/// A kind of handle: a letter and a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandleKind {
    pub letter: char,
    /// How messages name it.
    pub expected: &'static str,
    pub limit: Limit,
}

/// One line of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// From 1.
    pub number: u32,
    /// Bytes from the start of the text.
    pub offset: usize,
    /// Without its line break.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Every line of a text; a last line that is empty is only the end of the one before.
    pub fn lines(text: &'a str) -> impl Iterator<Item = Self> {
        let (mut number, mut offset) = (0_u32, 0);
        text.split_inclusive('\n').map(move |whole| {
            number = number.saturating_add(1);
            let start = offset;
            offset += whole.len();
            let text = whole.strip_suffix('\n').map_or(whole, |line| {
                // A carriage return before the line break is part of the break.
                line.strip_suffix('\r').unwrap_or(line)
            });
            Self { number, offset: start, text }
        })
    }

    /// Where a part of the line is.
    pub fn position(self, from: usize, length: usize) -> Position {
        let before = self.text[..from].chars().count();
        Position {
            line: self.number,
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
            offset: self.offset + from,
            length,
        }
    }

    /// The first control character; a tab is none.
    pub fn check_characters(self) -> Result<(), ScenarioError> {
        let wrong = |&(_, letter): &(usize, char)| letter.is_control() && letter != '\t';
        self.text.char_indices().find(wrong).map_or(Ok(()), |(from, letter)| {
            let at = self.position(from, letter.len_utf8());
            Err(ScenarioError::ControlCharacter { at, code: u32::from(letter) })
        })
    }
}

/// The words of a line, read from left to right.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    source: Source<'a>,
    rest: Word<'a>,
    /// The last word that was read.
    last: Word<'a>,
    /// What the whole line looks like.
    pub form: &'static str,
    /// What could have stood where the last optional words were looked for.
    tried: Vec<&'static str>,
    /// The text behind `#`.
    pub comment: Option<&'a str>,
    /// Where the comment starts, the `#` included.
    comment_start: usize,
}

impl<'a> Words<'a> {
    /// The words of a line and its comment.
    pub fn new(source: Source<'a>) -> Self {
        let (code, comment) = match source.text.split_once('#') {
            Some((code, comment)) => (code, Some(comment)),
            None => (source.text, None),
        };
        let rest = Word { text: code, start: 0 };
        let (last, comment_start) = (rest.part(0, 0), code.len());
        Self { source, rest, last, form: "", tried: Vec::new(), comment, comment_start }
    }

    /// The number of the line, from 1.
    pub fn line_number(&self) -> u32 {
        self.source.number
    }

    /// Where a word is.
    pub fn position(&self, word: Word<'_>) -> Position {
        self.source.position(word.start, word.text.len())
    }

    /// Where the last word is that was read.
    pub fn last_position(&self) -> Position {
        self.position(self.last)
    }

    /// Where the whole line is.
    pub fn line_position(&self) -> Position {
        self.source.position(0, self.source.text.len())
    }

    /// Where the comment is.
    pub fn comment_position(&self) -> Position {
        let length = self.source.text.len() - self.comment_start;
        self.source.position(self.comment_start, length)
    }

    fn peek(&self) -> Option<Word<'a>> {
        let blank = |letter: char| letter == ' ' || letter == '\t';
        let from = self.rest.text.find(|letter| !blank(letter))?;
        let rest = self.rest.tail(from);
        Some(rest.part(0, rest.text.find(blank).unwrap_or(rest.text.len())))
    }

    /// The next word, if there is one.
    pub fn next_word(&mut self) -> Option<Word<'a>> {
        let word = self.peek()?;
        self.last = word;
        self.rest = self.rest.tail(word.start + word.text.len() - self.rest.start);
        self.tried.clear();
        Some(word)
    }

    /// The next word; an error that says what was expected if there is none.
    pub fn word(&mut self, expected: &str) -> Result<Word<'a>, ScenarioError> {
        self.next_word().ok_or_else(|| self.unexpected(None, expected))
    }

    /// This word and no other.
    pub fn fixed(&mut self, wanted: &'static str) -> Result<(), ScenarioError> {
        match self.next_word() {
            Some(word) if word.text == wanted => Ok(()),
            found => Err(self.unexpected(found, &format!("`{wanted}`"))),
        }
    }

    /// Whether the next word is this one; if so it is read.
    pub fn optional(&mut self, wanted: &'static str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == wanted);
        if found {
            self.next_word();
        } else {
            self.tried.push(wanted);
        }
        found
    }

    /// One of a few words that have a meaning.
    pub fn one_of<T: Copy>(&mut self, names: &[(&'static str, T)]) -> Result<T, ScenarioError> {
        let found = self.next_word();
        let meant = names.iter().find(|(name, _)| found.is_some_and(|word| word.text == *name));
        meant.map(|&(_, value)| value).ok_or_else(|| {
            let quoted = names.iter().map(|(name, _)| format!("`{name}`"));
            self.unexpected(found, &alternatives(quoted.collect()))
        })
    }

    /// Whether no word is left.
    pub fn is_at_end(&self) -> bool {
        self.peek().is_none()
    }

    /// The end of the line.
    pub fn finish(&self) -> Result<(), ScenarioError> {
        let Some(word) = self.peek() else { return Ok(()) };
        let tried = self.tried.iter().map(|tried| format!("`{tried}`"));
        let expected = alternatives(tried.chain(["the end of the line".to_owned()]).collect());
        Err(self.unexpected(Some(word), &expected))
    }

    /// "Expected this, found that", with the form of the line; no word means the end of the line.
    pub fn unexpected(&self, found: Option<Word<'_>>, expected: &str) -> ScenarioError {
        let (at, found) = match found {
            Some(word) if word.text.is_empty() => (self.position(word), "nothing".to_owned()),
            Some(word) => (self.position(word), format!("`{}`", word.shown())),
            None => {
                let end = self.last.start + self.last.text.len();
                (self.source.position(end, 0), "the end of the line".to_owned())
            }
        };
        let message = format!("expected {expected}, found {found}");
        ScenarioError::Unexpected { at, message, hint: format!("the line reads `{}`", self.form) }
    }

    /// A name that is on no list.
    pub fn unknown<'n>(
        &self,
        word: Word<'_>,
        what: &'static str,
        names: impl Iterator<Item = &'n str>,
    ) -> ScenarioError {
        let hint = suggest::hint(word.text, names);
        ScenarioError::UnknownName { at: self.position(word), what, found: word.shown(), hint }
    }

    /// A number that is out of its limits.
    pub fn out_of_range(&self, word: Word<'_>, limit: Limit) -> ScenarioError {
        let Limit { what, least, most } = limit;
        ScenarioError::OutOfRange {
            at: self.position(word),
            message: format!("{what} {} is out of range", word.shown()),
            hint: format!("expected {least} to {most}"),
        }
    }

    /// A part of a word as a plain decimal number.
    pub fn number(&self, word: Word<'_>, limit: Limit) -> Result<u64, ScenarioError> {
        let digits = word.text;
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !plain {
            return Err(self.unexpected(Some(word), &format!("a {}", limit.what)));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(self.unexpected(Some(word), "a number without leading zeros"));
        }
        let value = digits.parse::<u64>().ok();
        value.filter(|&value| limit.has(value)).ok_or_else(|| self.out_of_range(word, limit))
    }

    /// The next word as a plain decimal number.
    pub fn next_number(&mut self, limit: Limit) -> Result<u64, ScenarioError> {
        match self.next_word() {
            Some(word) => self.number(word, limit),
            None => Err(self.unexpected(None, &format!("a {}", limit.what))),
        }
    }

    /// A part of a word as the number behind a handle's letter; none if it is no such handle.
    pub fn handle(&self, word: Word<'_>, kind: HandleKind) -> Result<Option<u32>, ScenarioError> {
        let digits = match word.text.strip_prefix(kind.letter) {
            Some(digits) if digits.starts_with(|letter: char| letter.is_ascii_digit()) => digits,
            Some(_) | None => return Ok(None),
        };
        let number = self.number(word.part(kind.letter.len_utf8(), digits.len()), kind.limit)?;
        Ok(Some(u32::try_from(number).expect("handles stop below a million")))
    }
}

/// "a, b or c".
fn alternatives(mut names: Vec<String>) -> String {
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} or {last}", names.join(", ")) }
}
