//! A version that is tried on live reads.

use host_harness::{
    connector::BUNDLED,
    registry::{LoadFailure, Registry, Shadow, Stage, audit::AuditEvent},
};
use serde_json::{Value, json};

use super::{config, events, load, open, renamed, serving, version};
use crate::support::{Bench, Opening, run};

/// A call as a server makes it: answered by the generation that serves, and then
/// asked once more.
async fn call(
    registry: &Registry,
    shadow: &Shadow,
    bench: &Bench,
    function: &str,
    input: &Value,
) -> bool {
    let pinned = registry.current("pagerduty").expect("one serves");
    let tenant = pinned.open(bench.config.clone()).expect("it opens");
    let outcome = tenant.call(function, input).await;
    pinned.report(&outcome);
    shadow.read(&tenant, function, input, &outcome).await
}

#[test]
fn a_version_that_answers_live_reads_alike_takes_over() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let next = version("0.2.0");
        let shadow = registry.shadow(load(&next)).await.expect("it is sound");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert!(events(&registry).contains(&AuditEvent::Shadowed));

        // Nothing was compared yet.
        let failure = registry.load(load(&next).shadowed(&shadow)).await;
        let failure = failure.expect_err("it has shown nothing");
        assert_eq!(failure.stage(), Stage::Shadow);

        for (function, input) in [
            ("directory.list-entitlements", json!({})),
            ("directory.list-accounts", json!({ "page": { "size": 5 } })),
            // An error is an answer as well.
            ("directory.get-account", json!({ "id": "PNOBODY" })),
        ] {
            assert!(call(&registry, &shadow, &bench, function, &input).await);
        }
        let report = shadow.report();
        assert_eq!((report.compared, report.differing), (3, 0), "{report:?}");

        let other = registry
            .load(load(&renamed("0.3.0")).shadowed(&shadow))
            .await;
        assert!(matches!(other, Err(LoadFailure::OtherShadow)), "{other:?}");
        registry
            .load(load(&next).shadowed(&shadow))
            .await
            .expect("it has shown that it does the same");
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
        let again = registry.shadow(load(&next)).await;
        assert!(matches!(again, Err(LoadFailure::Serving)), "{again:?}");
    });
}

#[test]
fn a_version_that_answers_live_reads_otherwise_is_refused_with_the_difference() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let next = renamed("0.2.0");
        let shadow = registry.shadow(load(&next)).await.expect("it is sound");
        let function = "directory.list-entitlements";
        assert!(call(&registry, &shadow, &bench, function, &json!({})).await);
        let failure = registry.load(load(&next).shadowed(&shadow)).await;
        let failure = failure.expect_err("it answers otherwise");
        let LoadFailure::Shadow(report) = &failure else {
            panic!("{failure}");
        };
        assert_eq!((report.compared, report.differing), (1, 1));
        assert_eq!(report.calls[0].function, function);
        let difference = &report.calls[0].output[0];
        assert_eq!(difference.running, Some(json!("Responder")));
        assert_eq!(difference.candidate, Some(json!("Respender")));
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));

        let request = load(&next).shadowed(&shadow).accept(true);
        registry.load(request).await.expect("it was accepted");
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
    });
}

#[test]
fn a_version_in_the_shadow_is_never_asked_to_change_anything() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).writing().open().await;
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let shadow = registry.shadow(load(&version("0.2.0"))).await;
        let shadow = shadow.expect("it is sound");
        bench.simulator.keep_exchanges(true);
        let new = json!({ "account": {
            "email": "new@example.com",
            "display_name": "New",
            "entitlements": [],
            "attributes": [],
        } });
        let function = "provisioning.create-account";
        assert!(!call(&registry, &shadow, &bench, function, &new).await);
        assert_eq!(shadow.report().compared, 0);
        let exchanges = bench.simulator.exchanges();
        let created = exchanges
            .iter()
            .filter(|exchange| exchange.method == "POST" && exchange.path == "/users");
        assert_eq!(created.count(), 1, "by the generation that serves alone");
    });
}
