//! Somebody who leaves and holds one of everything, once for all cells, each of
//! which plays in a tenant of its own that is just like the others.

use std::time::Duration;

use host_harness::{
    CallError, Tenant, TenantConfig,
    contract::{offboarding::Step, types::Effect},
};
use jiff::Timestamp;
use pagerduty_simulator::{Config, Plan, Simulator, TOKENS};
use serde_json::{Value, json};

use super::Stage;
use super::offboarding::Origin;
use super::scene::Column;
use crate::offboarding::cast::{unscheduled, user};
use crate::rota::{id, rows, tenant_at};
use crate::support::{Bench, Opening, connector};

const HOUR: u64 = 3600;
/// What exists nowhere.
const GONE: &str = "PGONE00";

/// A tenant before anything has happened in it, and what there is to apply.
pub struct Leaver {
    simulator: Simulator,
    now: Timestamp,
    leaver: String,
    heir: String,
    /// Somebody with nothing but an account and sign-ins.
    idle: String,
    colleague: String,
    policy: String,
    /// The id of the v2 schedule.
    schedule: String,
    /// The id of the v3 schedule.
    shifts: String,
    team: String,
    incidents: Vec<String>,
    steps: Steps,
}

/// What there is to apply.
#[derive(Default)]
struct Steps {
    transfer: Vec<Step>,
    removal: Vec<Step>,
}

/// A tenant in which a step is about to be applied.
pub struct Applying<'l> {
    leaver: &'l Leaver,
    bench: Bench,
    tenant: Tenant,
    step: Step,
    fault: Option<String>,
}

impl Leaver {
    /// The tenant, and what there is to apply in it.
    pub async fn set() -> Self {
        let mut leaver = Self::on(Plan::default()).await;
        let (_bench, tenant) = leaver.open(leaver.simulator.fork(), TOKENS.owner).await;
        let (from, to, idle) = (&leaver.leaver, &leaver.heir, &leaver.idle);
        let transfer = tenant.plan_transfer(from, to).await.expect("a plan");
        let mut removal = tenant.plan_removal(from).await.expect("a plan").steps;
        // What comes last plays with somebody on whom nothing hangs.
        removal.retain(|step| !is_about_the_account(&step.kind));
        let departure = tenant.plan_removal(idle).await.expect("a plan").steps;
        removal.extend(departure);
        leaver.steps = Steps {
            transfer: transfer.steps,
            removal,
        };
        leaver
    }

    /// The same tenant on some plan, without what that lacks.
    async fn on(plan: Plan) -> Self {
        let config = Config {
            users: 100,
            now: Some("2026-11-18T12:00:00Z".parse().expect("an instant")),
            ..Config::default()
        };
        let simulator = Simulator::new(Config {
            plan,
            ..config.clone()
        });
        // What the plan hides is there for a twin that hides nothing.
        let twin = Simulator::new(config.clone());
        let [leaver, heir, idle] = unscheduled(&twin).await;
        let first = |path: &str, list: &str, is_fit: &dyn Fn(&Value) -> bool| {
            let of = |simulator: &Simulator| {
                let (_, all) = simulator.ask("GET", path, None);
                rows(&all[list]).find(|row| is_fit(row)).map(id)
            };
            of(&simulator).or_else(|| of(&twin)).expect("one fits")
        };
        // A team's policy would put its targets on the team.
        let of_no_team = |policy: &Value| policy["teams"] == json!([]);
        let is_other = |user: &Value| {
            user["role"] == "limited_user" && ![&leaver, &heir, &idle].contains(&&id(user))
        };
        let policies = "/escalation_policies?limit=100";
        let mut stage = Self {
            simulator: simulator.clone(),
            now: config.now.expect("it stands still"),
            colleague: first("/users?limit=100", "users", &is_other),
            policy: first(policies, "escalation_policies", &of_no_team),
            schedule: first("/schedules", "schedules", &|_| true),
            shifts: first("/v3/schedules", "schedules", &|_| true),
            team: first("/teams", "teams", &|_| true),
            incidents: Vec::new(),
            steps: Steps::default(),
            leaver,
            heir,
            idle,
        };
        stage.incidents = simulator.open_incidents(&[&stage.leaver], 3);
        let both = [stage.leaver.as_str(), &stage.colleague];
        stage.incidents.extend(simulator.open_incidents(&both, 2));
        stage.resolve_incidents_of(&stage.idle);
        stage.join_policy();
        stage.join_schedule();
        if plan.v3_schedules {
            stage.join_shifts();
        }
        if plan.teams {
            let member = format!("/teams/{}/users/{}", stage.team, stage.leaver);
            stage.ask("PUT", &member, &json!({"role": "responder"}));
        }
        // What is to come runs by then.
        let later = Duration::from_secs(24 * HOUR);
        simulator.advance(later);
        stage.now += later;
        stage
    }

    /// Nothing is to hang on somebody.
    fn resolve_incidents_of(&self, account: &str) {
        let open = "date_range=all&limit=100&statuses[]=triggered&statuses[]=acknowledged";
        let path = format!("/incidents?user_ids[]={account}&{open}");
        for incident in rows(&self.get(&path)["incidents"]) {
            let body = json!({"incident": {"type": "incident_reference", "status": "resolved"}});
            self.ask("PUT", &format!("/incidents/{}", id(incident)), &body);
        }
    }

    /// Is notified last, beside others.
    fn join_policy(&self) {
        let path = format!("/escalation_policies/{}", self.policy);
        let policy = self.get(&path);
        let policy = &policy["escalation_policy"];
        let mut rules = policy["escalation_rules"].clone();
        // On the first level, incidents would come back to the leaver.
        rules.as_array_mut().expect("rules").push(json!({
            "escalation_delay_in_minutes": 30,
            "targets": [user(&self.colleague), user(&self.leaver)],
        }));
        let body = json!({"escalation_policy": {
            "type": "escalation_policy", "name": policy["name"], "escalation_rules": rules,
        }});
        self.ask("PUT", &path, &body);
    }

    /// Takes turns with others on a v2 schedule, and covers for them once.
    fn join_schedule(&self) {
        let path = format!("/schedules/{}", self.schedule);
        let mut schedule = self.get(&path)["schedule"].take();
        let layers = schedule["schedule_layers"].as_array_mut().expect("layers");
        let open = layers.iter_mut().find(|layer| layer["end"].is_null());
        let users = open.expect("a layer")["users"]
            .as_array_mut()
            .expect("users");
        users.push(json!({"user": user(&self.leaver)}));
        // They are taken the other way round than they are shown.
        layers.reverse();
        let body = json!({"schedule": {
            "type": "schedule", "name": schedule["name"], "time_zone": schedule["time_zone"],
            "schedule_layers": schedule["schedule_layers"],
        }});
        self.ask("PUT", &path, &body);
        let body = json!({"overrides": [{
            "start": self.at(30), "end": self.at(40), "user": user(&self.leaver),
        }]});
        self.ask("POST", &format!("{path}/overrides"), &body);
    }

    /// Takes turns in a rotation, where somebody covers for it and it covers
    /// for somebody; and has a shift of its own.
    fn join_shifts(&self) {
        let base = format!("/v3/schedules/{}", self.shifts);
        let made = self.ask("POST", &format!("{base}/rotations"), &Value::Null);
        let rotation = id(&made["rotation"]);
        let member = |id: &str| json!({"type": "user_member", "user_id": id});
        let wall = |hour: u64| json!({"date_time": self.at(hour), "time_zone": "Etc/UTC"});
        let body = json!({"event": {
            "name": "Primary", "start_time": wall(0), "end_time": wall(24),
            "effective_since": self.at(0), "recurrence": ["RRULE:FREQ=DAILY"],
            "assignment_strategy": {
                "type": "rotating_member_assignment_strategy", "shifts_per_member": 1,
                "members": [member(&self.leaver), member(&self.colleague)],
            },
        }});
        self.ask(
            "POST",
            &format!("{base}/rotations/{rotation}/events"),
            &body,
        );
        // Turns of the one and of the other.
        let cover = |from: u64, overridden: &str, by: &str| {
            json!({
                "type": "override_shift", "rotation_id": rotation, "start_time": self.at(from),
                "end_time": self.at(from + 4), "overridden_member": member(overridden),
                "overriding_member": member(by),
            })
        };
        let body = json!({"overrides": [
            cover(50, &self.leaver, &self.colleague),
            cover(23, &self.colleague, &self.leaver),
        ]});
        self.ask("POST", &format!("{base}/overrides"), &body);
        let body = json!({"custom_shifts": [{
            "type": "custom_shift", "start_time": self.at(20), "end_time": self.at(28),
            "assignments": [{"type": "shift_assignment", "member": member(&self.leaver)}],
        }]});
        self.ask("POST", &format!("{base}/custom_shifts"), &body);
    }

    /// An instant before the clock was moved.
    fn at(&self, hour: u64) -> String {
        (self.now + Duration::from_secs(hour * HOUR)).to_string()
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        ask(&self.simulator, method, path, body)
    }

    async fn open(&self, simulator: Simulator, token: &'static str) -> (Bench, Tenant) {
        let mut opening = Opening {
            token,
            ..Opening::default()
        };
        if token == TOKENS.read_only {
            let users = self.get("/users?limit=1");
            let owner = users["users"][0]["email"].as_str().expect("an address");
            opening.settings = vec![("from-email", owner.to_owned().leak())];
        }
        let bench = opening.writing().open_on(simulator, connector()).await;
        let tenant = tenant_at(&bench, self.now);
        (bench, tenant)
    }

    /// A step to apply, and a tenant in which to do so.
    pub async fn step(&self, origin: Origin, kind: &str) -> (Step, Simulator) {
        let Steps { transfer, removal } = &self.steps;
        let find = |steps: Vec<&Step>, kind: &str| {
            let step = steps.into_iter().find(|step| step.kind == kind);
            step.unwrap_or_else(|| panic!("no step `{kind}`")).clone()
        };
        let simulator = self.simulator.fork();
        match origin {
            Origin::Transfer => (find(transfer.iter().collect(), kind), simulator),
            Origin::Removal => (find(removal.iter().collect(), kind), simulator),
            Origin::Undoing(done) => {
                let step = find(transfer.iter().chain(removal).collect(), done);
                let (bench, tenant) = self.open(simulator, TOKENS.owner).await;
                let applied = tenant.apply(step).await.expect("it is applied");
                let undo = applied.undo.expect("a way back");
                assert_eq!(undo.kind, kind, "takes `{done}` back");
                (undo, bench.simulator.clone())
            }
        }
    }

    /// A tenant in which a step is about to be applied.
    pub async fn applying(
        &self,
        (step, simulator): &(Step, Simulator),
        column: Column,
        fault: Option<String>,
    ) -> Applying<'_> {
        let (mut step, mut simulator) = (step.clone(), simulator.fork());
        let kind = step.kind.clone();
        let kind = kind.as_str();
        match column {
            Column::TargetGone if kind.ends_with("-incidents") => {
                let body = json!({"incident": {"type": "incident", "status": "resolved"}});
                for incident in &self.incidents {
                    ask(&simulator, "PUT", &format!("/incidents/{incident}"), &body);
                }
            }
            Column::TargetGone => {
                let payload = step.payload.replace(self.target(kind), GONE);
                assert_ne!(payload, step.payload, "it is not about that");
                step.payload = payload;
            }
            Column::PlanLacksIt if kind == "delete-account" => {
                simulator.open_incidents(&[&self.idle], 1);
            }
            Column::PlanLacksIt => simulator = Self::on(lacking(kind)).await.simulator,
            _ => {}
        }
        let token = match column {
            Column::PermissionMissing => TOKENS.read_only,
            _ => TOKENS.owner,
        };
        let (bench, tenant) = self.open(simulator, token).await;
        Applying {
            leaver: self,
            bench,
            tenant,
            step,
            fault,
        }
    }

    /// What a step is about.
    fn target(&self, kind: &str) -> &str {
        if is_about_the_account(kind) {
            &self.idle
        } else if kind.ends_with("-policy") {
            &self.policy
        } else if kind.ends_with("-team") {
            &self.team
        } else if is_about_shifts(kind) {
            &self.shifts
        } else {
            &self.schedule
        }
    }
}

impl Applying<'_> {
    /// What its tenant was opened with, but for the clock.
    pub fn config(&self) -> TenantConfig {
        self.bench.config.clone()
    }

    /// The simulator's clock.
    pub fn now(&self) -> Timestamp {
        self.leaver.now
    }

    /// How many changes were asked for so far.
    pub fn changes(&self) -> usize {
        let exchanges = self.bench.simulator.exchanges();
        exchanges.iter().filter(|one| one.method != "GET").count()
    }
}

impl Stage for Applying<'_> {
    fn simulator(&self) -> &Simulator {
        &self.bench.simulator
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    async fn act_through(&self, tenant: &Tenant) -> Result<Effect, CallError> {
        let applied = tenant.apply(self.step.clone()).await?;
        Ok(applied.effect)
    }

    async fn state(&self) -> Value {
        let Leaver {
            policy,
            schedule,
            shifts,
            team,
            idle,
            ..
        } = self.leaver;
        let range = "since=2026-11-01T00:00:00Z&until=2027-11-01T00:00:00Z";
        let mut paths = vec![
            "/users?limit=100&include[]=teams".to_owned(),
            format!("/users/{idle}/oauth_delegations"),
            format!("/teams/{team}/members?limit=100"),
            format!("/escalation_policies/{policy}"),
            format!("/schedules/{schedule}"),
            format!("/schedules/{schedule}/overrides?{range}"),
            format!("/v3/schedules/{shifts}"),
            format!("/v3/schedules/{shifts}/overrides?{range}"),
            format!("/v3/schedules/{shifts}/custom_shifts?{range}"),
        ];
        let incidents = self.leaver.incidents.iter();
        paths.extend(incidents.map(|incident| format!("/incidents/{incident}")));
        let simulator = &self.bench.simulator;
        paths
            .iter()
            .map(|path| simulator.ask("GET", path, None).1)
            .collect()
    }
}

#[track_caller]
fn ask(simulator: &Simulator, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = simulator.ask(method, path, Some(body).filter(|body| !body.is_null()));
    assert!(status < 300, "{method} {path}: {status} {answer}");
    answer
}

fn is_about_the_account(kind: &str) -> bool {
    matches!(kind, "sign-out" | "delete-account")
}

fn is_about_shifts(kind: &str) -> bool {
    kind.contains("-shift-") || kind.ends_with("-shift")
}

/// A plan without what a step is about.
fn lacking(kind: &str) -> Plan {
    let mut plan = Plan::default();
    if is_about_the_account(kind) {
        plan.delegations = false;
    } else if kind.ends_with("-team") {
        plan.teams = false;
    } else if is_about_shifts(kind) {
        plan.v3_schedules = false;
    } else {
        panic!("every plan has what `{kind}` is about");
    }
    plan
}
