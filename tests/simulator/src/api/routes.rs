//! Which operation answers which path.

use super::{
    Answer, Call, Refusal, abilities, analytics, audit, delegations, incidents, licenses, oncalls,
    overrides, policies, schedules, schedules_v3, services, shifts_v3, teams, user_changes, users,
};
use crate::state::Account;

pub(super) fn answer(account: &mut Account, call: &Call) -> Answer {
    call.caller.authorize(call.method, &call.segments)?;
    if let Some(refusal) = missing_in_plan(account, &call.segments) {
        return Err(refusal);
    }
    match (call.method, call.segments.as_slice()) {
        (method, ["users", rest @ ..]) => user_operation(account, call, method, rest),
        ("DELETE", ["oauth_delegations"]) => delegations::revoke(account, call),
        ("POST", ["analytics", "raw", "users"]) => analytics::users(account, call),
        ("GET", ["audit", "records"]) => audit::all(account, call),
        (
            "GET",
            [
                kind @ ("teams" | "schedules" | "escalation_policies"),
                id,
                "audit",
                "records",
            ],
        ) => audit::of(account, call, kind, id),
        ("GET", ["v3", "schedules", id, "audit", "records"]) => {
            audit::of(account, call, "v3/schedules", id)
        }
        ("GET", ["licenses"]) => Ok(licenses::list(account)),
        ("GET", ["license_allocations"]) => licenses::allocations(account, call),
        ("GET", ["abilities"]) => Ok(abilities::list(account)),
        ("GET", ["abilities", id]) => abilities::check(account, id),
        ("GET", ["teams"]) => teams::list(account, call),
        ("GET", ["teams", id]) => teams::show(account, id),
        ("GET", ["teams", id, "members"]) => teams::members(account, call, id),
        ("PUT", ["teams", id, "users", user]) => teams::put_member(account, call, id, user),
        ("DELETE", ["teams", id, "users", user]) => teams::remove_member(account, call, id, user),
        (method, ["schedules", rest @ ..]) => schedule_operation(account, call, method, rest),
        (method, ["v3", "schedules", rest @ ..]) => {
            schedule_v3_operation(account, call, method, rest)
        }
        ("GET", ["oncalls"]) => oncalls::list(account, call),
        ("GET", ["incidents"]) => incidents::list(account, call),
        ("POST", ["incidents"]) => incidents::create(account, call),
        ("PUT", ["incidents"]) => incidents::update_many(account, call),
        ("GET", ["incidents", id]) => incidents::show(account, id),
        ("PUT", ["incidents", id]) => incidents::update_one(account, call, id),
        ("GET", ["escalation_policies"]) => policies::list(account, call),
        ("GET", ["escalation_policies", id]) => policies::show(account, call, id),
        ("PUT", ["escalation_policies", id]) => policies::update(account, call, id),
        ("DELETE", ["escalation_policies", id]) => policies::delete(account, call, id),
        ("GET", ["services"]) => services::list(account, call),
        ("GET", ["services", id]) => services::show(account, id),
        _ => Err(Refusal::not_found()),
    }
}

fn user_operation(account: &mut Account, call: &Call, method: &str, rest: &[&str]) -> Answer {
    match (method, rest) {
        ("GET", []) => users::list(account, call),
        ("POST", []) => user_changes::create(account, call),
        ("GET", ["me"]) => users::me(account, call),
        ("GET", [id]) => users::show(account, call, id),
        ("PUT", [id]) => user_changes::update(account, call, id),
        ("DELETE", [id]) => user_changes::delete(account, call, id),
        ("GET", [id, "license"]) => licenses::of_user(account, id),
        ("GET", [id, "sessions"]) => delegations::sessions(account, id),
        ("GET", [id, "oauth_delegations"]) => delegations::list(account, call, id),
        ("GET", [id, "audit", "records"]) => audit::of(account, call, "users", id),
        _ => Err(Refusal::not_found()),
    }
}

fn schedule_operation(account: &mut Account, call: &Call, method: &str, rest: &[&str]) -> Answer {
    match (method, rest) {
        ("GET", []) => schedules::list(account, call),
        ("POST", ["preview"]) => schedules::preview(account, call),
        ("GET", [id]) => schedules::show(account, call, id),
        ("PUT", [id]) => schedules::update(account, call, id),
        ("DELETE", [id]) => schedules::delete(account, call, id),
        ("GET", [id, "users"]) => schedules::users(account, call, id),
        ("GET", [id, "overrides"]) => overrides::list(account, call, id),
        ("POST", [id, "overrides"]) => overrides::create(account, call, id),
        ("DELETE", [id, "overrides", one]) => overrides::delete(account, call, id, one),
        _ => Err(Refusal::not_found()),
    }
}

fn schedule_v3_operation(
    account: &mut Account,
    call: &Call,
    method: &str,
    rest: &[&str],
) -> Answer {
    let &[id, ref part @ ..] = rest else {
        return match method {
            "GET" => schedules_v3::list(account, call),
            _ => Err(Refusal::not_found()),
        };
    };
    schedules_v3::check(account, id)?;
    match (method, part) {
        ("GET", []) => schedules_v3::show(account, call, id),
        ("GET", ["rotations"]) => schedules_v3::rotations(account, call, id),
        ("POST", ["rotations"]) => schedules_v3::create_rotation(account, call, id),
        ("GET", ["rotations", one]) => schedules_v3::rotation(account, id, one),
        ("DELETE", ["rotations", one]) => schedules_v3::delete_rotation(account, id, one),
        ("GET", ["rotations", one, "events"]) => schedules_v3::events(account, call, id, one),
        ("POST", ["rotations", one, "events"]) => {
            schedules_v3::create_event(account, call, id, one)
        }
        ("GET", ["rotations", one, "events", event]) => {
            schedules_v3::event(account, id, one, event)
        }
        ("PUT", ["rotations", one, "events", event]) => {
            schedules_v3::update_event(account, call, id, one, event)
        }
        ("DELETE", ["rotations", one, "events", event]) => {
            schedules_v3::delete_event(account, id, one, event)
        }
        ("GET", ["custom_shifts"]) => shifts_v3::custom_shifts(account, call, id),
        ("POST", ["custom_shifts"]) => shifts_v3::create_custom_shifts(account, call, id),
        ("GET", ["custom_shifts", one]) => shifts_v3::custom_shift(account, id, one),
        ("PUT", ["custom_shifts", one]) => shifts_v3::update_custom_shift(account, call, id, one),
        ("DELETE", ["custom_shifts", one]) => shifts_v3::delete_custom_shift(account, id, one),
        ("GET", ["overrides"]) => shifts_v3::overrides(account, call, id),
        ("POST", ["overrides"]) => shifts_v3::create_overrides(account, call, id),
        ("GET", ["overrides", one]) => shifts_v3::get_override(account, id, one),
        ("PUT", ["overrides", one]) => shifts_v3::update_override(account, call, id, one),
        ("DELETE", ["overrides", one]) => shifts_v3::delete_override(account, id, one),
        _ => Err(Refusal::not_found()),
    }
}

/// What the pricing plan lacks: 402 for most, 403 for licences.
fn missing_in_plan(account: &Account, segments: &[&str]) -> Option<Refusal> {
    let plan = account.config.plan;
    match segments {
        ["teams", ..] if !plan.teams => Some(Refusal::missing_ability("teams")),
        ["audit", "records"] | [_, _, "audit", "records"] | [_, _, _, "audit", "records"]
            if !plan.audit =>
        {
            Some(Refusal::missing_ability("audit_trail"))
        }
        ["analytics", ..] if !plan.analytics => Some(Refusal::missing_ability("analytics")),
        ["oauth_delegations"] | ["users", _, "oauth_delegations", ..] if !plan.delegations => {
            Some(Refusal::missing_ability("oauth_delegations"))
        }
        ["licenses"] | ["license_allocations"] | ["users", _, "license"] if !plan.licenses => {
            Some(Refusal::denied())
        }
        _ => None,
    }
}
