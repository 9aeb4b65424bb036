//! May a connector go to production? Checks that hold any connector against
//! the contract and against its own description.
//!
//! The suite knows no vendor. What it needs to know of one it learns from the
//! connector, or is told by a [`StandIn`]. A check that its source has nothing
//! for is [skipped](Outcome::Skip) with the reason; one that has looked at
//! nothing never passes.
//!
//! ```no_run
//! use host_harness::{Connector, Engine, EngineConfig, conformance::{self, Subject}};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(EngineConfig::default())?;
//! let connector = Connector::from_file(&engine, "my_connector.wasm".as_ref()).await?;
//! let subject = Subject::recorded(connector, "recordings".as_ref())?;
//! let report = conformance::run(&subject, &conformance::select(&[])?, &|_| {}).await?;
//! println!("{}", report.to_junit());
//! assert!(report.is_conformant());
//! # Ok(()) }
//! ```
//!
//! | source | what it can show |
//! |---|---|
//! | recordings | what the calls in them answer: values, pages, determinism, budgets |
//! | a stand-in vendor | everything, since it may be changed and started anew |
//! | a live tenant | all reads; whatever is declared as a change is withheld |
//!
//! With the vendor's own [description](Subject::described) of its API, requests
//! and answers are held against it as well: those of the recordings, or of one
//! call of each read.
//!
//! On a live tenant the connector's word is all there is on what a request
//! does: one that it declares as a read is sent, a POST too. That such a
//! request changes nothing is checked on a stand-in vendor only. People may work
//! there meanwhile: a check that fails has the tenant read once more, and is a
//! warning if it does not fail again.

mod check;
mod checks;
mod ground;
mod listing;
mod outcome;
mod report;
mod script;
mod subject;
mod survey;
mod tape;

pub use check::{Check, Level, Sources, UnknownCheck, checks, select};
pub use outcome::Outcome;
pub use report::{CheckReport, Report};
pub use subject::{Revoke, StandIn, Subject, SubjectError, Vendor};

use std::time::Instant;

use ground::Ground;
use subject::Source;

/// Runs the checks, in their order. `observer` is told of each when it has
/// ended.
///
/// Fails only where the subject can't be had, also in the middle of the run;
/// what is wrong with the connector is in the report.
pub async fn run(
    subject: &Subject,
    checks: &[&'static Check],
    observer: &(dyn Fn(&CheckReport) + Send + Sync),
) -> Result<Report, SubjectError> {
    let mut ground = Ground::new(subject).await?;
    let mut reports = Vec::new();
    for check in checks {
        let began = Instant::now();
        let mut outcome = outcome_of(check, &ground).await;
        if matches!(outcome, Outcome::Fail { .. }) && matches!(subject.source, Source::Live(_)) {
            // People work there meanwhile: what differs once may be their doing.
            ground = Ground::new(subject).await?;
            let again = outcome_of(check, &ground).await;
            outcome = match again {
                Outcome::Fail { .. } => again,
                Outcome::Skip { .. } => outcome,
                Outcome::Pass { .. } | Outcome::Warn { .. } => Outcome::Warn {
                    what: format!(
                        "it failed, and not when the tenant was read again: {}",
                        outcome.detail()
                    ),
                },
            };
        }
        if let Some(error) = ground.take_failure() {
            return Err(error);
        }
        let report = CheckReport {
            check,
            outcome: outcome.shown(),
            elapsed: began.elapsed(),
        };
        observer(&report);
        reports.push(report);
    }
    Ok(Report::new(subject, reports))
}

async fn outcome_of(check: &Check, ground: &Ground<'_>) -> Outcome {
    if let Some(reason) = check.impediment(ground.subject) {
        return Outcome::Skip { reason };
    }
    match (check.run)(ground).await {
        Ok(seen) => Outcome::Pass { seen },
        Err(outcome) => outcome,
    }
}
