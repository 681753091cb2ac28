//! The lines of a recording: an operation each, with what the runtime answered.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::ConformError;
use super::lines::Here;
use super::tensor::{Dtype, Kind, Layout};
use crate::allocator::Arch;
use crate::suggest;

/// A line of a recording.
#[derive(Debug)]
pub(super) enum Operation {
    Open(Box<Open>),
    Alloc(Alloc),
    Deallocate(Named),
    Drop(Named),
    Add(Add),
    ClearProgramCache(ClearProgramCache),
    View(Box<View>),
}

const NAMES: [&str; 7] =
    ["open", "alloc", "deallocate", "drop", "add", "clear_program_cache", "view"];

/// Banks of a region, as `open` reports them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Banks {
    pub banks: u32,
    pub bank_size: u64,
}

/// `open`: a mesh was opened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub arch: Arch,
    pub mesh: [u64; 2],
    pub device_ids: Vec<u64>,
    pub mesh_device_id: u64,
    pub dram: Banks,
    pub l1: Banks,
    pub l1_small: Banks,
}

/// `alloc`: a tensor was allocated, or was not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alloc {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub name: String,
    pub kind: Kind,
    pub dtype: Dtype,
    pub layout: Layout,
    pub shape: Vec<u32>,
    pub address: Option<u64>,
    pub per_bank: Option<u64>,
    pub error: Option<String>,
}

/// `deallocate` and `drop`: neither has an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub name: String,
}

/// `add`: a + a, into a new tensor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Add {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub a: String,
    pub name: String,
    pub address: Option<u64>,
    pub cache: Option<u64>,
    pub error: Option<String>,
}

/// `clear_program_cache`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClearProgramCache {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub cache: u64,
}

/// A region, as `view` reports it. Of each block: its start relative to the region's, its size, and
/// whether it is allocated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionView {
    pub banks: u32,
    pub bank_size: u64,
    pub free: u64,
    pub largest_free: u64,
    pub blocks: Vec<(u64, u64, bool)>,
}

/// `view`: the memory views of the three kinds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    #[serde(rename = "op")]
    _op: IgnoredAny,
    pub dram: RegionView,
    pub l1: RegionView,
    pub l1_small: RegionView,
}

/// The part of a line that says how the rest is to be read.
#[derive(Debug, Deserialize)]
struct Head {
    op: String,
}

impl Operation {
    pub fn read(here: &Here<'_>) -> Result<Self, ConformError> {
        if !here.text.trim_ascii_start().starts_with('{') {
            let hint = r#"an operation is an object such as {"op": "drop", "name": "t0"}"#;
            return Err(here.malformed(Some(1), "the line is no JSON object", hint));
        }
        let Head { op } = parse(here)?;
        Ok(match op.as_str() {
            "open" => Self::Open(parse(here)?),
            "alloc" => Self::Alloc(parse(here)?),
            "deallocate" => Self::Deallocate(parse(here)?),
            "drop" => Self::Drop(parse(here)?),
            "add" => Self::Add(parse(here)?),
            "clear_program_cache" => Self::ClearProgramCache(parse(here)?),
            "view" => Self::View(parse(here)?),
            other => {
                let hint = suggest::hint(other, NAMES.into_iter());
                return Err(here.malformed(None, &format!("unknown operation `{other}`"), hint));
            }
        })
    }
}

fn parse<T: DeserializeOwned>(here: &Here<'_>) -> Result<T, ConformError> {
    serde_json::from_str(here.text).map_err(|error| {
        // The place stands in front of our message; serde_json's line is always 1.
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = text.strip_suffix(&place).unwrap_or(&text);
        let column = Some(error.column() as u64).filter(|&column| column > 0);
        let hint = if error.is_data() {
            "a recording has the fields that the recorder writes, and no others"
        } else {
            "each line is one whole JSON object"
        };
        here.malformed(column, message, hint)
    })
}

/// What an operation that makes a tensor was answered: two numbers, or the text of the error.
pub(super) type Answer = Result<[(&'static str, u64); 2], String>;

impl Alloc {
    pub fn answer(&self, here: &Here<'_>) -> Result<Answer, ConformError> {
        let numbers = [("address", self.address), ("per_bank", self.per_bank)];
        answer(here, numbers, self.error.as_ref())
    }
}

impl Add {
    pub fn answer(&self, here: &Here<'_>) -> Result<Answer, ConformError> {
        let numbers = [("address", self.address), ("cache", self.cache)];
        answer(here, numbers, self.error.as_ref())
    }
}

fn answer(
    here: &Here<'_>,
    [(first, one), (second, two)]: [(&'static str, Option<u64>); 2],
    error: Option<&String>,
) -> Result<Answer, ConformError> {
    match (one, two, error) {
        (Some(one), Some(two), None) => Ok(Ok([(first, one), (second, two)])),
        (None, None, Some(text)) => Ok(Err(text.clone())),
        (one, two, error) => {
            let message = match (one.or(two), error) {
                (None, None) => "the answer is missing",
                (Some(_), None) => "half of the answer is missing",
                (_, Some(_)) => "there is an answer beside the error",
            };
            let hint = format!("expected `{first}` and `{second}`, or `error`");
            Err(here.malformed(None, message, hint))
        }
    }
}
