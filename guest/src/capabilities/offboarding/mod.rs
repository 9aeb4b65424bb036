//! `offboarding`: plans that hand over what an account leaves behind, and free
//! what it holds. A plan only reads; each of its steps can be applied twice, and
//! looks again before it changes anything.

mod overrides;
mod parties;
mod schedules;
mod schedules_v3;
mod shifts_v3;
mod step;

use self::step::{Drafts, Leaving};
use crate::errors::{Error, Result};
use crate::exports::iga::connector::offboarding::{Applied, Plan, Step};
use crate::pagerduty::client::Client;
use crate::pagerduty::errors::clean;
use crate::pagerduty::users;

pub fn plan_transfer(client: &Client, source: &str, target: &str) -> Result<Plan> {
    let source = users::get(client, source)?;
    let heir = users::get(client, target)?;
    plan(
        client,
        &Leaving {
            source: &source,
            heir: Some(&heir),
        },
    )
}

pub fn plan_removal(client: &Client, source: &str) -> Result<Plan> {
    let source = users::get(client, source)?;
    plan(
        client,
        &Leaving {
            source: &source,
            heir: None,
        },
    )
}

fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Plan> {
    let mut all = Drafts::default();
    for part in [
        schedules::plan,
        schedules_v3::plan,
        overrides::plan,
        shifts_v3::plan,
    ] {
        let drafts = part(client, leaving)?;
        all.steps.extend(drafts.steps);
        all.warnings.extend(drafts.warnings);
    }
    let steps = all.steps.into_iter().enumerate();
    Ok(Plan {
        steps: steps
            .map(|(at, draft)| draft.into_step(format!("{}", at + 1)))
            .collect(),
        warnings: all.warnings,
    })
}

pub fn apply(client: &Client, step: &Step) -> Result<Applied> {
    let payload = step::payload(step)?;
    match step.kind.as_str() {
        schedules::REPLACE | schedules::REMOVE => schedules::apply(client, &payload),
        schedules_v3::REPLACE | schedules_v3::REMOVE => schedules_v3::apply(client, &payload),
        overrides::REASSIGN | overrides::REMOVE => overrides::apply(client, &payload),
        shifts_v3::REASSIGN_OVERRIDE | shifts_v3::REMOVE_OVERRIDE => {
            shifts_v3::apply_override(client, &payload)
        }
        shifts_v3::REASSIGN_SHIFT | shifts_v3::REMOVE_SHIFT => {
            shifts_v3::apply_shift(client, &payload)
        }
        other => Err(Error::invalid_input(format!(
            "`{}` is not a kind of step that this connector knows",
            clean(other)
        ))),
    }
}
