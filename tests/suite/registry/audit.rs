//! The audit log, and what somebody does to it.

use std::{fs, io::Write, path::Path};

use host_harness::registry::{
    Registry, RegistryError,
    audit::{AuditError, AuditEvent, verify},
};
use serde_json::Value;

use super::{config, engine, load, open, serving, version};
use crate::support::run;

/// A registry that did a few things, and is closed.
async fn closed(folder: &Path) -> Vec<String> {
    let registry = open(config(folder)).await;
    for version in ["0.1.0", "0.1.1"] {
        let request = load(&self::version(version));
        registry.load(request).await.expect("it is sound");
    }
    registry
        .load(load(b"not even close"))
        .await
        .expect_err("it is none");
    registry
        .rollback("pagerduty", None, "ada", "as a test")
        .await
        .expect("it is kept");
    registry.close().await.expect("it is closed");
    let text = fs::read_to_string(folder.join("audit.jsonl")).expect("a log");
    text.lines().map(str::to_owned).collect()
}

fn write(folder: &Path, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("audit.jsonl"), text).expect("written");
}

#[test]
fn a_record_that_was_changed_moved_taken_out_or_put_in_breaks_the_chain_there() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = closed(folder.path()).await;
        let path = folder.path().join("audit.jsonl");
        let sound = verify(&path).expect("nobody was at it");
        assert_eq!(sound.records.len(), lines.len());
        assert_eq!(sound.head.seq, lines.len() as u64);
        assert!(lines.len() >= 4);
        let broken_at = |lines: &[String]| {
            write(folder.path(), lines);
            match verify(&path) {
                Err(AuditError::Broken { line, .. }) => line,
                other => panic!("{other:?}"),
            }
        };
        for at in 0..lines.len() {
            let here = at as u64 + 1;
            let mut changed = lines.clone();
            changed[at] = changed[at].replacen("\"by\":\"", "\"by\":\"not-", 1);
            assert_eq!(broken_at(&changed), here);

            // Fields that nobody reads are a place to hide in.
            let mut widened = lines.clone();
            widened[at] = widened[at].replacen('{', "{\"extra\":1,", 1);
            assert_eq!(broken_at(&widened), here);

            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert_eq!(broken_at(&doubled), here + 1);

            if at + 1 < lines.len() {
                let mut without = lines.clone();
                without.remove(at);
                assert_eq!(broken_at(&without), here);
                let mut swapped = lines.clone();
                swapped.swap(at, at + 1);
                assert_eq!(broken_at(&swapped), here);
            }
        }
        // A registry does not go on with such a log.
        let error = Registry::open(engine(), config(folder.path()))
            .await
            .expect_err("it is broken");
        assert!(matches!(error, RegistryError::Audit(_)), "{error}");
    });
}

#[test]
fn a_log_that_lacks_its_last_records_is_noticed_by_the_registry() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = closed(folder.path()).await;
        write(folder.path(), &lines[..lines.len() - 1]);
        verify(&folder.path().join("audit.jsonl")).expect("the chain alone does not show it");
        let error = Registry::open(engine(), config(folder.path()))
            .await
            .expect_err("it is shorter than it was");
        assert!(
            matches!(error, RegistryError::Audit(AuditError::Shortened { .. })),
            "{error}"
        );
        assert!(!error.hint().is_empty());
    });
}

#[test]
fn a_line_that_was_not_written_to_its_end_is_cut_off_and_that_is_recorded() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = closed(folder.path()).await;
        let path = folder.path().join("audit.jsonl");
        let torn = &lines[0][..40];
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("a log");
        file.write_all(torn.as_bytes()).expect("written");
        let found = verify(&path).expect("what is whole is sound");
        assert_eq!(found.torn, torn.len() as u64);

        let registry = open(config(folder.path())).await;
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        let check = registry.check_audit().expect("it is whole again");
        assert_eq!(check.torn, 0);
        let record = &check.records[lines.len()];
        assert_eq!(record.event, AuditEvent::Torn);
        assert_eq!(record.detail["bytes"], Value::from(torn.len()));
    });
}
