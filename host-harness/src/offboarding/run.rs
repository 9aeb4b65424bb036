//! Applies a plan, step by step, and takes it back.

use std::{fmt, time::Duration};

use super::{
    document::{PlanDocument, PlannedStep},
    journal::{Journal, JournalError, StepState},
};
use crate::{
    CallError, Tenant,
    contract::{
        offboarding::{Applied as StepApplied, Step},
        to_json,
        types::{Effect, ErrorCode},
    },
    text::printable,
};

/// How long to wait for a vendor that asks to come back.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often a step is applied in all.
    pub attempts: u32,
    /// The longest single wait.
    pub longest: Duration,
    /// The wait where the connector does not say how long.
    pub default: Duration,
}

impl Default for Patience {
    /// A call waits for minutes by itself; this is for what takes longer.
    fn default() -> Self {
        Self {
            attempts: 5,
            longest: Duration::from_mins(2),
            default: Duration::from_secs(10),
        }
    }
}

/// Something happened that whoever waits would like to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A step was done by an earlier run.
    Skipped {
        /// Its number, from 1, and how many there are.
        at: (usize, usize),
        /// The step.
        step: &'a PlannedStep,
    },
    /// A step begins.
    Begins {
        /// Its number, from 1, and how many there are.
        at: (usize, usize),
        /// The step.
        step: &'a PlannedStep,
    },
    /// A step is done.
    Done {
        /// Its number, from 1, and how many there are.
        at: (usize, usize),
        /// The step.
        step: &'a PlannedStep,
        /// What it did.
        effect: &'a Effect,
    },
    /// The vendor asks to come back later.
    Waits {
        /// The step.
        step: &'a PlannedStep,
        /// How long.
        wait: Duration,
        /// Why.
        error: &'a CallError,
    },
    /// A step can't be taken back.
    Final {
        /// The step, by its id or its summary.
        step: &'a str,
    },
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, at: &(usize, usize), word: &str, step: &PlannedStep| {
                let width = at.1.to_string().len();
                write!(
                    f,
                    "[{:width$}/{}] {word:24} {}",
                    at.0,
                    at.1,
                    printable(&step.summary)
                )
            };
        match self {
            Self::Skipped { at, step } => line(f, at, "done before", step),
            Self::Begins { at, step } => line(f, at, "begins", step),
            Self::Done { at, step, effect } => line(f, at, &effect_text(effect), step),
            Self::Waits { step, wait, error } => write!(
                f,
                "waiting {} s before trying `{}` again: {error}",
                wait.as_secs(),
                printable(&step.id)
            ),
            Self::Final { step } => {
                write!(f, "can't be taken back: {}", printable(step))
            }
        }
    }
}

/// `updated`, or `unchanged (already-done)`.
pub(crate) fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Created => "created".to_owned(),
        Effect::Updated => "updated".to_owned(),
        Effect::Deleted => "deleted".to_owned(),
        Effect::Unchanged(reason) => format!("unchanged ({})", printable(reason)),
    }
}

/// What came of a plan.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Applied {
    /// Steps that changed something.
    pub changed: usize,
    /// Steps that found nothing to do.
    pub unchanged: usize,
    /// Steps that an earlier run had done.
    pub skipped: usize,
}

/// Why a plan was not applied to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A step failed. Those before it are done and in the journal.
    #[error("step {number} (`{}`): {error}", printable(.step))]
    Step {
        /// Its number, from 1.
        number: usize,
        /// Its id.
        step: String,
        /// Why.
        error: CallError,
    },
    /// What is done can't be written down, so nothing more is done.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl ApplyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Step { error, .. } => error.hint(),
            Self::Journal(error) => Some(error.hint().to_owned()),
        }
    }
}

/// Applies the steps that the journal does not say are done, in order. Stops at
/// the first that fails: later ones may depend on it.
///
/// A future that is dropped leaves at most one step begun, as a dead process
/// does: call again to go on.
pub async fn apply(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: &mut Journal,
    patience: Patience,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Applied, ApplyError> {
    let mut summary = Applied::default();
    let steps = plan.steps.len();
    for (at, step) in plan.steps.iter().enumerate() {
        let at = (at + 1, steps);
        if matches!(journal.state(&step.id), Some(StepState::Done { .. })) {
            progress(Progress::Skipped { at, step });
            summary.skipped += 1;
            continue;
        }
        progress(Progress::Begins { at, step });
        journal.begin(&step.id)?;
        match patiently(tenant, step, patience, progress).await {
            Ok(applied) => {
                let undo = applied.undo.map(PlannedStep::from);
                journal.finish(&step.id, to_json(&applied.effect), undo)?;
                summary.count(&applied.effect);
                let effect = &applied.effect;
                progress(Progress::Done { at, step, effect });
            }
            Err(error) => {
                journal.fail(&step.id, error.code(), error.to_string())?;
                return Err(ApplyError::Step {
                    number: at.0,
                    step: step.id.clone(),
                    error,
                });
            }
        }
    }
    Ok(summary)
}

/// Takes back what the journal says is done, the latest first. A step that
/// can't be taken back is told and left.
pub async fn undo(
    tenant: &Tenant,
    journal: &mut Journal,
    patience: Patience,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Applied, ApplyError> {
    let mut summary = Applied::default();
    let steps = journal.undoable();
    let count = steps.len();
    for (at, (id, inverse)) in steps.into_iter().enumerate() {
        let at = (at + 1, count);
        let Some(step) = &inverse else {
            progress(Progress::Final { step: &id });
            summary.skipped += 1;
            continue;
        };
        progress(Progress::Begins { at, step });
        journal.begin_undo(&id)?;
        match patiently(tenant, step, patience, progress).await {
            Ok(applied) => {
                journal.finish_undo(&id, to_json(&applied.effect))?;
                summary.count(&applied.effect);
                let effect = &applied.effect;
                progress(Progress::Done { at, step, effect });
            }
            Err(error) => {
                return Err(ApplyError::Step {
                    number: at.0,
                    step: id,
                    error,
                });
            }
        }
    }
    Ok(summary)
}

impl Applied {
    fn count(&mut self, effect: &Effect) {
        match effect {
            Effect::Unchanged(_) => self.unchanged += 1,
            _ => self.changed += 1,
        }
    }
}

/// Applies a step, again when the vendor or the call's budget says so.
async fn patiently(
    tenant: &Tenant,
    step: &PlannedStep,
    patience: Patience,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<StepApplied, CallError> {
    let mut attempt = 1;
    loop {
        let outcome = tenant.apply(Step::from(step)).await;
        let error = match outcome {
            Err(error) if attempt < patience.attempts && passes(&error) => error,
            outcome => return outcome,
        };
        let wait = match &error {
            CallError::Connector { error, .. } => error.retry_after,
            _ => None,
        };
        let wait = wait.map_or(patience.default, |wait| Duration::from_secs(wait.into()));
        if wait > patience.longest {
            return Err(error);
        }
        progress(Progress::Waits {
            step,
            wait,
            error: &error,
        });
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

/// Whether the same step may well succeed a little later. Steps are safe to
/// repeat, also after an uncertain end.
fn passes(error: &CallError) -> bool {
    matches!(error, CallError::Connector { error, .. }
        if matches!(error.code, ErrorCode::RateLimited | ErrorCode::BudgetExhausted))
}
