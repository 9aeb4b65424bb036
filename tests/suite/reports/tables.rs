//! Reports as people read them in a terminal.

use super::scene::{FIRST, Scene, text};

/// Ada works, Bob does not, Carol is invited, Dan never came, Eve is gone.
pub fn five() -> Scene {
    let scene = Scene::with(&[
        ("PADA", "Ada", "active", Some("2026-06-29T09:00:00Z")),
        ("PBOB", "Bob", "active", Some("2026-01-01T12:00:00Z")),
        ("PCAR", "Carol", "pending", None),
        ("PDAN", "Dan", "active", None),
    ]);
    scene.on_call(1, "PADA");
    scene.on_call(2, "PBOB");
    scene.account(2, ("PEVE", "Eve", "deprovisioned", None));
    scene
}

pub fn lines(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| {
            let cells = line.split("  ").map(str::trim);
            cells.filter(|cell| !cell.is_empty()).collect()
        })
        .collect()
}

#[test]
fn the_access_review_tells_who_has_what_since_when() {
    let scene = five();
    let told = scene.told(&["report", "access"]);
    let lines = lines(&told);
    assert_eq!(
        lines[1..6],
        [
            vec![
                "pada@acme.example (Ada)",
                "active",
                "2026-06-29",
                "analytics",
                "1 schedule, 1 policy",
                "license",
                "Full User",
                "2025-02-03"
            ],
            // The vendor does not say; the first run found it there.
            vec!["role", "Manager", "before 2026-01-10"],
            vec![
                "escalation policy membership",
                "Member on Payments policy",
                "before 2026-01-10"
            ],
            vec![
                "schedule membership",
                "Member on Primary",
                "before 2026-01-10"
            ],
            vec![
                "pbob@acme.example (Bob)",
                "active",
                "2026-01-01",
                "analytics",
                "1 schedule, 1 policy",
                "license",
                "Full User",
                "2025-02-03"
            ],
        ]
    );
    // The second run found it new.
    assert_eq!(
        lines[8],
        [
            "schedule membership",
            "Member on Primary",
            "seen 2026-06-30"
        ]
    );
    assert!(
        told.contains("pdan@acme.example (Dan)") && told.contains("never"),
        "{told}"
    );
    assert!(
        !told.contains("Eve"),
        "who is gone and holds nothing is left out"
    );
    // An earlier run shows what was so then.
    let then = scene.told(&["report", "access", "--run", "1"]);
    assert!(!then.contains("seen 2026-06-30"), "{then}");
}

#[test]
fn who_is_gone_and_still_holds_something_is_shown() {
    let scene = five();
    scene.grant(2, "PEVE", ("role", "tenant", "", "user"), None);
    let told = scene.told(&["report", "access"]);
    let told = lines(&told);
    let last = told.last().expect("lines");
    assert_eq!(last[..2], ["peve@acme.example (Eve)", "deprovisioned"]);
}

#[test]
fn inactive_accounts_are_told_with_why_and_what_hangs_on_them() {
    let scene = five();
    let told = scene.told(&["report", "inactive"]);
    assert_eq!(
        lines(&told)[1..],
        [
            // 180 days before the run, to the hour.
            vec![
                "pbob@acme.example (Bob)",
                "active",
                "inactive for 180 days",
                "2026-01-01",
                "analytics",
                "1 schedule, 1 policy",
                "4"
            ],
            vec![
                "pcar@acme.example (Carol)",
                "pending",
                "invitation pending",
                "never",
                "-",
                "-",
                "2"
            ],
            vec![
                "pdan@acme.example (Dan)",
                "active",
                "never logged in",
                "never",
                "-",
                "-",
                "2"
            ],
        ]
    );
    let output = scene.run_command(&["report", "inactive", "--days", "181"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(
            "2 of 4 accounts inactive: 0 not seen for 181 days, 1 never, 1 pending, 0 disabled"
        ),
        "{said}"
    );
}

#[test]
fn licences_are_counted_and_those_that_nobody_uses_are_named() {
    let scene = five();
    // Given three weeks before the run, to somebody who has not come yet.
    scene.account(1, ("PNEW", "New", "active", None));
    scene.grant(
        2,
        "PNEW",
        ("license", "tenant", "", "LFULL"),
        Some("2026-06-09T00:00:00Z"),
    );
    // One that the vendor does not list.
    scene.grant(2, "PADA", ("license", "tenant", "", "LOLD"), None);
    let told = scene.told(&["report", "licences"]);
    let lines = lines(&told);
    assert_eq!(
        lines[1..4],
        [
            vec!["Full User", "5", "12", "3", "1", "1", "1", "0"],
            vec!["LOLD", "1", "unknown", "0", "0", "0", "0", "0"],
            vec!["Stakeholder", "0", "no limit", "0", "0", "0", "0", "0"],
        ]
    );
    let reclaimable: Vec<&str> = lines[6..].iter().map(|line| line[0]).collect();
    assert_eq!(
        reclaimable,
        [
            "pbob@acme.example (Bob)",
            "pcar@acme.example (Carol)",
            "pdan@acme.example (Dan)"
        ]
    );
    let sooner = scene.told(&["report", "licences", "--days", "21"]);
    assert!(sooner.contains("pnew@acme.example (New)"), "{sooner}");
}

/// The cells of the line about an account.
pub fn of<'t>(told: &'t str, name: &str) -> Vec<&'t str> {
    let mut lines = lines(told).into_iter();
    lines
        .find(|line| line.first().is_some_and(|cell| cell.contains(name)))
        .expect(name)
}

#[test]
fn another_time_that_the_vendor_says_makes_no_grant_new() {
    let scene = five();
    scene.run(3, 1, "2026-07-31T12:00:00Z");
    let team = ("team-membership", "team", "TPAY", "responder");
    // There from the first run on, with a time that the vendor no longer says.
    scene.grant(1, "PADA", team, Some("2025-01-01T00:00:00Z"));
    scene.batch("UPDATE grants SET to_run = 3 WHERE account = 'PADA' AND resource = 'TPAY'");
    scene.grant(3, "PADA", team, None);
    // Taken away with the second run, and given again.
    scene.grant(1, "PBOB", team, None);
    scene.batch("UPDATE grants SET to_run = 2 WHERE account = 'PBOB' AND resource = 'TPAY'");
    scene.grant(3, "PBOB", team, None);
    let told = scene.told(&["report", "access"]);
    let of_team: Vec<Vec<&str>> = lines(&told)
        .into_iter()
        .filter(|line| line.contains(&"team membership"))
        .collect();
    assert_eq!(of_team[0].last(), Some(&"before 2026-01-10"));
    assert_eq!(of_team[1].last(), Some(&"seen 2026-07-31"));
}

#[test]
fn what_a_run_left_out_and_what_was_accepted_is_said_with_every_report() {
    let scene = five();
    scene.batch(
        r#"UPDATE runs SET notices = '[{"code":"plan-lacks-teams","message":"teams are left out","hint":"upgrade"}]',
           findings = '[{"check":"shrinkage","severity":"error","message":"40 % of accounts are gone","hint":"look","examples":[]}]',
           accepted_by = 'ada', accepted_at = '2026-07-01T09:00:00Z' WHERE id = 2"#,
    );
    let file = scene.beside("all.json");
    for args in [
        &["report", "access"][..],
        &["report", "licences", "--format", "csv"],
        &["report", "inactive", "--format", "html"],
        &["export", "--format", "json", "--output", text(&file)],
        &["diff"],
    ] {
        let said = scene.said(args);
        assert!(
            said.contains("notice: run 2: teams are left out; hint: upgrade\n"),
            "{said}"
        );
        assert!(
            said.contains(
                "notice: run 2: not plausible, and accepted by ada on 2026-07-01: 40 % of accounts are gone\n"
            ),
            "{said}"
        );
    }
    let page = scene.told(&["report", "access", "--format", "html"]);
    assert!(
        page.contains("teams are left out")
            && page.contains("accepted by <bdi>ada on 2026-07-01</bdi>")
    );
    let before = scene.told(&["report", "access", "--format", "html", "--run", "1"]);
    assert!(!before.contains("teams are left out"));
}

#[test]
fn a_run_that_took_long_is_told_with_its_end() {
    let scene = five();
    scene.batch("UPDATE runs SET ended_at = '2026-06-30T17:30:00Z' WHERE id = 2");
    let said = scene.said(&["report", "access"]);
    assert!(
        said.contains("notice: run 2 was read from 2026-06-30T12:00:00Z to 2026-06-30T17:30:00Z"),
        "{said}"
    );
    let said = scene.said(&["diff"]);
    assert!(
        said.contains("to run 2 of 2026-06-30 12:00 UTC to 2026-06-30 17:30 UTC: "),
        "{said}"
    );
    let page = scene.told(&["report", "access", "--format", "html"]);
    assert!(page.contains(", read from <time"), "{page}");
    let short = scene.told(&["report", "access", "--format", "html", "--run", "1"]);
    assert!(short.contains(", as of <time"), "{short}");
}

#[test]
fn a_run_that_can_not_be_told_of_is_refused_with_what_could_be() {
    let scene = five();
    scene.batch("UPDATE runs SET state = 'refused' WHERE id = 1");
    let (code, said) = scene.refused(&["report", "access", "--run", "1"]);
    assert_eq!(code, 2);
    assert!(said.contains("run 1 is refused, not complete"), "{said}");
    let (_, said) = scene.refused(&["report", "access", "--run", "7"]);
    assert!(said.contains("the tenant `acme` has no run 7"), "{said}");
    let (_, said) = scene.refused(&["report", "access", "--tenant", "ac\u{1b}me"]);
    assert!(
        said.contains("no tenant `ac\\u{1b}me`, but `acme`"),
        "{said}"
    );

    scene.tenant(2, "other");
    let (_, said) = scene.refused(&["report", "access"]);
    assert!(said.contains("several tenants: `acme`, `other`"), "{said}");
    let (_, said) = scene.refused(&["report", "access", "--tenant", "other"]);
    assert!(said.contains("no run of the tenant `other`"), "{said}");
    // Somebody else's run.
    scene.run(3, 2, FIRST);
    scene.refused(&["report", "access", "--tenant", "acme", "--run", "3"]);

    let (_, said) = Scene::empty().refused(&["report", "access"]);
    assert!(said.contains("no tenant is in the store"), "{said}");
}

#[test]
fn a_report_file_is_whole_or_as_it_was() {
    let scene = five();
    let output = scene.beside("review.html");
    std::fs::write(&output, "what was there").expect("written");
    // The last account can't be read: an error when most is written.
    scene.batch("UPDATE accounts SET email = CAST(x'ff' AS TEXT) WHERE id = 'PDAN'");
    let args = ["report", "access", "--format", "html", "--output"];
    let (code, said) = scene.refused(&[&args[..], &[text(&output)]].concat());
    assert!(code == 1 && said.contains("utf-8"), "{said}");
    let kept = std::fs::read_to_string(&output).expect("it is there");
    assert_eq!(kept, "what was there");
    let nowhere = scene.beside("nowhere/review.html");
    let (code, said) = five().refused(&["report", "access", "--output", text(&nowhere)]);
    assert_eq!(code, 2);
    assert!(said.contains("can't be written"), "{said}");
}
