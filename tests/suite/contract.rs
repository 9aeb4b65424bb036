//! The contract's JSON form, and calls by name.

use host_harness::{CallError, contract::to_json};
use serde_json::{Value, json};

use crate::support::{Opening, all_accounts, contract_error, page, run};

/// What `call` returns is what the typed call returns, for every function.
#[test]
fn calls_by_name_and_by_type_give_the_same_json() {
    run(async {
        let mut opening = Opening::users(25);
        opening.config.now = Some("2026-11-20T12:00:00Z".parse().expect("an instant"));
        let bench = opening.open().await;
        let tenant = &bench.tenant;
        let account = all_accounts(tenant, None).await.expect("accounts").0[0]
            .id
            .clone();
        let ids = std::slice::from_ref(&account);
        let since = "2026-11-01T00:00:00Z";
        let at = "2026-11-20T12:00:00Z";
        let size = json!({ "page": { "size": 3 } });
        let call = async |function: &str, input: Value| {
            tenant
                .call(function, &input)
                .await
                .unwrap_or_else(|error| panic!("{function}: {error}"))
        };
        macro_rules! same {
            ($function:literal, $input:expr, $typed:expr) => {
                let typed = to_json(&$typed.await.expect($function));
                assert_eq!(call($function, $input).await, typed, $function);
            };
        }
        same!("credentials.validate", json!({}), tenant.validate());
        same!(
            "directory.list-accounts",
            size.clone(),
            tenant.list_accounts(page(Some(3)))
        );
        same!(
            "directory.list-resources",
            size.clone(),
            tenant.list_resources(page(Some(3)))
        );
        same!(
            "directory.list-entitlements",
            size.clone(),
            tenant.list_entitlements(page(Some(3)))
        );
        same!(
            "directory.list-grants",
            size.clone(),
            tenant.list_grants(page(Some(3)))
        );
        same!(
            "directory.get-account",
            json!({ "id": account }),
            tenant.get_account(&account)
        );
        same!(
            "directory.account-grants",
            json!({ "id": account }),
            tenant.account_grants(&account)
        );
        same!(
            "activity.get-last-activity",
            json!({ "accounts": ids }),
            tenant.get_last_activity(ids)
        );
        same!(
            "activity.list-activity",
            json!({ "since": since, "page": { "size": 3 } }),
            tenant.list_activity(since, page(Some(3)))
        );
        same!(
            "on-call.who",
            json!({ "schedules": [], "at": at }),
            tenant.who_is_on_call(&[], Some(at.to_owned()))
        );
        same!(
            "on-call.is-on-call",
            json!({ "account": account, "schedules": [], "at": at }),
            tenant.is_account_on_call(&account, &[], Some(at.to_owned()))
        );
        same!("diagnostics.diagnose", Value::Null, tenant.diagnose());
        let described = call("metadata.describe", json!({})).await;
        assert_eq!(described, to_json(tenant.connector().descriptor()));
    });
}

#[test]
fn json_names_are_snake_case_and_enum_cases_too() {
    run(async {
        let bench = Opening::users(3).open().await;
        let json = bench
            .tenant
            .call("directory.list-accounts", &json!({}))
            .await
            .expect("accounts");
        let first = &json["items"][0];
        assert_eq!(first["status"], "active");
        assert_eq!(first["kind"], "user");
        assert!(first["display_name"].is_string());
        assert_eq!(first["given_name"], Value::Null);
        assert!(first["attributes"][0].is_array(), "a tuple is an array");
    });
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    run(async {
        let bench = Opening::users(3).open().await;
        for (function, input, said) in [
            ("directory.get-account", json!({}), "`id`"),
            ("directory.get-account", json!({ "id": 7 }), "a string"),
            (
                "directory.get-account",
                json!({ "id": "P1", "x": 1 }),
                "`x`",
            ),
            ("directory.get-account", json!([]), "`input`"),
            (
                "directory.list-accounts",
                json!({ "page": { "size": -1 } }),
                "`page.size`",
            ),
            (
                "directory.list-accounts",
                json!({ "page": { "size": 1.5 } }),
                "`page.size`",
            ),
            (
                "directory.list-accounts",
                json!({ "page": { "sise": 1 } }),
                "`page.sise`",
            ),
            (
                "on-call.who",
                json!({ "schedules": ["a", 1] }),
                "`schedules[1]`",
            ),
            ("on-call.who", json!({ "schedules": "a" }), "an array"),
        ] {
            let error = bench
                .tenant
                .call(function, &input)
                .await
                .expect_err(function);
            assert!(matches!(error, CallError::Input(_)), "{error:?}");
            assert!(
                error.to_string().contains(said),
                "{error} should name {said}"
            );
        }
        assert_eq!(bench.requests(), 0);
    });
}

#[test]
fn an_unknown_function_is_told_with_what_there_is() {
    run(async {
        let bench = Opening::users(3).open().await;
        for function in [
            "directory.nope",
            "nope.list",
            "directory",
            "",
            "provisioning.nope",
        ] {
            let error = bench
                .tenant
                .call(function, &json!({}))
                .await
                .expect_err(function);
            assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
            assert!(
                error
                    .hint()
                    .expect("a hint")
                    .contains("directory.list-accounts")
            );
        }
    });
}

#[test]
fn an_error_is_the_same_by_name_and_by_type() {
    run(async {
        let bench = Opening::users(3).open().await;
        let by_type = contract_error(bench.tenant.get_account("PNOPE99").await);
        let by_name = contract_error(
            bench
                .tenant
                .call("directory.get-account", &json!({ "id": "PNOPE99" }))
                .await,
        );
        assert_eq!(by_name, by_type);
    });
}
