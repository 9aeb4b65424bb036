//! Plans and credentials that lack something: the rest is read, and what is
//! missing is said.

use host_harness::contract::types::{ErrorCode, Grant};
use pagerduty_simulator::{Plan, TOKENS};

use crate::support::{Opening, all_entitlements, all_grants, all_resources, contract_error, run};

fn kinds(grants: &[Grant]) -> std::collections::BTreeSet<&str> {
    grants
        .iter()
        .map(|grant| grant.entitlement.entitlement_type.as_str())
        .collect()
}

#[test]
fn a_plan_without_teams_reads_everything_else_and_says_so() {
    run(async {
        let mut opening = Opening::users(60);
        opening.config.plan.teams = false;
        let bench = opening.open().await;
        let (grants, notices) = all_grants(&bench.tenant, None).await.expect("grants");
        assert!(notices.contains("plan-lacks-teams"), "{notices:?}");
        let kinds = kinds(&grants);
        assert!(!kinds.contains("team-membership"));
        assert!(kinds.contains("role") && kinds.contains("license"));
        assert!(kinds.contains("schedule-membership"));
        let (resources, notices) = all_resources(&bench.tenant, None).await.expect("resources");
        assert!(notices.contains("plan-lacks-teams"));
        assert!(
            resources
                .iter()
                .all(|resource| resource.resource_type != "team")
        );
        let identity = bench
            .tenant
            .validate()
            .await
            .expect("the credential is good");
        assert!(
            identity
                .warnings
                .iter()
                .any(|warning| warning.contains("teams"))
        );
    });
}

#[test]
fn licences_that_can_not_be_read_are_left_out_and_said_so() {
    run(async {
        let mut opening = Opening::users(30);
        opening.config.plan.licenses = false;
        let bench = opening.open().await;
        let (grants, notices) = all_grants(&bench.tenant, None).await.expect("grants");
        assert!(notices.contains("licenses-not-readable"), "{notices:?}");
        assert!(!kinds(&grants).contains("license"));
        let (entitlements, notices) = all_entitlements(&bench.tenant, None)
            .await
            .expect("entitlements");
        assert!(notices.contains("licenses-not-readable"));
        assert!(
            entitlements
                .iter()
                .all(|found| found.ref_.entitlement_type != "license")
        );
    });
}

#[test]
fn audit_records_that_the_plan_lacks_are_an_empty_list_with_a_notice() {
    run(async {
        let mut opening = Opening::users(10);
        opening.config.plan.audit = false;
        let bench = opening.open().await;
        let page = bench
            .tenant
            .list_activity("2026-11-01T00:00:00Z", crate::support::page(None))
            .await
            .expect("an empty list");
        assert!(page.items.is_empty() && page.next.is_none());
        assert_eq!(page.notices.len(), 1);
    });
}

#[test]
fn a_plan_without_anything_optional_still_syncs() {
    run(async {
        let mut opening = Opening::users(25);
        opening.config.plan = Plan {
            teams: false,
            licenses: false,
            analytics: false,
            audit: false,
            delegations: false,
            stakeholders: false,
            advanced_permissions: false,
            offboarding: false,
            v3_schedules: false,
        };
        let bench = opening.open().await;
        let (grants, _) = all_grants(&bench.tenant, None).await.expect("grants");
        assert_eq!(
            grants
                .iter()
                .filter(|grant| grant.entitlement.entitlement_type == "role")
                .count(),
            25
        );
        let (entitlements, _) = all_entitlements(&bench.tenant, None)
            .await
            .expect("entitlements");
        let stakeholder = entitlements
            .iter()
            .find(|found| found.ref_.id == "read_only_user")
            .expect("the role exists");
        assert!(!stakeholder.assignable, "the plan has no stakeholders");
    });
}

#[test]
fn an_account_key_reads_everything_though_it_is_nobody() {
    run(async {
        for token in [TOKENS.account, TOKENS.read_only] {
            let opening = Opening {
                token,
                ..Opening::users(30)
            };
            let bench = opening.open().await;
            let identity = bench.tenant.validate().await.expect("the key is good");
            assert_eq!(identity.id, "acme");
            assert_eq!((identity.acting_as, identity.role), (None, None));
            assert!(
                identity
                    .warnings
                    .iter()
                    .any(|warning| warning.contains("from-email")),
                "{:?}",
                identity.warnings
            );
            let (grants, notices) = all_grants(&bench.tenant, None).await.expect("grants");
            assert!(notices.is_empty(), "{notices:?}");
            assert!(kinds(&grants).contains("license"));
        }
    });
}

#[test]
fn a_user_below_admin_is_warned_and_reads_what_it_may() {
    run(async {
        let opening = Opening {
            token: TOKENS.responder,
            ..Opening::users(30)
        };
        let bench = opening.open().await;
        let identity = bench.tenant.validate().await.expect("the key is good");
        assert_eq!(identity.role.as_deref(), Some("limited_user"));
        assert!(
            identity
                .warnings
                .iter()
                .any(|warning| warning.contains("Global Admin")),
            "{:?}",
            identity.warnings
        );
        let (grants, notices) = all_grants(&bench.tenant, None).await.expect("grants");
        assert!(notices.contains("licenses-not-readable"), "{notices:?}");
        assert!(kinds(&grants).contains("role"));
    });
}

#[test]
fn a_wrong_credential_is_unauthorized_and_the_hint_thinks_of_the_region() {
    run(async {
        let opening = Opening {
            token: "not-a-token-that-exists",
            ..Opening::users(3)
        };
        let bench = opening.open().await;
        let error = contract_error(bench.tenant.validate().await);
        assert_eq!(error.code, ErrorCode::Unauthorized);
        assert_eq!(error.upstream_status, Some(401));
        assert!(error.hint.expect("a hint").contains("region"));
        let error = contract_error(bench.tenant.list_grants(crate::support::page(None)).await);
        assert_eq!(
            error.code,
            ErrorCode::Unauthorized,
            "nothing is taken for a missing plan"
        );
    });
}

#[test]
fn a_tenant_of_the_eu_region_is_reached_by_the_region_setting() {
    run(async {
        let mut opening = Opening::users(10);
        opening.config.region = pagerduty_simulator::Region::Eu;
        opening.settings = vec![("region", "eu")];
        let bench = opening.open().await;
        assert_eq!(
            bench.tenant.validate().await.expect("the key is good").id,
            "acme.eu",
            "not the account of that name in the other region"
        );
        assert!(
            bench
                .last_report()
                .requests
                .iter()
                .all(|request| request.uri.starts_with("https://api.eu.pagerduty.com/"))
        );

        let mut opening = Opening::users(10);
        opening.config.region = pagerduty_simulator::Region::Eu;
        let bench = opening.open().await;
        let error = contract_error(bench.tenant.validate().await);
        assert_eq!(error.code, ErrorCode::Unauthorized);
    });
}
