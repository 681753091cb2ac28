//! Where records begin and end in what a client writes, in whatever pieces it comes.
//!
//! Nothing on the wire says which version a client speaks. A request has zeros behind its head, and
//! the next one starts with a type that is not 0: so the first record ends where the zeros do.

use crate::wire::{HEAD, RECORD_MAX, RECORD_SIZES, RecordType, is_plausible, is_record};

/// A client that sends so many bytes in a row that are no record is not one: ten whole records.
const SKIPPED_MAX: usize = 10 * RECORD_MAX;

/// The most bytes that can wait for what follows: a record, and the head of the next.
pub const WAITING_MAX: usize = RECORD_MAX + HEAD;

/// What a connection sent that is no whole record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// Bytes that were skipped.
    pub skipped: u64,
    /// Records that end too early: how often whole records broke off.
    pub torn: u64,
}

/// The client sends no records at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SKIPPED_MAX} bytes in a row that are no record: not a client, or of an unknown version")]
pub struct Hopeless;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Nothing has been read.
    Unknown,
    /// The client fell silent after so many bytes. Zeros that follow belong to the first record.
    Guessed(usize),
    /// The size of every record.
    Known(usize),
}

/// The records of one connection.
///
/// ```
/// use freeorder::serve::Framing;
/// use freeorder::wire::{Head, RecordType};
/// let head = Head { code: RecordType::Free as u8, process: 7, ..Head::default() };
/// let bytes = [head.record(112), head.record(112)].concat();
/// let (mut framing, mut heads) = (Framing::new(None), Vec::new());
/// let mut each = |record: &[u8], size| heads.push((Head::of(record), size));
/// assert_eq!(framing.take(&bytes[..150], &mut each), Ok(112));
/// assert_eq!(framing.take(&bytes[112..], &mut each), Ok(112));
/// assert_eq!(heads, vec![(head, 112); 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Framing {
    version: Version,
    broken: Broken,
    skipped_in_a_row: usize,
}

impl Framing {
    /// A connection of which nothing has been read; of records of that size, if it is known.
    #[must_use]
    pub fn new(size: Option<usize>) -> Self {
        let version = size.map_or(Version::Unknown, Version::Known);
        Self { version, broken: Broken::default(), skipped_in_a_row: 0 }
    }

    /// The size of its records, if that is known.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        match self.version {
            Version::Unknown => None,
            Version::Guessed(size) | Version::Known(size) => Some(size),
        }
    }

    /// What was no whole record so far.
    #[must_use]
    pub fn broken(&self) -> Broken {
        self.broken
    }

    /// Hands over the head of each whole record with its size, and answers how many bytes that
    /// were; the others must be there again the next time, in front of those that follow.
    ///
    /// # Errors
    /// If far too many bytes are no record.
    #[inline]
    pub fn take(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&[u8], usize),
    ) -> Result<usize, Hopeless> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let progress = match self.version {
                Version::Unknown => self.first(rest)?,
                Version::Guessed(size) => self.widen(size, rest),
                Version::Known(size) => self.records(size, rest, each)?,
            };
            match progress {
                Some(used) => at += used,
                None => return Ok(at),
            }
        }
    }

    /// Whether these bytes are a whole record if nothing follows for a while.
    #[must_use]
    pub fn is_whole_if_silent(&self, rest: &[u8]) -> bool {
        self.version == Version::Unknown
            && RECORD_SIZES.contains(&rest.len())
            && first_version(rest) <= rest.len()
            && is_record(rest)
            && is_blank(&rest[HEAD..])
    }

    /// The client has been silent for a while, or has gone: a first record of which it was not
    /// clear whether more of it follows is whole. Answers how many bytes that were.
    pub fn silence(&mut self, rest: &[u8], each: &mut impl FnMut(&[u8], usize)) -> usize {
        if !self.is_whole_if_silent(rest) {
            return 0;
        }
        self.version = Version::Guessed(rest.len());
        each(&rest[..HEAD], rest.len());
        rest.len()
    }

    /// The client has gone and left these bytes, which are no whole record.
    pub fn end(&mut self, rest: &[u8]) {
        let zeros_of_the_first = matches!(self.version, Version::Guessed(_)) && is_blank(rest);
        if !rest.is_empty() && !zeros_of_the_first {
            self.broken.torn += 1;
            self.broken.skipped += rest.len() as u64;
        }
    }

    /// Finds out where the first record ends.
    fn first(&mut self, rest: &[u8]) -> Result<Option<usize>, Hopeless> {
        if !may_start(rest) {
            return self.skip(rest).map(Some);
        }
        if rest.len() < HEAD {
            return Ok(None);
        }
        let tail = &rest[HEAD..rest.len().min(RECORD_MAX)];
        let end = HEAD + tail.iter().take_while(|&&byte| byte == 0).count();
        if end == rest.len() && end < RECORD_MAX {
            return Ok(None);
        }
        if RECORD_SIZES.contains(&end) && first_version(rest) <= end {
            self.version = Version::Known(end);
            return Ok(Some(0));
        }
        self.broken_off(rest, end)
    }

    /// After a guess: zeros belong to the first record, which was longer than it seemed.
    fn widen(&mut self, size: usize, rest: &[u8]) -> Option<usize> {
        let zeros = rest.iter().take(RECORD_MAX - size).take_while(|&&byte| byte == 0).count();
        if zeros == rest.len() && zeros < RECORD_MAX - size || rest.is_empty() {
            return None;
        }
        let longer = RECORD_SIZES.contains(&(size + zeros));
        self.version = Version::Known(if longer { size + zeros } else { size });
        Some(if longer { zeros } else { 0 })
    }

    #[inline]
    fn records(
        &mut self,
        size: usize,
        rest: &[u8],
        each: &mut impl FnMut(&[u8], usize),
    ) -> Result<Option<usize>, Hopeless> {
        let mut at = 0;
        while let Some(record) = rest.get(at..at + size) {
            if !is_blank(&record[HEAD..]) || !is_plausible(record) && !is_odd(&rest[at..], size) {
                break;
            }
            each(&record[..HEAD], size);
            at += size;
        }
        if at > 0 {
            self.skipped_in_a_row = 0;
            return Ok(Some(at));
        }
        if !may_start(rest) {
            return self.skip(rest).map(Some);
        }
        if rest.len() < size {
            return Ok(None);
        }
        if let Some(start) = next_start(rest, size) {
            return Ok(Some(self.torn(start)));
        }
        let zeros = rest[HEAD..size].iter().take_while(|&&byte| byte == 0).count();
        self.broken_off(rest, HEAD + zeros)
    }

    /// The zeros behind a head end too early: there another record starts, or nothing does.
    fn broken_off(&mut self, rest: &[u8], end: usize) -> Result<Option<usize>, Hopeless> {
        if rest.len() < end + HEAD {
            return Ok(None);
        }
        if !is_plausible(&rest[end..]) {
            return self.skip(rest).map(Some);
        }
        Ok(Some(self.torn(end)))
    }

    /// A record ends after so many bytes, which are too few.
    fn torn(&mut self, end: usize) -> usize {
        self.broken.torn += 1;
        self.broken.skipped += end as u64;
        end
    }

    /// The bytes before the next place where a record may start.
    fn skip(&mut self, rest: &[u8]) -> Result<usize, Hopeless> {
        let starts = |at: usize| {
            let rest = &rest[at..];
            if rest.len() < HEAD { may_start(rest) } else { is_plausible(rest) }
        };
        let skipped = (1..rest.len()).find(|&at| starts(at)).unwrap_or(rest.len());
        self.broken.torn += u64::from(self.skipped_in_a_row == 0);
        self.broken.skipped += skipped as u64;
        self.skipped_in_a_row += skipped;
        if self.skipped_in_a_row > SKIPPED_MAX { Err(Hopeless) } else { Ok(skipped) }
    }
}

/// Whether these bytes, which may be fewer than a head has, can be the start of a record.
fn may_start(rest: &[u8]) -> bool {
    let padding = |byte: usize| (1..4).contains(&byte) || (17..20).contains(&byte);
    let mut head = rest.iter().take(20).enumerate();
    head.all(|(at, &byte)| match at {
        0 => RecordType::from_code(byte).is_some(),
        at => byte == 0 || !padding(at),
    })
}

/// Whether this is a record although a field of it cannot be: unless the end of it was cut off, and
/// the next one is where its last fields should be.
#[cold]
fn is_odd(rest: &[u8], size: usize) -> bool {
    is_record(rest) && next_start(rest, size).is_none()
}

/// Where the next record starts in the bytes of one that was cut off early, if that is so.
fn next_start(rest: &[u8], size: usize) -> Option<usize> {
    let starts = |at: usize| {
        let record = rest.get(at..at + HEAD);
        let blank = || rest[at + HEAD..].iter().take(size - HEAD).all(|&byte| byte == 0);
        record.is_some_and(is_plausible) && blank()
    };
    (1..size.min(HEAD)).find(|&at| starts(at))
}

/// The size of the records of the first version that has this type.
fn first_version(record: &[u8]) -> usize {
    let kind = record.first().and_then(|&code| RecordType::from_code(code));
    kind.map_or(RECORD_MAX, RecordType::first_version)
}

#[inline]
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::{Choices, Seeded};
    use crate::units::{Bytes, DeviceAddr};
    use crate::wire::Head;

    fn head(nth: u64, code: u8) -> Head {
        let (device, process, memory) =
            ((nth % 8) as i32, 1000 + (nth % 3) as i32, (nth % 5) as u8);
        let (size, buffer) = (Bytes(nth * 32), DeviceAddr(nth << 5));
        Head { code, device, size, memory, process, buffer, timestamp: nth.wrapping_mul(77) }
    }

    /// Feeds bytes in pieces of the lengths that are drawn; silence after each with some chance.
    fn fed(
        bytes: &[u8],
        pieces: &mut dyn FnMut() -> usize,
        framing: &mut Framing,
    ) -> Vec<(Head, usize)> {
        let (mut heads, mut waiting, mut at) = (Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            let next = (at + pieces().max(1)).min(bytes.len());
            waiting.extend_from_slice(&bytes[at..next]);
            at = next;
            let mut each = |record: &[u8], size| heads.push((Head::of(record), size));
            let Ok(used) = framing.take(&waiting, &mut each) else { return heads };
            waiting.drain(..used);
            assert!(waiting.len() < WAITING_MAX + 1, "{} bytes wait", waiting.len());
        }
        let mut each = |record: &[u8], size| heads.push((Head::of(record), size));
        let used = framing.silence(&waiting, &mut each);
        framing.end(&waiting[used..]);
        heads
    }

    /// The version is in no byte, yet must be right for every cut of the stream.
    #[test]
    fn records_of_every_version_are_found_in_whatever_pieces_they_come() {
        let mut choices = Seeded::new(1);
        for round in 0..400 {
            let size = RECORD_SIZES[round % 4];
            let kinds = RecordType::ALL.into_iter().filter(|kind| kind.first_version() <= size);
            let kinds: Vec<RecordType> = kinds.collect();
            let count = choices.pick(6) + 1;
            let mut code = || kinds[choices.pick(kinds.len() as u64) as usize] as u8;
            let heads: Vec<Head> = (1..=count).map(|nth| head(nth, code())).collect();
            let bytes: Vec<u8> = heads.iter().flat_map(|head| head.record(size)).collect();
            let mut framing = Framing::new(None);
            let longest = 1 + choices.pick(200);
            let mut pieces = || choices.pick(longest) as usize;
            let found = fed(&bytes, &mut pieces, &mut framing);
            let expected: Vec<(Head, usize)> = heads.iter().map(|&head| (head, size)).collect();
            assert_eq!(found, expected, "round {round}");
            assert_eq!(framing.broken(), Broken::default());
        }
    }

    /// A client may pause in the middle of its first record, just where an older version ends.
    #[test]
    fn a_wrong_guess_is_taken_back_when_zeros_follow() {
        for (nth, &size) in RECORD_SIZES.iter().enumerate() {
            for &guess in &RECORD_SIZES[..nth] {
                let bytes = [head(1, 1).record(size), head(2, 2).record(size)].concat();
                let (mut framing, mut heads) = (Framing::new(None), Vec::new());
                let mut each = |record: &[u8], size| heads.push((Head::of(record), size));
                assert_eq!(framing.take(&bytes[..guess], &mut each), Ok(0));
                assert_eq!(framing.silence(&bytes[..guess], &mut each), guess);
                for cut in guess + 1..size {
                    assert_eq!(framing.take(&bytes[guess..cut], &mut each), Ok(0), "{cut}");
                }
                let used = framing.take(&bytes[guess..], &mut each);
                assert_eq!(used, Ok(bytes.len() - guess));
                assert_eq!(heads, [(head(1, 1), guess), (head(2, 2), size)]);
                assert_eq!((framing.size(), framing.broken()), (Some(size), Broken::default()));
            }
        }
    }

    /// A client whose send is cut off goes on with the next message, wherever the cut was.
    #[test]
    fn a_torn_record_costs_itself_and_nothing_else() {
        for size in RECORD_SIZES {
            for cut in 1..size {
                for torn_at in 0..3 {
                    let heads: Vec<Head> =
                        (1..=5).map(|nth| head(nth, if nth % 2 == 0 { 2 } else { 1 })).collect();
                    let mut bytes = Vec::new();
                    for (nth, head) in heads.iter().enumerate() {
                        let record = head.record(size);
                        let whole = if nth == torn_at { cut } else { size };
                        bytes.extend_from_slice(&record[..whole]);
                    }
                    let mut framing = Framing::new(None);
                    let found = fed(&bytes, &mut || 50, &mut framing);
                    let mut expected = heads.clone();
                    // What was cut behind the last byte that is not zero looks whole to nobody, but
                    // a first record that ends where another version does is one of it.
                    expected.remove(torn_at);
                    let found: Vec<Head> = found.into_iter().map(|(head, _)| head).collect();
                    let lost = expected.iter().filter(|head| !found.contains(head)).count();
                    assert!(lost <= usize::from(torn_at == 0), "{size} {cut} {torn_at}: {lost}");
                    let made_up = found.iter().filter(|head| !heads.contains(head)).count();
                    assert_eq!(made_up, 0, "size {size}, cut {cut}, torn {torn_at}");
                }
            }
        }
    }

    /// Noise is no client: it is dropped soon, and nothing is taken for a record.
    #[test]
    fn random_bytes_are_given_up_on() {
        let mut choices = Seeded::new(3);
        for _ in 0..200 {
            let bytes: Vec<u8> = (0..10_000).map(|_| choices.pick(256) as u8).collect();
            let mut framing = Framing::new(None);
            let heads = fed(&bytes, &mut || 700, &mut framing);
            assert_eq!(heads, []);
            assert!(framing.broken().skipped < 3000, "{:?}", framing.broken());
        }
    }
}
