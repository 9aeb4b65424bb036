//! `diagnose`: what an operator asks when a sync does not work.

use std::collections::BTreeMap;

use host_harness::contract::diagnostics::{Finding, Verdict};
use pagerduty_simulator::{Effect, Fault, Match, Region, TOKENS};

use crate::support::{Bench, Opening, run};

async fn findings(bench: &Bench) -> BTreeMap<String, Finding> {
    let findings = bench
        .tenant
        .diagnose()
        .await
        .expect("diagnose does not fail");
    findings
        .into_iter()
        .map(|finding| (finding.check.clone(), finding))
        .collect()
}

#[test]
fn a_healthy_tenant_passes() {
    run(async {
        let mut opening = Opening::users(60);
        opening.config.limit = Some(960);
        let bench = opening.open().await;
        let findings = findings(&bench).await;
        for check in ["authentication", "subdomain", "users-syncing", "rate-limit"] {
            let finding = findings
                .get(check)
                .unwrap_or_else(|| panic!("no `{check}`"));
            assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
        }
        assert!(findings["users-syncing"].summary.contains("60"));
        assert!(findings["rate-limit"].summary.contains("960"));
        assert!(
            findings
                .values()
                .all(|finding| finding.verdict != Verdict::Fail)
        );
    });
}

#[test]
fn a_revoked_credential_fails_one_check_and_skips_what_depends_on_it() {
    run(async {
        let opening = Opening {
            token: "revoked-long-ago",
            ..Opening::users(5)
        };
        let bench = opening.open().await;
        let findings = findings(&bench).await;
        assert_eq!(findings["authentication"].verdict, Verdict::Fail);
        assert!(findings["authentication"].hint.is_some());
        assert_eq!(findings["users-syncing"].verdict, Verdict::Skip);
        assert_eq!(findings["teams-appearing"].verdict, Verdict::Skip);
    });
}

#[test]
fn a_credential_of_the_other_region_is_found_out() {
    run(async {
        let mut opening = Opening::users(5);
        opening.config.region = Region::Eu;
        let bench = opening.open().await;
        let findings = findings(&bench).await;
        let finding = &findings["authentication"];
        assert_eq!(finding.verdict, Verdict::Fail);
        let said = format!(
            "{} {}",
            finding.summary,
            finding.hint.as_deref().unwrap_or_default()
        );
        assert!(said.contains("region") && said.contains("eu"), "{said}");
    });
}

#[test]
fn another_tenant_than_the_expected_one_is_found_out() {
    run(async {
        let opening = Opening {
            settings: vec![("subdomain", "other")],
            ..Opening::users(5)
        };
        let bench = opening.open().await;
        let finding = &findings(&bench).await["subdomain"];
        assert!(
            matches!(finding.verdict, Verdict::Fail | Verdict::Warn),
            "{finding:?}"
        );
        assert!(finding.summary.contains("acme"), "{finding:?}");
    });
}

#[test]
fn a_role_below_admin_and_a_plan_without_teams_are_warned_of() {
    run(async {
        let mut opening = Opening::users(30);
        opening.token = TOKENS.responder;
        opening.config.plan.teams = false;
        let bench = opening.open().await;
        let findings = findings(&bench).await;
        assert_eq!(findings["permissions"].verdict, Verdict::Warn);
        assert_eq!(findings["teams-appearing"].verdict, Verdict::Warn);
    });
}

#[test]
fn a_used_up_rate_limit_is_found_out() {
    run(async {
        let bench = Opening::users(5).open().await;
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/abilities".to_owned()),
                ..Match::default()
            },
            effect: Effect::RateLimited { reset: Some(3600) },
        });
        let findings = findings(&bench).await;
        let finding = &findings["rate-limit"];
        assert_eq!(finding.verdict, Verdict::Warn, "{finding:?}");
        assert!(finding.summary.contains("0 of 960"), "{finding:?}");
        assert_eq!(findings["account-state"].verdict, Verdict::Skip);
    });
}

#[test]
fn a_network_that_leads_nowhere_is_a_finding() {
    run(async {
        let bench = Opening::users(5).open().await;
        bench.simulator.faults().add(Fault {
            when: Match::default(),
            effect: Effect::Reset,
        });
        let findings = findings(&bench).await;
        assert_eq!(findings["network"].verdict, Verdict::Fail);
    });
}
