//! Who counts as inactive, and what is not known of them.

use super::tables::{five, lines, of};

#[test]
fn where_no_logins_are_known_nobody_counts_as_never_logged_in() {
    let scene = five();
    scene.batch("DELETE FROM last_activity");
    let told = scene.told(&["report", "inactive"]);
    assert_eq!(lines(&told).len(), 2, "the pending one alone: {told}");
    // That is not known either in a report that judges nobody.
    let review = scene.told(&["report", "access"]);
    assert_eq!(of(&review, "Dan")[2], "unknown");
    assert_eq!(of(&review, "Carol")[2], "never", "invited, and not come");
    for report in ["access", "licences", "inactive"] {
        let page = scene.told(&["report", report, "--format", "html"]);
        assert!(page.contains("Last logins are not known"), "{report}");
    }
}

#[test]
fn where_a_source_of_logins_was_out_of_reach_none_says_nothing() {
    let told_with = |code: &str| {
        let scene = five();
        scene.sql(
            "UPDATE runs SET notices = json_array(json_object('code', ?1, 'message', 'left out',
             'hint', NULL)) WHERE id = 2",
            &[code],
        );
        let page = scene.told(&["report", "access", "--format", "html"]);
        let is_said = page.contains("Last logins are not all known");
        (
            scene.told(&["report", "access"]),
            scene.told(&["report", "inactive"]),
            scene.told(&["report", "licences"]),
            is_said,
        )
    };
    for code in [
        "analytics-not-available",
        "delegations-not-available",
        "sessions-not-available",
    ] {
        let (review, inactive, licences, is_said) = told_with(code);
        assert!(is_said, "{code}");
        assert_eq!(of(&review, "Dan")[2], "unknown", "{code}");
        assert_eq!(of(&review, "Bob")[2], "2026-01-01", "{code}");
        for told in [inactive, licences] {
            assert!(!told.contains("Dan"), "{code}: {told}");
            assert!(told.contains("Bob"), "who was seen was seen: {told}");
        }
    }
    let (review, inactive, _, is_said) = told_with("plan-lacks-teams");
    assert!(!is_said && inactive.contains("Dan"), "{inactive}");
    assert_eq!(of(&review, "Dan")[2], "never");

    // A run with as many notices as it keeps may have left one of those out.
    let scene = five();
    scene.batch(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100)
         UPDATE runs SET notices = (SELECT json_group_array(json_object(
             'code', 'team-members-not-readable', 'message', 'team ' || n, 'hint', NULL)) FROM n)",
    );
    let review = scene.told(&["report", "access"]);
    assert_eq!(of(&review, "Dan")[2], "unknown");
}

#[test]
fn whoever_appeared_within_the_days_does_not_count_as_never_logged_in() {
    let scene = five();
    // New with the second run, and nobody says since when.
    scene.account(2, ("PNEW", "New", "active", None));
    scene.grant(2, "PNEW", ("license", "tenant", "", "LFULL"), None);
    // There all the time: another name makes nobody new.
    scene.batch(
        "UPDATE accounts SET to_run = 2 WHERE id = 'PDAN';
         INSERT INTO accounts (tenant, id, from_run, email, display_name, status, kind, attributes)
         VALUES (1, 'PDAN', 2, 'pdan@acme.example', 'Daniel', 'active', 'user', '{}')",
    );
    // There all the time, with a licence that is new.
    scene.account(1, ("POLD", "Old", "active", None));
    scene.grant(2, "POLD", ("license", "tenant", "", "LFULL"), None);
    let inactive = scene.told(&["report", "inactive"]);
    assert!(!inactive.contains("pnew@"), "{inactive}");
    assert!(
        inactive.contains("Daniel") && inactive.contains("pold@"),
        "{inactive}"
    );
    let licences = scene.told(&["report", "licences"]);
    assert!(
        !licences.contains("pnew@") && !licences.contains("pold@"),
        "{licences}"
    );
    assert!(licences.contains("Daniel"), "{licences}");
    // They have been there for long by then.
    scene.run(3, 1, "2026-12-01T00:00:00Z");
    for report in ["inactive", "licences"] {
        let later = scene.told(&["report", report]);
        assert!(
            later.contains("pnew@") && later.contains("pold@"),
            "{later}"
        );
    }
}

#[test]
fn accounts_that_nobody_can_use_are_told_and_their_licences_reclaimable() {
    let scene = five();
    scene.batch("UPDATE accounts SET status = 'suspended' WHERE id = 'PADA'");
    let licence = ("license", "tenant", "", "LFULL");
    scene.grant(2, "PEVE", licence, None);
    let licences = scene.told(&["report", "licences"]);
    assert_eq!(
        lines(&licences)[1],
        ["Full User", "5", "12", "5", "1", "1", "1", "2"]
    );
    for name in ["Ada", "Eve"] {
        assert_eq!(of(&licences, name)[2], "account disabled");
    }
    let said = scene.said(&["report", "inactive"]);
    assert!(said.contains("5 of 5 accounts inactive"), "{said}");
    assert!(said.contains("2 disabled"), "{said}");
}

#[test]
fn grants_of_accounts_that_are_not_listed_are_reviewed_too() {
    let scene = five();
    scene.grant(2, "PUNLISTED", ("license", "tenant", "", "LFULL"), None);
    scene.on_call(2, "PUNLISTED");
    let output = scene.run_command(&["report", "access"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        of(&told, "PUNLISTED"),
        [
            "PUNLISTED",
            "unknown",
            "unknown",
            "-",
            "1 schedule, 1 policy",
            "license",
            "Full User",
            "seen 2026-06-30"
        ]
    );
    assert!(
        said.contains("5 accounts, 15 grants, 3 on call, 1 pending"),
        "{said}"
    );
    // Nobody has asked when it was seen: that is no reason to take anything away.
    assert!(!scene.told(&["report", "inactive"]).contains("PUNLISTED"));
    let licences = scene.told(&["report", "licences"]);
    assert!(!licences.contains("PUNLISTED"), "{licences}");
    assert_eq!(lines(&licences)[1][1], "5", "it is used all the same");
}
