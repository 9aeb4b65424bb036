//! Writes, and the tenants in which they happen.

use host_harness::{
    CallError, Connector, Tenant, TenantConfig,
    contract::{
        provisioning::{AccountChange, NewAccount},
        types::{Effect, EntitlementRef},
    },
};
use pagerduty_simulator::{Config, Plan, Simulator, TOKENS};
use serde_json::{Value, json};

use super::Stage;
use crate::support::{Bench, Opening};
use crate::vendor::{
    self, incidents_of, license, newcomer, on_policy, on_schedule, on_team, role, rows, text,
    user_of_role,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Write {
    Create,
    Update,
    Delete,
    Assign(Kind),
    Unassign(Kind),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Role,
    License,
    Team,
    Schedule,
    Policy,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column {
    Fresh,
    Repeated,
    /// The account, or the team that a new one is to be on.
    TargetGone,
    PlanLacksIt,
    PermissionMissing,
    RateLimited,
    FailsAfterItTookEffect,
    CutAfterItTookEffect,
}

impl Column {
    /// What disturbs it, as a fault's effect.
    pub fn disturbance(self) -> Option<&'static str> {
        match self {
            Self::RateLimited => Some("rate-limited reset=0"),
            Self::FailsAfterItTookEffect => Some("status-after-applied=503"),
            Self::CutAfterItTookEffect => Some("reset-after-applied"),
            _ => None,
        }
    }
}

/// A tenant in which a write is about to happen.
pub struct Scene {
    bench: Bench,
    write: Write,
    account: String,
    entitlement: Option<EntitlementRef>,
    settings: Vec<(&'static str, &'static str)>,
    fault: Option<String>,
}

impl Scene {
    pub async fn set(write: Write, column: Column) -> Self {
        let mut config = Config {
            users: 60,
            // It stands still, so that two simulators can be compared.
            now: Some("2026-11-20T12:00:00Z".parse().expect("an instant")),
            ..Config::default()
        };
        if column == Column::PlanLacksIt {
            config.plan = lacking(write);
        }
        // What there is to write about, from a twin that hides nothing.
        let twin = Simulator::new(Config {
            plan: Plan {
                teams: true,
                licenses: true,
                ..config.plan
            },
            ..config.clone()
        });
        let (mut account, mut entitlement) = cast(&twin, write).await;
        let mut opening = Opening {
            config,
            settings: settings(&twin, write).await,
            ..Opening::default()
        };
        if column == Column::PermissionMissing {
            opening.token = TOKENS.read_only;
            let owner = &rows(&twin, "/users", "users").await[0];
            opening
                .settings
                .push(("from-email", text(owner, "email").leak()));
        }
        let settings = opening.settings.clone();
        let bench = opening.writing().open().await;
        if write == Write::Delete {
            account = if column == Column::PlanLacksIt {
                busy_user(&bench.simulator).await
            } else {
                // Whom nothing holds.
                let user =
                    json!({"type": "user", "name": "Idle One", "email": "idle@acme.example"});
                let body = json!({ "user": user });
                let (_, made) = vendor::ask(&bench.simulator, "POST", "/users", Some(body)).await;
                text(&made["user"], "id")
            };
        }
        if column == Column::TargetGone {
            "PGONE00".clone_into(&mut account);
            if write == Write::Create {
                entitlement = Some(on_team("PGONE00", "responder"));
            }
        }
        Self {
            bench,
            write,
            account,
            entitlement,
            settings,
            fault: column
                .disturbance()
                .map(|effect| format!("{} {effect} times=1", request_of(write))),
        }
    }
}

impl Scene {
    /// The same once more, in a tenant of its own, if nothing has happened yet.
    pub async fn again(&self, connector: &Connector) -> Self {
        let opening = Opening {
            settings: self.settings.clone(),
            ..Opening::default()
        };
        let simulator = self.bench.simulator.fork();
        Self {
            bench: opening.writing().open_on(simulator, connector).await,
            write: self.write,
            account: self.account.clone(),
            entitlement: self.entitlement.clone(),
            settings: self.settings.clone(),
            fault: None,
        }
    }

    /// What its tenant was opened with.
    pub fn config(&self) -> TenantConfig {
        self.bench.config.clone()
    }
}

impl Stage for Scene {
    fn simulator(&self) -> &Simulator {
        &self.bench.simulator
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn tenant(&self) -> &Tenant {
        &self.bench.tenant
    }

    async fn act_through(&self, tenant: &Tenant) -> Result<Effect, CallError> {
        let Self { account: id, .. } = self;
        let entitlement = || self.entitlement.clone().expect("it is about one");
        match self.write {
            Write::Create => {
                let account = NewAccount {
                    entitlements: vec![role("limited_user"), entitlement()],
                    ..newcomer()
                };
                Ok(tenant.create_account(account).await?.effect)
            }
            Write::Update => {
                let change = AccountChange {
                    display_name: Some("New Name".to_owned()),
                    email: Some("new.address@acme.example".to_owned()),
                    attributes: vec![("job-title".to_owned(), "Baker".to_owned())],
                };
                tenant.update_account(id, change).await
            }
            Write::Delete => tenant.delete_account(id).await,
            Write::Assign(_) => tenant.assign(id, entitlement()).await,
            Write::Unassign(_) => tenant.unassign(id, entitlement()).await,
        }
    }

    /// Without the instants.
    async fn state(&self) -> Value {
        let simulator = &self.bench.simulator;
        let users = rows(simulator, "/users?limit=100", "users").await;
        // Null where the plan hides them.
        let allocations = "/license_allocations?limit=100";
        let mut licenses = vendor::get(simulator, allocations, "license_allocations").await;
        for row in licenses.as_array_mut().into_iter().flatten() {
            row["allocated_at"].take();
        }
        let mut members = Vec::new();
        for team in vendor::get(simulator, "/teams", "teams")
            .await
            .as_array()
            .into_iter()
            .flatten()
        {
            let path = format!("/teams/{}/members", text(team, "id"));
            members.push(vendor::get(simulator, &path, "members").await);
        }
        let layers = "/schedules?include[]=schedule_layers";
        let schedules = rows(simulator, layers, "schedules").await;
        let layers = schedules.iter().map(|schedule| {
            let layers = schedule["schedule_layers"].as_array().expect("layers");
            let users = layers
                .iter()
                .map(|layer| (&layer["users"], layer["end"].is_null()));
            json!(users.collect::<Vec<_>>())
        });
        let policies = rows(simulator, "/escalation_policies", "escalation_policies").await;
        let rules = policies.iter().map(|policy| {
            let rules = policy["escalation_rules"].as_array().expect("rules");
            json!(
                rules
                    .iter()
                    .map(|rule| &rule["targets"])
                    .collect::<Vec<_>>()
            )
        });
        json!({
            "users": users,
            "licenses": licenses,
            "members": members,
            "layers": layers.collect::<Vec<_>>(),
            "rules": rules.collect::<Vec<_>>(),
        })
    }
}

/// The request that makes the change.
fn request_of(write: Write) -> &'static str {
    match write {
        Write::Create => "POST /users",
        Write::Update | Write::Assign(Kind::Role | Kind::License) => "PUT /users*",
        Write::Unassign(Kind::Role | Kind::License) => "PUT /users*",
        Write::Delete => "DELETE /users*",
        Write::Assign(Kind::Team) => "PUT /teams*",
        Write::Unassign(Kind::Team) => "DELETE /teams*",
        Write::Assign(Kind::Schedule) | Write::Unassign(Kind::Schedule) => "PUT /schedules*",
        Write::Assign(Kind::Policy) | Write::Unassign(Kind::Policy) => "PUT /escalation_policies*",
    }
}

fn lacking(write: Write) -> Plan {
    let mut plan = Plan::default();
    match write {
        Write::Assign(Kind::Role) => plan.stakeholders = false,
        Write::Unassign(Kind::Role) => plan.advanced_permissions = false,
        Write::Assign(Kind::License) | Write::Unassign(Kind::License) => plan.licenses = false,
        Write::Delete => plan.offboarding = false,
        _ => plan.teams = false,
    }
    plan
}

async fn settings(twin: &Simulator, write: Write) -> Vec<(&'static str, &'static str)> {
    match write {
        Write::Unassign(Kind::Role) => vec![("default-role", "observer")],
        Write::Unassign(Kind::License) => {
            let licenses = rows(twin, "/licenses", "licenses").await;
            vec![("default-license", text(&licenses[1], "id").leak())]
        }
        _ => Vec::new(),
    }
}

/// An account and an entitlement for which the write is fresh.
async fn cast(twin: &Simulator, write: Write) -> (String, Option<EntitlementRef>) {
    let account = user_of_role(twin, "user").await;
    let teams = rows(twin, "/teams", "teams").await;
    // The last team is empty.
    let empty = text(teams.last().expect("teams"), "id");
    let licenses = rows(twin, "/licenses", "licenses").await;
    let schedules = rows(twin, "/schedules?include[]=schedule_layers", "schedules").await;
    let policies = rows(twin, "/escalation_policies", "escalation_policies").await;
    let lacks = |row: &&Value, field: &str| !row[field].to_string().contains(&account);
    let entitlement = match write {
        Write::Update | Write::Delete => return (account, None),
        Write::Create | Write::Assign(Kind::Team) => on_team(&empty, "responder"),
        Write::Assign(Kind::Role) => role("read_only_limited_user"),
        Write::Unassign(Kind::Role) => role("user"),
        Write::Assign(Kind::License) => license(&text(&licenses[1], "id")),
        Write::Unassign(Kind::License) => license(&text(&licenses[0], "id")),
        Write::Unassign(Kind::Team) => return team_mate(twin, &teams, &policies).await,
        Write::Assign(Kind::Schedule) => {
            // With several layers nobody could tell which one is meant.
            let has_one_layer = |row: &&Value| {
                let layers = row["schedule_layers"].as_array().expect("layers");
                layers.iter().filter(|layer| layer["end"].is_null()).count() == 1
            };
            let mut others = schedules.iter().filter(has_one_layer);
            let other = others.find(|row| lacks(row, "schedule_layers"));
            on_schedule(&text(other.expect("the account is not on all"), "id"))
        }
        Write::Unassign(Kind::Schedule) => return one_of_several(&schedules),
        Write::Assign(Kind::Policy) => {
            let other = policies.iter().find(|row| lacks(row, "escalation_rules"));
            on_policy(&text(other.expect("the account is not in all"), "id"))
        }
        Write::Unassign(Kind::Policy) => return target_of_several(&policies),
    };
    (account, Some(entitlement))
}

/// Somebody on a team whom none of the team's policies keeps there.
async fn team_mate(
    twin: &Simulator,
    teams: &[Value],
    policies: &[Value],
) -> (String, Option<EntitlementRef>) {
    for team in teams {
        let team = text(team, "id");
        let members = rows(twin, &format!("/teams/{team}/members"), "members").await;
        for member in members {
            let id = text(&member["user"], "id");
            let keeps = |policy: &Value| {
                policy["teams"].to_string().contains(&team)
                    && policy["escalation_rules"].to_string().contains(&id)
            };
            if !policies.iter().any(keeps) {
                let held = text(&member, "role");
                return (id, Some(on_team(&team, &held)));
            }
        }
    }
    panic!("somebody is free to leave a team")
}

/// Somebody on one layer of a schedule, with others.
fn one_of_several(schedules: &[Value]) -> (String, Option<EntitlementRef>) {
    for schedule in schedules {
        let layers = schedule["schedule_layers"].as_array().expect("layers");
        for layer in layers.iter().filter(|layer| layer["end"].is_null()) {
            let users = layer["users"].as_array().expect("users");
            let id = text(&users[0]["user"], "id");
            let on = layers
                .iter()
                .filter(|layer| layer["users"].to_string().contains(&id));
            if users.len() > 2 && on.count() == 1 {
                return (id, Some(on_schedule(&text(schedule, "id"))));
            }
        }
    }
    panic!("somebody takes turns with others")
}

/// Somebody whom one rule of a policy notifies, with others.
fn target_of_several(policies: &[Value]) -> (String, Option<EntitlementRef>) {
    for policy in policies {
        for rule in policy["escalation_rules"].as_array().expect("rules") {
            let targets = rule["targets"].as_array().expect("targets");
            let user = targets
                .iter()
                .find(|target| target["type"] == "user_reference");
            if let Some(user) = user.filter(|_| targets.len() > 1) {
                return (text(user, "id"), Some(on_policy(&text(policy, "id"))));
            }
        }
    }
    panic!("somebody is notified with others")
}

async fn busy_user(simulator: &Simulator) -> String {
    for id in simulator.user_ids().into_iter().skip(1) {
        if !incidents_of(simulator, &id).await.is_empty() {
            return id;
        }
    }
    panic!("some incidents are open")
}
