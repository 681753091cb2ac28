//! `freeorder minimize`: a failing scenario in as few lines as fail the same way.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::output::{self, Failure, Outcome};
use super::save;
use super::spinner::Spinner;
use super::{Format, duration, interrupt};
use crate::fix::FixSet;
use crate::scenario::Case;
use crate::scenario::{Expectation, Item, Line, Measure, Scenario, run};
use crate::search::aim::{self, Aim, Model};
use crate::search::enumerate::Limits;
use crate::search::minimize::{
    Attempt, Minimized, Options, PAIRED_OPERATIONS_MAX, PROVEN_OPERATIONS_MAX, Proof,
    minimize_and_prove, needed_fixes,
};
use crate::search::replay::Replayer;
use crate::server::ServerKind;
use crate::violation::{OracleName, ViolationClass};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario that fails
    file: PathBuf,
    /// A preset or baseline, then +switch or -switch
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The allocation server
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// Keep the first violation of this oracle; without it, the first of all
    #[arg(long, value_name = "ORACLE", value_parser = parse_oracle)]
    oracle: Option<OracleName>,
    /// Keep this class, as reports print it: "stale-free by the view, other owner"
    #[arg(long, value_name = "CLASS", conflicts_with = "oracle")]
    class: Option<String>,
    /// Stop after this time with what there is, e.g. 10s
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    time: Option<Duration>,
    /// Write the result to this file
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Say what is tried, on standard error
    #[arg(long, short)]
    verbose: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The result of `minimize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MinimizeReport {
    /// The version of this form.
    pub version: u32,
    /// The fixes.
    pub fixes: String,
    /// The server.
    pub server: String,
    /// What makes the failure the same: its kind.
    pub kind: String,
    /// Who let go; null if nobody did.
    pub role: Option<String>,
    /// How the two buffers of the failure are related.
    pub relation: String,
    /// Operations of the scenario that came in.
    pub operations_before: usize,
    /// Operations of the result.
    pub operations: usize,
    /// The result, as a scenario.
    pub scenario: String,
    /// The pairs of operations, or of steps of threads, whose order matters.
    pub necessary_inversions: Vec<String>,
    /// The fewest of the fixes under which it still fails.
    pub fixes_needed: String,
    /// How many candidates were run.
    pub replays: u64,
    /// Whether the passes came to their end.
    pub complete: bool,
    /// How many sequences were enumerated, none of which fails: shorter ones, and where the text
    /// says so those as long in smaller sizes; null if there is no proof.
    pub sequences_tried: Option<u64>,
}

fn parse_oracle(text: &str) -> Result<OracleName, String> {
    OracleName::from_name(text).ok_or_else(|| {
        let hint = crate::suggest::hint(text, OracleName::ALL.into_iter().map(OracleName::name));
        format!("unknown oracle `{text}`; {hint}")
    })
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    interrupt::ends_by_itself();
    let scenario = output::read_scenario(&args.file)?;
    if let Some(path) = &args.out {
        save::can_write(path, [])?;
    }
    output::now_running(&scenario.to_string());
    let case = Case::of(&scenario);
    let class = class(args, &case)?;
    let failure = aim::Failure::Class(class);
    let mut model = Model::new(Aim { fixes: args.fixes, server: args.server, failure });
    let mut log = |attempt: &Attempt<'_>| {
        let verdict = if attempt.kept { "fails" } else { "does not" };
        output::say(&format!("{}: {} operations: {verdict}", attempt.pass, attempt.operations));
    };
    let deadline = args.time.map(|time| Instant::now() + time);
    let mut options =
        Options { deadline, interrupted: Some(&interrupt::was_asked), ..Options::default() };
    if args.verbose {
        options.log = Some(&mut log);
    }
    let limits = Limits { deadline, interrupted: interrupt::was_asked, ..Limits::default() };
    let spinner = (!args.verbose).then(|| Spinner::start("Ctrl-C ends it with what there is"));
    let (minimized, proof) = minimize_and_prove(&case, &mut model, &mut options, limits)
        .map_err(|error| Failure::input(error.to_string()))?;
    let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let stopped = late || interrupt::was_asked();
    let needed = needed_fixes(&minimized.case, model.aim());
    drop(spinner);
    let told = Told { args, class, input: &case, minimized, proof, needed, stopped };
    let commented = told.scenario().to_string();
    // Both are tried, so that one that fails does not lose the result.
    let printed = match args.format {
        Format::Json => output::print_json(&told.report()),
        Format::Text => output::print(&commented),
    };
    if let Some(path) = &args.out {
        save::write_file(path, &commented)?;
    }
    printed?;
    Ok(if interrupt::was_asked() { Outcome::Interrupted } else { Outcome::Clean })
}

/// The class that is kept.
fn class(args: &Args, case: &Case) -> Result<ViolationClass, Failure> {
    let mut replayer = Replayer::new(args.fixes, args.server);
    let classes = replayer.classes(case);
    if let Some(name) = &args.class {
        return named(args, name, classes);
    }
    let mut wanted = classes.iter().filter(|class| match args.oracle {
        Some(oracle) => class.oracle == oracle,
        None => !class.oracle.is_note(),
    });
    wanted.next().copied().ok_or_else(|| {
        let failing: BTreeSet<&str> = classes.iter().map(|class| class.oracle.name()).collect();
        let under = format!("{} under {} and {}", args.file.display(), args.fixes, args.server);
        Failure::input(match (args.oracle, failing.is_empty()) {
            (_, true) => format!("{under} fails nothing; try other --fixes or another --server"),
            (Some(oracle), false) => {
                let others = failing.into_iter().collect::<Vec<_>>().join(", ");
                format!("{under} does not fail {oracle}; it fails {others}")
            }
            (None, false) => format!("{under} has notes only, and a note is no failure"),
        })
    })
}

fn named(args: &Args, name: &str, classes: &[ViolationClass]) -> Result<ViolationClass, Failure> {
    let found = classes.iter().find(|class| class.to_string() == name.trim());
    found.copied().ok_or_else(|| {
        let names: BTreeSet<String> = classes.iter().map(ToString::to_string).collect();
        let hint = crate::suggest::hint(name, names.iter().map(String::as_str));
        let under = format!("{} under {} and {}", args.file.display(), args.fixes, args.server);
        Failure::input(format!("{under} does not fail `{name}`; {hint}"))
    })
}

/// Everything there is to say about a result.
struct Told<'a> {
    args: &'a Args,
    class: ViolationClass,
    input: &'a Case,
    minimized: Minimized,
    proof: Option<Proof>,
    needed: FixSet,
    /// Time was up, or somebody asked, before there was nothing left to do.
    stopped: bool,
}

impl Told<'_> {
    /// The result as a scenario that says what it shows.
    fn scenario(&self) -> Scenario {
        let mut text = String::new();
        let operations = self.minimized.case.ops.len();
        let _ =
            writeln!(text, " {} under {} and {}", self.class, self.args.fixes, self.args.server);
        let _ = writeln!(
            text,
            " {operations} operations of {}; {}",
            self.input.ops.len(),
            self.guarantee()
        );
        for inversion in &self.minimized.inversions {
            let _ = writeln!(text, " necessary order: {inversion}");
        }
        if self.needed != self.args.fixes {
            let _ = writeln!(text, " fails the same way under {}", self.needed);
        }
        let comments = text
            .lines()
            .map(|line| Line { comment: Some(line.to_owned()), ..Line::new(Item::Blank) });
        let mut scenario = self.minimized.case.scenario();
        scenario.lines.splice(0..0, comments);
        let (fixes, server) = (self.args.fixes, self.args.server);
        let count = run(&scenario, fixes, server, 0, &mut ()).findings.count(self.class.oracle);
        let measures = vec![(Measure::Oracle(self.class.oracle), count)];
        let fixes_text = fixes.to_string();
        let expectation = Expectation { fixes, fixes_text, server, measures };
        scenario.lines.extend([Item::Blank, Item::Expect(expectation)].map(Line::new));
        scenario
    }

    fn guarantee(&self) -> String {
        match (&self.proof, self.minimized.complete) {
            (Some(proof), _) => {
                let better = match proof.is_of_input {
                    true => "no shorter sequence fails, and none as long in smaller sizes",
                    false => "no shorter sequence fails",
                };
                let (sequences, letters) = (proof.sequences, proof.letters.len());
                let by = if self.input.is_stepped() { " by one thread" } else { "" };
                let stopped =
                    if self.stopped { "; stopped before more were enumerated" } else { "" };
                format!("{better}, of {sequences}{by} over {letters} different operations{stopped}")
            }
            (None, true) => {
                let why = self.no_proof();
                let few = match self.minimized.case.ops.len() > PAIRED_OPERATIONS_MAX {
                    true => "no one",
                    false => "no one or two",
                };
                format!("{few} of them can be left out; no proof of more: {why}")
            }
            (None, false) if self.minimized.inversions.is_empty() => {
                "stopped before the end; which order matters was not asked".to_owned()
            }
            (None, false) => "stopped before the end".to_owned(),
        }
    }

    /// Why there is no proof that nothing shorter fails.
    fn no_proof(&self) -> &'static str {
        let case = &self.minimized.case;
        if self.stopped {
            "stopped before the shorter sequences were enumerated"
        } else if case.is_stepped() {
            "threads take turns, and their courses are too many to enumerate"
        } else if case.ops.len() > PROVEN_OPERATIONS_MAX {
            "more than seven operations are too many to enumerate"
        } else {
            "the sequences over its operations are too many to enumerate"
        }
    }

    fn report(&self) -> MinimizeReport {
        let case = &self.minimized.case;
        MinimizeReport {
            version: 1,
            fixes: self.args.fixes.to_string(),
            server: self.args.server.to_string(),
            kind: self.class.oracle.to_string(),
            role: self.class.role.map(|role| role.to_string()),
            relation: self.class.relation.to_string(),
            operations_before: self.input.ops.len(),
            operations: case.ops.len(),
            scenario: case.scenario().to_string(),
            necessary_inversions: self
                .minimized
                .inversions
                .iter()
                .map(ToString::to_string)
                .collect(),
            fixes_needed: self.needed.to_string(),
            replays: self.minimized.replays,
            complete: self.minimized.complete,
            sequences_tried: self.proof.as_ref().map(|proof| proof.sequences),
        }
    }
}
