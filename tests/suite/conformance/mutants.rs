//! For each check a connector that is broken in one way, which fails that check
//! and no other.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

use super::{Outcomes, Workshop, described};

/// Where it shows that a connector is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum On {
    Simulator,
    /// Recordings that the sound connector has made, with ceilings.
    Recordings,
    /// The simulator, with the sound connector as the version before.
    Against,
    /// The simulator, with a description of what the sound connector asks for.
    Described,
}

/// Each mutation has the name of the check that must notice it.
const MUTANTS: &[(&str, On)] = &[
    ("description", On::Simulator),
    ("declared-types", On::Simulator),
    ("capabilities", On::Simulator),
    ("scopes", On::Simulator),
    ("settings", On::Simulator),
    ("unsupported", On::Simulator),
    ("credential", On::Simulator),
    ("credential-wrong", On::Simulator),
    ("credential-revoked", On::Simulator),
    ("reads", On::Simulator),
    ("declared-requests", On::Simulator),
    ("reads-change-nothing", On::Simulator),
    ("secrets", On::Simulator),
    ("page-end", On::Simulator),
    ("page-size", On::Simulator),
    ("duplicates", On::Simulator),
    ("page-sizes", On::Simulator),
    ("page-token", On::Simulator),
    ("page-token-of-another", On::Simulator),
    ("resume", On::Simulator),
    ("references", On::Simulator),
    ("declared-kinds", On::Simulator),
    ("bounds", On::Simulator),
    ("get-account", On::Simulator),
    ("account-grants", On::Simulator),
    ("unknown-account", On::Simulator),
    ("awkward-ids", On::Simulator),
    ("identifiers", On::Simulator),
    ("attributes", On::Simulator),
    ("account-state", On::Simulator),
    ("instants", On::Simulator),
    ("notices", On::Simulator),
    ("last-activity", On::Simulator),
    ("diagnostics", On::Simulator),
    ("on-call", On::Simulator),
    ("plan", On::Simulator),
    ("plan-refused", On::Simulator),
    ("determinism", On::Simulator),
    ("fault-rate-limit", On::Simulator),
    ("fault-unavailable", On::Simulator),
    ("fault-timeout", On::Simulator),
    ("fault-connection", On::Simulator),
    ("fault-nonsense", On::Simulator),
    ("fault-once", On::Simulator),
    ("deadline", On::Simulator),
    ("recordings", On::Recordings),
    ("openapi", On::Described),
    ("budget", On::Recordings),
    ("versions", On::Against),
    ("swap", On::Against),
    ("credential-rights", On::Simulator),
    ("create", On::Simulator),
    ("create-again", On::Simulator),
    ("create-full", On::Simulator),
    ("create-invalid", On::Simulator),
    ("update", On::Simulator),
    ("update-again", On::Simulator),
    ("delete", On::Simulator),
    ("delete-again", On::Simulator),
    ("assign", On::Simulator),
    ("assign-again", On::Simulator),
    ("assign-in-place", On::Simulator),
    ("unassign", On::Simulator),
    ("unassign-again", On::Simulator),
    ("plan-applied", On::Simulator),
    ("fault-change", On::Simulator),
    ("dry-run", On::Simulator),
];

/// Other ways to be broken that a check must notice, with its name.
const MORE_MUTANTS: &[(&str, &str)] = &[
    ("second-page", "page-sizes"),
    ("grants-when-revoked", "credential-revoked"),
    ("create-then-refuse", "create-invalid"),
];

/// Does something with each, on all cores.
fn each<T: Sync>(all: &[T], act: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = act(one) {
                        wrong.lock().expect("no panic").push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fails_only(check: &str, mutation: &str, outcomes: &Outcomes) -> Result<(), String> {
    let failed = outcomes.told("fail");
    match failed.as_slice() {
        [(id, _)] if id == check && outcomes.code == Some(1) => Ok(()),
        _ => Err(format!(
            "the mutant `{mutation}` (exit code {:?}) fails {failed:?}, and is skipped {:?}",
            outcomes.code,
            outcomes
                .told("skip")
                .into_iter()
                .filter(|(id, _)| id == check)
                .collect::<Vec<_>>()
        )),
    }
}

#[test]
fn each_mutant_fails_its_check_and_no_other() {
    let workshop = Workshop::new();
    let sound = workshop.connector("nothing");
    let sound = sound.to_str().expect("a path");
    let recordings = workshop.recordings(sound.as_ref(), "recordings");
    let recordings = recordings.to_str().expect("a path");
    let recorded = workshop
        .harness(&["conformance", "--record-ceilings"])
        .args(["--connector", sound, "--cassette", recordings])
        .status()
        .expect("it runs");
    assert!(recorded.success());
    let description = described::small(&workshop);
    let description = description.to_str().expect("a path");
    // With ceilings and a description, the sound one has nothing left to skip for them.
    let outcomes = workshop.check(
        sound.as_ref(),
        &["--cassette", recordings, "--openapi", description],
    );
    assert_eq!(outcomes.told("fail"), []);
    assert!(
        outcomes.ids("pass").contains("budget"),
        "{:?}",
        outcomes.told("skip")
    );
    assert!(outcomes.ids("pass").contains("recordings"));
    assert!(outcomes.ids("pass").contains("openapi"));

    each(MUTANTS, |(mutation, on)| {
        let mutant = workshop.connector(mutation);
        let args: &[&str] = match on {
            On::Simulator => &["--users", "12"],
            On::Recordings => &["--cassette", recordings],
            On::Against => &["--users", "12", "--against", sound],
            On::Described => &["--users", "12", "--openapi", description],
        };
        fails_only(mutation, mutation, &workshop.check(&mutant, args))
    });
}

#[test]
fn each_other_mutant_fails_the_check_that_is_about_it_and_no_other() {
    let workshop = Workshop::new();
    each(MORE_MUTANTS, |(mutation, check)| {
        let mutant = workshop.connector(mutation);
        let outcomes = workshop.check(&mutant, &["--users", "12"]);
        fails_only(check, mutation, &outcomes)
    });
}

/// What shows in recordings that the broken connector has made itself.
const RECORDED: &[&str] = &[
    "page-size",
    "duplicates",
    "declared-kinds",
    "identifiers",
    "notices",
    "determinism",
    "fault-nonsense",
    "deadline",
];

#[test]
fn what_is_broken_shows_in_recordings_too() {
    let workshop = Workshop::new();
    each(RECORDED, |mutation| {
        let mutant = workshop.connector(mutation);
        let recordings = workshop.recordings(&mutant, &format!("recordings-{mutation}"));
        let recordings = recordings.to_str().expect("a path");
        fails_only(
            mutation,
            mutation,
            &workshop.check(&mutant, &["--cassette", recordings]),
        )
    });
}

#[test]
fn every_check_has_a_mutant() {
    let output = crate::command_line::harness()
        .args(["conformance", "--list", "--format", "json"])
        .output()
        .expect("it runs");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks: BTreeSet<&str> = list["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|check| check["id"].as_str().expect("an id"))
        .collect();
    let mutants: BTreeSet<&str> = MUTANTS.iter().map(|(mutation, _)| *mutation).collect();
    assert_eq!(checks, mutants);
    // The simulator shows most, and nothing is recorded for nothing.
    assert!(RECORDED.iter().all(|mutation| mutants.contains(mutation)));
}
