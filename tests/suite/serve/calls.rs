//! Every capability, as a platform uses it.

use std::collections::BTreeSet;

use pagerduty_simulator::{OAUTH_CLIENT, TOKENS};
use serde_json::{Value, json};

use super::platform::{Platform, code};
use crate::{
    support::run,
    vendor::{rows, text, user_of_role},
};

#[test]
fn every_capability_answers_as_it_is_described() {
    run(async {
        let platform = Platform::start().await;
        let simulator = &platform.simulator;
        let leaver = user_of_role(simulator, "limited_user").await;
        let users = rows(simulator, "/users?limit=100", "users").await;
        let heir = users
            .iter()
            .map(|user| text(user, "id"))
            .find(|id| *id != leaver);
        let heir = heir.expect("somebody else");
        let licenses = rows(simulator, "/licenses", "licenses").await;
        let team = text(&rows(simulator, "/teams", "teams").await[0], "id");
        let membership = json!({
            "account_integration_specific_id": leaver,
            "resource_integration_specific_id": team,
            "resource_type": "team",
            "entitlement_type": "team-membership",
            "entitlement_integration_specific_id": "responder",
        });
        let client = json!({
            "client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret,
        });
        let with = |more: Value| {
            let mut all = client.clone();
            let fields = all.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            all
        };
        for (capability, request) in [
            ("info", json!({})),
            ("app_info", json!({})),
            ("validate_credentials", json!({})),
            (
                "validate_credential_config",
                json!({"credential": {"token": {"token": TOKENS.owner}}}),
            ),
            ("probe_integration", json!({})),
            ("list_accounts", json!({"custom_attributes": ["job-title"]})),
            ("get_account", json!({"account_id": leaver})),
            ("list_updated_accounts", json!({})),
            (
                "list_activity_records",
                json!({"since_date": "2026-01-01", "actors": []}),
            ),
            ("list_resources", json!({})),
            ("list_entitlements", json!({})),
            ("find_entitlement_associations", json!({})),
            (
                "get_account_entitlement_associations",
                json!({"account_id": leaver}),
            ),
            ("get_last_activity", json!({"account_ids": [leaver, heir]})),
            ("assign_entitlement", membership.clone()),
            ("unassign_entitlement", membership),
            (
                "create_account",
                json!({"email": "new.comer@acme.example", "given_name": "New", "family_name": "Comer",
                       "entitlements": [{"entitlement_type": "role", "integration_specific_id": "limited_user"}]}),
            ),
            (
                "update_account",
                json!({"id": leaver, "job-title": "Baker"}),
            ),
            (
                "transfer_data",
                json!({"source_account_id": leaver, "target_account_id": heir}),
            ),
            ("release_resources", json!({"account_id": leaver})),
            (
                "handle_client_credentials_request",
                with(json!({"scopes": ["as_account-us.acme", "users.read"]})),
            ),
        ] {
            let answer = platform.call(capability, request).await;
            Platform::response(&answer);
        }
        let answer = platform
            .envelope(
                "downgrade_license",
                json!({"request": {"account_id": leaver},
                       "settings": {"default-license": text(&licenses[1], "id")}}),
            )
            .await;
        Platform::response(&answer);
        super::signing_in::sign_in(&platform).await;
        let answer = platform
            .call("delete_account", json!({"account_id": leaver}))
            .await;
        Platform::response(&answer);
        let (mut offered, answered) = platform.offered_and_answered();
        offered.sort_unstable();
        assert_eq!(offered, answered);
        assert_eq!(offered.len(), 26);
        let info = platform.call("info", json!({})).await;
        let mut named: Vec<&str> = info["response"]["capabilities"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        named.sort_unstable();
        assert_eq!(named, offered);
    });
}

#[test]
fn pages_lead_through_all_rows_once() {
    run(async {
        let platform = Platform::start().await;
        for (capability, keys, least) in [
            ("list_accounts", &["integration_specific_id"][..], 60),
            (
                "list_resources",
                &["resource_type", "integration_specific_id"],
                5,
            ),
            (
                "list_entitlements",
                &[
                    "integration_specific_id",
                    "integration_specific_resource_id",
                ],
                10,
            ),
            (
                "find_entitlement_associations",
                &[
                    "account_id",
                    "integration_specific_entitlement_id",
                    "integration_specific_resource_id",
                ],
                100,
            ),
        ] {
            let mut seen = BTreeSet::new();
            let mut count = 0;
            let mut page = json!({"size": 23});
            let mut pages = 0;
            loop {
                let answer = platform
                    .envelope(capability, json!({"request": {}, "page": page}))
                    .await;
                let rows = Platform::response(&answer).as_array().expect("a list");
                assert!(rows.len() <= 23);
                count += rows.len();
                pages += 1;
                seen.extend(
                    rows.iter()
                        .map(|row| keys.iter().map(|key| text(row, key)).collect::<Vec<_>>()),
                );
                match answer.get("page") {
                    Some(next) => page = next.clone(),
                    None => break,
                }
            }
            assert!(count >= least, "{capability}: {count}");
            assert_eq!(seen.len(), count, "{capability} repeats itself");
            assert!(pages >= count / 23, "{capability}");
        }
        let answer = platform
            .envelope(
                "list_accounts",
                json!({"request": {}, "page": {"token": "of somebody else"}}),
            )
            .await;
        assert_eq!(code(&answer), "invalid_page_token");
        assert_eq!(answer["error"]["error_metadata"]["fault"], "caller");
    });
}

#[test]
fn updates_come_from_the_audit_records_and_go_on_from_a_cursor() {
    run(async {
        let platform = Platform::start().await;
        let walk = async |request: Value| -> (BTreeSet<String>, String) {
            let mut ids = BTreeSet::new();
            let mut envelope = json!({"request": request, "page": {"size": 25}});
            loop {
                let answer = platform
                    .envelope("list_updated_accounts", envelope.clone())
                    .await;
                let response = Platform::response(&answer);
                let accounts = response["accounts"].as_array().expect("a list");
                ids.extend(
                    accounts
                        .iter()
                        .map(|row| text(row, "integration_specific_id")),
                );
                match answer.get("page") {
                    Some(page) => envelope["page"] = page.clone(),
                    None => return (ids, text(response, "cursor")),
                }
            }
        };
        let (all, cursor) = walk(json!({})).await;
        assert_eq!(all.len(), 60, "without a cursor: everybody");
        let (none, _) = walk(json!({"cursor": cursor})).await;
        assert!(none.is_empty(), "nothing has happened since: {none:?}");
        let changed = user_of_role(&platform.simulator, "limited_user").await;
        let gone = user_of_role(&platform.simulator, "observer").await;
        let answer = platform
            .call(
                "update_account",
                json!({"id": changed, "job-title": "Baker"}),
            )
            .await;
        Platform::response(&answer);
        let released = platform
            .call("release_resources", json!({"account_id": gone}))
            .await;
        Platform::response(&released);
        let deleted = platform
            .call("delete_account", json!({"account_id": gone}))
            .await;
        Platform::response(&deleted);
        let answer = platform
            .call("list_updated_accounts", json!({"cursor": cursor}))
            .await;
        let accounts = Platform::response(&answer)["accounts"]
            .as_array()
            .expect("a list");
        let status = |id: &str| {
            let found = accounts
                .iter()
                .find(|row| row["integration_specific_id"] == *id);
            found.map(|row| text(row, "user_status"))
        };
        assert_eq!(status(&changed).as_deref(), Some("ACTIVE"), "{accounts:?}");
        assert_eq!(status(&gone).as_deref(), Some("DELETED"));
        assert!(accounts.len() < 10, "not everybody: {}", accounts.len());
        let (fallback, _) = walk(json!({"cursor": "nonsense"})).await;
        assert!(
            fallback.len() >= 59,
            "a cursor that is none means everybody"
        );
    });
}

#[test]
fn what_a_plan_lacks_is_said_beside_the_rows() {
    run(async {
        let mut config = pagerduty_simulator::Config {
            users: 20,
            ..pagerduty_simulator::Config::default()
        };
        config.plan.teams = false;
        config.plan.audit = false;
        let simulator = pagerduty_simulator::Simulator::new(config);
        let platform = Platform::of(simulator, |_| {}).await;
        let answer = platform.call("list_resources", json!({})).await;
        Platform::response(&answer);
        let summary = &answer["execution_summary"];
        assert_eq!(summary["effect"]["kind"], "noop");
        assert_eq!(
            summary["caught_errors"][0]["error_code"],
            "unsupported_operation"
        );
        assert_eq!(
            summary["caught_errors"][0]["app_error_code"],
            "plan-lacks-teams"
        );
        // Without audit records, changes are found by looking at everybody.
        let answer = platform
            .call(
                "list_updated_accounts",
                json!({"since": "2026-11-01T00:00:00Z"}),
            )
            .await;
        let accounts = &Platform::response(&answer)["accounts"];
        assert_eq!(accounts.as_array().map(Vec::len), Some(20));
    });
}

#[test]
fn a_probe_reports_what_fails_and_names_nobody() {
    run(async {
        let platform = Platform::start().await;
        let answer = platform.call("probe_integration", json!({})).await;
        let result = Platform::response(&answer);
        assert_eq!(result["status"], "passed", "{result:#}");
        assert_eq!(result["checks"].as_array().map(Vec::len), Some(4));
        assert!(!answer.to_string().contains("@"), "{answer}");
        let fault = "GET /users status=403".parse().expect("a fault");
        platform.simulator.faults().add(fault);
        let answer = platform
            .call(
                "probe_integration",
                json!({"checks": ["accounts", "entitlements"]}),
            )
            .await;
        let result = Platform::response(&answer);
        assert_eq!(result["status"], "partial", "{result:#}");
        assert_eq!(result["checks"][0]["status"], "failed");
        assert_eq!(
            result["checks"][0]["error"]["error_code"],
            "permission_denied"
        );
    });
}
