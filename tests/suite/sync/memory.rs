//! Large tenants: a run takes no more memory than a small one.

use std::{
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::command_line::{Served, harness};

/// What a process may have had in memory at most, in KiB.
const MOST: u64 = 150 * 1024;

/// `cargo test --test suite a_hundred_thousand -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes, and shows its numbers"]
fn a_hundred_thousand_accounts_fit_into_150_megabytes() {
    sync(100_000);
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_tenant() {
    // What SQLite may keep in memory is not full yet with the smaller one. Four
    // kilobytes for each account more would be another 24 MiB.
    let (small, large) = (sync(5_000), sync(11_000));
    assert!(large < small + 28 * 1024, "{small} and {large} KiB");
}

/// A tenant of so many, in another process, into a store that is looked at
/// afterwards. What it had in memory at most, in KiB.
fn sync(users: u32) -> u64 {
    let served = Served::start(&["--users", &users.to_string()]);
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store.db");
    let started = Instant::now();
    let mut process = harness()
        .args(["sync", "--store"])
        .arg(&store)
        .args(["--base-url", &served.origin])
        .env("PAGERDUTY_TOKEN", "simulated-token")
        .env("HARNESS_LOG", "harness::sync=debug")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");
    let peak = peak_of(&mut process);
    let size = fs::metadata(&store).expect("there").len();
    println!(
        "{users} users: {} s, {} MiB at most, a store of {} MiB",
        started.elapsed().as_secs(),
        peak / 1024,
        size >> 20
    );
    assert!(peak > 0, "it was looked at");
    assert!(peak < MOST, "{peak} KiB");
    // Another process reads it, and SQLite's own tool would find nothing wrong.
    let listed = harness()
        .args(["runs", "--json", "--store"])
        .arg(&store)
        .output()
        .expect("it runs");
    let runs: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(runs[0]["state"], "complete", "{runs}");
    let store = Connection::open(&store).expect("a database");
    let text = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(text("PRAGMA integrity_check").expect("checked"), "ok");
    let number = |sql: &str| {
        store
            .query_row(sql, [], |row| row.get::<_, u32>(0))
            .expect(sql)
    };
    assert_eq!(number("SELECT count(*) FROM accounts"), users);
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    for kind in ["role", "license"] {
        let holders =
            format!("SELECT count(DISTINCT account) FROM grants WHERE entitlement_type = '{kind}'");
        assert_eq!(number(&holders), users, "{kind}");
    }
    peak
}

/// What a process has had in memory at most, in KiB, once it has ended well.
pub fn peak_of(process: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.split_whitespace().next()) {
            peak = peak.max(kib.parse().unwrap_or(0));
        }
        if let Some(ended) = process.try_wait().expect("it is ours") {
            assert!(ended.success(), "{ended}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
