//! What a passed exploration leaves behind, so that somebody else can check it.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Exploration, Family, Options, Sizes};
use crate::scenario::{Item, Line, Scenario};
use crate::suggest;

/// The version of the form of a certificate.
pub const VERSION: u32 = 1;

/// That every ordering of a scenario was looked at, and nothing found.
///
/// ```
/// use freeorder::{fix::FixSet, server::ServerKind};
/// use freeorder::search::explore::{Certificate, Family, Options, Plan, Sizes, explore};
/// let scenario = Family::Teardown.scenario(Sizes::default())?;
/// let options = Options::new(FixSet::default(), ServerKind::K2);
/// let result = explore(&Plan::of(&scenario), &options);
/// let certificate = Certificate::new(&scenario, &options, &result);
/// assert_eq!(certificate.differences(&certificate), Vec::<String>::new());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version of this form.
    pub version: u32,
    /// The version of freeorder that made it.
    pub freeorder: String,
    /// The family of the scenario, with its sizes; null if it came from a file.
    pub family: Option<FamilyOf>,
    /// The BLAKE3 digest of the scenario without comments, expectations and turns.
    pub scenario: String,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// What was taken once for all that is like it: none, symmetry, order or all.
    pub reduce: String,
    /// The bound on preemptions; null if there was none.
    pub max_preemptions: Option<u32>,
    /// How many orderings it covers, as a decimal number.
    pub orderings: String,
    /// How many states were looked at.
    pub states: u64,
    /// How many steps were taken between them.
    pub transitions: u64,
    /// In how many states an ordering ends.
    pub ends: u64,
    /// The rare situations that were met.
    pub marks: Vec<String>,
}

/// A family and its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Fields")]
pub struct FamilyOf {
    /// Its name.
    pub name: String,
    /// Its sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
}

/// A family as it is written: what is flattened cannot refuse a field that nobody knows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// Its name.
    name: String,
    /// Buffers.
    handles: u32,
    /// Chips of the mesh.
    devices: u32,
    /// Views of the buffers.
    views: u32,
    /// Cached programs.
    programs: u32,
    /// Submeshes.
    submeshes: u32,
    /// Host threads.
    threads: u32,
}

impl From<Fields> for FamilyOf {
    fn from(fields: Fields) -> Self {
        let Fields { name, handles, devices, views, programs, submeshes, threads } = fields;
        Self { name, sizes: Sizes { handles, devices, views, programs, submeshes, threads } }
    }
}

/// Why a certificate cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is no certificate.
    #[error("not a certificate: {0}")]
    Unreadable(String),
    /// It is one of another version.
    #[error("a certificate of version {found}; this freeorder checks version {VERSION}")]
    Version {
        /// The version that it has.
        found: u32,
    },
    /// It names no family, so the scenario must come from a file.
    #[error("the certificate names no family; say which file it is about")]
    NoScenario,
    /// Its family does not exist.
    #[error("{0}")]
    Family(String),
}

impl Certificate {
    /// The certificate of an exploration that found nothing.
    #[must_use]
    pub fn new(scenario: &Scenario, options: &Options<'_>, result: &Exploration) -> Self {
        Self {
            version: VERSION,
            freeorder: env!("CARGO_PKG_VERSION").to_owned(),
            family: None,
            scenario: digest(scenario),
            fixes: options.fixes.to_string(),
            server: options.server.to_string(),
            reduce: options.reduction.to_string(),
            max_preemptions: options.preemptions_max,
            orderings: result.orderings.to_string(),
            states: result.states,
            transitions: result.transitions,
            ends: result.ends,
            marks: result.marks.iter().map(|mark| mark.name().to_owned()).collect(),
        }
    }

    /// The same for a scenario of a family; a size that the family does not have is 0.
    #[must_use]
    pub fn with_family(self, family: Family, sizes: Sizes) -> Self {
        let name = family.name().to_owned();
        Self { family: Some(FamilyOf { name, sizes: sizes.of(family) }), ..self }
    }

    /// The scenario of the family that it names.
    ///
    /// # Errors
    /// If it names none, or one that does not exist, or a size that this one does not have.
    pub fn scenario(&self) -> Result<Scenario, CertificateError> {
        let family = self.family.as_ref().ok_or(CertificateError::NoScenario)?;
        let named: Family = family.name.parse().map_err(CertificateError::Family)?;
        if family.sizes != family.sizes.of(named) {
            let text = format!("the family `{named}` has no other sizes than {}", named.sizes());
            return Err(CertificateError::Family(text));
        }
        named.scenario(family.sizes).map_err(CertificateError::Family)
    }

    /// What another certificate says of the same things in another way, in words.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let fields = |one: &Self| {
            [
                ("freeorder", one.freeorder.clone()),
                ("scenario", one.scenario.clone()),
                ("fixes", one.fixes.clone()),
                ("server", one.server.clone()),
                ("reduce", one.reduce.clone()),
                ("max_preemptions", format!("{:?}", one.max_preemptions)),
                ("orderings", one.orderings.clone()),
                ("states", one.states.to_string()),
                ("transitions", one.transitions.to_string()),
                ("ends", one.ends.to_string()),
                ("marks", one.marks.join(" ")),
            ]
        };
        let pairs = fields(self).into_iter().zip(fields(other));
        let different = pairs.filter(|((_, one), (_, other))| one != other);
        different.map(|((name, one), (_, other))| format!("{name}: {one}, not {other}")).collect()
    }
}

impl FromStr for Certificate {
    type Err = CertificateError;

    fn from_str(text: &str) -> Result<Self, CertificateError> {
        let unreadable = |error: serde_json::Error| {
            CertificateError::Unreadable(suggest::shown(&error.to_string()))
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version {
            Some(found) if found != u64::from(VERSION) => {
                let found = u32::try_from(found).unwrap_or(u32::MAX);
                Err(CertificateError::Version { found })
            }
            // Read again from the text, so that what is wrong is told with its line.
            _ => serde_json::from_str(text).map_err(unreadable),
        }
    }
}

/// The BLAKE3 digest of what of a scenario an exploration looks at: no comments, no expectations,
/// no turns.
#[must_use]
pub fn digest(scenario: &Scenario) -> String {
    let bare = Scenario { lines: bare(&scenario.lines) };
    blake3::hash(bare.to_string().as_bytes()).to_hex().to_string()
}

fn bare(lines: &[Line]) -> Vec<Line> {
    let item = |line: &Line| match &line.item {
        Item::Blank | Item::Picks(_) | Item::Schedule(_) | Item::Expect(_) => None,
        Item::Repeat(count, body) => Some(Item::Repeat(*count, bare(body))),
        Item::Any(body) => Some(Item::Any(bare(body))),
        Item::Setup(_) | Item::Op(..) => Some(line.item.clone()),
    };
    lines.iter().filter_map(item).map(Line::new).collect()
}
