//! References: how one object names another.

use serde_json::{Value, json};

use super::time;
use crate::state::Account;
use crate::state::audit::Resource;
use crate::state::policies::Target;

/// `self` and `html_url` of an object.
pub(crate) fn links(account: &Account, path: &str, web: &str, id: &str) -> (String, String) {
    let region = account.config.region;
    (
        format!("https://{}/{path}/{id}", region.api_host()),
        format!(
            "{}/{web}/{id}",
            region.web_origin(&account.config.subdomain)
        ),
    )
}

fn reference(
    account: &Account,
    id: &str,
    kind: &str,
    summary: &str,
    path: &str,
    web: &str,
) -> Value {
    let (own, html) = links(account, path, web, id);
    json!({"id": id, "type": kind, "summary": summary, "self": own, "html_url": html})
}

/// A user, or the stub of a deleted one.
pub(crate) fn user(account: &Account, id: &str) -> Value {
    if let Some(user) = account.users.get(id) {
        return reference(account, id, "user_reference", &user.name, "users", "users");
    }
    let (_, html) = links(account, "users", "users", id);
    let (summary, at) = account.deleted.get(id).map_or((None, None), |user| {
        (Some(&user.name), Some(time::utc(user.at)))
    });
    json!({
        "id": id, "type": "user_reference", "summary": summary, "self": null,
        "html_url": html, "deleted_at": at,
    })
}

pub(crate) fn team(account: &Account, id: &str) -> Value {
    let name = account.teams.get(id).map_or("", |team| team.name.as_str());
    reference(account, id, "team_reference", name, "teams", "teams")
}

pub(crate) fn teams(account: &Account, ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| team(account, id)).collect()
}

pub(crate) fn schedule(account: &Account, id: &str) -> Value {
    let name = account
        .schedules
        .get(id)
        .map_or("", |schedule| schedule.name.as_str());
    reference(
        account,
        id,
        "schedule_reference",
        name,
        "schedules",
        "schedules",
    )
}

pub(crate) fn schedule_v3(account: &Account, id: &str) -> Value {
    let name = account
        .schedules_v3
        .get(id)
        .map_or("", |schedule| schedule.name.as_str());
    reference(
        account,
        id,
        "schedule_v3_reference",
        name,
        "v3/schedules",
        "schedules",
    )
}

pub(crate) fn policy(account: &Account, id: &str) -> Value {
    let name = account
        .policies
        .get(id)
        .map_or("", |policy| policy.name.as_str());
    let kind = "escalation_policy_reference";
    reference(
        account,
        id,
        kind,
        name,
        "escalation_policies",
        "escalation_policies",
    )
}

pub(crate) fn service(account: &Account, id: &str) -> Value {
    let name = account
        .services
        .iter()
        .find(|service| service.id == id)
        .map_or("", |service| service.name.as_str());
    reference(
        account,
        id,
        "service_reference",
        name,
        "services",
        "service-directory",
    )
}

pub(crate) fn target(account: &Account, target: &Target) -> Value {
    match target {
        Target::User(id) => user(account, id),
        Target::Schedule(id) => schedule(account, id),
        Target::ScheduleV3(id) => schedule_v3(account, id),
    }
}

/// The policies that use a schedule.
pub(crate) fn policies_of_schedule(account: &Account, id: &str) -> Vec<Value> {
    account
        .policies
        .iter()
        .filter(|p| p.targets_schedule(id))
        .map(|p| policy(account, &p.id))
        .collect()
}

pub(crate) fn resource(account: &Account, resource: &Resource) -> Value {
    let (path, web) = match resource.kind {
        "user_reference" => return user_resource(account, resource),
        "team_reference" => ("teams", "teams"),
        "schedule_v3_reference" => ("v3/schedules", "schedules"),
        "escalation_policy_reference" => ("escalation_policies", "escalation_policies"),
        _ => ("schedules", "schedules"),
    };
    reference(
        account,
        &resource.id,
        resource.kind,
        &resource.summary,
        path,
        web,
    )
}

/// The audit trail keeps the name that the user had.
fn user_resource(account: &Account, resource: &Resource) -> Value {
    let mut value = user(account, &resource.id);
    value["summary"] = json!(resource.summary);
    value
}
