//! How many requests a sync makes: each thing is asked for once.

use std::collections::BTreeMap;

use pagerduty_simulator::{Exchange, Simulator};

use super::{Desk, config};
use crate::support::run;

fn pages(rows: usize) -> usize {
    rows.div_ceil(100).max(1)
}

/// The fewest requests that a sync of the tenant can do with: what PagerDuty
/// gives out in pages of 100 is asked for page by page, and what it gives out
/// singly, one by one.
fn fewest(desk: &Desk) -> BTreeMap<&'static str, usize> {
    let total = |path: &str| {
        let sign = if path.contains('?') { '&' } else { '?' };
        let list = desk.get(&format!("{path}{sign}limit=1&total=true"));
        usize::try_from(list["total"].as_u64().expect("a count")).expect("a size")
    };
    let users = total("/users");
    let teams: Vec<String> = (0..pages(total("/teams")))
        .flat_map(|page| {
            let list = desk.get(&format!("/teams?limit=100&offset={}", page * 100));
            let teams = list["teams"].as_array().expect("a list").clone();
            teams
                .into_iter()
                .map(|team| team["id"].as_str().expect("an id").to_owned())
        })
        .collect();
    let members = teams
        .iter()
        .map(|team| pages(total(&format!("/teams/{team}/members"))));
    let shifts = desk.get("/v3/schedules?limit=100");
    let shifts = shifts["schedules"].as_array().expect("a list").len();
    BTreeMap::from([
        // Whose credential it is.
        ("/users/me", 1),
        // Which roles the plan has.
        ("/abilities", 1),
        ("/licenses", 1),
        // Accounts; their roles are in there as well.
        ("/users", pages(users)),
        ("/teams", pages(teams.len())),
        ("/teams/*/members", members.sum()),
        // With their layers, which say who is on them.
        ("/schedules", pages(total("/schedules"))),
        // The list has names alone.
        ("/v3/schedules", pages(shifts)),
        ("/v3/schedules/*", shifts),
        // With their targets.
        ("/escalation_policies", pages(total("/escalation_policies"))),
        // Who holds which licence.
        ("/license_allocations", pages(total("/license_allocations"))),
        // Last sign-ins, of 500 users at a time.
        ("/analytics/raw/users", users.div_ceil(500)),
        // Of those who are there and of whom analytics knows no sign-in, the next
        // source is asked one by one.
        ("/users/*/oauth_delegations", never_seen(desk)),
    ])
}

/// Users who have accepted their invitation, and of whom analytics knows no
/// sign-in.
fn never_seen(desk: &Desk) -> usize {
    let users = desk.users();
    let mut never = 0;
    for chunk in users.chunks(100) {
        let ids: Vec<&str> = chunk
            .iter()
            .map(|user| user["id"].as_str().expect("an id"))
            .collect();
        let question = serde_json::json!({
            "filters": {"user_ids": ids}, "time_zone": "Etc/UTC", "limit": 1000,
        });
        let (status, answer) =
            desk.simulator()
                .ask("POST", "/analytics/raw/users", Some(&question));
        assert_eq!(status, 200, "{answer}");
        let rows = answer["data"].as_array().expect("a list");
        let mut seen: Vec<&str> = Vec::new();
        for row in rows {
            let id = row["id"].as_str().expect("an id");
            if row["last_sign_in_at"].is_null() && row["signed_up"] == true && !seen.contains(&id) {
                seen.push(id);
                never += 1;
            }
        }
    }
    never
}

/// The template of a path, as `fewest` has it.
pub fn template(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["users", "me"] => "/users/me".to_owned(),
        ["users", _, rest] => format!("/users/*/{rest}"),
        ["users", _] => "/users/*".to_owned(),
        ["teams", _, rest] => format!("/teams/*/{rest}"),
        ["v3", "schedules", _] => "/v3/schedules/*".to_owned(),
        _ => path.to_owned(),
    }
}

/// How often each template was asked for. No GET twice.
#[track_caller]
pub fn counted(exchanges: &[Exchange]) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for exchange in exchanges {
        if exchange.method == "GET" {
            let target = format!("{} {:?}", exchange.path, exchange.query);
            let times = seen.entry(target.clone()).or_insert(0);
            *times += 1;
            assert_eq!(*times, 1, "{target} is asked for again");
        }
        *counted.entry(template(&exchange.path)).or_default() += 1;
    }
    counted
}

#[test]
fn a_sync_makes_no_request_more_than_it_must() {
    run(async {
        for (users, page_size) in [(2_000, None), (350, Some(30)), (350, Some(1000)), (2, None)] {
            let mut desk = Desk::new(users).await;
            desk.options.page_size = page_size;
            desk.simulator().keep_exchanges(true);
            let summary = desk.sync().await;
            desk.simulator().keep_exchanges(false);
            let made = counted(&desk.simulator().exchanges());
            let mut wanted = fewest(&desk);
            wanted.retain(|_, count| *count > 0);
            if page_size == Some(30) {
                // Last activity is asked for in pages of that size as well.
                wanted.insert("/analytics/raw/users", users.div_ceil(30));
            }
            let wanted = wanted
                .into_iter()
                .map(|(path, count)| (path.to_owned(), count))
                .collect();
            assert_eq!(made, wanted, "{users} users, pages of {page_size:?}");
            // And the store says so.
            let sum: usize = made.values().sum();
            assert_eq!(summary.run.requests, sum as u64);
            assert!(
                summary.run.cached >= made["/users"] as u64,
                "roles at least"
            );
        }
    });
}

#[test]
fn beyond_ten_thousand_users_nothing_is_asked_for_twice_either() {
    run(async {
        let desk = Desk::of(Simulator::new(config(10_050))).await;
        desk.simulator().keep_exchanges(true);
        let summary = desk.sync().await;
        assert_eq!(summary.changes[0].total, 10_050);
        let made = counted(&desk.simulator().exchanges());
        // The list of licences ends after 10,000; whoever is behind is asked about
        // singly.
        assert_eq!(made["/license_allocations"], 100);
        assert_eq!(made["/users/*/license"], 50);
        assert_eq!(made["/analytics/raw/users"], 21);
    });
}
