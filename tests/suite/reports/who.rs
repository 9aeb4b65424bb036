//! Who made a difference, as the vendor's records tell.

use serde_json::{Value, json};

use super::{
    differences::{changes, scene},
    scene::text,
};
use crate::command_line::{Served, harness};

/// A vendor, and a store that it is synced into.
struct Site {
    simulator: Served,
    folder: tempfile::TempDir,
}

impl Site {
    fn start(more: &[&str]) -> Self {
        Self {
            simulator: Served::start(&[&["--users", "30"], more].concat()),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("store.db")
    }

    /// Runs a command that talks to the vendor.
    fn output(&self, args: &[&str]) -> std::process::Output {
        harness()
            .args(args)
            .args(["--base-url", &self.simulator.origin])
            .env("PAGERDUTY_TOKEN", "simulated-token")
            .output()
            .expect("it runs")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn sync(&self) {
        self.done(&["sync", "--store", text(&self.store())]);
    }

    fn diff(&self) -> Vec<(String, String, String, Value)> {
        changes(&self.done(&["diff", "--json", "--store", text(&self.store())]))
    }
}

#[test]
fn what_happened_at_the_vendor_between_two_syncs_is_told() {
    let site = Site::start(&[]);
    site.sync();
    site.sync();
    assert_eq!(site.diff(), [], "nothing happened");
    site.done(&["create", "--email", "ada@acme.example", "--name", "Ada New"]);
    site.sync();
    let found = site.diff();
    let labels: Vec<&str> = found
        .iter()
        .filter(|change| change.0 == "created")
        .map(|change| change.2.as_str())
        .collect();
    assert!(labels.contains(&"ada@acme.example (Ada New)"), "{found:#?}");
    assert!(
        labels
            .iter()
            .any(|label| label.starts_with("ada@acme.example (Ada New): role: ")),
        "{found:#?}"
    );
    site.done(&["delete", "ada@acme.example", "--yes"]);
    site.sync();
    let found = site.diff();
    let gone: Vec<&(String, String, String, Value)> = found
        .iter()
        .filter(|change| change.0 == "removed")
        .collect();
    assert_eq!(gone[0].2, "ada@acme.example (Ada New)");
    assert!(gone.len() >= 3, "the account and what it held: {found:#?}");
}

#[test]
fn audit_records_tell_who_did_it() {
    let site = Site::start(&[]);
    site.sync();
    site.done(&["create", "--email", "ada@acme.example", "--name", "Ada New"]);
    site.sync();
    let store = site.store();
    let told = site.done(&["diff", "--who", "--json", "--store", text(&store)]);
    let json: Value = serde_json::from_str(&told).expect("JSON");
    let changes = json["changes"].as_array().expect("a list");
    let ada = changes
        .iter()
        .find(|change| change["label"] == "ada@acme.example (Ada New)")
        .expect("she is new");
    // The token is that of the account's owner.
    let [by] = &ada["by"].as_array().expect("a list")[..] else {
        panic!("{ada:#}");
    };
    assert_eq!(
        (&by["action"], &by["method"]),
        (&json!("create"), &json!("api-token"))
    );
    let owner = by["called"].as_str().expect("an account of the tenant");
    let table = site.done(&["diff", "--who", "--store", text(&store)]);
    assert!(
        table.contains(&format!("{owner} (create by api-token, ")),
        "{table}"
    );
}

#[test]
fn without_audit_records_it_is_unknown_who_did_it() {
    let without = Site::start(&["--without", "audit"]);
    without.sync();
    without.done(&["create", "--email", "ada@acme.example", "--name", "Ada New"]);
    without.sync();
    let store = without.store();
    let output = without.output(&["diff", "--who", "--json", "--store", text(&store)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("notice: audit records are left out"),
        "{said}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["audit_notices"][0]["code"], "audit-not-available");
    let changes = json["changes"].as_array().expect("a list");
    assert!(!changes.is_empty());
    for change in changes {
        assert_eq!(change.get("by"), Some(&Value::Null), "{change}");
    }
    let table = without.done(&["diff", "--who", "--store", text(&store)]);
    let lines: Vec<&str> = table.lines().skip(1).collect();
    assert!(
        lines.iter().all(|line| line.ends_with("  unknown")),
        "{table}"
    );
}

#[test]
fn audit_records_tell_who_changed_a_team_and_a_role() {
    let site = Site::start(&[]);
    site.done(&["create", "--email", "ada@acme.example", "--name", "Ada New"]);
    site.sync();
    let store = site.store();
    let membership: String = rusqlite::Connection::open(&store)
        .and_then(|connection| {
            connection.query_row(
                "SELECT entitlement_type || ':' || id || '@' || resource FROM entitlements
                 WHERE entitlement_type = 'team-membership' AND id = 'responder'",
                [],
                |row| row.get(0),
            )
        })
        .expect("a team");
    site.done(&["assign", "ada@acme.example", &membership]);
    site.done(&["assign", "ada@acme.example", "role:limited_user"]);
    site.sync();
    let told = site.done(&["diff", "--who", "--json", "--store", text(&store)]);
    let json: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(json["audit_notices"], json!([]));
    for kind in ["team-membership", "role"] {
        let changes = json["changes"].as_array().expect("a list").iter();
        let of_kind: Vec<&Value> = changes
            .filter(|change| change["key"]["entitlement_type"] == kind)
            .collect();
        assert!(!of_kind.is_empty(), "{kind}: {json:#}");
        for change in of_kind {
            let by = change["by"].as_array().expect("it is known");
            assert!(
                by.iter().any(|deed| deed["action"] == "update"
                    && deed["method"] == "api-token"
                    && deed["called"].is_string()),
                "{kind}: {change:#}"
            );
        }
    }
}

#[test]
fn nobody_is_something_else_than_unknown() {
    let site = Site::start(&[]);
    site.sync();
    site.sync();
    // No record tells of what never happened.
    let connection = rusqlite::Connection::open(site.store()).expect("a store");
    let changed = connection.execute_batch(
        "UPDATE resources SET label = label || ' once', to_run = 2
         WHERE id = (SELECT min(id) FROM resources WHERE resource_type = 'schedule');
         INSERT INTO resources SELECT tenant, resource_type, id, 2, NULL, 'now', NULL
         FROM resources WHERE to_run = 2",
    );
    changed.expect("written");
    let told = site.done(&["diff", "--who", "--json", "--store", text(&site.store())]);
    let json: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        json["changes"].as_array().map(Vec::len),
        Some(1),
        "{json:#}"
    );
    assert_eq!(json["changes"][0]["by"], json!([]));
    let table = site.done(&["diff", "--who", "--store", text(&site.store())]);
    assert!(table.trim_end().ends_with("  -"), "{table}");
}

#[test]
fn the_records_of_another_tenant_are_not_asked() {
    let site = Site::start(&[]);
    let scene = scene();
    scene.batch("UPDATE tenants SET vendor_id = 'other'");
    let output = site.output(&["diff", "--who", "--store", text(&scene.path())]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the credential is for `acme`, and the tenant in the store is `other`"),
        "{said}"
    );
}
