//! What is different between two runs.

use serde_json::{Value, json};

use super::scene::Scene;

pub fn changes(told: &str) -> Vec<(String, String, String, Value)> {
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
pub fn scene() -> Scene {
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

#[test]
fn what_both_runs_leave_out_is_part_of_a_difference() {
    let scene = scene();
    scene.batch(
        r#"UPDATE runs SET notices = '[{"code":"plan-lacks-teams","message":"teams are left out","hint":"upgrade"}]' WHERE id = 1;
        UPDATE runs SET findings = '[{"check":"shrinkage","severity":"error","message":"40 % are gone","hint":"look","examples":[]}]',
           accepted_by = 'ada', accepted_at = '2026-07-01T09:00:00Z' WHERE id = 2"#,
    );
    let output = scene.run_command(&["diff", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said,
        "notice: run 1: teams are left out; hint: upgrade\n\
         notice: run 2: not plausible, and accepted by ada on 2026-07-01: 40 % are gone\n"
    );
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["from"]["notices"][0]["code"], "plan-lacks-teams");
    assert_eq!(json["from"]["accepted_by"], Value::Null);
    assert_eq!(json["to"]["notices"], json!([]));
    assert_eq!(json["to"]["findings"][0]["message"], "40 % are gone");
    assert_eq!(json["to"]["accepted_by"], "ada");
    assert_eq!(json["to"]["accepted_at"], "2026-07-01T09:00:00Z");
    // Nobody has asked who did it.
    assert_eq!(json.get("audit_notices"), None);
    assert_eq!(json["changes"][0].get("by"), None);
}
