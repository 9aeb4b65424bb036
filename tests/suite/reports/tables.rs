//! Reports as people read them in a terminal, and as lines for a spreadsheet.

use super::scene::{Scene, text};

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

fn lines(text: &str) -> Vec<Vec<&str>> {
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
