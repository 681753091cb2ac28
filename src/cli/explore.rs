//! `freeorder explore`: every order in which the pending steps of a scenario can happen.

mod progress;
mod report;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::output::{self, Failure, Outcome};
use super::save;
use super::{Format, duration, interrupt, memory};
use crate::fix::FixSet;
use crate::scenario::{Case, Scenario};
use crate::search::aim::{self, Aim, Model};
use crate::search::explore::{
    Certificate, Counterexample, Exploration, Family, Limits, Options, Plan, Reduction, Sizes,
    Stop, digest, explore,
};
use crate::search::minimize::{self, minimize};
use crate::server::ServerKind;
use progress::Progress;
pub use report::ExploreReport;
use report::ExploreViolation;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario; its `any` blocks are gone through in every order, or its threads if it has none
    #[arg(required_unless_present_any = ["family", "verify"], conflicts_with = "family")]
    file: Option<PathBuf>,
    /// A scenario of this family instead; `freeorder list families` tells
    #[arg(long, value_name = "NAME")]
    family: Option<Family>,
    #[command(flatten)]
    sizes: SizeArgs,
    /// Print the scenario of the family and explore nothing
    #[arg(long, requires = "family")]
    print: bool,
    /// A preset or baseline, then +switch or -switch
    #[arg(long, value_name = "FIXES", default_value = "final")]
    fixes: FixSet,
    /// The generation of the allocation server: k0, k1, k2, k2e or shm
    #[arg(long, value_name = "SERVER", default_value = "k2")]
    server: ServerKind,
    /// What is taken once for all that is like it: none, symmetry, order or all
    #[arg(long, value_name = "WHAT", default_value_t = Reduction::ALL)]
    reduce: Reduction,
    /// Interrupt chains and threads at most so often, fewest first, and stop where something fails
    #[arg(long, value_name = "N")]
    max_preemptions: Option<u32>,
    /// Stop after so many states
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_states: u64,
    /// Stop when the states take so much memory: 50M, 2G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = memory::parse)]
    memory: u64,
    /// Stop after this time, e.g. 60s
    #[arg(long = "for", id = "duration", value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// The folder for a minimised scenario of each violation
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave the orderings of violations as they were found
    #[arg(long)]
    no_minimize: bool,
    /// Write the certificate of a pass to this file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Check a certificate, on the scenario or on the family that it names
    #[arg(long, value_name = "CERT", conflicts_with_all = [
        "family", "fixes", "server", "reduce", "max_preemptions", "out", "certificate",
    ])]
    verify: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How large a scenario of a family is.
#[derive(Debug, clap::Args)]
pub struct SizeArgs {
    /// Buffers of a family
    #[arg(long, value_name = "N")]
    handles: Option<u32>,
    /// Chips of a family
    #[arg(long, value_name = "N")]
    devices: Option<u32>,
    /// Views of a family
    #[arg(long, value_name = "N")]
    views: Option<u32>,
    /// Cached programs of a family
    #[arg(long, value_name = "N")]
    programs: Option<u32>,
    /// Submeshes of a family
    #[arg(long, value_name = "N")]
    submeshes: Option<u32>,
    /// Threads of a family
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
}

impl SizeArgs {
    fn sizes(&self) -> Sizes {
        let usual = Sizes::default();
        Sizes {
            handles: self.handles.unwrap_or(usual.handles),
            devices: self.devices.unwrap_or(usual.devices),
            views: self.views.unwrap_or(usual.views),
            programs: self.programs.unwrap_or(usual.programs),
            submeshes: self.submeshes.unwrap_or(usual.submeshes),
            threads: self.threads.unwrap_or(usual.threads),
        }
    }

    /// Refuses a size that the family does not have, and any without a family: nothing would come
    /// of it.
    fn check(&self, family: Option<Family>) -> Result<(), Failure> {
        let said = [
            ("handles", self.handles),
            ("devices", self.devices),
            ("views", self.views),
            ("programs", self.programs),
            ("submeshes", self.submeshes),
            ("threads", self.threads),
        ];
        let mut said = said.into_iter().filter(|(_, value)| value.is_some()).map(|(size, _)| size);
        let known = family.map_or("", Family::sizes);
        let wrong = said.find(|&size| known.split(", ").all(|one| one != size));
        wrong.map_or(Ok(()), |size| {
            Err(Failure::input(match family {
                None => format!("--{size}: only a family has sizes; name one with --family"),
                Some(family) => {
                    format!("--{size}: the family `{family}` has no {size}, but {known}")
                }
            }))
        })
    }
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    interrupt::ends_by_itself();
    args.sizes.check(args.family)?;
    if let Some(path) = &args.verify {
        return verify(args, path);
    }
    if let Some(path) = &args.certificate {
        save::can_write(path, args.file.as_deref())?;
    }
    if let Some(folder) = &args.out {
        save::can_write_in(folder)?;
    }
    let scenario = scenario(args)?;
    if args.print {
        output::print(&scenario.to_string())?;
        return Ok(Outcome::Clean);
    }
    let deadline = args.duration.map(|time| Instant::now() + time);
    let (result, seconds) = timed(args, &scenario, &options(args));
    let report = report(args, &scenario, (&result, seconds), deadline)?;
    if let (Some(path), Some(certificate)) = (&args.certificate, &report.certificate) {
        let text = serde_json::to_string_pretty(certificate).map_err(std::io::Error::other)?;
        save::write_file(path, format!("{text}\n"))?;
    }
    match args.format {
        Format::Json => output::print_json(&report)?,
        Format::Text => output::print(&report.text()?)?,
    }
    Ok(outcome(&result))
}

fn outcome(result: &Exploration) -> Outcome {
    match result.stopped {
        Some(Stop::Interrupted) => Outcome::Interrupted,
        _ if result.violations().next().is_some() => Outcome::Found,
        Some(Stop::States | Stop::Memory | Stop::Time) => Outcome::Limited,
        None => Outcome::Clean,
    }
}

fn scenario(args: &Args) -> Result<Scenario, Failure> {
    match (&args.file, args.family) {
        (_, Some(family)) => family.scenario(args.sizes.sizes()).map_err(Failure::input),
        (Some(file), None) => output::read_scenario(file),
        (None, None) => Err(Failure::input("neither a file nor a family is named")),
    }
}

fn options(args: &Args) -> Options<'static> {
    Options {
        reduction: args.reduce,
        preemptions_max: args.max_preemptions,
        ..Options::new(args.fixes, args.server)
    }
}

/// The exploration under the limits of the command line, with a progress bar.
fn timed(args: &Args, scenario: &Scenario, options: &Options<'_>) -> (Exploration, f64) {
    output::now_running(&scenario.to_string());
    let started = Instant::now();
    let progress = Progress::start(args.max_states, args.format);
    let limits = Limits {
        states_max: args.max_states,
        memory_max_bytes: args.memory,
        deadline: args.duration.map(|time| started + time),
        interrupted: &interrupt::was_asked,
        progress: &|states| progress.update(states),
        ..Limits::default()
    };
    let result = explore(&Plan::of(scenario), &Options { limits, ..*options });
    progress.end();
    (result, started.elapsed().as_secs_f64())
}

fn verify(args: &Args, path: &Path) -> Result<Outcome, Failure> {
    let name = path.display();
    let wrong = |error: &dyn std::fmt::Display| Failure::input(format!("{name}: {error}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let told: Certificate = text.parse().map_err(|error| wrong(&error))?;
    let scenario = match &args.file {
        Some(file) => output::read_scenario(file)?,
        None => told.scenario().map_err(|error| wrong(&error))?,
    };
    // Of another scenario nothing that an exploration comes to could be compared.
    let found = digest(&scenario);
    if found != told.scenario {
        let told = &told.scenario;
        let text = format!("the certificate does not hold: scenario: {told}, not {found}\n");
        output::print(&text)?;
        return Ok(Outcome::Found);
    }
    let options = Options {
        reduction: told.reduce.parse().map_err(|error: String| wrong(&error))?,
        preemptions_max: told.max_preemptions,
        ..Options::new(
            told.fixes.parse().map_err(|error| wrong(&error))?,
            told.server.parse().map_err(|error| wrong(&error))?,
        )
    };
    let (result, seconds) = timed(args, &scenario, &options);
    let mut differences = told.differences(&Certificate::new(&scenario, &options, &result));
    differences.extend(result.violations().map(|one| format!("an ordering fails: {}", one.class)));
    if let Some(stop @ (Stop::States | Stop::Memory | Stop::Time)) = result.stopped {
        let states = result.states;
        output::print(&format!("not checked: stopped by {} at {states} states\n", stop.name()))?;
        return Ok(Outcome::Limited);
    }
    if result.stopped.is_some() {
        return Ok(Outcome::Interrupted);
    }
    if differences.is_empty() {
        output::print(&format!(
            "the certificate holds: {} orderings, {} states, {seconds:.3} s\n",
            result.orderings, result.states
        ))?;
        return Ok(Outcome::Clean);
    }
    for difference in &differences {
        output::print(&format!("the certificate does not hold: {difference}\n"))?;
    }
    Ok(Outcome::Found)
}

fn report(
    args: &Args,
    scenario: &Scenario,
    (result, seconds): (&Exploration, f64),
    deadline: Option<Instant>,
) -> Result<ExploreReport, Failure> {
    let mut violations = Vec::new();
    for one in result.violations() {
        violations.push(violation(args, one, deadline)?);
    }
    let passed = violations.is_empty() && result.stopped.is_none();
    let certificate = passed.then(|| {
        let certificate = Certificate::new(scenario, &options(args), result);
        match args.family {
            Some(family) => certificate.with_family(family, args.sizes.sizes()),
            None => certificate,
        }
    });
    let steps = Plan::of(scenario).steps();
    Ok(ExploreReport {
        violations,
        certificate,
        seconds,
        steps,
        ..report::of(&options(args), result)
    })
}

/// A violation with its ordering, reduced and saved if that was asked for.
fn violation(
    args: &Args,
    one: &Counterexample,
    deadline: Option<Instant>,
) -> Result<ExploreViolation, Failure> {
    let minimized = (!args.no_minimize && !interrupt::was_asked()).then(|| {
        let failure = aim::Failure::Class(one.class);
        let aim = Aim { fixes: args.fixes, server: args.server, failure };
        let ask = || interrupt::was_asked();
        let mut options = minimize::Options { deadline, interrupted: Some(&ask), log: None };
        let mut model = Model::new(aim).keeping_causes();
        minimize(&one.case, &mut model, &mut options).map(|minimized| minimized.case)
    });
    let minimized = minimized.and_then(Result::ok);
    let shown = minimized.as_ref().unwrap_or(&one.case);
    let file = match &args.out {
        None => None,
        Some(folder) => Some(save(args, folder, one, shown)?),
    };
    Ok(ExploreViolation::new(one, minimized.as_ref(), file))
}

fn save(args: &Args, folder: &Path, one: &Counterexample, case: &Case) -> Result<String, Failure> {
    let failed = |error| Failure::input(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let class = one.class.to_string();
    let name: String = class
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let path = folder.join(format!("{}.scenario", name.replace("--", "-")));
    let head = format!(" {class} under {} and {}", args.fixes, args.server);
    save::write_file(&path, report::with_head(case, &head).to_string())?;
    Ok(path.display().to_string())
}
