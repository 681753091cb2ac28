//! `freeorder fuzz`: a campaign over many seeds.

mod progress;
mod report;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::output::{self, Failure, Outcome};
use super::run::parse_seed;
use super::{Format, duration, interrupt};
use crate::fix::FixSet;
use crate::generate::{Order, Profile};
use crate::scenario::Scenario;
use crate::search::campaign::{Campaign, Finding, Hooks, Key, Plan, Store, StoreError};
use crate::server::ServerKind;
use progress::Progress;
use report::FuzzFinding;
pub use report::FuzzReport;

/// How long a campaign runs if nobody says.
const USUAL: Duration = Duration::from_secs(10);

/// Saving takes at most one part in so many of the time, new findings aside.
const SAVING: u32 = 50;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A preset or baseline, then +switch or -switch
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The generation of the allocation server: k0, k1, k2, k2e or shm
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// What kind of program a seed draws; `freeorder list profiles` tells
    #[arg(long, value_name = "PROFILE", default_value = "lifecycle")]
    profile: Profile,
    /// How the order of threads and teardowns is sampled: urw, pct, pos or random
    #[arg(long, value_name = "ORDER", default_value = "urw")]
    order: Order,
    /// Run the seeds A to B-1
    #[arg(long, value_name = "A..B", value_parser = parse_range, conflicts_with = "duration")]
    seeds: Option<Range<u64>>,
    /// Run seeds from 0 for so long, or from where --out stopped: 500ms, 60s, 5m, 2h [default: 10s]
    #[arg(long = "for", id = "duration", value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Threads that share the seeds; the result is the same for any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// The folder for what is found; a campaign that is there already continues
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stop minimising a finding after this time; the result then depends on the machine's speed
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    minimize_for: Option<Duration>,
    /// Leave the scenarios of findings as they were drawn
    #[arg(long, conflicts_with = "minimize_for")]
    no_minimize: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("a range of seeds looks like 0..500")?;
    let range = parse_seed(from)?..parse_seed(to)?;
    if range.is_empty() { Err(format!("the range {text} is empty")) } else { Ok(range) }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    interrupt::ends_by_itself();
    let jobs = usize::from(args.jobs.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| Failure::input(format!("--jobs {jobs}: {error}")))?;
    let mut session = Session::start(args)?;
    pool.install(|| session.run())?;
    let report = session.report();
    match args.format {
        Format::Json => output::print_json(&report)?,
        Format::Text => output::print(&report.text())?,
    }
    Ok(match (interrupt::was_asked(), report.findings.is_empty()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Clean,
        (false, false) => Outcome::Found,
    })
}

/// A campaign with its clock, its folder and its progress bar.
struct Session<'a> {
    args: &'a Args,
    campaign: Campaign,
    store: Option<Store>,
    /// What was in the folder before, with the seeds.
    earlier: BTreeMap<Key, u64>,
    progress: Progress,
    started: Instant,
    saved: Instant,
    /// How long the last save took.
    saving: Duration,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::input(error.to_string())
    }
}

impl<'a> Session<'a> {
    fn start(args: &'a Args) -> Result<Self, Failure> {
        let Args { fixes, server, profile, order, .. } = *args;
        let plan = Plan { fixes, server, profile, order };
        let first = args.seeds.as_ref().map(|seeds| seeds.start);
        let (store, campaign) = match &args.out {
            None => (None, Campaign::new(plan, first.unwrap_or(0))),
            Some(folder) => {
                printable(folder)?;
                let (store, campaign) = Store::open(folder, plan, first)?;
                (Some(store), campaign)
            }
        };
        let limit = match &args.seeds {
            Some(seeds) => progress::Limit::Seeds(campaign.range().end..seeds.end),
            None => progress::Limit::Time(args.duration.unwrap_or(USUAL)),
        };
        let progress = Progress::start(limit, args.format, &campaign);
        let now = Instant::now();
        let earlier = campaign.findings().map(|finding| (finding.key(), finding.found.seed));
        Ok(Self {
            args,
            earlier: earlier.collect(),
            campaign,
            store,
            progress,
            started: now,
            saved: now,
            saving: Duration::ZERO,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        self.restore_files()?;
        self.minimize()?;
        self.save()?;
        let command = self.command();
        let running = move |seed: u64| {
            let to = u128::from(seed) + 1;
            output::now_running(&format!("{command} --seeds {seed}..{to}"));
        };
        let hooks = Hooks { is_interrupted: &interrupt::was_asked, running: &running };
        let end = self.args.seeds.as_ref().map_or(u64::MAX, |seeds| seeds.end);
        while !self.is_over(end) {
            let new = self.campaign.advance(end, hooks);
            self.write_new(&new)?;
            for &key in &new {
                self.progress.found(self.campaign.finding(key));
            }
            self.progress.update(&self.campaign);
            if !new.is_empty() || self.saved.elapsed() >= SAVING * self.saving {
                self.save()?;
            }
        }
        self.save()?;
        self.progress.end();
        Ok(())
    }

    /// The command that runs this plan, but for the seeds.
    fn command(&self) -> String {
        let Plan { fixes, server, profile, order } = self.campaign.plan();
        let plan = format!("--fixes {fixes} --server {server} --profile {profile} --order {order}");
        format!("freeorder fuzz {plan}")
    }

    fn is_over(&self, end: u64) -> bool {
        let time = match self.args.seeds {
            Some(_) => Duration::MAX,
            None => self.args.duration.unwrap_or(USUAL),
        };
        interrupt::was_asked() || self.campaign.range().end >= end || self.started.elapsed() >= time
    }

    /// Writes what is new, and reduces it. A finding that replaces another one is written once,
    /// as it stays, so that no kill leaves a worse file than there was.
    fn write_new(&mut self, new: &[Key]) -> Result<(), Failure> {
        self.write(&self.without_file(new))?;
        self.minimize()?;
        let is_open = |key: &&Key| !self.campaign.finding(**key).minimized;
        let open: Vec<Key> = new.iter().filter(is_open).copied().collect();
        self.write(&open)
    }

    /// Writes what the folder says it has and does not have any more, before that is reported.
    fn restore_files(&self) -> Result<(), Failure> {
        let earlier: Vec<Key> = self.earlier.keys().copied().collect();
        self.write(&self.without_file(&earlier))?;
        let is_open = |key: &&Key| !self.campaign.finding(**key).minimized;
        let open: Vec<Key> = earlier.iter().filter(is_open).copied().collect();
        if self.args.no_minimize { self.write(&open) } else { Ok(()) }
    }

    /// Those whose file is not there.
    fn without_file(&self, keys: &[Key]) -> Vec<Key> {
        let is_missing = |store: &Store, key: Key| !store.file(key).exists();
        let missing = keys
            .iter()
            .copied()
            .filter(|&key| self.store.as_ref().is_some_and(|store| is_missing(store, key)));
        missing.collect()
    }

    /// Reduces what is not reduced yet.
    fn minimize(&mut self) -> Result<(), Failure> {
        if self.args.no_minimize || interrupt::was_asked() {
            return Ok(());
        }
        let keys = self.campaign.minimize(self.args.minimize_for, &interrupt::was_asked);
        self.write(&keys)
    }

    fn write(&self, keys: &[Key]) -> Result<(), Failure> {
        let Some(store) = &self.store else { return Ok(()) };
        for &key in keys {
            let finding = self.campaign.finding(key);
            store.write(key, &self.scenario(finding))?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), Failure> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let before = Instant::now();
        store.save(&mut self.campaign, self.started.elapsed().as_secs_f64())?;
        self.saved = Instant::now();
        self.saving = self.saved - before;
        Ok(())
    }

    /// The file of a finding, as the user would name it.
    fn file(&self, finding: &Finding) -> Option<String> {
        let path = self.store.as_ref().map(|store| store.file(finding.key()));
        path.map(|path| path.to_string_lossy().into_owned())
    }

    fn scenario(&self, finding: &Finding) -> Scenario {
        finding.scenario(self.campaign.plan(), self.file(finding).as_deref())
    }

    fn report(&self) -> FuzzReport {
        let before = self.store.as_ref().map_or(0.0, Store::seconds);
        let seconds = before + self.started.elapsed().as_secs_f64();
        let findings = self.campaign.findings().map(|finding| {
            let scenario = self.scenario(finding).to_string();
            let earlier = self.earlier.get(&finding.key()) == Some(&finding.found.seed);
            let file = self.file(finding);
            FuzzFinding {
                earlier,
                ..FuzzFinding::new(self.campaign.plan(), finding, file, scenario)
            }
        });
        FuzzReport {
            interrupted: interrupt::was_asked(),
            continued: before > 0.0,
            ..report::report(&self.campaign, findings.collect(), seconds)
        }
    }
}

/// A path that is no text could not stand in a comment, nor be pasted.
fn printable(path: &Path) -> Result<(), Failure> {
    match path.to_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(()),
        _ => {
            Err(Failure::input(format!("--out {}: not a name that can be printed", path.display())))
        }
    }
}
