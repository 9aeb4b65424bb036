//! Several tenants from a configuration file.

use std::{
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use host_harness::Store;
use pagerduty_simulator::Simulator;
use serde_json::Value;
use tempfile::TempDir;

use super::{answer, config, last_page};
use crate::{
    command_line::{Served, harness},
    support::run,
};

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
    let error = &all[1]["error"];
    assert!(
        error["message"].is_string() && error["hint"].is_string(),
        "{error}"
    );
    assert_eq!(complete(&folder).len(), 4);
}

fn entry(name: &str, origin: &str) -> String {
    format!("[[tenant]]\nname = \"{name}\"\ntoken-file = \"good.token\"\nbase-url = \"{origin}\"\n")
}

#[test]
fn no_more_tenants_are_read_at_a_time_than_said() {
    let served: Vec<Served> = (0..3)
        .map(|_| Served::start(&["--users", "40", "--latency", "150"]))
        .collect();
    let entries = served.iter().zip(["a", "b", "c"]);
    let entries: String = entries
        .map(|(served, name)| entry(name, &served.origin))
        .collect();
    let folder = folder(&format!("store = \"access.db\"\n{entries}"));
    let output = sync(&folder, &["--parallel", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let store = Store::open_to_read(&folder.path().join("access.db")).expect("a store");
    let runs = store.runs(None).expect("runs");
    assert_eq!(runs.len(), 3);
    for (earlier, later) in runs.iter().zip(&runs[1..]) {
        let ended = earlier.ended_at.expect("complete");
        assert!(ended > earlier.began_at, "long enough to tell");
        assert!(later.began_at >= ended, "{ended} {}", later.began_at);
    }
}

#[test]
fn a_tenant_that_waits_for_its_vendor_keeps_nobody_waiting_and_can_be_stopped() {
    run(async {
        let waits = Simulator::new(config(20));
        let fault = "GET /users rate-limited reset=3000";
        waits.faults().add(fault.parse().expect("a fault"));
        let refused = Simulator::new(config(30));
        let [first, second] = [&waits, &refused].map(|simulator| {
            let simulator = simulator.clone();
            async move {
                let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
                listening.expect("a free port")
            }
        });
        let (first, second) = (first.await, second.await);
        let folder = folder(&format!(
            "store = \"access.db\"\n{}",
            entry("second", &second.origin())
        ));
        // A snapshot to be held against.
        let folder = tokio::task::spawn_blocking(move || {
            let output = sync(&folder, &[]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            folder
        });
        let folder = folder.await.expect("it is complete");
        let mut nobody = answer("/users", 0, &last_page("users", &[], 0));
        nobody.when.times = None;
        refused.faults().add(nobody);
        let unknown = "GET /users/P* status=404";
        refused.faults().add(unknown.parse().expect("a fault"));
        let text = format!(
            "store = \"access.db\"\n{}{}",
            entry("first", &first.origin()),
            entry("second", &second.origin())
        );
        fs::write(folder.path().join("tenants.toml"), text).expect("written");
        let output = tokio::task::spawn_blocking(move || {
            let process = harness()
                .args(["sync", "--parallel", "2", "--config"])
                .arg(folder.path().join("tenants.toml"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts");
            // Both have come as far as they can.
            let second = || {
                let store = Store::open_to_read(&folder.path().join("access.db")).expect("there");
                let runs = store.runs(Some("second")).expect("runs");
                runs.len() == 2 && runs[1].ended_at.is_some()
            };
            while !second() || waits.faults().fired() == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            let pid = process.id().to_string();
            let told = std::process::Command::new("kill")
                .args(["-INT", &pid])
                .status();
            assert!(told.is_ok_and(|told| told.success()));
            process.wait_with_output().expect("it ends")
        });
        let output = output.await.expect("it ends");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        let outcomes: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().take(2).collect())
            .collect();
        assert_eq!(outcomes[1..], [["first", "stopped"], ["second", "refused"]]);
        for wanted in [
            " has stopped",
            "second: error    shrinkage",
            "such as P",
            "hint: look whether the credential",
            "--tenant NAME --accept",
        ] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
    });
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
        (
            "[[tenant]]\nname = \"a\"\nprofile = \"x\"\nmax-shrink = 250",
            "`max-shrink` of tenant `a` is above 100",
        ),
        (
            "[[tenant]]\nname = \"a\"\nprofile = \"x\"\ndeadline = 0",
            "`deadline` of tenant `a` is no such time",
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
    for alone in [["--tenant", "a"], ["--deadline", "5"], ["--users", "5"]] {
        let output = sync(&folder, &alone);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{alone:?}: it takes its tenants from the file alone"
        );
    }
}
