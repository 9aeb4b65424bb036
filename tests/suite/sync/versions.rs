//! What complete runs leave in the store.

use host_harness::{
    store::RunState,
    sync::{self, Event, SyncError},
};
use pagerduty_simulator::{Config, Plan, Simulator};
use rusqlite::types::Value as Sql;
use serde_json::json;

use super::{Desk, complete, config, stopped};
use crate::support::{all_accounts, all_entitlements, all_grants, all_resources, run};

fn text(value: &Sql) -> &str {
    match value {
        Sql::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn a_complete_run_holds_what_the_connector_lists() {
    run(async {
        let desk = Desk::new(150).await;
        let summary = desk.sync().await;
        assert_eq!(summary.run.id, 1);
        assert_eq!(summary.run.tenant.name, "acme");
        assert_eq!(summary.run.tenant.vendor_id, "acme");
        assert!(summary.run.findings.is_empty());
        assert!(summary.run.notices.is_empty());
        let tenant = desk.tenant();
        let accounts = all_accounts(tenant, None).await.expect("accounts").0;
        let resources = all_resources(tenant, None).await.expect("resources").0;
        let entitlements = all_entitlements(tenant, None).await.expect("all").0;
        let grants = all_grants(tenant, None).await.expect("grants").0;
        let ids: Vec<String> = accounts.iter().map(|account| account.id.clone()).collect();
        let activity = tenant.get_last_activity(&ids).await.expect("activity");
        let total = |at: usize| usize::try_from(summary.changes[at].total).expect("a size");
        assert_eq!(
            [0, 1, 2, 3, 4].map(total),
            [
                accounts.len(),
                resources.len(),
                entitlements.len(),
                grants.len(),
                activity.items.len(),
            ]
        );
        // Field by field, of somebody who has an entry everywhere.
        let somebody = &activity.items[0];
        let account = accounts
            .iter()
            .find(|account| account.id == somebody.account);
        let account = account.expect("it was asked about");
        let stored = desk.rows(&format!(
            "SELECT email, display_name, status, kind, attributes, given_name, last_seen_run, to_run
             FROM accounts WHERE id = '{}'",
            account.id
        ));
        let attributes: serde_json::Map<_, _> = account
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        assert_eq!(
            stored,
            [[
                account.email.clone().map_or(Sql::Null, Sql::Text),
                Sql::Text(account.display_name.clone()),
                Sql::Text("active".to_owned()),
                Sql::Text("user".to_owned()),
                Sql::Text(json!(attributes).to_string()),
                Sql::Null,
                Sql::Null,
                Sql::Null,
            ]]
        );
        let stored = desk.rows(&format!(
            "SELECT kind, at, source FROM last_activity WHERE account = '{}'",
            account.id
        ));
        let stored: Vec<&str> = stored[0].iter().map(text).collect();
        assert_eq!(stored, ["last-login", &somebody.at, &somebody.source]);
        let of_account = grants.iter().filter(|grant| grant.account == account.id);
        let mut wanted: Vec<Vec<String>> = of_account
            .map(|grant| {
                let named = &grant.entitlement;
                vec![
                    named.entitlement_type.clone(),
                    named.resource_type.clone(),
                    named.resource.clone(),
                    named.id.clone(),
                    grant.since.clone().unwrap_or_default(),
                ]
            })
            .collect();
        wanted.sort();
        let stored = desk.rows(&format!(
            "SELECT entitlement_type, resource_type, resource, entitlement, coalesce(since, '')
             FROM grants WHERE account = '{}' ORDER BY 1, 2, 3, 4",
            account.id
        ));
        let stored: Vec<Vec<String>> = stored
            .iter()
            .map(|row| row.iter().map(|value| text(value).to_owned()).collect())
            .collect();
        assert_eq!(stored, wanted);
        // Nothing is left of the run's own tables.
        for table in [
            "answers",
            "staged_accounts",
            "staged_resources",
            "staged_entitlements",
            "staged_grants",
            "staged_last_activity",
            "staged_duplicates",
        ] {
            let left = desk.number(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(left, 0, "{table}");
        }
    });
}

#[test]
fn runs_share_the_rows_that_did_not_change() {
    run(async {
        let desk = Desk::new(150).await;
        desk.sync().await;
        let count = || {
            [
                "accounts",
                "resources",
                "entitlements",
                "grants",
                "last_activity",
            ]
            .map(|table| desk.number(&format!("SELECT count(*) FROM {table}")))
        };
        let (first, dump) = (count(), desk.dump());
        let again = desk.sync().await;
        assert_eq!(again.run.id, 2);
        assert_eq!(count(), first);
        assert_eq!(desk.dump(), dump, "not a byte is different");
        for changes in &again.changes {
            assert_eq!(
                (changes.added, changes.changed, changes.removed),
                (0, 0, 0),
                "{changes:?}"
            );
        }
        // One name changes: one row more, of one kind.
        let user = desk.users()[20].clone();
        let id = user["id"].as_str().expect("an id");
        let renamed = json!({"user": {
            "type": "user", "name": "Grace Hopper", "email": user["email"],
        }});
        let (status, answer) = desk
            .simulator()
            .ask("PUT", &format!("/users/{id}"), Some(&renamed));
        assert_eq!(status, 200, "{answer}");
        let third = desk.sync().await;
        let changed: Vec<u64> = third
            .changes
            .iter()
            .map(|changes| changes.changed)
            .collect();
        assert_eq!(changed, [1, 0, 0, 0, 0]);
        let mut wanted = first;
        wanted[0] += 1;
        assert_eq!(count(), wanted);
        let versions = desk.rows(&format!(
            "SELECT from_run, to_run, display_name FROM accounts WHERE id = '{id}' ORDER BY 1"
        ));
        assert_eq!(
            versions,
            [
                [
                    Sql::Integer(1),
                    Sql::Integer(3),
                    Sql::Text(user["name"].as_str().expect("a name").to_owned())
                ],
                [
                    Sql::Integer(3),
                    Sql::Null,
                    Sql::Text("Grace Hopper".to_owned())
                ],
            ]
        );
    });
}

#[test]
fn who_is_gone_is_deprovisioned_and_who_comes_back_is_not() {
    run(async {
        let desk = Desk::new(60).await;
        desk.sync().await;
        desk.sync().await;
        let before = desk.simulator().fork();
        let gone = desk.delete_somebody();
        let third = desk.sync().await;
        assert_eq!(third.changes[0].removed, 1);
        assert_eq!(third.changes[0].total, 59);
        let versions = |desk: &Desk| {
            desk.rows(&format!(
                "SELECT from_run, to_run, status, last_seen_run FROM accounts
                 WHERE id = '{gone}' ORDER BY from_run"
            ))
        };
        let active = Sql::Text("active".to_owned());
        let deprovisioned = Sql::Text("deprovisioned".to_owned());
        let (one, two, three, five) = (
            Sql::Integer(1),
            Sql::Integer(2),
            Sql::Integer(3),
            Sql::Integer(5),
        );
        let present = [one, three.clone(), active.clone(), Sql::Null];
        // The run that saw it last is the second one, not the one that began the
        // row.
        let away = |to: Sql| [three.clone(), to, deprovisioned.clone(), two.clone()];
        let found = versions(&desk);
        if found[0][2] != active {
            assert_eq!(found[0][2], Sql::Text("pending".to_owned()));
        }
        let was = found[0][2].clone();
        let present = [
            present[0].clone(),
            present[1].clone(),
            was.clone(),
            Sql::Null,
        ];
        assert_eq!(found, [present.clone(), away(Sql::Null)]);
        let held =
            format!("SELECT count(*) FROM grants WHERE account = '{gone}' AND to_run IS NULL");
        assert_eq!(desk.number(&held), 0);
        let was_held =
            format!("SELECT count(*) FROM grants WHERE account = '{gone}' AND to_run = 3");
        assert!(desk.number(&was_held) >= 2, "role and licence");
        // It stays gone, and is told of once.
        let fourth = desk.sync().await;
        assert_eq!(fourth.changes[0].removed, 0);
        assert_eq!(versions(&desk), [present.clone(), away(Sql::Null)]);
        // The same account comes back.
        let Desk { folder, .. } = desk;
        let mut desk = Desk::of(before).await;
        desk.folder = folder;
        let fifth = desk.sync().await;
        assert_eq!(fifth.changes[0].changed, 1);
        assert_eq!(
            versions(&desk),
            [
                present,
                away(five.clone()),
                [five, Sql::Null, was, Sql::Null],
            ]
        );
        assert_eq!(desk.number(&held), desk.number(&was_held));
    });
}

#[test]
fn a_run_that_has_not_ended_marks_nobody() {
    run(async {
        let mut desk = Desk::new(60).await;
        desk.options.page_size = Some(20);
        desk.sync().await;
        let dump = desk.dump();
        desk.delete_somebody();
        // All is read but the last thing.
        let stop = desk.options.stop.clone();
        let observer = |event: Event<'_>| {
            if let Event::Page(progress) = event
                && progress.function == "activity.get-last-activity"
            {
                stop.stop();
            }
        };
        let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
        let run = stopped(outcome);
        assert_eq!(run.id, 2);
        assert_eq!(desk.dump(), dump, "nobody is marked");
        // Nor by one that is given up.
        desk.options.stop = sync::Stop::default();
        desk.options.restart = true;
        let third = desk.sync().await;
        assert_eq!(third.run.id, 3);
        assert_eq!(desk.runs()[1].state, RunState::Abandoned);
        assert_eq!(third.changes[0].removed, 1);
        let seen =
            desk.number("SELECT last_seen_run FROM accounts WHERE last_seen_run IS NOT NULL");
        assert_eq!(seen, 1, "only complete runs have seen anybody");
    });
}

#[test]
fn what_the_plan_lacks_is_written_down() {
    run(async {
        let plan = Plan {
            teams: false,
            licenses: false,
            analytics: false,
            ..Plan::default()
        };
        let desk = Desk::of(Simulator::new(Config { plan, ..config(30) })).await;
        let summary = desk.sync().await;
        let codes: Vec<&str> = summary
            .run
            .notices
            .iter()
            .map(|notice| notice.code.as_str())
            .collect();
        for code in [
            "plan-lacks-teams",
            "licenses-not-readable",
            "analytics-not-available",
        ] {
            assert!(codes.contains(&code), "{code} in {codes:?}");
        }
        assert!(
            summary.run.findings.is_empty(),
            "{:?}",
            summary.run.findings
        );
        // Each once, however many pages have said so.
        for notice in &summary.run.notices {
            let alike = summary.run.notices.iter().filter(|other| *other == notice);
            assert_eq!(alike.count(), 1, "{notice:?}");
        }
        assert_eq!(desk.runs()[0].notices, summary.run.notices);
    });
}

#[test]
fn a_credential_for_another_tenant_is_refused_and_nothing_is_mixed_up() {
    run(async {
        let mut desk = Desk::new(30).await;
        desk.options.tenant = Some("production".to_owned());
        desk.sync().await;
        let dump = desk.dump();
        let other = Config {
            subdomain: "globex".to_owned(),
            ..config(30)
        };
        let mut other = Desk::of(Simulator::new(other)).await;
        other.options.tenant = Some("production".to_owned());
        std::mem::swap(&mut other.folder, &mut desk.folder);
        let error = other.try_sync().await.expect_err("another one");
        let SyncError::OtherTenant { known, found, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!((known.as_str(), found.as_str()), ("acme", "globex"));
        assert!(error.hint().contains("--tenant"));
        assert_eq!(other.dump(), dump);
        assert_eq!(other.runs().len(), 1);
        // Under a name of its own it has a place in the same store.
        other.options.tenant = None;
        let summary = complete(other.try_sync().await);
        assert_eq!(summary.run.tenant.name, "globex");
        assert_eq!(summary.changes[0].added, 30);
        let names: Vec<String> = other
            .runs()
            .into_iter()
            .map(|run| run.tenant.name)
            .collect();
        assert_eq!(names, ["production", "globex"]);
    });
}
