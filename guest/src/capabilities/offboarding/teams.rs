//! Steps that take who leaves off their teams.

use super::step::{Draft, Drafts, Leaving, applied, id_in, name_in, unchanged};
use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::teams;

/// Takes who leaves off a team.
pub const LEAVE: &str = "leave-team";
/// Takes that back.
pub const REJOIN: &str = "rejoin-team";

/// One step for each team.
pub fn plan(leaving: &Leaving<'_>) -> Drafts {
    let source = leaving.source_name();
    let teams = leaving.source.teams.iter().filter(|team| team.is_live());
    let steps = teams.map(|team| Draft {
        kind: LEAVE,
        summary: format!("Take {source} off team `{}`", team.called()),
        payload: Json::of([
            ("team", team.id.as_str().into()),
            ("team_name", team.called().as_str().into()),
            ("from", leaving.source.id.as_str().into()),
            ("from_name", source.as_str().into()),
        ]),
    });
    Drafts {
        steps: steps.collect(),
        warnings: Vec::new(),
    }
}

/// Applies `leave-team`.
pub fn leave(client: &Client, payload: &Json) -> Result<Applied> {
    let (team, user) = (id_in(payload, "team")?, id_in(payload, "from")?);
    // The members tell the role, for the way back; where they can't be read, it
    // goes without.
    let role = match teams::role_of(client, &team, &user) {
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
    match teams::remove_member(client, &team, &user) {
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
    let undo = role.map(|role| Draft {
        kind: REJOIN,
        summary: format!(
            "Put {} back on team `{}` as {}",
            name_in(payload, "from_name"),
            name_in(payload, "team_name"),
            crate::pagerduty::errors::clean(&role)
        ),
        payload: Json::of([
            ("team", team.as_str().into()),
            ("from", user.as_str().into()),
            ("role", role.as_str().into()),
        ]),
    });
    Ok(applied(Effect::Deleted, undo))
}

/// Applies `rejoin-team`.
pub fn rejoin(client: &Client, payload: &Json) -> Result<Applied> {
    let (team, user) = (id_in(payload, "team")?, id_in(payload, "from")?);
    let role = id_in(payload, "role")?;
    if teams::role_of(client, &team, &user)?.is_some() {
        return Ok(unchanged("already-done"));
    }
    teams::put_member(client, &team, &user, &role)?;
    Ok(applied(Effect::Created, None))
}
