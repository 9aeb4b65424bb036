//! The reads that are no lists: what they are asked, with what is known of a
//! tenant.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::listing::Walk;
use crate::{
    Tenant,
    contract::types::{Account, Grant},
};

/// Accounts that are asked about at once, at most.
const SOME: usize = 50;

/// What is known of a tenant.
#[derive(Default)]
pub(super) struct Known {
    accounts: Vec<String>,
    /// Who holds most.
    busiest: Option<String>,
}

impl Known {
    pub(super) fn of(accounts: &Walk<Account>, grants: &Walk<Grant>) -> Self {
        let ids = accounts.items.iter().map(|account| account.id.clone());
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for grant in &grants.items {
            *held.entry(&grant.account).or_default() += 1;
        }
        let busiest = held.iter().max_by_key(|(_, count)| **count);
        Self {
            accounts: ids.take(SOME).collect(),
            busiest: busiest.map(|(account, _)| (*account).to_owned()),
        }
    }
}

/// Asks what does not need to know anything, if nothing is known; else what
/// does.
pub(super) async fn run(tenant: &Tenant, known: &Known) {
    let calls = if known.accounts.is_empty() {
        unprompted()
    } else {
        about(known)
    };
    for (function, input) in declared(tenant, calls) {
        // Whoever listens hears of failures as well.
        tenant.call(function, &input).await.ok();
    }
}

/// One call of each read that the connector declares.
pub(super) fn reads(tenant: &Tenant, known: &Known) -> Vec<(&'static str, Value)> {
    let lists = [
        "directory.list-accounts",
        "directory.list-resources",
        "directory.list-entitlements",
        "directory.list-grants",
    ];
    let lists = lists.map(|list| (list, json!({ "page": {} })));
    let mut calls = unprompted();
    calls.extend(lists);
    calls.extend(about(known));
    declared(tenant, calls)
}

fn unprompted() -> Vec<(&'static str, Value)> {
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let since = yesterday.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    vec![
        ("credentials.validate", json!({})),
        ("on-call.who", json!({ "schedules": [] })),
        (
            "activity.list-activity",
            json!({ "since": since, "page": {} }),
        ),
        ("diagnostics.diagnose", json!({})),
    ]
}

fn about(known: &Known) -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    let accounts = &known.accounts;
    if let Some(first) = accounts.first() {
        let busiest = known.busiest.as_ref().unwrap_or(first);
        let who = json!({ "account": first, "schedules": [] });
        calls.extend([
            ("directory.get-account", json!({ "id": first })),
            ("directory.account-grants", json!({ "id": busiest })),
            (
                "activity.get-last-activity",
                json!({ "accounts": accounts }),
            ),
            ("on-call.is-on-call", who),
        ]);
    }
    calls
}

fn declared(tenant: &Tenant, calls: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    let capabilities = &tenant.connector().descriptor().capabilities;
    let is_declared = |function: &str| capabilities.iter().any(|one| one.name == function);
    calls
        .into_iter()
        .filter(|(function, _)| is_declared(function))
        .collect()
}
