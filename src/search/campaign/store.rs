//! The folder of a campaign: what it has found and how far it has come.
//!
//! A file is replaced as a whole or appended to, and `campaign.json`, which says how much of the
//! others counts, is replaced last. So a campaign that is killed at any moment continues from the
//! last `campaign.json`, and comes to what it would have come to undisturbed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::finding::Key;
use super::plan::Plan;
use super::state::{Set, State};
use super::{Campaign, Distinct, Fresh, HyperLogLog};
use crate::scenario::Scenario;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// A file is not what a campaign writes.
    #[error("{path}: {why}; name another folder, or remove this one")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The folder belongs to a campaign with another plan.
    #[error("{folder} holds a campaign with {what} {there}, and this one has {what} {here}")]
    Different {
        /// The folder.
        folder: String,
        /// What differs.
        what: &'static str,
        /// What the folder says.
        there: String,
        /// What was asked for.
        here: String,
    },
}

type Stored<T> = Result<T, StoreError>;

/// The file that says how far a campaign has come.
const STATE: &str = "campaign.json";

/// The folder of a campaign.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    orderings: Hashes,
    states: Hashes,
    /// Of the runs before this one.
    seconds: f64,
}

impl Store {
    /// Opens the folder of a campaign, which continues if there is one, and starts with the seed
    /// otherwise; without a seed it starts where the folder says, or with 0.
    ///
    /// # Errors
    /// If the folder belongs to another campaign, or cannot be read or written.
    pub fn open(folder: &Path, plan: Plan, start: Option<u64>) -> Stored<(Self, Campaign)> {
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let path = folder.join(STATE);
        let state = match fs::read_to_string(&path) {
            Ok(text) => Some(State::parse(&text).map_err(|why| damaged(&path, why))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&path, error)),
        };
        remove_unfinished(folder)?;
        let mut store = Self {
            folder: folder.to_owned(),
            orderings: Hashes::open(folder.join("orderings.hashes"))?,
            states: Hashes::open(folder.join("states.hashes"))?,
            seconds: state.as_ref().map_or(0.0, |state| state.seconds),
        };
        let campaign = match state {
            None => {
                store.orderings.keep(0)?;
                store.states.keep(0)?;
                let mut campaign = Campaign::new(plan, start.unwrap_or(0));
                campaign.fresh = Some(Fresh::default());
                campaign
            }
            Some(state) => store.load(&state, plan, start)?,
        };
        Ok((store, campaign))
    }

    /// The seconds that the runs before this one took.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The file of a finding.
    #[must_use]
    pub fn file(&self, key: Key) -> PathBuf {
        self.folder.join(format!("{key}.scenario"))
    }

    /// Writes the scenario of a finding.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, key: Key, scenario: &Scenario) -> Stored<()> {
        replace(&self.file(key), scenario.to_string().as_bytes())
    }

    /// Saves how far the campaign has come, after so many seconds of this run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&mut self, campaign: &mut Campaign, seconds: f64) -> Stored<()> {
        let fresh = campaign.fresh.take().unwrap_or_default();
        campaign.fresh = Some(Fresh::default());
        let sets = [
            (&mut self.orderings, &campaign.orderings, fresh.orderings),
            (&mut self.states, &campaign.states, fresh.states),
        ];
        for (file, distinct, hashes) in sets {
            if distinct.sketch().is_none() {
                file.append(&hashes)?;
            }
        }
        let state = State::of(campaign, self.seconds + seconds);
        replace(&self.folder.join(STATE), state.to_json().as_bytes())?;
        for (file, distinct) in
            [(&mut self.orderings, &campaign.orderings), (&mut self.states, &campaign.states)]
        {
            if distinct.sketch().is_some() && file.length > 0 {
                file.keep(0)?;
            }
        }
        Ok(())
    }

    fn load(&mut self, state: &State, plan: Plan, start: Option<u64>) -> Stored<Campaign> {
        if let Some((what, there, here)) = state.difference(&plan, start) {
            let folder = self.folder.display().to_string();
            return Err(StoreError::Different { folder, what, there, here });
        }
        let mut campaign = Campaign::new(plan, state.from);
        state.restore(&mut campaign);
        campaign.orderings = self.orderings.load(&state.orderings)?;
        campaign.states = self.states.load(&state.states)?;
        for (name, seed, minimized) in state.findings() {
            let found = campaign.found_at(seed).into_iter();
            let finding = found.into_iter().find(|finding| finding.key().to_string() == name);
            let drawn = finding.ok_or_else(|| {
                let why = format!("seed {seed} does not show {name}: the model has changed since");
                damaged(&self.folder.join(STATE), why)
            })?;
            let text =
                if minimized { fs::read_to_string(self.file(drawn.key())).ok() } else { None };
            let scenario = text.and_then(|text| text.parse().ok());
            let read = scenario.and_then(|scenario| drawn.read(&plan, &scenario));
            campaign.findings.insert(drawn.key(), read.unwrap_or(drawn));
        }
        campaign.fresh = Some(Fresh::default());
        Ok(campaign)
    }
}

/// A file of hashes, to which hashes are only ever appended.
#[derive(Debug)]
struct Hashes {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Hashes {
    fn open(path: PathBuf) -> Stored<Self> {
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| failed(&path, error))?;
        Ok(Self { path, file, length: 0 })
    }

    /// Forgets all but the first hashes: those behind were written after the last save.
    fn keep(&mut self, count: u64) -> Stored<()> {
        self.length = 8 * count;
        let end = self.file.seek(SeekFrom::End(0)).map_err(|error| failed(&self.path, error))?;
        if end < self.length {
            return Err(damaged(&self.path, format!("only {} of {count} hashes", end / 8)));
        }
        let cut = self.file.set_len(self.length);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
        cut.map(|_| ()).map_err(|error| failed(&self.path, error))
    }

    fn load(&mut self, set: &Set) -> Stored<Distinct> {
        if let Set::Estimated { registers } = set {
            self.keep(0)?;
            let sketch = HyperLogLog::from_hex(registers);
            let why = || damaged(&self.path.with_file_name(STATE), "bad registers".to_owned());
            return Ok(Distinct::estimated(Distinct::EXACT_MAX, sketch.ok_or_else(why)?));
        }
        let Set::Counted { count } = *set else { return Ok(Distinct::new(Distinct::EXACT_MAX)) };
        self.keep(count)?;
        let mut bytes = Vec::with_capacity(self.length as usize);
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes));
        read.map_err(|error| failed(&self.path, error))?;
        let words = bytes.chunks_exact(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let hashes: Vec<u64> = words.map(word).collect();
        let mut distinct = Distinct::new(Distinct::EXACT_MAX);
        distinct.extend(&hashes, None);
        if distinct.count().count != count {
            return Err(damaged(&self.path, "a hash stands twice".to_owned()));
        }
        Ok(distinct)
    }

    fn append(&mut self, hashes: &[u64]) -> Stored<()> {
        if hashes.is_empty() {
            return Ok(());
        }
        let length = self.file.metadata().map_err(|error| failed(&self.path, error))?.len();
        if length != self.length {
            return Err(damaged(&self.path, "another campaign writes to it".to_owned()));
        }
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// What ends the names of files that are being written.
const UNFINISHED: &str = ".tmp";

/// Replaces a file as a whole: whoever looks finds the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Stored<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}{UNFINISHED}"));
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    };
    write().map_err(|error| failed(path, error))
}

/// Removes what a killed campaign was writing beside a file: whatever counted was renamed.
fn remove_unfinished(folder: &Path) -> Stored<()> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_a_scenario = name.starts_with('.') && name.ends_with(".scenario.tmp");
        if of_a_scenario || name == format!(".{STATE}{UNFINISHED}") {
            fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}

/// Makes a rename last; where folders cannot be opened, it lasts without.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) if cfg!(unix) => folder.sync_all(),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn failed(path: &Path, error: io::Error) -> StoreError {
    StoreError::Io { path: path.display().to_string(), error }
}

fn damaged(path: &Path, why: String) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), why }
}
