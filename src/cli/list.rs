//! `freeorder list`: what there is.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::output::{self, Failure, Outcome};
use crate::assumptions::ASSUMPTIONS;
use crate::corpus::CLAIMS;
use crate::fix::{DEFECTS, FIXES, Preset};
use crate::generate::{Order, Profile};
use crate::mark::Mark;
use crate::search::explore::Family;
use crate::server::ServerKind;
use crate::violation::OracleName;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The fixes: name, source, the file they change, what they do.
    Fixes,
    /// Real bugs of the past, each a switch that brings it back.
    Defects,
    /// The presets and what they set.
    Presets,
    /// The generations of the allocation server.
    Servers,
    /// The oracles and the questions they ask.
    Oracles,
    /// What kinds of program a seed can be.
    Profiles,
    /// How the order of threads and teardowns is sampled.
    Orders,
    /// The families of scenarios that `explore` makes, as large as one likes.
    Families,
    /// Rare situations that a search must prove it reached.
    Marks,
    /// The scenarios of the corpus and their sources.
    Scenarios,
    /// Where the model guesses, and why.
    Assumptions,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is listed
    #[arg(value_enum)]
    what: What,
}

#[allow(clippy::too_many_lines, reason = "one arm for each list")]
pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let mut out = String::new();
    let mut entry = |name: &str, lines: &[&str]| {
        let _ = writeln!(out, "{name}");
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(out, "    {line}");
        }
    };
    match args.what {
        What::Fixes => {
            for fix in &FIXES {
                entry(fix.name, &[fix.summary, fix.source, fix.file]);
            }
        }
        What::Defects => {
            for defect in &DEFECTS {
                entry(defect.name, &[defect.summary, defect.source, defect.file]);
            }
        }
        What::Presets => {
            for preset in Preset::ALL {
                let fixes = preset.fixes();
                let switches: Vec<&str> = fixes.iter().map(|fix| fix.name()).collect();
                let set = format!("{} + {}", fixes.baseline().name(), switches.join(" + "));
                entry(preset.name(), &[set.trim_end_matches(" + "), preset.source()]);
            }
        }
        What::Servers => {
            for server in ServerKind::ALL {
                entry(server.name(), &[server.summary()]);
            }
        }
        What::Profiles => {
            for profile in Profile::ALL {
                entry(profile.name(), &[profile.summary()]);
            }
        }
        What::Orders => {
            for order in Order::ALL {
                entry(order.name(), &[order.summary()]);
            }
        }
        What::Families => {
            for family in Family::ALL {
                let sizes = format!("--{}", family.sizes().replace(", ", ", --"));
                let class = format!("class {}; {sizes}", family.class().name());
                entry(family.name(), &[family.summary(), &class]);
            }
        }
        What::Marks => {
            for mark in Mark::ALL {
                entry(mark.name(), &[mark.summary()]);
            }
        }
        What::Oracles => {
            for oracle in OracleName::ALL {
                let note = if oracle.is_note() { "a note: changes no verdict" } else { "" };
                entry(oracle.name(), &[oracle.asks(), note]);
            }
        }
        What::Scenarios => {
            for file in CLAIMS {
                entry(file.name, &[file.source()]);
            }
        }
        What::Assumptions => {
            for assumption in ASSUMPTIONS {
                entry(assumption.file, &[assumption.text]);
            }
        }
    }
    output::print(&out)?;
    Ok(Outcome::Clean)
}
