//! Last logins and audit records.

use std::collections::BTreeSet;

use host_harness::contract::{
    activity::ActivityKind,
    types::{ErrorCode, PageRequest},
};
use pagerduty_simulator::Config;

use crate::support::{Bench, Opening, all_accounts, contract_error, page, run};

async fn account_ids(bench: &Bench) -> Vec<String> {
    let accounts = all_accounts(&bench.tenant, None).await.expect("accounts").0;
    accounts.into_iter().map(|account| account.id).collect()
}

#[test]
fn the_last_login_comes_from_analytics_where_the_plan_has_them() {
    run(async {
        let bench = Opening::users(150).open().await;
        let ids = account_ids(&bench).await;
        let report = bench
            .tenant
            .get_last_activity(&ids)
            .await
            .expect("a report");
        assert!(report.notices.is_empty(), "{:?}", report.notices);
        assert!(report.items.len() > 100, "most have signed in");
        let asked: BTreeSet<_> = ids.iter().collect();
        let mut seen = BTreeSet::new();
        for item in &report.items {
            assert_eq!(
                (item.kind, item.source.as_str()),
                (ActivityKind::LastLogin, "analytics")
            );
            assert!(item.at.ends_with('Z'), "{}", item.at);
            assert!(asked.contains(&item.account));
            assert!(seen.insert(&item.account), "{} twice", item.account);
        }
    });
}

#[test]
fn without_analytics_the_last_login_comes_from_delegations_then_sessions() {
    run(async {
        for (delegations, source, notice) in [
            (true, "oauth-delegations", "analytics-not-available"),
            (false, "sessions", "delegations-not-available"),
        ] {
            let mut opening = Opening::users(12);
            opening.config.plan.analytics = false;
            opening.config.plan.delegations = delegations;
            let bench = opening.open().await;
            let ids = account_ids(&bench).await;
            let report = bench
                .tenant
                .get_last_activity(&ids)
                .await
                .expect("a report");
            assert!(!report.items.is_empty());
            assert!(
                report.items.iter().all(|item| item.source == source),
                "{report:?}"
            );
            assert!(
                report.notices.iter().any(|found| found.code == notice),
                "{report:?}"
            );
        }
    });
}

#[test]
fn accounts_that_are_unknown_or_asked_for_twice_do_no_harm() {
    run(async {
        let bench = Opening::users(5).open().await;
        let ids = account_ids(&bench).await;
        let asked = vec![ids[0].clone(), "PNOPE99".to_owned(), ids[0].clone()];
        let report = bench
            .tenant
            .get_last_activity(&asked)
            .await
            .expect("a report");
        assert!(report.items.len() <= 1);
        assert!(report.items.iter().all(|item| item.account == ids[0]));
        assert!(
            bench
                .tenant
                .get_last_activity(&[])
                .await
                .expect("a report")
                .items
                .is_empty()
        );
    });
}

#[test]
fn audit_records_of_many_months_are_each_listed_once() {
    run(async {
        let opening = Opening {
            config: Config {
                users: 40,
                ..Config::default()
            },
            ..Opening::default()
        };
        let bench = opening.open().await;
        let since = "2026-06-01T00:00:00Z";
        let mut listings = Vec::new();
        for size in [Some(1), Some(50), None] {
            let mut records = Vec::new();
            let mut token = None;
            loop {
                let request = PageRequest { token, size };
                let page = bench
                    .tenant
                    .list_activity(since, request)
                    .await
                    .expect("records");
                records.extend(page.items);
                match page.next {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
            let ids: BTreeSet<_> = records.iter().map(|record| record.id.clone()).collect();
            assert_eq!(ids.len(), records.len(), "no record twice");
            assert!(
                records.iter().all(|record| record.at.as_str() >= since),
                "none from before"
            );
            listings.push(ids);
        }
        assert!(!listings[0].is_empty(), "something happened");
        assert_eq!(listings[0], listings[1]);
        assert_eq!(listings[1], listings[2]);
    });
}

#[test]
fn a_time_that_makes_no_sense_is_refused() {
    run(async {
        let bench = Opening::users(3).open().await;
        for since in ["yesterday", "", "2999-01-01T00:00:00Z"] {
            let error = contract_error(bench.tenant.list_activity(since, page(None)).await);
            assert_eq!(error.code, ErrorCode::InvalidInput, "{since:?}");
        }
    });
}
