//! What the simulated tenant is, and how few requests could read it: counted from
//! its own answers, and not from what a sync does.

use std::collections::BTreeMap;

use pagerduty_simulator::Simulator;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// PagerDuty's largest page.
const PAGE: u64 = 100;
/// That of analytics and of shift-based schedules.
const LARGE_PAGE: u64 = 1000;
/// So many rows of a list can be reached.
const REACHABLE: u64 = 10_000;

/// How much there is to read.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Population {
    pub(super) users: u64,
    pub(super) licenses: u64,
    pub(super) teams: u64,
    /// Users on teams, all teams together.
    pub(super) team_memberships: u64,
    /// Schedules with layers.
    pub(super) schedules: u64,
    /// Schedules with shifts.
    pub(super) shift_schedules: u64,
    pub(super) escalation_policies: u64,
    /// Users who have joined, and of whom analytics knows no sign-in.
    pub(super) never_seen: u64,
    /// Requests that nobody who reads all that can do without, by path.
    pub(super) minimum: BTreeMap<String, u64>,
}

impl Population {
    /// Counts it. Its requests are none of those that the simulator counts.
    pub(super) fn of(simulator: &Simulator) -> Result<Self, Unexpected> {
        let vendor = Vendor(simulator);
        let users = vendor.total("/users")?;
        let licenses = vendor.get("/licenses")?;
        let teams = vendor.all("/teams", "teams", PAGE)?;
        let mut team_memberships = 0;
        let mut member_pages = 0;
        for team in &teams {
            let members = vendor.total(&format!("/teams/{team}/members"))?;
            team_memberships += members;
            // That a team has none is known from the users, who name their teams.
            member_pages += members.div_ceil(PAGE);
        }
        let schedules = vendor.total("/schedules")?;
        let shift_schedules = vendor.all("/v3/schedules", "schedules", LARGE_PAGE)?;
        let shift_schedules = shift_schedules.len() as u64;
        let escalation_policies = vendor.total("/escalation_policies")?;
        let allocations = vendor.total("/license_allocations")?;
        let (never_seen, analytics_pages) = vendor.never_seen()?;
        let list = |rows: u64, page: u64| rows.div_ceil(page).max(1);
        let minimum = [
            // Whose the credential is, and what the plan has.
            ("/users/me", 1),
            ("/abilities", 1),
            ("/licenses", 1),
            // With the base roles.
            ("/users", list(users, PAGE)),
            ("/teams", list(teams.len() as u64, PAGE)),
            ("/teams/*/members", member_pages),
            // With the layers, which say who takes turns.
            ("/schedules", list(schedules, PAGE)),
            // Names alone: who takes turns has to be asked of each.
            ("/v3/schedules", list(shift_schedules, LARGE_PAGE)),
            ("/v3/schedules/*", shift_schedules),
            // With the targets.
            ("/escalation_policies", list(escalation_policies, PAGE)),
            (
                "/license_allocations",
                list(allocations.min(REACHABLE), PAGE),
            ),
            ("/users/*/license", allocations.saturating_sub(REACHABLE)),
            ("/analytics/raw/users", analytics_pages),
            ("/users/*/oauth_delegations", never_seen),
        ];
        Ok(Self {
            users,
            licenses: rows(&licenses, "licenses")?.len() as u64,
            teams: teams.len() as u64,
            team_memberships,
            schedules,
            shift_schedules,
            escalation_policies,
            never_seen,
            minimum: minimum
                .into_iter()
                .filter(|(_, requests)| *requests > 0)
                .map(|(path, requests)| (path.to_owned(), requests))
                .collect(),
        })
    }

    /// All of it.
    pub(super) fn fewest_requests(&self) -> u64 {
        self.minimum.values().sum()
    }
}

/// The simulator said something that it can't.
#[derive(Debug, thiserror::Error)]
#[error("the simulator answered to `{0}` with {1}")]
pub(super) struct Unexpected(String, String);

/// The simulated account, without a network.
struct Vendor<'s>(&'s Simulator);

impl Vendor<'_> {
    fn get(&self, target: &str) -> Result<Value, Unexpected> {
        self.ask("GET", target, None)
    }

    fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value, Unexpected> {
        match self.0.ask(method, target, body) {
            (200, answer) => Ok(answer),
            (status, _) => Err(Unexpected(target.to_owned(), status.to_string())),
        }
    }

    /// How long a list is.
    fn total(&self, path: &str) -> Result<u64, Unexpected> {
        let list = self.get(&format!("{path}?limit=1&total=true"))?;
        let total = list["total"].as_u64();
        total.ok_or_else(|| Unexpected(path.to_owned(), "no total".to_owned()))
    }

    /// The ids on a list.
    fn all(&self, path: &str, name: &str, page: u64) -> Result<Vec<String>, Unexpected> {
        let mut ids = Vec::new();
        loop {
            let list = self.get(&format!("{path}?limit={page}&offset={}", ids.len()))?;
            let found = rows(&list, name)?.iter();
            ids.extend(found.filter_map(|row| row["id"].as_str().map(str::to_owned)));
            if list["more"] != true {
                return Ok(ids);
            }
        }
    }

    /// How many have joined and have no sign-in, and how many pages it takes to
    /// know.
    fn never_seen(&self) -> Result<(u64, u64), Unexpected> {
        let path = "/analytics/raw/users";
        let mut after = Value::Null;
        let mut pages = 0;
        let mut never = 0;
        // A user has a row for each team. They come together.
        let mut last = None;
        loop {
            let question = json!({
                "filters": {}, "time_zone": "Etc/UTC", "limit": LARGE_PAGE, "starting_after": after,
            });
            let answer = self.ask("POST", path, Some(&question))?;
            pages += 1;
            for row in rows(&answer, "data")? {
                let id = row["id"].as_str().map(str::to_owned);
                if id != last && row["signed_up"] == true && row["last_sign_in_at"].is_null() {
                    never += 1;
                }
                last = id;
            }
            if answer["more"] != true {
                return Ok((never, pages));
            }
            after = answer["last"].clone();
        }
    }
}

fn rows<'a>(list: &'a Value, name: &str) -> Result<&'a Vec<Value>, Unexpected> {
    let rows = list[name].as_array();
    rows.ok_or_else(|| Unexpected(name.to_owned(), "no list".to_owned()))
}
