//! Steps that take who leaves out of escalation policies. Each is one policy,
//! edited as it is when the step is applied: what others have changed stays.

use super::parties::{Parties, quoted, required_id, world_changed};
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy, Rule};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::users::User;
use std::fmt::Write;

/// Puts the heir in the place of who leaves.
pub const REPLACE: &str = "replace-in-policy";
/// Takes who leaves out.
pub const REMOVE: &str = "remove-from-policy";
/// Takes either back.
pub const RESTORE: &str = "restore-policy";

/// What it takes to take who leaves out of every escalation policy.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let parties = Parties::of(leaving);
    let (id, source) = (parties.from.id.as_str(), &parties.from.name);
    let list = List::all(escalation_policies::PATH).with("user_ids[]", id);
    let mut drafts = Drafts::default();
    for policy in paging::read_all::<EscalationPolicy>(client, &list)? {
        let mut places = Some(places(&policy, id)).filter(|places| !places.is_empty());
        if policy.id.is_empty() || places.is_none() {
            continue;
        }
        let name = quoted(&policy.called());
        let (kind, summary) = match leaving.heir {
            Some(heir) => (REPLACE, replacement(&policy, id, source, heir)),
            None if is_last(&policy, id) => {
                drafts.warnings.push(format!(
                    "nobody but {source} is on escalation policy {name}, and its step refuses to \
                     empty it: put somebody else on it, or hand over by a transfer, before"
                ));
                let summary = format!(
                    "Take {source} out of escalation policy {name}, once somebody else is on it"
                );
                // It waits for a change.
                places = None;
                (REMOVE, summary)
            }
            None => (REMOVE, removal(&policy, id, source)),
        };
        let payload = parties
            .payload()
            .with("policy", policy.id.as_str())
            .with("places", places.as_deref())
            .done();
        drafts.steps.push(Draft {
            kind,
            summary,
            payload,
        });
    }
    if !drafts.steps.is_empty() {
        drafts.warnings.push(format!(
            "open incidents keep the escalation policy that they began with: until they are \
             resolved, one can still escalate to {source}"
        ));
    }
    Ok(drafts)
}

fn replacement(policy: &EscalationPolicy, user: &str, source: &str, heir: &User) -> String {
    let name = heir.called();
    let mut summary = format!(
        "Put {name} in the place of {source} on {} of escalation policy {}",
        levels(policy, user),
        quoted(&policy.called())
    );
    // PagerDuty adds whom a team's policy names to the team.
    let is_on = |team: &str| heir.teams.iter().any(|on| on.id == team);
    for team in policy.teams.iter().filter(|team| !is_on(&team.id)) {
        let team = team.called();
        // Writing to a string can't fail.
        let _ = write!(summary, "; {name} joins its team `{team}` by that");
    }
    summary
}

fn removal(policy: &EscalationPolicy, user: &str, source: &str) -> String {
    let mut summary = format!(
        "Take {source} out of {} of escalation policy {}",
        levels(policy, user),
        quoted(&policy.called())
    );
    let rules = policy.rules.iter().filter(|rule| rule.names(user));
    if rules.clone().any(|rule| !rule.has_others(user)) {
        summary += "; a level that is left with nobody goes";
    }
    summary
}

/// Whether nobody would be left.
fn is_last(policy: &EscalationPolicy, user: &str) -> bool {
    let mut rules = policy.rules.iter();
    rules.all(|rule| rule.names(user) && !rule.has_others(user))
}

/// `level 1`, `levels 1, 3`.
fn levels(policy: &EscalationPolicy, user: &str) -> String {
    let rules = policy.rules.iter().zip(1..);
    let levels: Vec<String> = rules
        .filter(|(rule, _)| rule.names(user))
        .map(|(_, level): (_, u32)| level.to_string())
        .collect();
    let plural = if levels.len() == 1 { "" } else { "s" };
    format!("level{plural} {}", levels.join(", "))
}

/// Where the policy names the user: the levels, and which have nobody else. A
/// plan says no more than that about a policy, so other changes don't matter.
fn places(policy: &EscalationPolicy, user: &str) -> String {
    let mut places = String::new();
    for (rule, level) in policy.rules.iter().zip(1_u32..) {
        if rule.names(user) {
            let alone = if rule.has_others(user) { "" } else { " alone" };
            // Writing to a string can't fail.
            let _ = write!(places, "{level}{alone};");
        }
    }
    places
}

/// Applies `replace-in-policy` and `remove-from-policy`.
pub fn edit(client: &Client, payload: &Json) -> Result<Applied> {
    let parties = Parties::read(payload)?;
    let source = parties.from.id.as_str();
    let Some(mut policy) = find(client, &required_id(payload, "policy")?)? else {
        return Ok(unchanged("already-gone"));
    };
    let now = places(&policy, source);
    if now.is_empty() {
        return Ok(unchanged("already-done"));
    }
    let name = &parties.from.name;
    if parties.to.is_none() && is_last(&policy, source) {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "nobody but {name} is on escalation policy {}",
                quoted(&policy.called())
            ),
        )
        .hint("put somebody else on it in PagerDuty, or hand over with `plan-transfer`"));
    }
    if payload.text("places").is_some_and(|then| then != now) {
        return Err(changed(&policy));
    }
    let before = policy.rules.clone();
    policy.replace(source, parties.to_id());
    policy.put(client)?;
    let undo = Draft {
        kind: RESTORE,
        summary: format!(
            "Put {name} back on escalation policy {}, if nobody has changed it since",
            quoted(&policy.called())
        ),
        payload: parties
            .payload()
            .with("policy", policy.id.as_str())
            .with("was", write_rules(&before))
            .with("is", write_rules(&policy.rules))
            .done(),
    };
    Ok(applied(Effect::Updated, Some(undo)))
}

/// Applies `restore-policy`: only to a policy that is as the step left it.
pub fn restore(client: &Client, payload: &Json) -> Result<Applied> {
    let Some(mut policy) = find(client, &required_id(payload, "policy")?)? else {
        return Ok(unchanged("already-gone"));
    };
    let mut was: Vec<Rule> = payload.objects("was").map(Rule::read).collect();
    let is: Vec<Rule> = payload.objects("is").map(Rule::read).collect();
    if policy.has_rules(&was) {
        return Ok(unchanged("already-done"));
    }
    if !policy.has_rules(&is) {
        return Err(changed(&policy));
    }
    // A rule that is gone comes back as a new one.
    for rule in &mut was {
        let is_there = policy.rules.iter().any(|now| now.id == rule.id);
        rule.id.take_if(|_| !is_there);
    }
    policy.rules = was;
    policy.put(client)?;
    Ok(applied(Effect::Updated, None))
}

fn write_rules(rules: &[Rule]) -> Json<'static> {
    Json::List(rules.iter().map(Rule::write).collect())
}

fn find(client: &Client, id: &str) -> Result<Option<EscalationPolicy>> {
    match escalation_policies::get(client, id) {
        Ok(policy) => Ok(Some(policy)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn changed(policy: &EscalationPolicy) -> Error {
    world_changed(format!(
        "escalation policy {} has been changed since",
        quoted(&policy.called())
    ))
}
