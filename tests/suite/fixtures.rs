//! The recordings in `tests/fixtures`: each replays, exactly and completely.

use std::{fs, path::PathBuf};

use host_harness::egress::cassette::{Cassette, Severity, lint};
use serde_json::Value;

use crate::{cassettes::replay, support::run};

fn fixtures() -> Vec<(PathBuf, Cassette)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let cassette = Cassette::read(&path).expect("a cassette");
            (path, cassette)
        })
        .collect()
}

/// Plays a fixture's own calls. Pages follow each other by the tokens that the
/// replay gives, which are those of the recording.
async fn play(cassette: &Cassette) -> (Vec<Value>, Vec<String>) {
    let tenant = replay(cassette.clone());
    let mut results = Vec::new();
    for call in &cassette.harness.calls {
        results.push(match tenant.call(&call.function, &call.input).await {
            Ok(value) => value,
            Err(error) => host_harness::contract::to_json(&error.to_contract()),
        });
    }
    (results, tenant.unplayed())
}

#[test]
fn every_fixture_replays_completely_and_the_same_twice() {
    run(async {
        for (path, cassette) in fixtures() {
            let (first, unplayed) = play(&cassette).await;
            assert!(!first.is_empty(), "{}", path.display());
            assert_eq!(unplayed, Vec::<String>::new(), "{}", path.display());
            let (second, _) = play(&cassette).await;
            assert_eq!(first, second, "{}", path.display());
        }
    });
}

#[test]
fn every_fixture_is_free_of_people_and_secrets() {
    for (path, cassette) in fixtures() {
        let bad: Vec<_> = lint(&cassette, jiff::Timestamp::now())
            .into_iter()
            .filter(|finding| finding.severity >= Severity::Warning)
            .collect();
        assert!(bad.is_empty(), "{}: {bad:?}", path.display());
    }
}

#[test]
fn every_capability_has_a_fixture() {
    let recorded: std::collections::BTreeSet<String> = fixtures()
        .into_iter()
        .flat_map(|(_, cassette)| cassette.harness.calls)
        .map(|call| call.function)
        .collect();
    for function in crate::support::connector().functions() {
        assert!(
            recorded.contains(function) || function == "metadata.describe",
            "no fixture for {function}"
        );
    }
}

#[test]
fn the_awkward_tenants_have_fixtures() {
    let names: Vec<String> = fixtures()
        .into_iter()
        .filter_map(|(path, _)| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    for name in [
        "no-teams-ability",
        "account-key",
        "region-mismatch",
        "stakeholder",
        "v3-schedule",
        "empty-tenant",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "no `{name}` among {names:?}"
        );
    }
}
