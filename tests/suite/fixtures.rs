//! The recordings in `tests/fixtures`: each replays, exactly and completely.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use host_harness::{
    CallReport, Connector, Engine, EngineConfig, ReplaysOn,
    egress::cassette::{Cassette, Severity, lint},
};
use serde_json::Value;

use crate::{
    cassettes::replay_config,
    support::{connector, run},
};

pub fn fixtures() -> Vec<(PathBuf, Cassette)> {
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
async fn play(cassette: &Cassette) -> Played {
    play_on(connector(), cassette).await
}

async fn play_on(connector: &Connector, cassette: &Cassette) -> Played {
    let calls: Arc<Mutex<Vec<CallReport>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let config = replay_config(cassette.clone()).observe(move |report| {
        let mut report = report.clone();
        // The only thing in it that hangs on the machine.
        report.elapsed = Duration::ZERO;
        seen.lock().expect("no panic").push(report);
    });
    let tenant = connector.open(config).expect("it opens");
    let mut results = Vec::new();
    for call in &cassette.harness.calls {
        results.push(match tenant.call(&call.function, &call.input).await {
            Ok(value) => value,
            Err(error) => host_harness::contract::to_json(&error.to_contract()),
        });
    }
    let calls = std::mem::take(&mut *calls.lock().expect("no panic"));
    Played {
        results,
        unplayed: tenant.unplayed(),
        calls,
    }
}

/// What came of a fixture.
#[derive(Debug, PartialEq)]
struct Played {
    results: Vec<Value>,
    unplayed: Vec<String>,
    /// Their requests, log lines, errors and instructions.
    calls: Vec<CallReport>,
}

#[test]
fn every_fixture_replays_completely_and_twice_with_the_same_output_requests_and_fuel() {
    run(async {
        for (path, cassette) in fixtures() {
            let first = play(&cassette).await;
            assert!(!first.results.is_empty(), "{}", path.display());
            assert_eq!(first.unplayed, Vec::<String>::new(), "{}", path.display());
            assert_eq!(first.calls.len(), first.results.len(), "{}", path.display());
            assert!(first.calls.iter().all(|call| call.fuel > Some(0)));
            let requests: usize = first.calls.iter().map(|call| call.requests.len()).sum();
            assert_eq!(requests, cassette.interactions.len(), "{}", path.display());
            // Others run beside it, which must not make a difference.
            let (second, third) = tokio::join!(play(&cassette), play(&cassette));
            assert_eq!(first, second, "{}", path.display());
            assert_eq!(first, third, "{}", path.display());
        }
    });
}

#[test]
fn a_replay_is_the_same_on_the_callers_thread() {
    run(async {
        let mut config = EngineConfig::default();
        config.replays = ReplaysOn::CallersThread;
        let engine = Engine::new(config).expect("an engine");
        let connector = Connector::bundled(&engine).await.expect("it loads");
        for (path, cassette) in fixtures() {
            let elsewhere = play(&cassette).await;
            let here = play_on(&connector, &cassette).await;
            assert_eq!(elsewhere, here, "{}", path.display());
        }
    });
}

#[tokio::test]
async fn a_runtime_with_one_thread_replays_on_another() {
    let mut config = EngineConfig::default();
    config.replays = ReplaysOn::CallersThread;
    let engine = Engine::new(config).expect("an engine");
    let connector = Connector::bundled(&engine).await.expect("it loads");
    let (_, cassette) = fixtures().swap_remove(0);
    assert_eq!(play_on(&connector, &cassette).await, play(&cassette).await);
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
    for function in connector().functions() {
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
