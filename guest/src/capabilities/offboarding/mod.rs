//! `offboarding`: plans that hand over what an account leaves behind, and free
//! what it holds. A plan only reads; each of its steps can be applied twice, and
//! looks again before it changes anything.

mod departure;
mod incidents;
mod overrides;
mod parties;
mod policies;
mod schedules;
mod schedules_v3;
mod shifts_v3;
mod step;
mod teams;

use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::{Applied, Plan, Step};
use crate::pagerduty::client::{Client, checked_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::shifts_v3::Kind;
use crate::pagerduty::users::{self, User};
use step::{Drafts, Leaving};

/// What it takes to hand everything of `source` to `target`.
///
/// Incidents go first, while they are few; those that reach the source before
/// the last schedule is changed go at the end.
pub fn plan_transfer(client: &Client, source: &str, target: &str) -> Result<Plan> {
    checked_id(source)?;
    checked_id(target)?;
    if source == target {
        return Err(
            Error::invalid_input("an account can't hand over to itself").hint("name another heir")
        );
    }
    let source = account(client, source)?;
    let heir = account(client, target)?;
    let mut drafts = Drafts {
        warnings: reservations(&heir)?,
        ..Drafts::default()
    };
    let leaving = Leaving {
        source: &source,
        heir: Some(&heir),
    };
    drafts.add(incidents::plan(client, &leaving)?);
    drafts.add(on_call_duties(client, &leaving)?);
    if !drafts.steps.is_empty() {
        drafts.steps.push(incidents::plan_late(&leaving));
        drafts.warnings.extend(requester_warning(client, &source)?);
    }
    Ok(plan(drafts))
}

/// What it takes to remove `source` from all it is part of, and then itself.
///
/// Without an heir, incidents go back to their escalation policies. They come
/// after those and the schedules, or they would come back to the source.
pub fn plan_removal(client: &Client, source: &str) -> Result<Plan> {
    let source = account(client, checked_id(source)?)?;
    if source.known_role()? == "owner" {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "{} owns the PagerDuty account, and the owner can't be removed",
                source.called()
            ),
        )
        .hint("hand the ownership over in PagerDuty's account settings first"));
    }
    let leaving = Leaving {
        source: &source,
        heir: None,
    };
    let mut drafts = on_call_duties(client, &leaving)?;
    drafts.add(incidents::plan(client, &leaving)?);
    drafts.steps.push(incidents::plan_late(&leaving));
    drafts.add(teams::plan(&leaving));
    drafts.add(departure::plan(client, &leaving)?);
    drafts.warnings.extend(requester_warning(client, &source)?);
    Ok(plan(drafts))
}

/// Applies one step.
pub fn apply(client: &Client, step: &Step) -> Result<Applied> {
    let payload = &step::payload(step)?;
    match step.kind.as_str() {
        incidents::REASSIGN => incidents::reassign(client, payload),
        incidents::RETURN => incidents::give_back(client, payload),
        policies::REPLACE | policies::REMOVE => policies::edit(client, payload),
        policies::RESTORE => policies::restore(client, payload),
        teams::LEAVE => teams::leave(client, payload),
        teams::REJOIN => teams::rejoin(client, payload),
        departure::SIGN_OUT => departure::sign_out(client, payload),
        departure::DELETE => departure::delete(client, payload),
        schedules::REPLACE | schedules::REMOVE => schedules::apply(client, payload),
        schedules_v3::REPLACE | schedules_v3::REMOVE => schedules_v3::apply(client, payload),
        overrides::REASSIGN | overrides::REMOVE => overrides::apply(client, payload),
        shifts_v3::REASSIGN_OVERRIDE | shifts_v3::REMOVE_OVERRIDE => {
            shifts_v3::apply(client, Kind::Override, payload)
        }
        shifts_v3::REASSIGN_SHIFT | shifts_v3::REMOVE_SHIFT => {
            shifts_v3::apply(client, Kind::CustomShift, payload)
        }
        other => Err(
            Error::invalid_input(format!("`{}` is not a kind of step", clean(other)))
                .hint("make the plan anew with this version of the connector"),
        ),
    }
}

fn on_call_duties(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let mut drafts = Drafts::default();
    for part in [
        policies::plan,
        schedules::plan,
        schedules_v3::plan,
        overrides::plan,
        shifts_v3::plan,
    ] {
        drafts.add(part(client, leaving)?);
    }
    Ok(drafts)
}

fn account(client: &Client, id: &str) -> Result<User> {
    let user = users::get(client, id).map_err(|error| match error.code {
        ErrorCode::NotFound => error.reworded(
            Error::new(
                ErrorCode::NotFound,
                format!("there is no account `{id}` in PagerDuty"),
            )
            .hint("`directory.list-accounts` lists the accounts with their ids"),
        ),
        _ => error,
    })?;
    if user.id != id {
        return Err(Error::invalid_response(
            "PagerDuty sent another user than the one asked for",
        ));
    }
    Ok(user)
}

/// What stands in the way of an heir; an error if it is more than a warning.
fn reservations(heir: &User) -> Result<Vec<String>> {
    let name = heir.called();
    if heir.is_stakeholder()? {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!("{name} is a stakeholder, who can't be on call or assigned incidents"),
        )
        .hint("name another heir, or assign this one a role with a full licence first"));
    }
    let mut warnings = Vec::new();
    if heir.invitation_sent == Some(true) {
        warnings.push(format!(
            "{name} has not accepted the invitation to PagerDuty yet, and may not notice what is \
             handed over"
        ));
    }
    if matches!(heir.role.as_deref(), Some("observer" | "restricted_access")) {
        warnings.push(format!(
            "{name}'s base role only looks on outside of teams that give {name} more: check that \
             the incidents can be worked on"
        ));
    }
    Ok(warnings)
}

/// Incidents are moved in somebody's name.
fn requester_warning(client: &Client, source: &User) -> Result<Option<String>> {
    match users::requester(client) {
        Ok(email) if email.to_lowercase() == source.lower_email() => Ok(Some(format!(
            "incidents are moved in the name of {}, who leaves: set `from-email` to somebody who \
             stays, and use a credential of somebody who stays",
            source.called()
        ))),
        Ok(_) => Ok(None),
        Err(error) if error.code == ErrorCode::InvalidInput => Ok(Some(format!(
            "incidents can't be reassigned yet, for {}: {}",
            error.message,
            error.hint.as_deref().unwrap_or_default()
        ))),
        Err(error) => Err(error),
    }
}

/// Steps are numbered within their kind: `leave-team-2`.
fn plan(drafts: Drafts) -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    for draft in drafts.steps {
        let before = steps.iter().filter(|step| step.kind == draft.kind);
        let id = format!("{}-{}", draft.kind, before.count() + 1);
        steps.push(draft.into_step(id));
    }
    Plan {
        steps,
        warnings: drafts.warnings,
    }
}
