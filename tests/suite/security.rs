//! `SECURITY.md` names a test for all that it claims.

use std::{collections::BTreeSet, fs, path::Path};

/// All tests of the suite that run.
fn tests(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it lists").path();
        if path.is_dir() {
            tests(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            // What stands above a function, and inside of a macro of tests.
            let (mut is_test, mut is_ignored, mut is_each) = (false, false, false);
            for line in text.lines().map(str::trim_start) {
                is_each = line.starts_with("each! {") || is_each && line != "}";
                let each = line.strip_suffix("\",").filter(|_| is_each);
                if let Some((name, _)) = each.and_then(|line| line.split_once(": \"")) {
                    into.insert(name.to_owned());
                } else if let Some(rest) = line.strip_prefix("fn ") {
                    let name = rest.split(['(', '<']).next();
                    into.extend(name.filter(|_| is_test && !is_ignored).map(str::to_owned));
                    (is_test, is_ignored) = (false, false);
                } else {
                    is_test |= line.starts_with("#[test]");
                    is_ignored |= line.starts_with("#[ignore");
                }
            }
        }
    }
}

#[test]
fn each_claim_is_shown_by_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut known = BTreeSet::new();
    tests(&root.join("tests/suite"), &mut known);
    assert!(!known.contains("each_claim"), "a part of a name is none");
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
