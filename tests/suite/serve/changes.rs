//! What changes say about what they did.

use serde_json::{Value, json};

use super::platform::{Platform, code};
use crate::{
    support::run,
    vendor::{incidents_of, rows, text, user_of_role},
};

#[track_caller]
fn effect(answer: &Value) -> (&str, &str) {
    Platform::response(answer);
    let summary = &answer["execution_summary"];
    assert_eq!(summary["is_idempotent"], true);
    let effect = summary["effect"]["kind"].as_str().expect("an effect");
    if effect == "noop" {
        assert_eq!(summary["effect"]["reason"], "state_already_matches");
    }
    (effect, summary["description"].as_str().unwrap_or_default())
}

#[test]
fn a_repeated_change_is_a_noop_with_the_same_fingerprint() {
    run(async {
        let platform = Platform::start().await;
        let account = user_of_role(&platform.simulator, "limited_user").await;
        let team = text(&rows(&platform.simulator, "/teams", "teams").await[0], "id");
        let request = |role: &str| {
            json!({
                "account_integration_specific_id": account,
                "resource_integration_specific_id": team,
                "resource_type": "team",
                "entitlement_type": "team-membership",
                "entitlement_integration_specific_id": role,
            })
        };
        platform
            .call("unassign_entitlement", request("observer"))
            .await;
        let first = platform
            .call("assign_entitlement", request("manager"))
            .await;
        assert_ne!(effect(&first).0, "noop");
        let again = platform
            .call("assign_entitlement", request("manager"))
            .await;
        assert_eq!(effect(&again), ("noop", "already-assigned"));
        let fingerprint =
            |answer: &Value| answer["execution_summary"]["request_fingerprint"].clone();
        assert_eq!(fingerprint(&first), fingerprint(&again));
        let other = platform
            .call("assign_entitlement", request("observer"))
            .await;
        assert_ne!(fingerprint(&first), fingerprint(&other));

        let new = json!({"email": "new.comer@acme.example", "username": "New Comer"});
        let created = platform.call("create_account", new.clone()).await;
        assert_eq!(effect(&created).0, "created");
        let again = platform.call("create_account", new).await;
        assert_eq!(effect(&again), ("noop", "already-exists"));
        assert_eq!(created["response"]["id"], again["response"]["id"]);
        let change =
            json!({"id": created["response"]["id"], "given_name": "Newer", "family_name": "Comer"});
        let changed = platform.call("update_account", change.clone()).await;
        assert_eq!(effect(&changed).0, "updated");
        assert_eq!(changed["response"], change);
        let found = platform
            .call("get_account", json!({"account_id": change["id"]}))
            .await;
        assert_eq!(found["response"]["username"], "Newer Comer");
        let gone = platform
            .call("delete_account", json!({"account_id": change["id"]}))
            .await;
        assert_eq!(effect(&gone).0, "deleted");
    });
}

#[test]
fn a_licence_falls_back_to_the_one_of_the_setting() {
    run(async {
        let platform = Platform::start().await;
        let account = user_of_role(&platform.simulator, "user").await;
        let held = async || {
            let request = json!({"account_id": account});
            let answer = platform
                .call("get_account_entitlement_associations", request)
                .await;
            let rows = Platform::response(&answer)
                .as_array()
                .expect("a list")
                .clone();
            rows.iter()
                .map(|row| text(row, "integration_specific_entitlement_id"))
                .collect::<Vec<_>>()
        };
        let licenses = rows(&platform.simulator, "/licenses", "licenses").await;
        let before = held().await;
        let other = licenses
            .iter()
            .filter(|license| license["valid_roles"].to_string().contains("\"user\""))
            .map(|license| text(license, "id"))
            .find(|id| !before.contains(id));
        let other = other.expect("another licence");
        let downgrade = async |settings: Value| {
            let envelope = json!({"request": {"account_id": account}, "settings": settings});
            platform.envelope("downgrade_license", envelope).await
        };
        assert_eq!(code(&downgrade(json!({})).await), "conflict");
        let answer = downgrade(json!({"default-license": other})).await;
        assert_eq!(effect(&answer).0, "updated");
        assert!(held().await.contains(&other));
        let again = downgrade(json!({"default-license": other})).await;
        assert_eq!(effect(&again), ("noop", "already-assigned"));
    });
}

#[test]
fn a_broken_transfer_goes_on_where_it_ended_and_a_release_deletes_nobody() {
    run(async {
        let platform = Platform::start().await;
        let simulator = &platform.simulator;
        let leaver = user_of_role(simulator, "limited_user").await;
        let heir = user_of_role(simulator, "admin").await;
        simulator.open_incidents(&[&leaver], 3);
        let team = text(&rows(simulator, "/teams", "teams").await[0], "id");
        let member = json!({
            "account_integration_specific_id": leaver, "resource_integration_specific_id": team,
            "resource_type": "team", "entitlement_type": "team-membership",
            "entitlement_integration_specific_id": "responder",
        });
        platform.call("assign_entitlement", member).await;
        let files = || {
            std::fs::read_dir(platform.state.path())
                .expect("a folder")
                .count()
        };

        let request = json!({"source_account_id": leaver, "target_account_id": heir});
        let fault = "PUT /incidents* status=403".parse().expect("a fault");
        simulator.faults().add(fault);
        let broken = platform.call("transfer_data", request.clone()).await;
        assert_eq!(code(&broken), "permission_denied");
        assert_eq!(files(), 2, "plan and journal are kept");
        simulator.faults().clear();
        let done = platform.call("transfer_data", request.clone()).await;
        assert_eq!(effect(&done).0, "updated");
        assert_eq!(files(), 0);
        assert!(incidents_of(simulator, &leaver).await.is_empty());
        assert!(incidents_of(simulator, &heir).await.len() >= 3);
        let again = platform.call("transfer_data", request).await;
        assert_eq!(effect(&again), ("noop", "nothing-to-do"));

        let release = json!({"account_id": leaver});
        let done = platform.call("release_resources", release.clone()).await;
        assert_eq!(effect(&done).0, "updated");
        let members = rows(simulator, &format!("/teams/{team}/members"), "members").await;
        assert!(members.iter().all(|member| member["user"]["id"] != *leaver));
        let found = platform
            .call("get_account", json!({"account_id": leaver}))
            .await;
        assert_eq!(Platform::response(&found)["user_status"], "ACTIVE");
    });
}
