//! `freeorder schema`: what the JSON of a verb looks like.

use clap::ValueEnum;
use schemars::schema_for;

use super::audit::AuditReport;
use super::bench::{BenchTable, OrderingsReport};
use super::conform::{ConformTable, ReplayTable, RuntimeTable, StillTable};
use super::defects::{DefectTable, HuntTable, ProofTable};
use super::diff::DiffReport;
use super::explore::ExploreReport;
use super::fuzz::FuzzReport;
use super::matrix::SearchTable;
use super::minimize::MinimizeReport;
use super::output::{self, Failure, Outcome};
use super::regress::RegressTable;
use super::run::RunTable;
use crate::search::explore::Certificate;
use crate::search::matrix::Matrix;

/// Whose output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// `freeorder matrix --format json`
    Matrix,
    /// `freeorder matrix --search --format json`
    MatrixSearch,
    /// `freeorder run --format json`
    Run,
    /// `freeorder minimize --format json`
    Minimize,
    /// `freeorder fuzz --format json`
    Fuzz,
    /// `freeorder explore --format json`
    Explore,
    /// A certificate of `freeorder explore`
    Certificate,
    /// `freeorder conform --format json`
    Conform,
    /// `freeorder audit --format json`
    Audit,
    /// `freeorder diff --format json`
    Diff,
    /// `freeorder conform --runtime --format json`
    ConformRuntime,
    /// `freeorder conform --runtime --known --format json`
    ConformKnown,
    /// `freeorder conform --runtime DIR FILE.. --format json`
    ConformReplay,
    /// `freeorder regress --format json`
    Regress,
    /// `freeorder serve --format json`
    #[cfg(target_os = "linux")]
    Serve,
    /// `freeorder send --format json`
    #[cfg(target_os = "linux")]
    Send,
    /// `freeorder bench --format json`
    Bench,
    /// `freeorder bench orderings --format json`
    BenchOrderings,
    /// `freeorder defects --format json`
    Defects,
    /// `freeorder defects --prove --format json`
    DefectsProve,
    /// `freeorder defects --bench --format json`
    DefectsBench,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose output
    #[arg(value_enum)]
    what: What,
}

pub fn main(args: &Args) -> Result<Outcome, Failure> {
    let schema = match args.what {
        What::Matrix => schema_for!(Matrix),
        What::MatrixSearch => schema_for!(SearchTable),
        What::Run => schema_for!(RunTable),
        What::Minimize => schema_for!(MinimizeReport),
        What::Fuzz => schema_for!(FuzzReport),
        What::Explore => schema_for!(ExploreReport),
        What::Certificate => schema_for!(Certificate),
        What::Conform => schema_for!(ConformTable),
        What::Audit => schema_for!(AuditReport),
        What::Diff => schema_for!(DiffReport),
        What::ConformRuntime => schema_for!(RuntimeTable),
        What::ConformKnown => schema_for!(StillTable),
        What::ConformReplay => schema_for!(ReplayTable),
        What::Regress => schema_for!(RegressTable),
        #[cfg(target_os = "linux")]
        What::Serve => schema_for!(super::serve::ServeReport),
        #[cfg(target_os = "linux")]
        What::Send => schema_for!(super::send::SendReport),
        What::Bench => schema_for!(BenchTable),
        What::BenchOrderings => schema_for!(OrderingsReport),
        What::Defects => schema_for!(DefectTable),
        What::DefectsProve => schema_for!(ProofTable),
        What::DefectsBench => schema_for!(HuntTable),
    };
    output::print_json(&schema)?;
    Ok(Outcome::Clean)
}
