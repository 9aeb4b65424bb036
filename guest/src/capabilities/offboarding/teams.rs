//! Steps that take who leaves off their teams.

use super::parties::{Parties, quoted, required, required_id};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::Json;
use crate::pagerduty::teams;

/// Takes who leaves off a team.
pub const LEAVE: &str = "leave-team";
/// Takes that back.
pub const REJOIN: &str = "rejoin-team";

/// One step for each team.
pub fn plan(leaving: &Leaving<'_>) -> Drafts {
    let parties = Parties::of(leaving);
    let teams = leaving.source.teams.iter().filter(|team| team.is_live());
    let steps = teams.map(|team| Draft {
        kind: LEAVE,
        summary: format!(
            "Take {} off team {}",
            parties.from.name,
            quoted(&team.called())
        ),
        payload: parties
            .payload()
            .with("team", team.id.as_str())
            .with("team_name", team.called().as_str())
            .done(),
    });
    Drafts {
        steps: steps.collect(),
        warnings: Vec::new(),
    }
}

/// Applies `leave-team`.
pub fn leave(client: &Client, payload: &Json) -> Result<Applied> {
    let parties = Parties::read(payload)?;
    let (team, user) = (required_id(payload, "team")?, &parties.from.id);
    // The members tell the role, for the way back; where they can't be read, it
    // goes without.
    let role = match teams::role_of(client, &team, user) {
        Ok(None) => return Ok(unchanged("already-done")),
        Ok(role) => role,
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        Err(error) if error.code == ErrorCode::PermissionDenied => None,
        // A plan without teams any more, and an account with some still.
        Err(error) if error.code == ErrorCode::PlanRequired => {
            return Ok(unchanged("left-to-deletion"));
        }
        Err(error) => return Err(error),
    };
    match teams::remove_member(client, &team, user) {
        Ok(()) => {}
        // An earlier attempt did it, or somebody else.
        Err(error) if error.code == ErrorCode::NotFound && error.may_have_applied => {}
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-done")),
        // An escalation policy of the team names the user, or PagerDuty is not
        // up to date about that. The deletion of the account takes care of it.
        Err(error) if error.upstream_status == Some(400) => {
            return Ok(unchanged("left-to-deletion"));
        }
        Err(error) => return Err(error),
    }
    let role = role.filter(|role| !role.is_empty());
    let team_name = payload.text("team_name").unwrap_or_default();
    let undo = role.map(|role| Draft {
        kind: REJOIN,
        summary: format!(
            "Put {} back on team {} as {}",
            parties.from.name,
            quoted(&team_name),
            clean(&role)
        ),
        payload: parties
            .payload()
            .with("team", team.as_str())
            .with("role", role.as_str())
            .done(),
    });
    Ok(applied(Effect::Deleted, undo))
}

/// Applies `rejoin-team`.
pub fn rejoin(client: &Client, payload: &Json) -> Result<Applied> {
    let parties = Parties::read(payload)?;
    let (team, user) = (required_id(payload, "team")?, &parties.from.id);
    let role = required(payload, "role")?;
    match teams::role_of(client, &team, user) {
        Ok(None) => {}
        Ok(_) => return Ok(unchanged("already-done")),
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        Err(error) => return Err(error),
    }
    teams::put_member(client, &team, user, &role)?;
    Ok(applied(Effect::Created, None))
}
