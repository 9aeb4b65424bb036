//! Who leaves, who takes over, and what there is to take over.

use host_harness::contract::{
    offboarding::{Applied, Plan, Step},
    types::Effect,
};
use pagerduty_simulator::Simulator;
use serde_json::{Value, json};

use crate::support::{Bench, Opening};
use crate::vendor::{self, incidents_of, rows, text};

/// A leaver who is on two escalation policies, on a team, and has incidents.
pub struct Cast {
    pub bench: Bench,
    pub leaver: String,
    pub heir: String,
    pub colleague: String,
    /// A team's policy, whose first level names the leaver beside others.
    pub shared: String,
    /// A policy whose last level names nobody but the leaver.
    pub lonely: String,
    /// The team that the leaver is on.
    pub team: String,
    /// Incidents that are the leaver's alone.
    pub own: Vec<String>,
    /// Incidents that are the colleague's as well.
    pub joint: Vec<String>,
}

impl Cast {
    pub async fn open(opening: Opening) -> Self {
        let bench = opening.writing().open().await;
        let simulator = &bench.simulator;
        let [leaver, heir, colleague] = unscheduled(simulator).await;
        let policies = policies(simulator).await;
        let has_team = |policy: &&Value| policy["teams"] != json!([]);
        let shared = policies.iter().find(has_team).expect("a team's policy");
        let lonely = policies.iter().find(|policy| !has_team(policy));
        let lonely = lonely.expect("a policy without a team");
        let teams = rows(simulator, "/teams?limit=100", "teams").await;
        let team = teams
            .iter()
            .find(|team| team["id"] != shared["teams"][0]["id"]);
        let cast = Self {
            shared: text(shared, "id"),
            lonely: text(lonely, "id"),
            team: text(team.expect("another team"), "id"),
            own: simulator.open_incidents(&[&leaver], 5),
            joint: simulator.open_incidents(&[&leaver, &colleague], 3),
            leaver,
            heir,
            colleague,
            bench,
        };
        cast.edit(&cast.shared, |rules| {
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(user(&cast.leaver));
        })
        .await;
        cast.edit(&cast.lonely, |rules| {
            let rules = rules.as_array_mut().expect("rules");
            let targets = [user(&cast.leaver)];
            rules.push(json!({"escalation_delay_in_minutes": 7, "targets": targets}));
        })
        .await;
        let member = format!("/teams/{}/users/{}", cast.team, cast.leaver);
        cast.ask("PUT", &member, Some(json!({"role": "responder"})))
            .await;
        cast
    }

    /// Asks PagerDuty in the owner's name.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = vendor::ask(&self.bench.simulator, method, path, body).await;
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    pub async fn policy(&self, id: &str) -> Value {
        let path = format!("/escalation_policies/{id}");
        self.ask("GET", &path, None).await["escalation_policy"].take()
    }

    /// Changes the rules of a policy, past the connector.
    pub async fn edit(&self, policy: &str, change: impl FnOnce(&mut Value)) {
        let mut body = self.policy(policy).await;
        let fields = body.as_object_mut().expect("an object");
        fields.retain(|name, _| matches!(name.as_str(), "type" | "name" | "escalation_rules"));
        change(&mut body["escalation_rules"]);
        let path = format!("/escalation_policies/{policy}");
        self.ask("PUT", &path, Some(json!({"escalation_policy": body})))
            .await;
    }

    /// The ids of a policy's targets, level by level.
    pub async fn levels(&self, policy: &str) -> Vec<Vec<String>> {
        let policy = self.policy(policy).await;
        let rules = policy["escalation_rules"].as_array().expect("rules").iter();
        let targets = rules.map(|rule| rule["targets"].as_array().expect("targets"));
        targets
            .map(|targets| targets.iter().map(|target| text(target, "id")).collect())
            .collect()
    }

    /// Who is assigned an incident, in alphabetical order.
    pub async fn assignees(&self, incident: &str) -> Vec<String> {
        let path = format!("/incidents/{incident}");
        let incident = self.ask("GET", &path, None).await["incident"].take();
        assignees(&incident)
    }

    pub async fn resolve(&self, incident: &str) {
        let body = json!({"incident": {"type": "incident_reference", "status": "resolved"}});
        let path = format!("/incidents/{incident}");
        self.ask("PUT", &path, Some(body)).await;
    }

    pub async fn reassign(&self, incident: &str, to: &str) {
        let body = json!({"incident": {
            "type": "incident_reference", "assignments": [{"assignee": user(to)}],
        }});
        let path = format!("/incidents/{incident}");
        self.ask("PUT", &path, Some(body)).await;
    }

    /// How many open incidents somebody has.
    pub async fn load(&self, user: &str) -> usize {
        incidents_of(&self.bench.simulator, user).await.len()
    }

    pub async fn transfer(&self) -> Plan {
        let plan = self.bench.tenant.plan_transfer(&self.leaver, &self.heir);
        plan.await.expect("a plan")
    }

    pub async fn removal(&self) -> Plan {
        let plan = self.bench.tenant.plan_removal(&self.leaver);
        plan.await.expect("a plan")
    }

    pub async fn apply(&self, step: &Step) -> Applied {
        let outcome = self.bench.tenant.apply(step.clone()).await;
        outcome.unwrap_or_else(|error| panic!("{}: {error:?}", step.summary))
    }

    /// Applies a step, and once more, which does nothing.
    pub async fn apply_twice(&self, step: &Step) -> Applied {
        let applied = self.apply(step).await;
        let again = self.apply(step).await;
        assert!(
            matches!(again.effect, Effect::Unchanged(_)) && again.undo.is_none(),
            "{}: {again:?}",
            step.summary
        );
        applied
    }
}

/// The only step of that kind.
#[track_caller]
pub fn step<'p>(plan: &'p Plan, kind: &str) -> &'p Step {
    let mut steps = plan.steps.iter().filter(|step| step.kind == kind);
    match (steps.next(), steps.next()) {
        (Some(step), None) => step,
        _ => panic!("not one step `{kind}`: {:?}", kinds(plan)),
    }
}

/// The step of that kind that is about that object.
#[track_caller]
pub fn step_about<'p>(plan: &'p Plan, kind: &str, id: &str) -> &'p Step {
    let found = plan
        .steps
        .iter()
        .find(|step| step.kind == kind && step.payload.contains(id));
    found.unwrap_or_else(|| panic!("no step `{kind}` about {id}: {:?}", kinds(plan)))
}

pub fn kinds(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.kind.as_str()).collect()
}

pub fn user(id: &str) -> Value {
    json!({"id": id, "type": "user_reference"})
}

/// In alphabetical order.
pub fn assignees(incident: &Value) -> Vec<String> {
    let assignments = incident["assignments"].as_array().expect("assignments");
    let ids = assignments.iter().map(|a| text(&a["assignee"], "id"));
    sorted(ids)
}

pub fn sorted(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().collect();
    ids.sort();
    ids
}

pub async fn policies(simulator: &Simulator) -> Vec<Value> {
    let path = "/escalation_policies?limit=100";
    rows(simulator, path, "escalation_policies").await
}

/// Responders who have signed in, and are on no schedule, no policy and no team.
pub async fn unscheduled(simulator: &Simulator) -> [String; 3] {
    let mut duties = format!("{:?}", policies(simulator).await);
    let schedules = rows(simulator, "/schedules?limit=100", "schedules").await;
    duties += &format!("{schedules:?}");
    for row in rows(simulator, "/v3/schedules", "schedules").await {
        let path = format!("/v3/schedules/{}", text(&row, "id"));
        duties += &vendor::get(simulator, &path, "schedule").await.to_string();
    }
    let mut found = Vec::new();
    for user in rows(simulator, "/users?limit=100", "users").await {
        let id = text(&user, "id");
        let is_free = user["teams"] == json!([]) && !duties.contains(&id);
        if !is_free || user["role"] != "limited_user" || user["invitation_sent"] == true {
            continue;
        }
        let path = format!("/users/{id}/oauth_delegations");
        if !rows(simulator, &path, "oauth_delegations").await.is_empty() {
            found.push(id);
        }
    }
    found.truncate(3);
    found.try_into().expect("three of a hundred are free")
}
