//! The walk of a sync in plain Rust: the same requests, as many at once, and the
//! same rows into the same store, page by page. What it does without: a sandbox,
//! a contract, rules about what may be asked for, answers that are kept for a run
//! that is cut off, and checks of what was read. So it is what a sync could come
//! to, and no way to sync.

mod objects;
mod vendor;

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    child::{Phases, Said},
    measure::Usage,
};
use crate::{
    cli::{args::ReadArgs, failure::Failure},
    contract::types::{Grant, Resource},
    store::{Rows, RunBy, StagedPage, Store, StoredTenant},
};
use objects::{
    Abilities, Allocation, Delegation, License, Me, Member, Named, Policy, Presence, Schedule,
    ShiftScheduleAnswer, User,
};
use vendor::{CONCURRENCY, PAGE, Page, Vendor, VendorError};

/// Rows of a page of the store: what one round of requests brings.
const BATCH: usize = CONCURRENCY * PAGE;
/// Accounts asked about at once, as a sync does it.
const ASKED_ABOUT: usize = 500;
/// Most rows of a page of analytics.
const ANALYTICS_PAGE: usize = 1000;

pub(super) async fn run(read: &ReadArgs) -> Result<Said, Failure> {
    let mut walk = Walk::begin(read).await?;
    let users = walk.accounts().await?;
    let places = walk.places().await?;
    walk.grants(&users, &places).await?;
    walk.last_activity(&users).await?;
    walk.end()
}

/// A user, as far as it is needed again.
struct Seen {
    id: String,
    role: Option<String>,
}

/// What access is granted on.
struct Places {
    teams: Vec<Named>,
    schedules: Vec<Schedule>,
    shift_schedules: Vec<Named>,
    policies: Vec<Policy>,
}

struct Walk {
    vendor: Vendor,
    store: Store,
    stored: StoredTenant,
    run: i64,
    /// What people call the tenant.
    label: String,
    now: Timestamp,
    phases: Phases,
}

impl Walk {
    async fn begin(read: &ReadArgs) -> Result<Self, Failure> {
        let phases = Phases::new();
        let vendor = Vendor::new(&read.origin);
        let mut store = Store::open(&read.store)?;
        let me: Me = vendor.get("/users/me").await?;
        let label = me.user.tenant().to_owned();
        let stored = store.enter_tenant(&label, "pagerduty", &label)?;
        let by = RunBy {
            version: "native",
            sha256: "native",
            read_as: "native",
        };
        let run = store.begin_run(&stored, by, &[])?;
        let mut walk = Self {
            vendor,
            store,
            stored,
            run,
            label,
            now: Timestamp::now(),
            phases,
        };
        walk.phases.was("start");
        Ok(walk)
    }

    async fn accounts(&mut self) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        let mut at = 0;
        let mut total = None;
        loop {
            let (users, more) = self.batch::<User>("/users", at, &mut total).await?;
            at += users.len();
            seen.extend(users.iter().map(|user| Seen {
                id: user.id.clone(),
                role: user.role.clone(),
            }));
            let accounts = users.into_iter().map(User::into_account).collect();
            self.commit("directory.list-accounts", Rows::Accounts(accounts), more)?;
            if !more {
                return Ok(seen);
            }
        }
    }

    /// The next rows of a long list, and whether there are more.
    async fn batch<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        at: usize,
        total: &mut Option<usize>,
    ) -> Result<(Vec<T>, bool), VendorError> {
        let mut rows = Vec::new();
        let mut more = true;
        if at == 0 {
            let first: Page<T> = self
                .vendor
                .get(&format!("{path}?limit={PAGE}&offset=0&total=true"))
                .await?;
            *total = first.total;
            more = first.more;
            rows = first.rows;
        }
        let until = (at + BATCH).min(total.unwrap_or_default());
        let offsets = (at + rows.len()..until).step_by(PAGE);
        let targets = offsets.map(|offset| format!("{path}?limit={PAGE}&offset={offset}"));
        let mut pages = std::pin::pin!(self.vendor.get_each::<Page<T>>(targets));
        while let Some(page) = pages.try_next().await? {
            more = page.more;
            rows.extend(page.rows);
        }
        Ok((rows, more))
    }

    async fn places(&mut self) -> Result<Places, Failure> {
        let vendor = &self.vendor;
        let schedules = "/schedules?include%5B%5D=schedule_layers";
        let places = Places {
            teams: vendor.list("/teams?").await?,
            schedules: vendor.list(schedules).await?,
            shift_schedules: vendor.list("/v3/schedules?").await?,
            policies: vendor.list("/escalation_policies?").await?,
        };
        let mut resources = vec![Resource {
            id: String::new(),
            resource_type: "tenant".to_owned(),
            label: self.label.clone(),
            description: None,
        }];
        let schedules = || {
            let layered = places.schedules.iter().map(|schedule| &schedule.named);
            layered.chain(&places.shift_schedules)
        };
        let policies = || places.policies.iter().map(|policy| &policy.named);
        let resource = objects::resource;
        resources.extend(places.teams.iter().map(|team| resource("team", team)));
        resources.extend(schedules().map(|schedule| resource("schedule", schedule)));
        resources.extend(policies().map(|policy| resource("escalation-policy", policy)));
        let member = objects::member_entitlement;
        // What the plan has decides which roles can be assigned.
        let abilities: Abilities = vendor.get("/abilities").await?;
        let has_stakeholders = (abilities.abilities.iter()).any(|name| name == "read_only_users");
        let mut entitlements: Vec<_> = objects::roles().collect();
        for role in &mut entitlements {
            role.assignable &= has_stakeholders || !role.ref_.id.starts_with("read_only");
        }
        let licenses: Page<License> = vendor.get("/licenses").await?;
        entitlements.extend(licenses.rows.iter().map(objects::license));
        entitlements.extend(places.teams.iter().flat_map(objects::team_entitlements));
        entitlements.extend(schedules().map(|schedule| member("schedule", schedule)));
        entitlements.extend(policies().map(|policy| member("escalation-policy", policy)));
        self.commit(
            "directory.list-resources",
            Rows::Resources(resources),
            false,
        )?;
        let entitlements = Rows::Entitlements(entitlements);
        self.commit("directory.list-entitlements", entitlements, false)?;
        Ok(places)
    }

    async fn grants(&mut self, users: &[Seen], places: &Places) -> Result<(), Failure> {
        for batch in users.chunks(BATCH) {
            let roles = batch
                .iter()
                .filter_map(|user| Some(objects::role_grant(&user.id, user.role.as_deref()?)));
            self.commit_grants(roles.collect(), true)?;
        }
        let mut at = 0;
        let mut total = None;
        loop {
            let path = "/license_allocations";
            let (rows, more) = self.batch::<Allocation>(path, at, &mut total).await?;
            at += rows.len();
            let grants = rows.into_iter().map(objects::license_grant).collect();
            self.commit_grants(grants, true)?;
            if !more {
                break;
            }
        }
        self.team_members(&places.teams).await?;
        let mut grants = Vec::new();
        for schedule in &places.schedules {
            grants.extend(objects::schedule_grants(schedule, self.now));
        }
        let targets = places.shift_schedules.iter();
        let targets = targets.map(|schedule| format!("/v3/schedules/{}", schedule.id));
        {
            let each = self.vendor.get_each::<ShiftScheduleAnswer>(targets);
            let mut each = std::pin::pin!(each);
            while let Some(answer) = each.try_next().await? {
                grants.extend(objects::shift_grants(&answer.schedule, self.now));
            }
        }
        for policy in &places.policies {
            grants.extend(objects::policy_grants(policy));
        }
        self.commit_grants(grants, false)
    }

    async fn team_members(&mut self, teams: &[Named]) -> Result<(), Failure> {
        for some in teams.chunks(PAGE) {
            let mut grants = Vec::new();
            let path = |team: &Named| format!("/teams/{}/members", team.id);
            let targets = some.iter();
            let targets =
                targets.map(|team| format!("{}?limit={PAGE}&offset=0&total=true", path(team)));
            {
                let mut firsts = std::pin::pin!(self.vendor.get_each::<Page<Member>>(targets));
                for team in some {
                    let Some(mut page) = firsts.try_next().await? else {
                        break;
                    };
                    let mut at = 0;
                    loop {
                        at += page.rows.len();
                        grants.extend(
                            page.rows
                                .iter()
                                .map(|row| objects::team_grant(&team.id, row)),
                        );
                        if !page.more {
                            break;
                        }
                        let next = format!("{}?limit={PAGE}&offset={at}", path(team));
                        page = self.vendor.get(&next).await?;
                    }
                }
            }
            self.commit_grants(grants, true)?;
        }
        Ok(())
    }

    async fn last_activity(&mut self, users: &[Seen]) -> Result<(), Failure> {
        let mut ids: Vec<&str> = users.iter().map(|user| user.id.as_str()).collect();
        ids.sort_unstable();
        let mut chunks = ids.chunks(ASKED_ABOUT).peekable();
        while let Some(chunk) = chunks.next() {
            let known = self.presence(chunk).await?;
            let mut rows = Vec::new();
            let mut unknown = Vec::new();
            for id in chunk {
                match known.get(*id) {
                    Some((Some(at), _)) => rows.push(objects::last_sign_in(id, at)),
                    Some((None, Some(false))) => {}
                    _ => unknown.push(*id),
                }
            }
            let query = "delegation_type=web%2Cmobile&status=issued%2Crevoked&limit=100";
            let targets = unknown.iter();
            let targets = targets.map(|id| format!("/users/{id}/oauth_delegations?{query}"));
            {
                let each = self.vendor.get_each::<Page<Delegation>>(targets);
                let mut each = std::pin::pin!(each);
                for id in &unknown {
                    let Some(page) = each.try_next().await? else {
                        break;
                    };
                    let latest = page.rows.into_iter().filter_map(|row| row.created_at).max();
                    rows.extend(
                        latest.map(|at| objects::last_activity(id, at, "oauth-delegations")),
                    );
                }
            }
            let rows = Rows::LastActivity(rows, chunk.len());
            self.commit("activity.get-last-activity", rows, chunks.peek().is_some())?;
        }
        Ok(())
    }

    /// The last sign-in of each, and whether they have joined.
    async fn presence(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, (Option<String>, Option<bool>)>, VendorError> {
        let mut known: HashMap<String, (Option<String>, Option<bool>)> = HashMap::new();
        let mut after = Value::Null;
        loop {
            let question = json!({
                "filters": {"user_ids": ids}, "time_zone": "Etc/UTC", "limit": ANALYTICS_PAGE,
                "starting_after": after,
            });
            let page: Page<Presence> = self
                .vendor
                .search("/analytics/raw/users", &question)
                .await?;
            for row in page.rows {
                let (at, signed_up) = known.entry(row.id).or_default();
                // Times of one form: the later one is the larger one.
                *at = row.last_sign_in_at.max(at.take());
                *signed_up = row.signed_up.max(*signed_up);
            }
            match page.last {
                Some(last) if page.more => after = last.into(),
                _ => return Ok(known),
            }
        }
    }

    fn commit_grants(&mut self, grants: Vec<Grant>, more: bool) -> Result<(), Failure> {
        self.commit("directory.list-grants", Rows::Grants(grants), more)
    }

    fn commit(&mut self, function: &'static str, rows: Rows, more: bool) -> Result<(), Failure> {
        let page = StagedPage {
            function,
            component_sha256: "native".to_owned(),
            rows,
            // A place that nobody goes on from.
            next: more.then(|| "more".to_owned()),
            notices: Vec::new(),
        };
        let (store, run) = (&mut self.store, self.run);
        tokio::task::block_in_place(|| store.commit_page(run, &page, 0, 0))?;
        self.phases.was(function);
        Ok(())
    }

    fn end(mut self) -> Result<Said, Failure> {
        let (store, stored, run) = (&mut self.store, &self.stored, self.run);
        tokio::task::block_in_place(|| store.complete(run, stored.id, None, &[], None))?;
        self.phases.was("snapshot");
        Ok(Said {
            phases: self.phases.done(),
            listed: BTreeMap::new(),
            usage: Usage::own(),
        })
    }
}

impl From<VendorError> for Failure {
    fn from(error: VendorError) -> Self {
        Self::call(error, None)
    }
}
