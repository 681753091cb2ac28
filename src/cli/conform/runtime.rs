//! `freeorder conform --runtime`: the real runtime, seed after seed, in step with the model.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Args, replay};
use crate::allocator::Machine;
use crate::cli::output::{self, Failure, Outcome};
use crate::cli::save;
use crate::cli::{Format, interrupt};
use crate::realrt::{
    Answer, Check, Deviation, Finding, Found, Hunt, Installation, KNOWN, Plant, Process, Ran,
    Request, Runtime, VERSION, run, script, write_around,
};
use crate::scenario::{Case, Scenario};

/// How many seeds are run if nobody says.
const USUAL: Range<u64> = 0..200;

/// A deviation from the model, or from what must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviationRow {
    /// What makes two deviations one finding.
    pub class: String,
    /// The facts.
    pub detail: String,
    /// The first seed that showed it.
    pub seed: u64,
    /// Calls of the runtime in the minimised program.
    pub calls: usize,
    /// How many candidates were run for it.
    pub replays: u64,
    /// Whether a new process shows it.
    pub reproducible: bool,
    /// The minimised program.
    pub scenario: String,
    /// The files that it was saved to.
    pub saved: Vec<String>,
}

/// How often a known divergence was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KnownRow {
    /// Its id.
    pub id: String,
    /// How often.
    pub count: u64,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MachineRow {
    /// The machine.
    pub machine: String,
    /// Programs that were run.
    pub programs: u64,
    /// Calls on which the runtime and the model agreed.
    pub calls: u64,
    /// Seconds that it took.
    pub seconds: u64,
    /// Known divergences.
    pub known: Vec<KnownRow>,
    /// Divergences without an id.
    pub findings: Vec<DeviationRow>,
}

/// The result of `conform --runtime`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuntimeTable {
    /// The version of this form.
    pub version: u32,
    /// The version of the wheel.
    pub ttnn: String,
    /// The version that the known divergences belong to.
    pub known_for: String,
    /// One row a machine.
    pub rows: Vec<MachineRow>,
}

/// Whether a known divergence still happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StillRow {
    /// Its id.
    pub id: String,
    /// Whether it still happens as it is known.
    pub happens: bool,
    /// What happened.
    pub what: String,
}

/// The result of `conform --runtime --known`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StillTable {
    /// The version of this form.
    pub version: u32,
    /// The version of the wheel.
    pub ttnn: String,
    /// One row an id.
    pub rows: Vec<StillRow>,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    interrupt::ends_by_itself();
    if let Some(folder) = &args.out {
        save::can_write_in(folder)?;
    }
    if let Some(all) = args.duration {
        UNTIL.get_or_init(|| Instant::now() + all);
    }
    let installation = installation(args)?;
    let ttnn = version(&installation)?;
    if args.format == Format::Text {
        let other = if ttnn == VERSION { "" } else { ": another version is compared all the same" };
        output::print(&format!("ttnn {ttnn}; known divergences are those of {VERSION}{other}\n"))?;
    }
    if args.known {
        return known(args, &installation, &ttnn);
    }
    let files = files(args);
    if !files.is_empty() {
        return replay::main(args, &files, (&installation, &check(args), &ttnn));
    }
    let machines = if args.mesh.is_empty() { vec![Machine::T3k] } else { args.mesh.clone() };
    let mut rows = Vec::new();
    for &machine in &machines {
        let row = hunt(args, &installation, (machine, machines.len() as u32), &ttnn)?;
        if args.format == Format::Text {
            output::print(&text(&row))?;
        }
        rows.push(row);
    }
    let found = rows.iter().any(|row| !row.findings.is_empty());
    if args.format == Format::Json {
        let known_for = VERSION.to_owned();
        output::print_json(&RuntimeTable { version: 1, ttnn, known_for, rows })?;
    }
    Ok(match (interrupt::was_asked(), found) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Found,
        (false, false) => Outcome::Clean,
    })
}

/// The scenarios to run; one can stand where the folder of the runtime would.
fn files(args: &Args) -> Vec<PathBuf> {
    let first = args.runtime.clone().flatten().filter(|path| path.is_file());
    first.into_iter().chain(args.files.iter().cloned()).collect()
}

fn check(args: &Args) -> Check {
    Check {
        plant: if args.plant { Plant::Rounding } else { Plant::None },
        only: args.only.as_ref().map(|oracle| format!("oracle: {oracle}")),
        known: None,
    }
}

/// Says what is waited for after a few seconds; whoever interrupts waits no longer.
pub(super) fn waits(waited: Duration, request: &str) -> bool {
    if waited == SILENT_MAX {
        let op = request.split('"').nth(3).unwrap_or("an answer");
        eprintln!("waiting for Python to answer `{op}`; Ctrl-C ends it");
    }
    let is_late = UNTIL.get().is_some_and(|until| Instant::now() >= *until);
    !(interrupt::was_asked() || is_late && waited >= SILENT_MAX)
}

/// When the time of `--for` is over: what does not answer soon after that counts as hung.
static UNTIL: OnceLock<Instant> = OnceLock::new();

/// How long nothing is said; a multiple of a quarter of a second.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// The runtime that is meant: of a folder that `setup-runtime` made, or of an interpreter.
fn installation(args: &Args) -> Result<Installation, Failure> {
    let home = args.runtime.clone().flatten().filter(|path| !path.is_file());
    let home = home.unwrap_or_else(|| PathBuf::from("freeorder-runtime"));
    let Some(python) = &args.python else {
        let python = home.join("venv").join("bin").join("python");
        if !python.exists() {
            let home = home.display();
            return Err(Failure::input(format!(
                "{home}: there is no runtime; `freeorder setup-runtime {home}` makes one, and \
                 --python P uses an interpreter that can import ttnn"
            )));
        }
        let (python, home) = (std::path::absolute(&python).unwrap_or(python), absolute(home));
        return Ok(Installation { python, home });
    };
    std::fs::create_dir_all(&home)
        .map_err(|error| Failure::input(format!("{}: {error}", home.display())))?;
    // A bare name is looked up on PATH; a path is one from here.
    let is_path = python.components().count() > 1;
    let from_here = std::path::absolute(python).ok().filter(|_| is_path);
    let python = from_here.unwrap_or_else(|| python.clone());
    let installation = Installation { python, home: absolute(home) };
    write_around(&installation, &mut |_| ()).map_err(|error| Failure::input(error.to_string()))?;
    Ok(installation)
}

/// The runtime compiles in folders of its own, from where a relative path leads elsewhere.
fn absolute(path: PathBuf) -> PathBuf {
    std::fs::canonicalize(&path).unwrap_or(path)
}

/// The wheel's version, which is asked before anything else: it fails if there is no ttnn.
fn version(installation: &Installation) -> Result<String, Failure> {
    let answer = Process::new(installation, Machine::N150, 0).waiting(waits).ask(&Request::Hello);
    let Answer { version, .. } = answer.map_err(|death| {
        let python = installation.python.display();
        Failure::input(format!("{python} cannot run the driver: {} {}", death.ending, death.said))
    })?;
    Ok(version)
}

fn hunt(
    args: &Args,
    installation: &Installation,
    (machine, machines): (Machine, u32),
    ttnn: &str,
) -> Result<MachineRow, Failure> {
    let started = Instant::now();
    let seeds = match (&args.seeds, args.duration) {
        (Some(seeds), _) => seeds.clone(),
        (None, Some(_)) => 0..u64::MAX,
        (None, None) => USUAL,
    };
    let hunt = Hunt {
        machine,
        seeds,
        deadline: args.duration.map(|all| started + all / machines),
        minimize_for: args.minimize_for.unwrap_or(Duration::from_secs(120)),
        check: check(args),
        forget_known: args.forget_known,
        interrupted: &interrupt::was_asked,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    let process = |number| Process::new(installation, machine, number).waiting(waits);
    let mut processes: Vec<Process> = (0..jobs).map(process).collect();
    let found = hunt.run(&mut processes);
    row(args, machine, (found, started), ttnn)
}

fn row(
    args: &Args,
    machine: Machine,
    (found, started): (Found, Instant),
    ttnn: &str,
) -> Result<MachineRow, Failure> {
    let Found { programs, calls, known, findings } = found;
    let known = known.into_iter().map(|(id, count)| KnownRow { id: id.to_owned(), count });
    let known = known.collect();
    let rows = findings.into_values().map(|finding| {
        let (_, calls) = script(&finding.case, &finding.deviation, ttnn);
        let saved = match &args.out {
            Some(folder) => save(folder, machine, &finding, ttnn)?,
            None => Vec::new(),
        };
        let Finding { seed, deviation, case, replays, reproducible } = finding;
        let Deviation { class, detail, .. } = deviation;
        let scenario = case.scenario().to_string();
        Ok(DeviationRow { class, detail, seed, calls, replays, reproducible, scenario, saved })
    });
    let findings = rows.collect::<Result<Vec<_>, Failure>>()?;
    let (machine, seconds) = (machine.to_string(), started.elapsed().as_secs());
    Ok(MachineRow { machine, programs, calls, seconds, known, findings })
}

fn save(
    folder: &Path,
    machine: Machine,
    finding: &Finding,
    ttnn: &str,
) -> Result<Vec<String>, Failure> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let class: String = finding.deviation.class.chars().map(plain).collect();
    let words: Vec<&str> = class.split('-').filter(|word| !word.is_empty()).collect();
    let name = format!("{machine}-{}", words.join("-"));
    write_pair(folder, &name, (&finding.case, &finding.deviation), ttnn)
}

/// Writes a scenario and its script, under the names that are returned.
fn write_pair(
    folder: &Path,
    name: &str,
    (case, deviation): (&Case, &Deviation),
    ttnn: &str,
) -> Result<Vec<String>, Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::input(format!("{}: {error}", folder.display())))?;
    let Deviation { class, detail, .. } = deviation;
    let head = format!("freeorder 1\n# {class}\n# {}\n", detail.replace('\n', " "));
    let scenario = case.scenario().to_string().replacen("freeorder 1\n", &head, 1);
    let (script, _) = script(case, deviation, ttnn);
    let mut saved = Vec::new();
    for (ending, text) in [("scenario", scenario), ("py", script)] {
        let path = folder.join(format!("{name}.{ending}"));
        save::write_file(&path, &text)?;
        saved.push(path.display().to_string());
    }
    Ok(saved)
}

/// Whether each known divergence still happens.
fn known(args: &Args, installation: &Installation, ttnn: &str) -> Result<Outcome, Failure> {
    let mut process = None;
    let mut rows = Vec::new();
    for known in &KNOWN {
        let scenario: Scenario = known
            .scenario
            .parse()
            .map_err(|error| Failure::input(format!("{}: {error}", known.id)))?;
        let case = Case::of(&scenario);
        let machine = case.start().machine;
        let process = process.insert(Process::new(installation, machine, 0).waiting(waits));
        let check = Check { known: Some(known.id), ..Check::default() };
        let (happens, what) = match run(process, &case, &check) {
            Ran::Deviated(deviation) if known.is_shown_by(&case, &deviation) => {
                if let Some(folder) = &args.out {
                    write_pair(folder, known.id, (&case, &deviation), ttnn)?;
                }
                (true, format!("{}; {}", deviation.class, deviation.detail))
            }
            other => (false, format!("{other:?}")),
        };
        if args.format == Format::Text {
            let said = if happens { "still happens" } else { "CHANGED" };
            output::print(&format!("{}: {said}: {what}\n", known.id))?;
        }
        rows.push(StillRow { id: known.id.to_owned(), happens, what });
    }
    let changed = rows.iter().filter(|row| !row.happens).count();
    match args.format {
        Format::Text => {
            output::print(&format!("{} known divergences, {changed} changed\n", rows.len()))?;
        }
        Format::Json => {
            output::print_json(&StillTable { version: 1, ttnn: ttnn.to_owned(), rows })?;
        }
    }
    Ok(if changed > 0 { Outcome::Found } else { Outcome::Clean })
}

fn text(row: &MachineRow) -> String {
    let MachineRow { machine, programs, calls, seconds, known, findings } = row;
    let seen: u64 = known.iter().map(|known| known.count).sum();
    let mut out = format!(
        "{machine}: {programs} programs in {seconds} s, {calls} calls agreed, {seen} known \
         divergences, {} without an id\n",
        findings.len()
    );
    for KnownRow { id, count } in known {
        let _ = writeln!(out, "  {count:>5} {id}");
    }
    for finding in findings {
        let DeviationRow { class, detail, seed, calls, replays, .. } = finding;
        let _ = writeln!(out, "  {class}\n    {detail}");
        let past = if finding.reproducible { "" } else { "; only in a process with a past" };
        let _ = writeln!(out, "    seed {seed}, {calls} calls after {replays} runs{past}");
        for line in finding.scenario.lines().skip(1) {
            let _ = writeln!(out, "      {line}");
        }
        for file in &finding.saved {
            let _ = writeln!(out, "    saved {file}");
        }
    }
    out
}
