//! Plans of the interface `offboarding`, applied step by step.
//!
//! A connector plans and knows how to apply one step; everything in between is
//! the host's: the [`PlanDocument`] that people look at and keep, the
//! [`Journal`] that says which of its steps are done, and [`apply`], which goes
//! on where the journal ends, whatever ended it.
//!
//! ```no_run
//! use host_harness::offboarding::{self, Journal, Patience, PlanDocument, PlanKind};
//!
//! # async fn example(tenant: host_harness::Tenant) -> Result<(), Box<dyn std::error::Error>> {
//! let kind = PlanKind::Transfer { to: "PHEIR01".to_owned() };
//! let plan = PlanDocument::make(&tenant, "PLEAVER", kind).await?;
//! // Show `plan.steps` to somebody, and keep the plan before the first change.
//! let mut journal = Journal::open("PLEAVER.journal".as_ref(), &plan)?;
//! let progress = &mut |event: offboarding::Progress<'_>| println!("{event}");
//! let done = offboarding::apply(&tenant, &plan, &mut journal, Patience::default(), progress).await?;
//! println!("{} steps changed something", done.changed);
//! # Ok(())
//! # }
//! ```

mod document;
mod journal;
mod run;

pub use document::{PlanDocument, PlanError, PlanKind, PlanOrigin, PlannedStep};
pub use journal::{Journal, JournalError, StepState};
pub(crate) use run::effect_text;
pub use run::{Applied, ApplyError, Patience, Progress, apply, undo};
