//! Reports as lines for a spreadsheet, which are filed as evidence.

use std::collections::BTreeMap;

use super::{scene::Scene, tables::five};

/// A line: column by column.
type Line = BTreeMap<String, String>;

/// What a report says as CSV.
fn report(scene: &Scene, args: &[&str]) -> Vec<Line> {
    let told = scene.told(&[&["report"], args, &["--format", "csv"]].concat());
    assert!(told.starts_with('\u{feff}'), "Excel takes it for UTF-8");
    let mut reader = csv::Reader::from_reader(told.as_bytes());
    let names = reader.headers().expect("names").clone();
    let line = |row: csv::StringRecord| {
        let cells = names.iter().zip(row.iter());
        let cells = cells.map(|(name, cell)| (name.to_owned(), cell.to_owned()));
        cells.collect()
    };
    let rows = reader.records();
    rows.map(|row| line(row.expect("a row"))).collect()
}

#[track_caller]
fn says(line: &Line, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(line[*name], *value, "{name} in {line:#?}");
    }
}

fn of<'l>(lines: &'l [Line], account: &str) -> &'l Line {
    let line = lines.iter().find(|line| line["account"] == account);
    line.expect(account)
}

#[test]
fn the_review_has_a_line_for_each_grant_and_room_for_the_decision() {
    let lines = report(&five(), &["access"]);
    assert_eq!(lines.len(), 4 + 4 + 2 + 2);
    says(
        &lines[0],
        &[
            ("tenant", "acme"),
            ("run", "2"),
            ("as_of", "2026-06-30T12:00:00Z"),
            ("account", "PADA"),
            ("email", "pada@acme.example"),
            ("name", "Ada"),
            ("status", "active"),
            ("kind", "user"),
            ("last_login", "2026-06-29T09:00:00Z"),
            ("last_login_kind", "last-login"),
            ("last_login_source", "analytics"),
            ("schedules", "1"),
            ("escalation_policies", "1"),
            ("entitlement_type", "license"),
            ("entitlement_id", "LFULL"),
            ("entitlement", "Full User"),
            ("resource_type", "tenant"),
            ("resource_id", ""),
            ("resource", "acme"),
            ("since", "2025-02-03T00:00:00Z"),
            ("first_seen", "2026-01-10T08:05:00Z"),
            ("first_seen_kind", "before"),
            ("decision", ""),
            ("comment", ""),
        ],
    );
    let on_call = |line: &&Line| line["entitlement_type"] == "schedule-membership";
    let of_bob = lines.iter().filter(|line| line["account"] == "PBOB");
    let of_bob: Vec<&Line> = of_bob.filter(on_call).collect();
    says(
        of_bob[0],
        &[
            ("first_seen", "2026-06-30T12:00:00Z"),
            ("first_seen_kind", "new"),
        ],
    );
    says(
        of(&lines, "PDAN"),
        &[("last_login", ""), ("last_login_kind", "never")],
    );
}

#[test]
fn a_trace_that_is_no_login_says_what_it_is() {
    let scene = five();
    scene.batch("UPDATE last_activity SET kind = 'last-activity' WHERE account = 'PBOB'");
    says(
        of(&report(&scene, &["access"]), "PBOB"),
        &[
            ("last_login", "2026-01-01T12:00:00Z"),
            ("last_login_kind", "last-activity"),
        ],
    );
    let table = scene.told(&["report", "access"]);
    assert!(table.contains("analytics (last-activity)"), "{table}");
}

#[test]
fn inactive_accounts_have_what_hangs_on_them() {
    says(
        of(&report(&five(), &["inactive"]), "PBOB"),
        &[
            ("tenant", "acme"),
            ("run", "2"),
            ("reason", "inactive for 180 days"),
            ("schedules", "1"),
            ("escalation_policies", "1"),
            ("on_call_duties", "Primary; Payments policy"),
            ("oldest_grant", "2025-02-03T00:00:00Z"),
            ("grants", "4"),
            (
                "holds",
                "Full User; Manager; Member on Payments policy; Member on Primary",
            ),
        ],
    );
}

#[test]
fn licences_have_their_numbers_also_those_that_nobody_holds() {
    let lines = report(&five(), &["licences"]);
    assert_eq!(lines.len(), 4 + 1);
    for (account, reclaimable) in [
        ("PADA", ""),
        ("PBOB", "inactive for 180 days"),
        ("PCAR", "invitation pending"),
        ("PDAN", "never logged in"),
    ] {
        says(
            of(&lines, account),
            &[
                ("run", "2"),
                ("licence_id", "LFULL"),
                ("licence", "Full User"),
                ("licence_used", "4"),
                ("licence_free", "12"),
                ("licence_reclaimable", "3"),
                ("since", "2025-02-03T00:00:00Z"),
                ("reclaimable", reclaimable),
            ],
        );
    }
    says(
        of(&lines, ""),
        &[
            ("tenant", "acme"),
            ("licence", "Stakeholder"),
            ("licence_used", "0"),
            ("licence_free", "no limit"),
            ("licence_reclaimable", "0"),
            ("reclaimable", ""),
        ],
    );
}

#[test]
fn where_last_logins_are_not_known_every_format_says_so() {
    let scene = five();
    scene.batch("DELETE FROM last_activity");
    for report in ["access", "licences", "inactive"] {
        for format in ["table", "csv", "html"] {
            let said = scene.said(&["report", report, "--format", format]);
            assert!(
                said.contains("notice: this run could read no last logins"),
                "{report} {format}: {said}"
            );
        }
    }
    says(
        of(&report(&scene, &["access"]), "PDAN"),
        &[("last_login", ""), ("last_login_kind", "unknown")],
    );
}
