//! New generations that turn out bad.

use std::time::Duration;

use host_harness::{
    CallError,
    connector::BUNDLED,
    registry::{GenerationState, audit::AuditEvent},
};
use serde_json::json;

use super::{
    call_hostile, config, events, hostile, last, load, open, second_version, serving, until,
};
use crate::support::{Opening, page, run};

#[test]
fn a_version_that_crashes_after_the_swap_is_rolled_back_and_put_into_quarantine() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.crashes = 2;
        let registry = open(config.clone()).await;
        let good = registry.load(hostile("sound")).await.expect("it is sound");
        let bad = registry
            .load(hostile("crashes-when-called"))
            .await
            .expect("it looks sound");
        let state = || registry.list()[0].generations[0].state;
        assert_eq!(state(), GenerationState::Probation);

        let pinned = registry.current("hostile").expect("one serves");
        let other = registry.current("hostile").expect("one serves");
        let third = registry.current("hostile").expect("one serves");
        for (pinned, serves) in [
            (&pinned, bad.generation),
            (&other, good.generation),
            // Whoever comes late changes nothing any more.
            (&third, good.generation),
        ] {
            let error = call_hostile(pinned).await.expect_err("it crashes");
            assert_eq!(error.code(), "internal");
            let now = registry.current("hostile").expect("one serves");
            assert_eq!(now.generation(), serves);
        }
        let now = registry.current("hostile").expect("one serves");
        let error = call_hostile(&now)
            .await
            .expect_err("there is no such account");
        assert_eq!(error.code(), "not_found");

        let records = registry.history(Some("hostile")).expect("it holds");
        let rollbacks: Vec<_> = records
            .iter()
            .filter(|record| record.event == AuditEvent::Rollback)
            .collect();
        assert_eq!(rollbacks.len(), 1);
        let reason = rollbacks[0].reason.as_deref().expect("a reason");
        assert!(
            reason.contains("2 calls of generation 2 crashed") && reason.contains("unreachable"),
            "{reason}"
        );
        assert_eq!(rollbacks[0].by, "registry");
        assert_eq!(rollbacks[0].generation, Some(good.generation));
        let quarantined = registry.quarantined();
        assert_eq!(quarantined[&bad.sha256].reason, reason);
        registry
            .load(hostile("crashes-when-called"))
            .await
            .expect_err("it is in quarantine");

        // So it is after a restart.
        drop((pinned, other, third, now));
        registry.close().await.expect("it is closed");
        let registry = open(config).await;
        let now = registry.current("hostile").expect("one serves");
        assert_eq!(now.generation(), good.generation);
        registry
            .load(hostile("crashes-when-called"))
            .await
            .expect_err("it is in quarantine");
    });
}

#[test]
fn a_version_that_traps_on_data_that_no_recording_has_is_rolled_back_by_itself() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let mut config = config(folder.path());
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
        config.fixtures = Some(fixtures.into());
        let registry = open(config).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let report = registry.load(load(&second_version("traps"))).await;
        let report = report.expect("it does the same on all recordings");
        assert!(report.diff.is_empty() && report.diff.played > 10);
        let call = async || {
            let pinned = registry.current("pagerduty").expect("one serves");
            let tenant = pinned.open(bench.config.clone()).expect("it opens");
            let outcome = tenant.list_accounts(page(None)).await;
            pinned.report(&outcome);
            outcome
        };
        call().await.expect("nobody has that job yet");
        let somebody = &bench.simulator.user_ids()[3];
        let hired = json!({ "user": { "job_title": "Lift Operator" } });
        let path = format!("/users/{somebody}");
        let (status, _) = bench.simulator.ask("PUT", &path, Some(&hired));
        assert_eq!(status, 200);
        for _ in 0..3 {
            assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
            let error = call().await.expect_err("it traps");
            assert!(matches!(error, CallError::Trap(_)), "{error}");
        }
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        let accounts = call().await.expect("it knows the job").items;
        let found = accounts.iter().find(|account| account.id == *somebody);
        let attributes = &found.expect("listed").attributes;
        assert!(attributes.iter().any(|(_, value)| value == "Lift Operator"));
        let rollback = last(&registry, AuditEvent::Rollback);
        assert_eq!(rollback.by, "registry");
        let reason = rollback.reason.expect("it says why");
        assert!(
            reason.contains("3 calls of generation 2 crashed") && reason.contains("unreachable"),
            "{reason}"
        );
        assert_eq!(registry.quarantined()[&report.sha256].reason, reason);
        let again = registry.load(load(&second_version("traps"))).await;
        again.expect_err("it is in quarantine");
    });
}

#[test]
fn a_process_that_ends_during_a_probation_still_knows_whom_to_return_to() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.crashes = 1;
        let registry = open(config.clone()).await;
        let good = registry.load(hostile("sound")).await.expect("it is sound");
        let bad = registry
            .load(hostile("crashes-when-called"))
            .await
            .expect("it looks sound");
        registry.close().await.expect("it is closed");
        let registry = open(config).await;
        let pinned = registry.current("hostile").expect("one serves");
        assert_eq!(pinned.generation(), bad.generation);
        call_hostile(&pinned).await.expect_err("it crashes");
        let pinned = registry.current("hostile").expect("one serves");
        assert_eq!(pinned.generation(), good.generation);
    });
}

#[test]
fn a_connector_that_crashes_goes_on_to_serve_where_there_is_none_to_return_to() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.crashes = 1;
        let registry = open(config).await;
        registry
            .load(hostile("crashes-when-called"))
            .await
            .expect("it looks sound");
        for _ in 0..3 {
            let pinned = registry.current("hostile").expect("one serves");
            call_hostile(&pinned).await.expect_err("it crashes");
        }
        assert!(registry.quarantined().is_empty());
        let traffic = registry.list()[0].generations[0]
            .traffic
            .expect("it serves");
        assert_eq!(
            (traffic.calls, traffic.crashes, traffic.in_flight),
            (3, 3, 0)
        );
    });
}

#[test]
fn after_its_probation_a_crash_costs_the_call_and_nothing_else() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.crashes = 1;
        config.probation = Duration::from_millis(1);
        let registry = open(config).await;
        registry.load(hostile("sound")).await.expect("it is sound");
        let bad = registry
            .load(hostile("crashes-when-called"))
            .await
            .expect("it looks sound");
        until(&registry, |registry| {
            registry.list()[0].generations[0].state == GenerationState::Serving
        })
        .await;
        assert!(events(&registry).contains(&AuditEvent::Confirmed));
        let pinned = registry.current("hostile").expect("one serves");
        call_hostile(&pinned).await.expect_err("it crashes");
        let pinned = registry.current("hostile").expect("one serves");
        assert_eq!(pinned.generation(), bad.generation);
    });
}

#[test]
fn failures_that_are_not_the_connector_s_own_do_not_roll_it_back() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.crashes = 1;
        let registry = open(config).await;
        registry
            .load(hostile("panics-in-no-way"))
            .await
            .expect("it is sound");
        let new = registry.load(hostile("sound")).await.expect("it is sound");
        let pinned = registry.current("hostile").expect("one serves");
        call_hostile(&pinned)
            .await
            .expect_err("there is no such account");
        let traffic = registry.list()[0].generations[0]
            .traffic
            .expect("it serves");
        assert_eq!((traffic.failures, traffic.crashes), (1, 0));
        let pinned = registry.current("hostile").expect("one serves");
        assert_eq!(pinned.generation(), new.generation);
    });
}
