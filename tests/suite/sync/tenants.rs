//! Several tenants from a configuration file.

use std::{fs, process::Output};

use host_harness::Store;
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::{Served, harness};

/// A folder with a file of tenants, and tokens.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("good.token"), "simulated-token\n").expect("written");
    fs::write(folder.path().join("bad.token"), "simulated-nothing\n").expect("written");
    fs::write(folder.path().join("tenants.toml"), text).expect("written");
    folder
}

fn sync(folder: &TempDir, more: &[&str]) -> Output {
    harness()
        .args(["sync", "--config"])
        .arg(folder.path().join("tenants.toml"))
        .args(more)
        .output()
        .expect("it runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn complete(folder: &TempDir) -> Vec<String> {
    let store = Store::open_to_read(&folder.path().join("access.db")).expect("a store");
    let runs = store.runs(None).expect("runs");
    let mut names: Vec<String> = runs
        .into_iter()
        .filter(|run| run.ended_at.is_some())
        .map(|run| run.tenant.name)
        .collect();
    names.sort();
    names
}

#[test]
fn one_tenant_that_fails_does_not_stop_the_others() {
    let acme = Served::start(&["--users", "30"]);
    let umbrella = Served::start(&["--users", "12", "--seed", "2"]);
    let folder = folder(&format!(
        "store = \"access.db\"\nparallel = 2\n\
         [[tenant]]\nname = \"acme\"\ntoken-file = \"good.token\"\nbase-url = \"{}\"\n\
         [[tenant]]\nname = \"closed\"\ntoken-file = \"bad.token\"\nbase-url = \"{}\"\n\
         [[tenant]]\nname = \"umbrella\"\ntoken-file = \"good.token\"\nbase-url = \"{}\"\n",
        acme.origin, acme.origin, umbrella.origin
    ));
    let output = sync(&folder, &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("1 of 3 tenants did not end with a snapshot") && said.contains("closed: "),
        "{said}"
    );
    assert!(!said.contains("simulated-nothing"), "{said}");
    let table = String::from_utf8(output.stdout).expect("text");
    let outcomes: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().take(4).collect())
        .collect();
    assert_eq!(outcomes[0], ["TENANT", "OUTCOME", "RUN", "ACCOUNTS"]);
    assert_eq!(outcomes[1][..2], ["acme", "complete"]);
    assert_eq!(outcomes[1][3], "30");
    assert_eq!(outcomes[2][..2], ["closed", "failed"]);
    assert_eq!(outcomes[3][..2], ["umbrella", "complete"]);
    assert_eq!(outcomes[3][3], "12");
    assert_eq!(complete(&folder), ["acme", "umbrella"]);

    // The same again: nobody is new, and JSON says the same.
    let output = sync(&folder, &["--parallel", "1", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all[0]["changes"][0]["added"], 0, "{all:#}");
    assert_eq!(all[1]["outcome"], "failed");
    assert!(
        all[1]["error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    );
    assert_eq!(complete(&folder).len(), 4);
}

#[test]
fn a_file_that_makes_no_sense_is_refused_before_anything_is_asked() {
    for (text, said) in [
        ("", "it names no tenant"),
        (
            "[[tenant]]\nname = \"\"\nprofile = \"x\"",
            "a tenant has an empty name",
        ),
        (
            "[[tenant]]\nname = \"a\"",
            "needs a `profile` or a `token-file`",
        ),
        (
            "[[tenant]]\nname = \"a\"\nprofile = \"x\"\ntoken-file = \"y\"",
            "needs a `profile` or a `token-file`, and not both",
        ),
        (
            "[[tenant]]\nname = \"a\"\nprofile = \"x\"\n[[tenant]]\nname = \"a\"\nprofile = \"y\"",
            "two tenants are named `a`",
        ),
        (
            "[[tenant]]\nname = \"a\"\ntoken = \"s3cret\"",
            "unknown field `token`",
        ),
        ("[[tenant]]\nname = ", "tenants.toml"),
        (
            "[[tenant]]\nname = \"a\"\nprofile = \"x\"",
            "nothing says where the store is",
        ),
    ] {
        let folder = folder(text);
        let output = sync(&folder, &[]);
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {shown}");
        assert!(
            shown.contains(said) && shown.contains("hint: "),
            "{text}: {shown}"
        );
        assert_eq!(shown.lines().count(), 1, "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let folder = folder("");
    let output = sync(&folder, &["--tenant", "a"]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "it takes its tenants from the file alone"
    );
}
