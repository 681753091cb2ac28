//! `freeorder encode`: scenarios as the bytes that fuzz targets read, and back.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::output::{self, Failure, Outcome};
use super::regress::files;
use super::save;
use crate::fuzzing::audited;
use crate::fuzzing::orderings::check_environment;
use crate::fuzzing::seeds::{Source, seeds};
use crate::generate::{Profile, canonical, encode, from_bytes};
use crate::scenario::Case;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["file", "seeds"])))]
pub struct Args {
    /// The scenario file; with --decode, a file of bytes
    file: Option<PathBuf>,
    /// The profile with which the bytes are read; that of target `orderings` unless it is told
    #[arg(long, value_name = "NAME", default_value_t = Profile::Tame)]
    profile: Profile,
    /// Print the scenario that the bytes stand for
    #[arg(long, requires = "file")]
    decode: bool,
    /// Write here instead of to standard output
    #[arg(short, long, value_name = "OUT", requires = "file")]
    output: Option<PathBuf>,
    /// Fill DIR/TARGET with a seed of each scenario that the target can read
    #[arg(long, value_name = "DIR")]
    seeds: Option<PathBuf>,
    /// The folder whose scenarios become seeds
    #[arg(long, value_name = "DIR", default_value = "corpus", requires = "seeds")]
    from: PathBuf,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    match (&args.file, &args.seeds) {
        (Some(file), _) => one(args, file),
        (None, Some(folder)) => fill(folder, &args.from),
        (None, None) => Err(Failure::input("name a file, or --seeds and a folder")),
    }
}

fn one(args: &Args, file: &Path) -> Result<Outcome, Failure> {
    let bytes = if args.decode {
        let case = from_bytes(args.profile, &output::read_bytes(file)?);
        case.scenario().to_string().into_bytes()
    } else {
        encoded(args.profile, file)?
    };
    match &args.output {
        Some(path) => save::write_file(path, &bytes)?,
        None => output::print_bytes(&bytes)?,
    }
    Ok(Outcome::Clean)
}

fn encoded(profile: Profile, file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display();
    let case = Case::of(&output::read_scenario(file)?);
    let bytes =
        encode(profile, &case).map_err(|error| Failure::input(format!("{name}: {error}")))?;
    if from_bytes(profile, &bytes) != canonical(&case) {
        let count = case.ops.len();
        return Err(Failure::input(format!("{name}: {count} operations are more than are read")));
    }
    Ok(bytes)
}

/// Writes the seeds of every target, each to a file that is named for its scenario.
fn fill(folder: &Path, from: &Path) -> Result<Outcome, Failure> {
    let (files, unreadable) = files::below(from)?;
    if !unreadable.is_empty() {
        return Err(files::failure(unreadable));
    }
    let sources: Vec<Source> = files
        .into_iter()
        .map(|file| {
            let below = file.path.strip_prefix(from).unwrap_or(&file.path).with_extension("");
            let name = below.display().to_string().replace(['/', '\\'], "-");
            Source { name, case: Case::of(&file.scenario), text: file.text }
        })
        .collect();
    let mut out = String::new();
    check_environment().map_err(Failure::input)?;
    for (target, seeds) in seeds(&sources) {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::input(format!("{}: {error}", folder.display())))?;
        for seed in &seeds {
            save::write_file(&folder.join(&seed.name), &seed.bytes)?;
        }
        let count = seeds.len();
        let _ = writeln!(out, "{}: {count} of {} scenarios", folder.display(), sources.len());
    }
    for (target, kind) in audited::TARGETS {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::input(format!("{}: {error}", folder.display())))?;
        let seeds = audited::seeds(kind);
        for (nth, bytes) in seeds.iter().enumerate() {
            save::write_file(&folder.join(format!("sample-{nth}")), bytes)?;
        }
        let _ = writeln!(out, "{}: {} samples", folder.display(), seeds.len());
    }
    output::print(&out)?;
    Ok(Outcome::Clean)
}
