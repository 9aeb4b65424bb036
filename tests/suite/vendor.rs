//! The vendor's own word on its state, past the connector and past the host.

use host_harness::contract::{
    provisioning::NewAccount,
    types::{Effect, EntitlementRef},
};
use http_body_util::{BodyExt as _, Full};
use pagerduty_simulator::{Simulator, TOKENS};
use serde_json::Value;
use tower_service::Service as _;

use crate::support::Bench;

/// Asks the simulator in the owner's name. Faults in force hit this as well.
pub async fn ask(
    simulator: &Simulator,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Token token={}", TOKENS.owner))
        .body(Full::<bytes::Bytes>::from(body))
        .expect("a request");
    let Ok(response) = simulator.router().call(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body");
    let json = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    (status, json)
}

/// The field `name` of the answer to a GET.
pub async fn get(simulator: &Simulator, path: &str, name: &str) -> Value {
    let (_, mut answer) = ask(simulator, "GET", path, None).await;
    answer[name].take()
}

/// The rows of a list of no more than a page.
pub async fn rows(simulator: &Simulator, path: &str, name: &str) -> Vec<Value> {
    match get(simulator, path, name).await {
        Value::Array(rows) => rows,
        other => panic!("{path} is no list: {other}"),
    }
}

/// A text field.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// A user of that role, by its id.
pub async fn user_of_role(simulator: &Simulator, role: &str) -> String {
    let users = rows(simulator, "/users?limit=100", "users").await;
    let user = users.iter().find(|user| user["role"] == role);
    text(user.expect("every role is held by somebody"), "id")
}

/// Open incidents of a user.
pub async fn incidents_of(simulator: &Simulator, user: &str) -> Vec<Value> {
    let path = format!(
        "/incidents?user_ids[]={user}&statuses[]=triggered&statuses[]=acknowledged\
         &date_range=all&limit=100"
    );
    rows(simulator, &path, "incidents").await
}

fn entitlement(kind: &str, id: &str, resource_type: &str, resource: &str) -> EntitlementRef {
    EntitlementRef {
        entitlement_type: kind.to_owned(),
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        resource: resource.to_owned(),
    }
}

pub fn role(id: &str) -> EntitlementRef {
    entitlement("role", id, "tenant", "")
}

pub fn license(id: &str) -> EntitlementRef {
    entitlement("license", id, "tenant", "")
}

pub fn on_team(team: &str, role: &str) -> EntitlementRef {
    entitlement("team-membership", role, "team", team)
}

pub fn on_schedule(schedule: &str) -> EntitlementRef {
    entitlement("schedule-membership", "member", "schedule", schedule)
}

pub fn on_policy(policy: &str) -> EntitlementRef {
    let kind = "escalation-policy-membership";
    entitlement(kind, "member", "escalation-policy", policy)
}

pub fn unchanged(reason: &str) -> Effect {
    Effect::Unchanged(reason.to_owned())
}

pub fn newcomer() -> NewAccount {
    NewAccount {
        email: "new.comer@acme.example".to_owned(),
        given_name: Some("New".to_owned()),
        family_name: Some("Comer".to_owned()),
        display_name: None,
        entitlements: Vec::new(),
        attributes: Vec::new(),
    }
}

/// The requests of the latest call that were to change something.
pub fn writes(bench: &Bench) -> Vec<String> {
    let requests = bench.last_report().requests;
    let writes = requests.iter().filter(|request| request.method != "GET");
    writes.map(|request| request.method.clone()).collect()
}

pub async fn first_team(bench: &Bench) -> String {
    text(&rows(&bench.simulator, "/teams", "teams").await[0], "id")
}

/// Ids of the licences: two for everybody but stakeholders, one for those.
pub async fn licenses(bench: &Bench) -> [String; 3] {
    let licenses = rows(&bench.simulator, "/licenses", "licenses").await;
    [0, 1, 2].map(|at| text(&licenses[at], "id"))
}
