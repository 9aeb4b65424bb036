//! What is different between two runs.

use serde_json::{Value, json};

use super::scene::{Scene, text};
use crate::command_line::{Served, harness};

fn changes(told: &str) -> Vec<(String, String, String, Value)> {
    let json: Value = serde_json::from_str(told).expect("JSON");
    let word = |change: &Value, name: &str| change[name].as_str().expect(name).to_owned();
    let changes = json["changes"].as_array().expect("a list");
    changes
        .iter()
        .map(|change| {
            (
                word(change, "change"),
                word(change, "kind"),
                word(change, "label"),
                change["fields"].clone(),
            )
        })
        .collect()
}

fn told(change: &str, kind: &str, label: &str, fields: Value) -> (String, String, String, Value) {
    (change.to_owned(), kind.to_owned(), label.to_owned(), fields)
}

/// Bob becomes Bobby and leaves a team, Carol is gone, Dan is new, and a schedule
/// has another name.
fn scene() -> Scene {
    let scene = Scene::with(&[
        ("PADA", "Ada", "active", None),
        ("PBOB", "Bob", "pending", None),
        ("PCAR", "Carol", "active", None),
    ]);
    let team = ("team-membership", "team", "TPAY", "responder");
    scene.grant(1, "PBOB", team, None);
    scene.batch(
        r#"UPDATE accounts SET to_run = 2 WHERE id IN ('PBOB', 'PCAR');
        INSERT INTO accounts (tenant, id, from_run, email, display_name, status, kind, attributes, last_seen_run)
            VALUES (1, 'PBOB', 2, 'pbob@acme.example', 'Bobby', 'active', 'user', '{"job-title":"Lead","locale":"de"}', NULL),
                   (1, 'PCAR', 2, 'pcar@acme.example', 'Carol', 'deprovisioned', 'user', '{}', 1);
        UPDATE grants SET to_run = 2 WHERE account = 'PCAR' OR entitlement_type = 'team-membership';
        UPDATE resources SET to_run = 2 WHERE id = 'SPRIM';
        INSERT INTO resources VALUES (1, 'schedule', 'SPRIM', 2, NULL, 'First line', NULL);"#,
    );
    scene.account(2, ("PDAN", "Dan", "active", None));
    scene.grant(
        2,
        "PDAN",
        ("schedule-membership", "schedule", "SPRIM", "member"),
        None,
    );
    scene
}

#[test]
fn what_was_created_removed_and_changed_is_told_in_peoples_words() {
    let scene = scene();
    let found = changes(&scene.told(&["diff", "--json"]));
    let field = |name: &str, before: Value, after: Value| json!({"field": name, "before": before, "after": after});
    assert_eq!(
        found,
        [
            told(
                "changed",
                "account",
                "pbob@acme.example (Bobby)",
                json!([
                    field("display_name", json!("Bob"), json!("Bobby")),
                    field("status", json!("pending"), json!("active")),
                    field("attributes.job-title", json!("Engineer"), json!("Lead")),
                    field("attributes.locale", Value::Null, json!("de")),
                ])
            ),
            told("removed", "account", "pcar@acme.example (Carol)", json!([])),
            told("created", "account", "pdan@acme.example (Dan)", json!([])),
            told(
                "changed",
                "resource",
                "schedule First line",
                json!([field("label", json!("Primary"), json!("First line"))])
            ),
            // Under the names that they had then.
            told(
                "removed",
                "grant",
                "pbob@acme.example (Bob): team membership: Responder on Payments",
                json!([])
            ),
            told(
                "removed",
                "grant",
                "pcar@acme.example (Carol): license: Full User",
                json!([])
            ),
            told(
                "removed",
                "grant",
                "pcar@acme.example (Carol): role: Manager",
                json!([])
            ),
            told(
                "created",
                "grant",
                "pdan@acme.example (Dan): schedule membership: Member on First line",
                json!([])
            ),
        ]
    );
    let output = scene.run_command(&["diff"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        table.contains("display_name: Bob -> Bobby, status: pending -> active"),
        "{table}"
    );
    assert_eq!(
        said,
        "run 1 of 2026-01-10 08:05 UTC to run 2 of 2026-06-30 12:00 UTC: accounts +1 -1 ~1, \
         resources +0 -0 ~1, grants +1 -3 ~0\n"
    );
}

#[test]
fn backwards_what_was_created_is_removed() {
    let scene = scene();
    let mut forwards = changes(&scene.told(&["diff", "1", "2", "--json"]));
    let backwards = changes(&scene.told(&["diff", "2", "1", "--json"]));
    assert_eq!(forwards.len(), backwards.len());
    for change in &mut forwards {
        change.0 = match change.0.as_str() {
            "created" => "removed".to_owned(),
            "removed" => "created".to_owned(),
            same => same.to_owned(),
        };
    }
    let fates = |changes: &[(String, String, String, Value)]| -> Vec<(String, String)> {
        let fates = changes
            .iter()
            .map(|change| (change.0.clone(), change.1.clone()));
        fates.collect()
    };
    assert_eq!(fates(&forwards), fates(&backwards));
}

#[test]
fn what_changed_and_changed_back_is_no_difference() {
    let scene = scene();
    scene.run(3, 1, "2026-07-01T00:00:00Z");
    scene.batch(
        "UPDATE resources SET to_run = 3 WHERE id = 'SPRIM' AND to_run IS NULL;
         INSERT INTO resources VALUES (1, 'schedule', 'SPRIM', 3, NULL, 'Primary', NULL);",
    );
    let found = changes(&scene.told(&["diff", "1", "3", "--json"]));
    assert!(
        found.iter().all(|change| change.1 != "resource"),
        "{found:#?}"
    );
    // The last two, if none is named; that one and the last one, if one is.
    assert_eq!(changes(&scene.told(&["diff", "--json"])).len(), 1);
    assert_eq!(changes(&scene.told(&["diff", "1", "--json"])), found);
    // A run that is not complete is passed over, and not to be asked for.
    scene.batch(
        "INSERT INTO runs (id, tenant, state, began_at, connector_version, component_sha256)
         VALUES (4, 1, 'running', '2026-07-02T00:00:00Z', '0.1.0', 'abc')",
    );
    assert_eq!(changes(&scene.told(&["diff", "--json"])).len(), 1);
    let (_, said) = scene.refused(&["diff", "3", "4"]);
    assert!(said.contains("run 4 is running, not complete"), "{said}");
    let (_, said) = scene.refused(&["diff", "3"]);
    assert!(
        said.contains("run 3 can't be compared with itself"),
        "{said}"
    );
}

#[test]
fn one_run_is_nothing_to_compare() {
    let scene = Scene::empty();
    scene.tenant(1, "acme");
    scene.run(1, 1, super::scene::FIRST);
    let (code, said) = scene.refused(&["diff"]);
    assert_eq!(code, 2);
    assert!(said.contains("only run 1 of the tenant `acme`"), "{said}");
}

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
fn what_both_runs_leave_out_is_part_of_a_difference() {
    let scene = scene();
    scene.batch(
        r#"UPDATE runs SET notices = '[{"code":"plan-lacks-teams","message":"teams are left out","hint":"upgrade"}]' WHERE id = 1;
        UPDATE runs SET findings = '[{"check":"shrinkage","severity":"error","message":"40 % are gone","hint":"look","examples":[]}]',
           accepted_by = 'ada' WHERE id = 2"#,
    );
    let output = scene.run_command(&["diff", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said,
        "notice: run 1: teams are left out; hint: upgrade\n\
         notice: run 2: not plausible, and accepted by ada: 40 % are gone\n"
    );
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["from"]["notices"][0]["code"], "plan-lacks-teams");
    assert_eq!(json["from"]["accepted_by"], Value::Null);
    assert_eq!(json["to"]["notices"], json!([]));
    assert_eq!(json["to"]["findings"][0]["message"], "40 % are gone");
    assert_eq!(json["to"]["accepted_by"], "ada");
    // Nobody has asked who did it.
    assert_eq!(json.get("audit_notices"), None);
    assert_eq!(json["changes"][0].get("by"), None);
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
