//! Somebody with much to hand over, and what is left afterwards.

use std::path::Path;

use pagerduty_simulator::Simulator;
use serde_json::{Value, json};

use super::site::{Site, id};

/// Somebody who is on everything: open incidents (some with others), schedules
/// of both kinds, escalation policies, overrides, teams.
pub(super) struct Scene {
    simulator: Simulator,
    pub(super) leaver: String,
    pub(super) heir: String,
}

impl Scene {
    pub(super) async fn new(
        incidents: usize,
        schedules: usize,
        policies: usize,
        overrides: usize,
    ) -> Self {
        let site = Site::new(900).await;
        let v3 = site.rows("/v3/schedules", "schedules");
        let rotations = |schedule: &Value| {
            let shown = site.get(&format!("/v3/schedules/{}", id(schedule)));
            shown["schedule"]["rotations"].to_string()
        };
        let busy: Vec<String> = v3.iter().map(rotations).collect();
        let users = site.rows("/users", "users");
        // On as many of the schedules of the newer kind as anybody is.
        let leaver = users
            .iter()
            .filter(|user| user["role"] == "limited_user" || user["role"] == "user")
            .max_by_key(|user| busy.iter().filter(|text| text.contains(&id(user))).count())
            .map(id)
            .expect("somebody");
        let heir = users
            .iter()
            .filter(|user| user["role"] == "user" && user["invitation_sent"] == false)
            .map(id)
            .find(|heir| *heir != leaver && !busy.iter().any(|text| text.contains(heir.as_str())))
            .expect("somebody");
        let reference = |user: &str| json!({"id": user, "type": "user_reference"});
        let services = site.rows("/services", "services");
        let other = id(&users[users.len() - 1]);
        for number in 0..incidents {
            let mut assignees = vec![json!({"assignee": reference(&leaver)})];
            if number % 7 == 0 {
                assignees.push(json!({"assignee": reference(&other)}));
            }
            let incident = json!({"incident": {
                "type": "incident", "title": format!("Incident {number}"),
                "service": {"id": id(&services[0]), "type": "service_reference"},
                "assignments": assignees,
            }});
            site.send("POST", "/incidents", &incident);
        }
        let v2 = site.rows("/schedules?include[]=schedule_layers", "schedules");
        let (on, off): (Vec<&Value>, Vec<&Value>) =
            v2.iter().partition(|row| row.to_string().contains(&leaver));
        assert!(on.len() + off.len() >= schedules, "so many schedules");
        for schedule in off.into_iter().take(schedules.saturating_sub(on.len())) {
            let mut layer = schedule["schedule_layers"][0].clone();
            let users = layer["users"].as_array_mut().expect("users");
            users.push(json!({"user": reference(&leaver)}));
            let body = json!({"schedule": {
                "type": "schedule", "name": schedule["name"], "time_zone": schedule["time_zone"],
                "schedule_layers": [layer],
            }});
            site.send("PUT", &format!("/schedules/{}", id(schedule)), &body);
        }
        let all = site.rows("/escalation_policies", "escalation_policies");
        let unnamed = all
            .iter()
            .filter(|policy| !policy.to_string().contains(&leaver));
        for policy in unnamed.take(policies) {
            let mut rules = policy["escalation_rules"].clone();
            let targets = rules[0]["targets"].as_array_mut().expect("targets");
            targets.push(reference(&leaver));
            let body = json!({"escalation_policy": {
                "type": "escalation_policy", "name": policy["name"], "escalation_rules": rules,
            }});
            site.send(
                "PUT",
                &format!("/escalation_policies/{}", id(policy)),
                &body,
            );
        }
        let start = jiff::Timestamp::now();
        for number in 0..overrides {
            let schedule = &v2[number % v2.len()];
            let from = start + jiff::SignedDuration::from_hours(24 + 30 * number as i64);
            let body = json!({"overrides": [{
                "start": from.to_string(),
                "end": (from + jiff::SignedDuration::from_hours(8)).to_string(),
                "user": reference(&leaver),
            }]});
            site.send(
                "POST",
                &format!("/schedules/{}/overrides", id(schedule)),
                &body,
            );
        }
        Self {
            simulator: site.simulator.clone(),
            leaver,
            heir,
        }
    }

    /// A tenant of one's own, just like this one.
    pub(super) async fn site(&self) -> Site {
        let site = Site::of(self.simulator.fork()).await;
        site.simulator.keep_exchanges(true);
        site
    }

    pub(super) fn offboard<'a>(&'a self, journals: &'a Path) -> Vec<&'a str> {
        let journals = journals.to_str().expect("a path");
        vec![
            "offboard",
            &self.leaver,
            "--to",
            &self.heir,
            "--yes",
            "--json",
            "--journals",
            journals,
        ]
    }
}

/// What is left, without what differs from run to run: ids of what is new, and
/// times at which something was done.
pub(super) fn end_state(site: &Site, scene: &Scene) -> Value {
    let incidents = site.rows(
        "/incidents?date_range=all&statuses[]=triggered&statuses[]=acknowledged",
        "incidents",
    );
    let assigned = |incident: &Value| {
        let assignments = incident["assignments"].as_array().expect("assignments");
        let mut users: Vec<String> = assignments.iter().map(|a| id(&a["assignee"])).collect();
        users.sort();
        json!([id(incident), users])
    };
    let mut incidents: Vec<Value> = incidents.iter().map(assigned).collect();
    incidents.sort_by_key(ToString::to_string);
    let window = "since=2026-01-01T00:00:00Z&until=2027-12-31T00:00:00Z";
    let schedules = site.rows("/schedules?include[]=schedule_layers", "schedules");
    let layers = |schedule: &Value| {
        let layers = schedule["schedule_layers"].as_array().expect("layers");
        let layers = layers.iter().map(|layer| {
            let users = layer["users"].as_array().expect("users");
            let users: Vec<&Value> = users.iter().map(|user| &user["user"]["id"]).collect();
            json!([
                layer["id"],
                users,
                layer["rotation_virtual_start"],
                layer["rotation_turn_length_seconds"],
                layer["restrictions"],
                layer["end"].is_null()
            ])
        });
        let overrides = site.get(&format!("/schedules/{}/overrides?{window}", id(schedule)));
        let mut overrides: Vec<Value> = overrides["overrides"]
            .as_array()
            .expect("overrides")
            .iter()
            .map(|o| json!([o["start"], o["end"], o["user"]["id"]]))
            .collect();
        overrides.sort_by_key(ToString::to_string);
        json!([id(schedule), layers.collect::<Vec<_>>(), overrides])
    };
    let v3 = site.rows("/v3/schedules", "schedules");
    let rotations = |schedule: &Value| {
        let shown = site.get(&format!("/v3/schedules/{}", id(schedule)));
        let rotations = shown["schedule"]["rotations"]
            .as_array()
            .expect("rotations")
            .iter();
        let events = rotations.flat_map(|r| r["events"].as_array().expect("events").clone());
        // What is over stays, and has been over since some instant or other.
        let events = events.filter(|event| event["effective_until"].is_null());
        let events = events.map(|e| {
            json!([
                e["name"],
                e["start_time"],
                e["end_time"],
                e["recurrence"],
                e["assignment_strategy"]
            ])
        });
        json!([id(schedule), events.collect::<Vec<_>>()])
    };
    let policies = site.rows("/escalation_policies", "escalation_policies");
    let rules = |policy: &Value| {
        let rules = policy["escalation_rules"].as_array().expect("rules").iter();
        let targets = rules.map(|rule| {
            let targets = rule["targets"].as_array().expect("targets").iter();
            targets
                .map(|target| target["id"].clone())
                .collect::<Vec<_>>()
        });
        json!([id(policy), targets.collect::<Vec<_>>()])
    };
    let (gone, _) = site
        .simulator
        .ask("GET", &format!("/users/{}", scene.leaver), None);
    json!({
        "leaver": gone,
        "incidents": incidents,
        "schedules": schedules.iter().map(layers).collect::<Vec<_>>(),
        "v3": v3.iter().map(rotations).collect::<Vec<_>>(),
        "policies": policies.iter().map(rules).collect::<Vec<_>>(),
    })
}
