//! `SECURITY.md` names a test for all that it claims.

use std::{collections::BTreeSet, fs, path::Path};

/// All functions of the suite.
fn functions(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it lists").path();
        if path.is_dir() {
            functions(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start();
                let name = match line.strip_prefix("fn ") {
                    Some(rest) => rest.split(['(', '<']).next()?,
                    // A test that a macro makes of `name: "target",`.
                    None => line.strip_suffix("\",")?.split_once(": \"")?.0,
                };
                Some(name.to_owned())
            });
            into.extend(names);
        }
    }
}

#[test]
fn each_claim_is_shown_by_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut known = BTreeSet::new();
    functions(&root.join("tests/suite"), &mut known);
    let text = fs::read_to_string(root.join("SECURITY.md")).expect("it is there");
    let defended = text
        .split("## What is defended")
        .nth(1)
        .and_then(|rest| rest.split("## What is not defended").next())
        .expect("two parts");
    let mut claims = 0;
    for line in defended.lines().filter(|line| line.starts_with("| ")) {
        let shown = line.trim_end_matches('|').rsplit('|').next();
        let shown = shown.expect("three columns");
        if shown.trim() == "shown by" {
            continue;
        }
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing shows it: {line}");
        for test in tests {
            assert!(known.contains(test), "there is no test `{test}`");
        }
        claims += 1;
    }
    assert!(claims >= 20, "{claims} claims are read");
}
