//! Components that wait to take over.

use std::fs;

use host_harness::{
    connector::BUNDLED,
    registry::{
        CandidateError, CandidateStatus, DirectoryWatch, Incompatibility, LoadFailure, Registry,
        Stage, audit::AuditEvent,
    },
};
use serde_json::json;

use super::{
    config, events, hostile, last, load, open, recordings, second_version, serving, version,
};
use crate::support::run;

fn candidate(registry: &Registry) -> Option<CandidateStatus> {
    registry.list()[0].candidate.clone()
}

#[test]
fn what_is_staged_waits_and_takes_over_when_it_is_wanted() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let staged = registry.stage(load(&second_version(""))).await;
        let staged = staged.expect("it is sound");
        assert!(staged.staged && !staged.unchanged);
        assert_eq!((staged.generation, staged.replaced), (1, None));
        assert_eq!(staged.version, "0.2.0");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        let waits = candidate(&registry).expect("it waits");
        assert_eq!(
            (waits.sha256, waits.version, waits.source, waits.by),
            (
                staged.sha256.clone(),
                "0.2.0".to_owned(),
                "a test".to_owned(),
                "ada".to_owned()
            )
        );
        let record = last(&registry, AuditEvent::Staged);
        assert_eq!(record.component.sha256.as_ref(), Some(&staged.sha256));
        assert_eq!(record.by, "ada");

        // The same again is nothing new, another one takes its place.
        let again = registry.stage(load(&second_version(""))).await;
        let again = again.expect("it is sound");
        assert!(again.unchanged && again.staged);
        let serves = registry.stage(load(BUNDLED)).await.expect("it is sound");
        assert!(serves.unchanged && !serves.staged);
        registry
            .stage(load(&version("0.3.0")))
            .await
            .expect("it is sound");
        assert_eq!(candidate(&registry).expect("it waits").version, "0.3.0");

        // So it is after a restart.
        registry.close().await.expect("it is closed");
        let registry = open(config(folder.path())).await;
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert_eq!(candidate(&registry).expect("it waits").version, "0.3.0");
        let report = registry.swap_candidate("pagerduty", "bob", false).await;
        let report = report.expect("it is sound");
        assert_eq!((report.staged, report.replaced), (false, Some(1)));
        assert_eq!(serving(&registry).as_deref(), Some("0.3.0"));
        assert!(candidate(&registry).is_none());
        let swap = last(&registry, AuditEvent::Swap);
        assert_eq!(
            (swap.by.as_str(), &swap.detail["source"]),
            ("bob", &json!("a test"))
        );
        let components = fs::read_dir(folder.path().join("components")).expect("a folder");
        assert_eq!(components.count(), 2, "those that served");
    });
}

#[test]
fn where_nobody_serves_what_is_staged_takes_over_at_once() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let report = registry.stage(load(BUNDLED)).await.expect("it is sound");
        assert!(!report.staged);
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert!(candidate(&registry).is_none());
    });
}

#[test]
fn what_a_candidate_does_otherwise_is_told_when_it_is_staged_and_refused_when_it_is_to_serve() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let recorded = recordings();
        let mut config = config(folder.path());
        config.fixtures = Some(recorded.path().to_owned());
        let registry = open(config).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let staged = registry.stage(load(&second_version("names"))).await;
        let staged = staged.expect("it may wait");
        assert!(staged.staged && !staged.diff.is_empty());
        let failure = registry.swap_candidate("pagerduty", "ada", false).await;
        let failure = failure.expect_err("it differs");
        assert_eq!(failure.diff(), Some(&staged.diff));
        assert_eq!(
            last(&registry, AuditEvent::Staged).detail["diff"],
            json!(staged.diff)
        );
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert!(candidate(&registry).is_some(), "it waits on");
        let report = registry.swap_candidate("pagerduty", "ada", true).await;
        assert_eq!(report.expect("it was accepted").diff, staged.diff);

        let staged = registry
            .stage(hostile("takes-the-place-of-pagerduty"))
            .await;
        let staged = staged.expect("it may wait");
        let gone = Incompatibility::SettingGone("region".to_owned());
        assert!(staged.accepted.contains(&gone), "{:?}", staged.accepted);
        let failure = registry.swap_candidate("pagerduty", "ada", false).await;
        let failure = failure.expect_err("it lacks something");
        assert_eq!(failure.stage(), Stage::Compatibility);
    });
}

#[test]
fn what_is_broken_or_in_quarantine_does_not_even_wait() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        for (request, stage) in [
            (load(b"#!/bin/sh\n"), Stage::Verify),
            (hostile("panics"), Stage::Smoke),
        ] {
            let failure = registry.stage(request).await.expect_err("it is broken");
            assert_eq!(failure.stage(), stage);
        }
        let staged = registry.stage(load(&second_version(""))).await;
        let staged = staged.expect("it is sound");
        let begun = registry.shadow("pagerduty", std::num::NonZeroU32::MIN, "ada");
        begun.await.expect("there is a candidate");
        let withdrawn = registry.quarantine(&staged.sha256, "ada", "it sends the wrong mail");
        withdrawn.await.expect("it is written");
        assert!(candidate(&registry).is_none());
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        let pinned = registry.current("pagerduty").expect("one serves");
        assert!(pinned.shadow().is_none());
        let failure = registry.stage(load(&second_version(""))).await;
        let failure = failure.expect_err("it is in quarantine");
        assert_eq!(failure.stage(), Stage::Quarantine);
        let components = fs::read_dir(folder.path().join("components")).expect("a folder");
        assert_eq!(components.count(), 1, "that which serves");
    });
}

#[test]
fn a_candidate_is_looked_at_once_more_before_it_takes_over() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let recorded = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.fixtures = Some(recorded.path().to_owned());
        let registry = open(config).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let staged = registry.stage(load(&second_version("names"))).await;
        assert!(staged.expect("it is sound").diff.is_empty());
        // A recording that was made since.
        for entry in fs::read_dir(recordings().path()).expect("a folder") {
            let file = entry.expect("a file");
            fs::copy(file.path(), recorded.path().join(file.file_name())).expect("copied");
        }
        let failure = registry.swap_candidate("pagerduty", "ada", false).await;
        assert_eq!(failure.expect_err("it differs").stage(), Stage::Replay);

        let sha256 = candidate(&registry).expect("it waits").sha256;
        let file = folder.path().join(format!("components/{sha256}.wasm"));
        fs::write(file, "something else").expect("written");
        let failure = registry.swap_candidate("pagerduty", "ada", true).await;
        let failure = failure.expect_err("it is not what was staged");
        assert!(failure.to_string().contains("digest"), "{failure}");
        assert_eq!(failure.stage(), Stage::Read);
        let reason = last(&registry, AuditEvent::Refused).reason;
        assert!(reason.is_some_and(|reason| reason.contains("digest")));
        let begun = registry.shadow("pagerduty", std::num::NonZeroU32::MIN, "ada");
        begun.await.expect_err("it is not what was staged");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}

#[test]
fn without_a_candidate_there_is_nothing_to_swap_to_try_or_to_discard() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        registry
            .stage(load(&version("0.2.0")))
            .await
            .expect("it is sound");
        let nothing = registry.end_shadow("pagerduty", "ada").await;
        assert!(matches!(nothing, Err(CandidateError::NotShadowing(_))));
        let discarded = registry.discard("pagerduty", "ada").await;
        discarded.expect("there is one");
        assert!(events(&registry).contains(&AuditEvent::Discarded));
        assert!(candidate(&registry).is_none());
        let components = fs::read_dir(folder.path().join("components")).expect("a folder");
        assert_eq!(components.count(), 1, "that which serves");
        for app_id in ["pagerduty", "nobody"] {
            let failure = registry.swap_candidate(app_id, "ada", true).await;
            let failure = failure.expect_err("there is none");
            assert!(matches!(&failure, LoadFailure::NoCandidate(_)), "{failure}");
            assert!(failure.to_string().contains(app_id) && !failure.hint().is_empty());
            let every = std::num::NonZeroU32::MIN;
            for error in [
                registry.shadow(app_id, every, "ada").await,
                registry.end_shadow(app_id, "ada").await,
                registry.discard(app_id, "ada").await,
            ] {
                let error = error.expect_err("there is none");
                assert!(matches!(&error, CandidateError::None(_)), "{error}");
                assert!(!error.hint().is_empty());
            }
        }
    });
}

#[test]
fn a_watched_folder_does_not_swap_in_what_waits() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let components = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        registry
            .stage(load(&version("0.2.0")))
            .await
            .expect("it is sound");
        fs::write(components.path().join("next.wasm"), version("0.2.0")).expect("written");
        let mut watch = DirectoryWatch::new(&registry, components.path());
        watch.look().await.expect("a folder");
        assert!(watch.look().await.expect("a folder").is_empty());
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}
