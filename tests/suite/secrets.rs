//! The credential turns up nowhere: not in output, logs, cassettes or errors,
//! whatever the command and however it ends.

use std::{fs, path::Path};

use crate::{
    command_line::{Served, harness},
    leaks::assert_clean,
};

const TOKEN: &str = "simulated-account-key";

#[test]
fn no_command_tells_the_credential_even_when_it_says_everything() {
    let served = Served::start(&["--users", "20"]);
    let failing = Served::start(&["--users", "20", "--fault", "GET /users* status=500"]);
    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    fs::write(&token_file, format!("{TOKEN}\n")).expect("written");
    let cassette = folder.path().join("recorded.json");
    let cassette = cassette.to_str().expect("a path");
    let commands: &[&[&str]] = &[
        &["validate"],
        &["doctor"],
        &["accounts"],
        &["accounts", "--json"],
        &["resources"],
        &["entitlements"],
        &["grants", "--json"],
        &["on-call"],
        &[
            "call",
            "activity.list-activity",
            "--input",
            "{\"since\":\"2026-11-01T00:00:00Z\"}",
        ],
        &[
            "call",
            "directory.get-account",
            "--input",
            "{\"id\":\"PNOPE99\"}",
        ],
        &["call", "directory.nope"],
        &["accounts", "--record", cassette],
        &["accounts", "--setting", "region=mars"],
        &["accounts", "--auth", "nope"],
        &["accounts", "--auth", "bearer"],
        &["accounts", "--ca-file", "/nowhere"],
        &["accounts", "--deadline", "1"],
    ];
    // By a file where all is well, by the variable where nothing is.
    for (served, by_file) in [(&served, true), (&failing, false)] {
        for command in commands {
            let mut run = harness();
            run.args(*command)
                .args(["-vvv", "--base-url", &served.origin]);
            if !by_file && !command.contains(&"--deadline") {
                // Retrying for long tells nothing more.
                run.args(["--deadline", "2"]);
            }
            run.env("RUST_BACKTRACE", "full");
            if by_file {
                run.arg("--token-file").arg(&token_file);
            } else {
                run.env("PAGERDUTY_TOKEN", TOKEN);
            }
            let output = run.output().expect("it runs");
            let shown = command.join(" ");
            assert_clean(
                &format!("stdout of {shown}"),
                &String::from_utf8_lossy(&output.stdout),
            );
            assert_clean(
                &format!("stderr of {shown}"),
                &String::from_utf8_lossy(&output.stderr),
            );
        }
    }
    fs::remove_file(&token_file).expect("removed");
    assert!(Path::new(cassette).is_file(), "something was recorded");
    scan(folder.path());
}

#[test]
fn a_credential_that_is_not_valid_is_not_quoted() {
    for token in ["white space is not valid", "tab\tin-the-middle"] {
        let output = harness()
            .args(["validate", "-vvv"])
            .env("PAGERDUTY_TOKEN", token)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains(token), "{said}");
    }
}

/// The fixtures are public.
#[test]
fn no_fixture_holds_a_credential() {
    scan(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures"
    )));
}

fn scan(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scan(&path);
        } else {
            let bytes = fs::read(&path).expect("readable");
            let text = String::from_utf8_lossy(&bytes);
            assert_clean(&path.display().to_string(), &text);
        }
    }
}
