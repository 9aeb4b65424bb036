//! Large tenants: what is told of one takes no more memory than of a small one.

use std::process::Stdio;

use super::scene::{Scene, text};
use crate::{command_line::harness, sync::memory::peak_of};

/// What a process may have had in memory at most, in KiB: twice of what it takes
/// to read a small store.
const MOST: u64 = 64 * 1024;

/// Accounts, each of which holds three things with long names.
const ACCOUNTS: u32 = 15_000;

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_what_is_told() {
    let scene = Scene::with(&[]);
    scene.batch(&format!(
        "UPDATE entitlements SET label = label || printf('%.*c', 400, 'x');
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ACCOUNTS})
         INSERT INTO accounts (tenant, id, from_run, email, display_name, status, kind, attributes)
         SELECT 1, 'P' || n, 2, 'p' || n || '@acme.example', printf('%.*c', 200, 'n'), 'pending', 'user', '{{}}'
         FROM n;
         INSERT INTO grants (tenant, account, entitlement_type, resource_type, resource, entitlement, from_run)
         SELECT 1, a.id, e.entitlement_type, e.resource_type, e.resource, e.id, 2
         FROM accounts a JOIN entitlements e ON e.id IN ('user', 'LFULL', 'responder')",
    ));
    for command in [
        &["report", "access"][..],
        &["report", "licences"],
        &["report", "inactive"],
        &["report", "licences", "--format", "csv"],
        &["diff"],
        &["diff", "--json"],
    ] {
        let mut process = harness()
            .args(command)
            .args(["--store", text(&scene.path())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let peak = peak_of(&mut process);
        println!("{command:?}: {} MiB at most", peak / 1024);
        assert!(peak > 0, "it was looked at");
        assert!(peak < MOST, "{command:?}: {peak} KiB");
    }
}
