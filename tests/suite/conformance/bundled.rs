//! The bundled connector conforms, and so does the small one as it is built.

use super::{Outcomes, Workshop, described, ids};
use crate::command_line::{Served, harness};

pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// Needs recordings.
const RECORDINGS: [&str; 2] = ["budget", "recordings"];

/// Needs a second version.
const TWO_VERSIONS: [&str; 2] = ["swap", "versions"];

/// Needs the vendor's description.
const DESCRIPTION: [&str; 1] = ["openapi"];

/// Needs more than the calls of recordings.
const TENANT: &[&str] = &[
    "account-grants",
    "assign",
    "assign-again",
    "assign-in-place",
    "awkward-ids",
    "bounds",
    "create",
    "create-again",
    "create-full",
    "create-invalid",
    "credential",
    "credential-revoked",
    "credential-rights",
    "credential-wrong",
    "declared-requests",
    "delete",
    "delete-again",
    "dry-run",
    "fault-change",
    "get-account",
    "on-call",
    "page-sizes",
    "page-token",
    "page-token-of-another",
    "plan",
    "plan-applied",
    "plan-refused",
    "reads",
    "reads-change-nothing",
    "references",
    "resume",
    "secrets",
    "unassign",
    "unassign-again",
    "unknown-account",
    "unsupported",
    "update",
    "update-again",
];

#[track_caller]
fn assert_conformant(outcomes: &Outcomes, skipped: &[&[&str]]) {
    assert_eq!(outcomes.told("fail"), []);
    assert_eq!(outcomes.told("warn"), []);
    assert_eq!(
        outcomes.ids("skip"),
        ids(&skipped.concat()),
        "{:?}",
        outcomes.told("skip")
    );
    for (id, reason) in outcomes.told("skip") {
        assert!(reason.len() > 20, "`{id}` is skipped because of `{reason}`");
    }
    assert_eq!(outcomes.report["conformant"], true);
    assert_eq!(outcomes.code, Some(0));
}

fn bundled(args: &[&str]) -> Outcomes {
    let output = harness()
        .args(["conformance", "--format", "json"])
        .args(args)
        .output()
        .expect("it runs");
    Outcomes::of(&output)
}

#[test]
fn the_bundled_connector_conforms_on_the_simulator() {
    // It declares all that it exports; the simulated plan lacks nothing.
    let nothing_to_see = ["notices", "unsupported"];
    let outcomes = bundled(&["--simulator"]);
    let skipped: [&[&str]; 4] = [&nothing_to_see, &RECORDINGS, &TWO_VERSIONS, &DESCRIPTION];
    assert_conformant(&outcomes, &skipped);
}

#[test]
fn the_bundled_connector_conforms_on_its_recordings() {
    let outcomes = bundled(&["--cassette", FIXTURES]);
    assert_conformant(&outcomes, &[TENANT, &TWO_VERSIONS, &DESCRIPTION]);
}

#[test]
fn the_bundled_connector_conforms_on_a_tenant_that_is_only_read() {
    let simulator = Served::start(&["--users", "30"]);
    let output = harness()
        .env("PAGERDUTY_TOKEN", pagerduty_simulator::TOKENS.owner)
        .args(["conformance", "--live", "--read-only", "--format", "json"])
        .args(["--base-url", &simulator.origin])
        .output()
        .expect("it runs");
    // Nobody can tell that vendor to revoke a credential.
    let vendor = [
        "credential-revoked",
        "credential-wrong",
        "reads-change-nothing",
    ];
    let nothing_to_see = ["notices", "unsupported"];
    let skipped: [&[&str]; 5] = [
        &vendor,
        &nothing_to_see,
        &RECORDINGS,
        &TWO_VERSIONS,
        &DESCRIPTION,
    ];
    assert_conformant(&Outcomes::of(&output), &skipped);
}

#[test]
fn the_bundled_connector_conforms_beside_itself() {
    // Its own file as the other version: nothing may differ.
    let workshop = Workshop::new();
    let same = workshop.path("same.wasm");
    std::fs::write(&same, host_harness::connector::BUNDLED).expect("a writable folder");
    let same = same.to_str().expect("a path");
    let outcomes = bundled(&["--check", "swap", "--check", "versions", "--against", same]);
    assert_conformant(&outcomes, &[]);
}

#[test]
fn the_small_connector_is_sound() {
    let workshop = Workshop::new();
    let sound = workshop.connector("nothing");
    let description = described::small(&workshop);
    let description = description.to_str().expect("a path");
    let outcomes = workshop.check(&sound, &["--users", "12", "--openapi", description]);
    assert_conformant(&outcomes, &[&["notices"], &RECORDINGS, &TWO_VERSIONS]);
}
