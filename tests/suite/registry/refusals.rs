//! What is refused, at which stage, and that it changes nothing else.

use std::fs;

use host_harness::{
    LoadError,
    connector::BUNDLED,
    registry::{Incompatibility, LoadFailure, LoadRequest, Registry, Stage, audit::AuditEvent},
};
use serde_json::json;

use super::{
    config, events, hostile, last, load, open, recordings, second_version, serving, version,
};
use crate::{components, support::run};

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

async fn refused(registry: &Registry, request: LoadRequest) -> LoadFailure {
    let failure = registry.load(request).await.expect_err("it is refused");
    assert!(!failure.hint().is_empty());
    failure
}

#[test]
fn what_is_no_connector_is_refused_by_its_stage_and_what_serves_goes_on() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        let with_text =
            |old: &str, new: &str| components::with_text(BUNDLED, old.as_bytes(), new.as_bytes());
        let cases = [
            (
                load(b"#!/bin/sh\n"),
                Stage::Verify,
                "not a WebAssembly file",
            ),
            (load(&component("(module)")), Stage::Verify, "a core module"),
            (
                load(&BUNDLED[..BUNDLED.len() / 2]),
                Stage::Verify,
                "not a valid component",
            ),
            (
                load(&component(
                    "(component (import \"wasi:sockets/tcp@0.2.0\" (instance)))",
                )),
                Stage::Verify,
                "`wasi:sockets/tcp@0.2.0`",
            ),
            (
                load(&component(
                    "(component (import \"wasi:filesystem/types@0.2.3\" (instance)))",
                )),
                Stage::Verify,
                "`wasi:filesystem/types@0.2.3`",
            ),
            (
                load(&component("(component)")),
                Stage::Verify,
                "`metadata.describe`",
            ),
            // One interface is missing, one is of another contract, one has
            // another shape.
            (
                load(&with_text(
                    "connector/credentials@0",
                    "konnector/credentials@0",
                )),
                Stage::Verify,
                "does not export `credentials.validate`",
            ),
            (
                load(&with_text("directory@0.1.0", "directory@0.7.0")),
                Stage::Verify,
                "speaks iga:connector@0.7.0 in `directory`, and this host speaks \
                 iga:connector@0.1.0",
            ),
            (
                load(&with_text("list-accounts", "list-acountss")),
                Stage::Verify,
                "its export `directory` is not as the contract says",
            ),
            (
                load(&with_text("plan-required", "plan-requires")),
                Stage::Verify,
                "is not as the contract says",
            ),
            (hostile("panics"), Stage::Smoke, "unreachable"),
            (
                hostile("never-ends"),
                Stage::Smoke,
                "did not end within 5 s",
            ),
            (
                hostile("floods-the-memory"),
                Stage::Smoke,
                "needs too much memory",
            ),
            (
                hostile("settings-that-are-no-schema"),
                Stage::Smoke,
                "its description makes no sense",
            ),
            (
                hostile("uses-the-network"),
                Stage::Smoke,
                "used the network",
            ),
            (
                hostile("climbs-out-of-its-place"),
                Stage::Smoke,
                "`../other`",
            ),
            (
                hostile("sound").app_id("pagerduty"),
                Stage::Compatibility,
                "it is the connector `hostile`, not `pagerduty`",
            ),
            (
                LoadRequest::file(folder.path().join("nothing.wasm"), "ada"),
                Stage::Read,
                "nothing.wasm",
            ),
        ];
        let count = cases.len();
        for (request, stage, said) in cases {
            // That is not a matter of what is accepted.
            let failure = refused(&registry, request.accept(true)).await;
            assert_eq!(failure.stage(), stage, "{failure}");
            assert!(failure.to_string().contains(said), "{said}: {failure}");
            assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        }
        let records = registry.history(None).expect("the chain holds");
        let refusals = records
            .iter()
            .filter(|record| record.event == AuditEvent::Refused && record.by == "ada");
        assert_eq!(refusals.count(), count);
        assert!(registry.current("hostile").is_none());
    });
}

#[test]
fn a_version_that_lacks_what_the_running_one_has_is_refused_with_what_is_missing() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        let failure = refused(&registry, hostile("takes-the-place-of-pagerduty")).await;
        assert_eq!(failure.stage(), Stage::Compatibility);
        let LoadFailure::Incompatible(missing) = &failure else {
            panic!("{failure}");
        };
        let interface = |name: &str| Incompatibility::Interface(name.to_owned());
        assert!(missing.contains(&interface("activity")), "{missing:?}");
        assert!(missing.contains(&interface("on-call")), "{missing:?}");
        assert!(!missing.contains(&interface("directory")), "{missing:?}");
        let scheme = Incompatibility::Scheme("oauth-app".to_owned());
        assert!(missing.contains(&scheme), "{missing:?}");
        assert!(failure.to_string().contains("`on-call`"), "{failure}");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));

        let report = registry
            .load(hostile("takes-the-place-of-pagerduty").accept(true))
            .await
            .expect("it was accepted");
        assert_eq!(&report.accepted, missing);
        assert_eq!((report.generation, report.replaced), (2, Some(1)));
    });
}

#[test]
fn a_version_with_another_output_is_refused_with_the_difference_unless_it_is_accepted() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let recordings = recordings();
        let mut config = config(folder.path());
        config.fixtures = Some(recordings.path().to_owned());
        let registry = open(config).await;
        let report = registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        assert_eq!(report.diff.played, 2);
        // Another version that does the same.
        let report = registry
            .load(load(&version("0.1.1")))
            .await
            .expect("it does the same");
        assert!(report.diff.is_empty() && report.diff.played == 2);

        let failure = refused(&registry, load(&second_version("names"))).await;
        assert_eq!(failure.stage(), Stage::Replay);
        let diff = failure.diff().expect("that is why");
        let names: Vec<&str> = diff
            .fixtures
            .iter()
            .map(|fixture| fixture.fixture.as_str())
            .collect();
        assert_eq!(names, ["entitlements.json"]);
        let differences: Vec<_> = diff.fixtures[0]
            .calls
            .iter()
            .flat_map(|call| &call.output)
            .collect();
        assert!(!differences.is_empty());
        for difference in differences {
            assert!(difference.path.starts_with("ok.items["), "{difference:?}");
            let text = |value: &Option<_>| json!(value).to_string();
            assert!(text(&difference.running).contains("Responder"));
            assert!(text(&difference.candidate).contains("Responder of 0.2.0"));
        }
        assert!(
            diff.to_string().contains("+ \"Responder of 0.2.0\""),
            "{diff}"
        );
        assert_eq!(serving(&registry).as_deref(), Some("0.1.1"));

        let report = registry
            .load(load(&second_version("names")).accept(true))
            .await
            .expect("it was accepted");
        assert_eq!(&report.diff, diff);
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
        assert_eq!(
            last(&registry, AuditEvent::Swap).detail["diff"],
            json!(diff),
            "what was accepted is recorded"
        );
    });
}

#[test]
fn a_version_that_makes_other_requests_is_refused_with_them() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let recordings = recordings();
        let mut config = config(folder.path());
        config.fixtures = Some(recordings.path().to_owned());
        let registry = open(config).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        let failure = refused(&registry, load(&second_version("requests"))).await;
        let diff = failure.diff().expect("that is why");
        let requests: Vec<_> = diff
            .fixtures
            .iter()
            .flat_map(|fixture| &fixture.calls)
            .flat_map(|call| &call.requests)
            .collect();
        assert!(
            requests.iter().any(|request| {
                let running = request.running.as_deref().unwrap_or_default();
                let candidate = request.candidate.as_deref().unwrap_or_default();
                running.starts_with("GET https://")
                    && running.ends_with("(200)")
                    && candidate.contains("client_version=0.2.0")
                    && candidate.ends_with("(not-in-cassette)")
            }),
            "{requests:?}"
        );
    });
}

#[test]
fn a_recording_that_can_t_be_read_stops_a_load() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let recordings = tempfile::tempdir().expect("a folder");
        fs::write(recordings.path().join("broken.json"), "{").expect("written");
        let mut config = config(folder.path());
        config.fixtures = Some(recordings.path().to_owned());
        let registry = open(config).await;
        let failure = refused(&registry, load(&version("0.1.0"))).await;
        assert_eq!(failure.stage(), Stage::Replay);
        assert!(failure.to_string().contains("broken.json"), "{failure}");
    });
}

#[test]
fn a_digest_in_quarantine_is_not_loaded_until_it_is_released() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        let bad = registry
            .load(load(&version("0.1.1")))
            .await
            .expect("it is sound");
        registry
            .quarantine(&bad.sha256, "ada", "it sends the wrong mail")
            .await
            .expect("there is one to return to");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        let failure = refused(&registry, load(&version("0.1.1")).accept(true)).await;
        assert_eq!(failure.stage(), Stage::Quarantine);
        assert!(
            failure.to_string().contains("it sends the wrong mail"),
            "{failure}"
        );
        // It is none to return to either.
        registry
            .rollback("pagerduty", Some(bad.generation), "ada", "")
            .await
            .expect_err("it is in quarantine");

        assert!(registry.release(&bad.sha256, "ada").expect("written"));
        assert!(!registry.release(&bad.sha256, "ada").expect("written"));
        registry
            .load(load(&version("0.1.1")))
            .await
            .expect("it was released");
        let events = events(&registry);
        for event in [
            AuditEvent::Quarantined,
            AuditEvent::Rollback,
            AuditEvent::Released,
        ] {
            assert!(events.contains(&event), "{event:?} is not in {events:?}");
        }
    });
}

#[test]
fn the_only_generation_in_quarantine_serves_no_more_and_the_list_says_why() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let only = registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        registry
            .quarantine(&only.sha256, "ada", "no reason")
            .await
            .expect("it is done");
        let check = |registry: &Registry| {
            assert!(registry.current("pagerduty").is_none());
            assert!(registry.current("pagerduty").is_none());
            let list = registry.list();
            assert_eq!(list.len(), 1);
            assert_eq!(list[0].serving, None);
            assert!(
                list[0]
                    .problem
                    .as_ref()
                    .is_some_and(|problem| problem.contains("quarantine")),
                "{list:?}"
            );
        };
        check(&registry);
        registry.close().await.expect("it is closed");
        let registry = open(config(folder.path())).await;
        check(&registry);
        registry
            .load(load(&version("0.1.1")))
            .await
            .expect("another one");
        assert_eq!(registry.list()[0].problem, None);
    });
}

#[test]
fn a_component_that_can_t_be_loaded_is_told_as_the_loader_tells_it() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let failure = refused(&registry, load(b"")).await;
        assert!(matches!(
            failure,
            LoadFailure::Component(LoadError::NotWasm)
        ));
        assert_eq!(failure.hint(), LoadError::NotWasm.hint());
    });
}
