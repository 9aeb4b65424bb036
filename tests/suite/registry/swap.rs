//! Taking over from one another.

use std::time::Duration;

use host_harness::registry::{GenerationState, LoadReport, Registry, audit::AuditEvent};

use super::{config, events, load, open, serving, until, version};
use crate::support::run;

async fn loaded(registry: &Registry, versions: &[&str]) -> Vec<LoadReport> {
    let mut reports = Vec::new();
    for version in versions {
        let request = load(&self::version(version));
        reports.push(registry.load(request).await.expect("it is sound"));
    }
    reports
}

#[test]
fn a_call_keeps_its_generation_and_is_reported_when_it_outstays_the_deadline() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.drain_deadline = Duration::ZERO;
        config.probation = Duration::ZERO;
        let registry = open(config).await;
        loaded(&registry, &["0.1.0"]).await;
        let pinned = registry.current("pagerduty").expect("one serves");
        loaded(&registry, &["0.1.1"]).await;
        assert_eq!(pinned.descriptor().version, "0.1.0");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.1"));
        until(&registry, |registry| {
            events(registry).contains(&AuditEvent::DrainOverdue)
        })
        .await;
        let states: Vec<_> = registry.list()[0]
            .generations
            .iter()
            .map(|generation| generation.state)
            .collect();
        assert_eq!(
            states,
            [GenerationState::Serving, GenerationState::Draining]
        );
        assert_eq!(registry.in_memory(), 2);
        assert!(!events(&registry).contains(&AuditEvent::Drained));

        drop(pinned);
        until(&registry, |registry| {
            events(registry).contains(&AuditEvent::Drained) && registry.in_memory() == 1
        })
        .await;
    });
}

#[test]
fn a_generation_that_is_returned_to_while_its_calls_run_on_was_never_drained() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        loaded(&registry, &["0.1.0"]).await;
        let first = registry.current("pagerduty").expect("one serves");
        loaded(&registry, &["0.1.1"]).await;
        let second = registry.current("pagerduty").expect("one serves");
        let back = registry.rollback("pagerduty", None, "ada", "").await;
        assert_eq!(back.expect("it is there"), first.generation());
        drop(first);
        assert_eq!(
            registry.list()[0].generations[0].state,
            GenerationState::Draining
        );
        drop(second);
        until(&registry, |registry| {
            events(registry).contains(&AuditEvent::Drained)
        })
        .await;
        let records = registry.history(None).expect("the chain holds");
        let drained = records
            .iter()
            .filter(|record| record.event == AuditEvent::Drained);
        let drained: Vec<_> = drained.map(|record| record.generation).collect();
        assert_eq!(drained, [Some(2)]);
        // All in time.
        assert!(!events(&registry).contains(&AuditEvent::DrainOverdue));
    });
}

#[test]
fn the_same_digest_again_changes_nothing() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let first = loaded(&registry, &["0.1.0"]).await;
        let records = events(&registry).len();
        let again = loaded(&registry, &["0.1.0"]).await;
        assert!(again[0].unchanged && !first[0].unchanged);
        assert_eq!(again[0].generation, first[0].generation);
        assert_eq!(events(&registry).len(), records);
    });
}

#[test]
fn the_last_few_generations_can_be_returned_to_and_no_others() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.keep = 2;
        config.probation = Duration::ZERO;
        let registry = open(config).await;
        let reports = loaded(&registry, &["0.1.0", "0.1.1", "0.1.2", "0.1.3"]).await;
        let kept: Vec<u64> = registry.list()[0]
            .generations
            .iter()
            .map(|generation| generation.record.id)
            .collect();
        assert_eq!(kept, [4, 3, 2]);
        let files = std::fs::read_dir(folder.path().join("components")).expect("a folder");
        assert_eq!(files.count(), 3);
        let gone = registry.rollback("pagerduty", Some(1), "ada", "").await;
        let gone = gone.expect_err("it is not kept");
        assert_eq!(gone.to_string(), "generation 1 of `pagerduty` is not kept");
        let back = registry
            .rollback("pagerduty", None, "ada", "too slow")
            .await;
        assert_eq!(back.expect("it is kept"), 3);
        assert_eq!(serving(&registry).as_deref(), Some("0.1.2"));
        let back = registry
            .rollback("pagerduty", None, "ada", "too slow")
            .await;
        assert_eq!(back.expect("it is kept"), 2);
        let none = registry.rollback("pagerduty", None, "ada", "").await;
        none.expect_err("there is no earlier one");
        let forth = registry.rollback("pagerduty", Some(4), "ada", "").await;
        assert_eq!(forth.expect("it is kept"), reports[3].generation);
        let records = registry.history(Some("pagerduty")).expect("it holds");
        let rollback = records
            .iter()
            .find(|record| record.event == AuditEvent::Rollback)
            .expect("a record");
        assert_eq!(rollback.reason.as_deref(), Some("too slow"));
        assert_eq!(rollback.component.version.as_deref(), Some("0.1.2"));
        assert_eq!(
            rollback.component.contract.as_deref(),
            Some("iga:connector@0.1.0")
        );
        assert_eq!(rollback.by, "ada");
        let unknown = registry.rollback("nobody", None, "ada", "").await;
        unknown.expect_err("there is no such connector");
    });
}
