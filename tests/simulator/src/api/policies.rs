//! Escalation policies.

use serde_json::{Value, json};

use super::paging::Page;
use super::request::{reference_id, text};
use super::{Answer, Call, Refusal, Reply, error_body, references, time};
use crate::state::Account;
use crate::state::audit::{FieldChange, Resource};
use crate::state::policies::{EscalationPolicy, Rule, Target};

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let (users, teams) = (call.list("user_ids"), call.list("team_ids"));
    let query = call.param("query").map(str::to_lowercase);
    let mut policies: Vec<&EscalationPolicy> = account
        .policies
        .iter()
        .filter(|p| users.is_empty() || users.iter().any(|user| p.targets_user(user)))
        .filter(|p| teams.is_empty() || p.teams.iter().any(|t| teams.contains(&t.as_str())))
        .filter(|p| {
            query
                .as_deref()
                .is_none_or(|q| p.name.to_lowercase().contains(q))
        })
        .collect();
    policies.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    match call.param("sort_by") {
        None | Some("name" | "name:asc") => {}
        Some("name:desc") => policies.reverse(),
        Some(_) => return Err(Refusal::invalid("sort_by is invalid")),
    }
    let rows = page
        .cut_counted(policies.into_iter())
        .map(|p| render(account, p, call));
    Ok(rows.reply("escalation_policies"))
}

pub(super) fn show(account: &Account, call: &Call, id: &str) -> Answer {
    let policy = account.policies.get(id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(
        json!({"escalation_policy": render(account, policy, call)}),
    ))
}

fn render(account: &Account, policy: &EscalationPolicy, call: &Call) -> Value {
    let mut value = references::policy(account, &policy.id);
    let rules: Vec<Value> = policy
        .rules
        .iter()
        .map(|rule| {
            let targets: Vec<Value> = rule
                .targets
                .iter()
                .map(|target| match target {
                    Target::User(id) if call.includes("targets") => match account.users.get(id) {
                        Some(user) => super::users::render(account, user, call),
                        None => references::user(account, id),
                    },
                    target => references::target(account, target),
                })
                .collect();
            json!({
                "id": rule.id, "escalation_delay_in_minutes": rule.delay_minutes,
                "targets": targets,
            })
        })
        .collect();
    let services: Vec<Value> = account
        .services
        .iter()
        .filter(|service| service.policy == policy.id)
        .map(|service| references::service(account, &service.id))
        .collect();
    let teams: Vec<Value> = if call.includes("teams") {
        policy
            .teams
            .iter()
            .filter_map(|t| super::teams::render(account, t))
            .collect()
    } else {
        references::teams(account, &policy.teams)
    };
    value["type"] = json!("escalation_policy");
    value["name"] = json!(policy.name);
    value["description"] = json!(policy.description);
    value["num_loops"] = json!(policy.loops);
    value["on_call_handoff_notifications"] = json!(policy.handoff);
    value["escalation_rules"] = json!(rules);
    value["services"] = json!(services);
    value["teams"] = json!(teams);
    // Not documented, but there.
    value["send_ochons_through_level"] = json!(0);
    value["privilege"] = Value::Null;
    value["created_at"] = json!(time::utc(policy.created_at));
    value["updated_at"] = json!(time::utc(policy.updated_at));
    value
}

pub(super) fn update(account: &mut Account, call: &Call, id: &str) -> Answer {
    let before = account
        .policies
        .get(id)
        .cloned()
        .ok_or_else(Refusal::not_found)?;
    let body = call.wrapped("escalation_policy")?;
    if text(body, "type") != Some("escalation_policy") {
        return Err(Refusal::invalid("Type must be escalation_policy"));
    }
    let mut after = before.clone();
    let name = text(body, "name")
        .map(str::trim)
        .filter(|name| !name.is_empty());
    after.name = name
        .ok_or_else(|| Refusal::invalid("Name can't be blank"))?
        .to_owned();
    let taken = account
        .policies
        .iter()
        .any(|p| p.id != id && p.name.to_lowercase() == after.name.to_lowercase());
    if taken {
        return Err(Refusal::invalid("Name has already been taken"));
    }
    // Null is what a GET can show, and is refused all the same.
    match body.get("description") {
        None => {}
        Some(Value::String(description)) => after.description = Some(description.clone()),
        Some(_) => return Err(Refusal::invalid("Description must be a string")),
    }
    if let Some(loops) = body.get("num_loops") {
        let loops = loops
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n <= 9);
        after.loops = loops.ok_or_else(|| Refusal::invalid("Num loops is invalid"))?;
    }
    if let Some(handoff) = text(body, "on_call_handoff_notifications") {
        after.handoff = handoff.to_owned();
    }
    if let Some(teams) = body.get("teams").and_then(Value::as_array) {
        after.teams = teams
            .iter()
            .filter_map(reference_id)
            .map(str::to_owned)
            .collect();
        if !after.teams.iter().all(|team| account.teams.contains(team)) {
            return Err(Refusal::new(400, 6001, "Team Not Found"));
        }
    }
    after.rules = rules(account, body, &before)?;
    after.updated_at = account.now;
    join_teams(account, &after);
    let fields = vec![FieldChange {
        name: "escalation_rules",
        before: Some(before.rules.len().to_string()),
        value: Some(after.rules.len().to_string()),
    }];
    record(account, call, &after, "update", fields);
    let reply = Reply::ok(json!({"escalation_policy": render(account, &after, call)}));
    if let Some(policy) = account.policies.get_mut(id) {
        *policy = after;
    }
    Ok(reply)
}

fn rules(
    account: &mut Account,
    body: &Value,
    before: &EscalationPolicy,
) -> Result<Vec<Rule>, Refusal> {
    let rules = body.get("escalation_rules").and_then(Value::as_array);
    let rules = rules.ok_or_else(|| Refusal::invalid("Escalation rules can't be blank"))?;
    if rules.is_empty() {
        let text = "Cannot Delete Only Rule For Escalation Policy";
        return Err(Refusal {
            status: 400,
            body: error_body(text, 2001, &[]),
        });
    }
    let mut parsed = Vec::new();
    for rule in rules {
        // Needs a feature that the account does not have.
        if rule
            .get("escalation_rule_assignment_strategy")
            .is_some_and(|s| !s.is_null())
        {
            return Err(Refusal::denied());
        }
        let delay = rule
            .get("escalation_delay_in_minutes")
            .and_then(Value::as_u64);
        let delay = delay
            .and_then(|d| u32::try_from(d).ok())
            .filter(|d| *d >= 1);
        let delay_minutes =
            delay.ok_or_else(|| Refusal::invalid("Escalation delay in minutes is invalid"))?;
        let targets = rule.get("targets").and_then(Value::as_array);
        let targets = targets.filter(|t| !t.is_empty());
        let targets = targets.ok_or_else(|| Refusal::invalid("Targets can't be blank"))?;
        let targets = targets
            .iter()
            .map(|one| target(account, one, before))
            .collect::<Result<Vec<_>, _>>()?;
        let id = match reference_id(rule) {
            Some(id) if before.rules.iter().any(|r| r.id == id) => id.to_owned(),
            Some(_) => return Err(Refusal::new(404, 5001, "Escalation Rule Not Found")),
            None => account.ids.object(),
        };
        parsed.push(Rule {
            id,
            delay_minutes,
            targets,
        });
    }
    Ok(parsed)
}

fn target(account: &Account, value: &Value, before: &EscalationPolicy) -> Result<Target, Refusal> {
    // A target without a type is answered as if it did not exist.
    let (Some(id), Some(kind)) = (reference_id(value), text(value, "type")) else {
        return Err(Refusal::not_found());
    };
    let id = id.to_owned();
    let target = match kind {
        "user_reference" | "user" => Target::User(id),
        "schedule_reference" | "schedule" => Target::Schedule(id),
        "schedule_v3_reference" | "schedule_v3" => Target::ScheduleV3(id),
        _ => return Err(Refusal::not_found()),
    };
    let exists = match &target {
        Target::User(id) => match account.users.get(id) {
            Some(user) if user.role.is_stakeholder() => {
                return Err(Refusal::invalid(
                    "Stakeholders cannot be added to escalation policies",
                ));
            }
            Some(_) => true,
            None => false,
        },
        Target::Schedule(id) => account.schedules.contains(id),
        Target::ScheduleV3(id) => account.schedules_v3.contains(id),
    };
    // The stub of a deleted user may stay where it is.
    if exists || before.targets().any(|old| *old == target) {
        Ok(target)
    } else {
        Err(Refusal::not_found())
    }
}

/// Users that a team's policy targets become members of the team.
fn join_teams(account: &mut Account, policy: &EscalationPolicy) {
    for team in &policy.teams {
        for target in policy.targets() {
            let Target::User(user) = target else {
                continue;
            };
            let Some(role) = account.users.get(user).map(|u| u.role.default_team_role()) else {
                continue;
            };
            if account
                .teams
                .get(team)
                .is_some_and(|t| t.role(user).is_none())
            {
                account.put_member(team, user, role);
            }
        }
    }
}

pub(super) fn delete(account: &mut Account, call: &Call, id: &str) -> Answer {
    let policy = account
        .policies
        .get(id)
        .cloned()
        .ok_or_else(Refusal::not_found)?;
    if account.services.iter().any(|service| service.policy == id) {
        return Err(Refusal::invalid(
            "Escalation policy can't be deleted if it's being used by services",
        ));
    }
    if account
        .incidents
        .iter()
        .any(|i| i.is_open() && i.policy == id)
    {
        return Err(Refusal::invalid(
            "Escalation policy can't be deleted if it's being used by open incidents",
        ));
    }
    record(account, call, &policy, "delete", Vec::new());
    account.policies.remove(id);
    Ok(Reply::no_content())
}

fn record(
    account: &mut Account,
    call: &Call,
    policy: &EscalationPolicy,
    action: &'static str,
    fields: Vec<FieldChange>,
) {
    let origin = call.caller.origin(account);
    let root = Resource {
        id: policy.id.clone(),
        kind: "escalation_policy_reference",
        summary: policy.name.clone(),
    };
    account.record(&origin, root, action, fields, Vec::new());
}
