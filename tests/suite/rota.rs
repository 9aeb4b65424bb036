//! Schedules of a simulated tenant whose clock stands still: to set them up as
//! PagerDuty's own users would, and to see who is on call when.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use host_harness::{
    Tenant,
    contract::offboarding::{Applied, Plan, Step},
    egress::cassette::{RecordedFrom, Recorder},
};
use jiff::Timestamp;
use pagerduty_simulator::Config;
use serde_json::{Value, json};

use crate::support::{Bench, Opening, connector};
use crate::vendor;

/// A tenant at a point in time.
pub struct Rota {
    pub bench: Bench,
    /// Sees the simulator's clock.
    pub tenant: Tenant,
    pub now: Timestamp,
}

/// A user is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub start: Timestamp,
    pub end: Timestamp,
    /// Who; nobody in an empty place.
    pub user: Option<String>,
}

impl Rota {
    pub async fn open(now: Timestamp, config: Config) -> Self {
        let opening = Opening {
            config: Config {
                now: Some(now),
                ..config
            },
            ..Opening::default()
        };
        let bench = opening.writing().open().await;
        Self {
            tenant: tenant_at(&bench, now),
            bench,
            now,
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.bench.simulator.advance(by);
        self.now += by;
        self.tenant = tenant_at(&self.bench, self.now);
    }

    /// The ids of users who can be on schedules and can be removed: neither
    /// stakeholders nor the owner.
    pub async fn people(&self) -> Vec<String> {
        let list = self.get("/users?limit=100").await;
        let is_fit = |user: &&Value| {
            let role = user["role"].as_str().expect("a role");
            role != "owner" && !role.starts_with("read_only")
        };
        rows(&list["users"]).filter(is_fit).map(id).collect()
    }

    /// A request that must succeed.
    #[track_caller]
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Value> + use<> {
        let (simulator, what) = (self.bench.simulator.clone(), format!("{method} {path}"));
        let (method, path) = (method.to_owned(), path.to_owned());
        async move {
            let (status, answer) = vendor::ask(&simulator, &method, &path, body).await;
            assert!((200..300).contains(&status), "{what}: {status} {answer}");
            answer
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None).await
    }

    /// The ids of the v2 schedules.
    pub async fn schedules(&self) -> Vec<String> {
        let list = self.get("/schedules?limit=100").await;
        rows(&list["schedules"]).map(id).collect()
    }

    /// The ids of the v3 schedules.
    pub async fn schedules_v3(&self) -> Vec<String> {
        let list = self.get("/v3/schedules?limit=100").await;
        rows(&list["schedules"]).map(id).collect()
    }

    pub async fn schedule(&self, id: &str) -> Value {
        self.get(&format!("/schedules/{id}")).await["schedule"].take()
    }

    pub async fn schedule_v3(&self, id: &str) -> Value {
        self.get(&format!("/v3/schedules/{id}")).await["schedule"].take()
    }

    /// Ends all layers of a schedule, deletes its overrides, and gives it new
    /// layers, the one with precedence first.
    pub async fn set_layers(&self, schedule: &str, time_zone: &str, layers: &[Value]) {
        let range = format!("since={}&until=2040-01-01T00:00:00Z", self.now);
        let path = format!("/schedules/{schedule}/overrides");
        let overrides = self.get(&format!("{path}?{range}")).await;
        for one in rows(&overrides["overrides"]) {
            self.ask("DELETE", &format!("{path}/{}", id(one)), None)
                .await;
        }
        let mut bodies: Vec<Value> = self.schedule(schedule).await["schedule_layers"]
            .as_array()
            .expect("layers")
            .clone();
        for old in &mut bodies {
            old["end"] = json!(self.now.to_string());
        }
        bodies.splice(0..0, layers.iter().cloned());
        bodies.reverse();
        let body = json!({"schedule": {
            "type": "schedule", "time_zone": time_zone, "schedule_layers": bodies,
        }});
        self.ask("PUT", &format!("/schedules/{schedule}"), Some(body))
            .await;
    }

    /// The users of the layers that have not ended, the one with precedence
    /// first.
    pub async fn members(&self, schedule: &str) -> Vec<Vec<String>> {
        let schedule = self.schedule(schedule).await;
        rows(&schedule["schedule_layers"])
            .filter(|layer| is_open(&layer["end"], self.now))
            .map(|layer| {
                rows(&layer["users"])
                    .map(|user| id(&user["user"]))
                    .collect()
            })
            .collect()
    }

    /// Deletes all rotations, overrides and custom shifts to come of a v3
    /// schedule, and gives it a new rotation.
    pub async fn set_rotations(&self, schedule: &str, rotations: &[Vec<Value>]) -> Vec<String> {
        let base = format!("/v3/schedules/{schedule}");
        let range = format!("since={}&until=2040-01-01T00:00:00Z", self.now);
        for kind in ["overrides", "custom_shifts"] {
            let found = self.get(&format!("{base}/{kind}?{range}")).await;
            for one in rows(&found[kind]) {
                self.ask("DELETE", &format!("{base}/{kind}/{}", id(one)), None)
                    .await;
            }
        }
        for old in rows(&self.schedule_v3(schedule).await["rotations"]) {
            self.ask("DELETE", &format!("{base}/rotations/{}", id(old)), None)
                .await;
        }
        let mut ids = Vec::new();
        for events in rotations {
            let made = self.ask("POST", &format!("{base}/rotations"), None).await;
            let rotation = id(&made["rotation"]);
            for event in events {
                let path = format!("{base}/rotations/{rotation}/events");
                self.ask("POST", &path, Some(json!({ "event": event })))
                    .await;
            }
            ids.push(rotation);
        }
        ids
    }

    /// The events of a rotation that are, or will be, in effect.
    pub async fn events(&self, schedule: &str, rotation: &str) -> Vec<Value> {
        let path = format!("/v3/schedules/{schedule}/rotations/{rotation}/events");
        let events = self.get(&path).await;
        rows(&events["events"])
            .filter(|event| is_open(&event["effective_until"], self.now))
            .cloned()
            .collect()
    }

    /// Who is on call on a v2 schedule, overrides included.
    pub async fn turns(&self, schedule: &str, since: Timestamp, until: Timestamp) -> Vec<Turn> {
        let path = format!("/schedules/{schedule}?since={since}&until={until}");
        let schedule = self.get(&path).await;
        let rendered = &schedule["schedule"]["final_schedule"]["rendered_schedule_entries"];
        rows(rendered)
            .map(|entry| Turn {
                start: time(&entry["start"]),
                end: time(&entry["end"]),
                user: Some(id(&entry["user"])),
            })
            .collect()
    }

    /// Who is on call on a v3 schedule, overrides and custom shifts included.
    pub async fn shifts(&self, schedule: &str, since: Timestamp, until: Timestamp) -> Vec<Turn> {
        let path = format!(
            "/v3/schedules/{schedule}?since={since}&until={until}&include[]=final_schedule"
        );
        let schedule = self.get(&path).await;
        rows(&schedule["schedule"]["final_schedule"]["computed_shift_assignments"])
            .map(|shift| Turn {
                start: time(&shift["start_time"]),
                end: time(&shift["end_time"]),
                user: shift["member"]["user_id"].as_str().map(str::to_owned),
            })
            .collect()
    }

    /// Makes a plan, from an account to an heir or to nobody, and applies all
    /// its steps. Returns what each did and how to take it back.
    pub async fn hand_over(&self, from: &str, to: Option<&str>) -> Vec<Applied> {
        let mut applied = Vec::new();
        for step in &self.plan(from, to).await.steps {
            applied.push(self.apply(step).await);
        }
        applied
    }

    pub async fn apply(&self, step: &Step) -> Applied {
        let applied = self.tenant.apply(step.clone()).await;
        applied.unwrap_or_else(|error| panic!("{}: {error:?}", step.summary))
    }

    pub async fn plan(&self, from: &str, to: Option<&str>) -> Plan {
        let plan = match to {
            Some(to) => self.tenant.plan_transfer(from, to).await,
            None => self.tenant.plan_removal(from).await,
        };
        plan.expect("a plan")
    }
}

/// The tenant, opened once more to see the simulator's clock.
pub fn tenant_at(bench: &Bench, now: Timestamp) -> Tenant {
    // A recorded call sees the recorder's clock.
    let recorder = Recorder::new(RecordedFrom::Simulator, now, [1; 32]);
    let config = bench.config.clone().record(Arc::new(recorder));
    connector().open(config).expect("it opens")
}

/// Who is on call from one instant to the next at which that changes. Two
/// schedules put the same people on call if these are equal.
pub fn on_call(turns: &[Turn]) -> Vec<(Timestamp, BTreeSet<String>)> {
    let instants: BTreeSet<Timestamp> = turns.iter().flat_map(|t| [t.start, t.end]).collect();
    let mut changes: Vec<(Timestamp, BTreeSet<String>)> = Vec::new();
    for at in instants {
        let covers = |turn: &&Turn| turn.start <= at && at < turn.end;
        let users = turns
            .iter()
            .filter(covers)
            .filter_map(|turn| turn.user.clone());
        let users: BTreeSet<String> = users.collect();
        if changes.last().is_none_or(|(_, before)| *before != users) {
            changes.push((at, users));
        }
    }
    changes
}

/// The turns, cut in two at an instant.
pub fn cut(turns: &[Turn], at: Timestamp) -> (Vec<Turn>, Vec<Turn>) {
    let before = turns
        .iter()
        .filter(|turn| turn.start < at)
        .map(|turn| Turn {
            end: turn.end.min(at),
            ..turn.clone()
        });
    let after = turns.iter().filter(|turn| turn.end > at).map(|turn| Turn {
        start: turn.start.max(at),
        ..turn.clone()
    });
    (before.collect(), after.collect())
}

pub fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

#[track_caller]
pub fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn time(value: &Value) -> Timestamp {
    let text = value.as_str().expect("a time");
    text.parse().expect("a time")
}

fn is_open(end: &Value, now: Timestamp) -> bool {
    end.is_null() || time(end) > now
}
