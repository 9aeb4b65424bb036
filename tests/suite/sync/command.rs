//! `harness sync` and `harness runs`, as people and scripts see them.

use std::{
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use pagerduty_simulator::{Listening, Simulator};
use serde_json::Value;
use tempfile::TempDir;

use super::{answer, config, dump, last_page};
use crate::{command_line::harness, support::run};

struct Site {
    simulator: Simulator,
    listening: Listening,
    folder: TempDir,
}

impl Site {
    async fn new(users: usize) -> Self {
        Self::of(Simulator::new(config(users))).await
    }

    async fn of(simulator: Simulator) -> Self {
        let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        Self {
            simulator,
            listening: listening.expect("a free port"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn store(&self) -> String {
        let file = self.folder.path().join("store.db");
        file.to_str().expect("a path").to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = harness();
        command
            .args(["sync", "--store", &self.store()])
            .args(args)
            .args(["--base-url", &self.listening.origin()])
            .env("PAGERDUTY_TOKEN", "simulated-token")
            .env_remove("USER");
        command
    }

    /// On a thread that may wait: the simulator is in this process.
    async fn sync(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().expect("it runs"))
            .await
            .expect("it ran")
    }

    fn runs(&self, args: &[&str]) -> Output {
        harness()
            .args(["runs", "--store", &self.store()])
            .args(args)
            .output()
            .expect("it runs")
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn cells(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_sync_says_what_changed_and_runs_lists_it() {
    run(async {
        let site = Site::new(60).await;
        let first = site.sync(&[]).await;
        assert_eq!(first.status.code(), Some(0), "{}", err(&first));
        let table = out(&first);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(cells(lines[0]), ["WHAT", "TOTAL", "NEW", "CHANGED", "GONE"]);
        assert_eq!(cells(lines[1]), ["accounts", "60", "60", "0", "0"]);
        assert_eq!(lines.len(), 6);
        let said = err(&first);
        assert!(said.starts_with("run 1 of `acme` begins\n"), "{said}");
        assert!(said.contains("run 1 of `acme` is complete: "), "{said}");
        let second = site.sync(&["--json"]).await;
        let outcome = json(&second);
        assert_eq!(outcome["outcome"], "complete");
        assert_eq!(outcome["run"]["id"], 2);
        assert_eq!(outcome["changes"][0]["total"], 60);
        assert_eq!(outcome["changes"][0]["added"], 0);

        let listed = site.runs(&[]);
        assert_eq!(listed.status.code(), Some(0), "{}", err(&listed));
        let table = out(&listed);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        let row = cells(lines[2]);
        assert_eq!(row[..3], ["2", "acme", "complete"]);
        assert_eq!(row[row.len() - 2..], ["pagerduty", "0.1.0"]);
        let listed = json(&site.runs(&["--tenant", "acme", "--json"]));
        assert_eq!(listed[1]["requests"], outcome["run"]["requests"]);
        let functions = listed[1]["functions"].as_array().expect("a list");
        let accounts = functions
            .iter()
            .find(|function| function["function"] == "directory.list-accounts")
            .expect("it was read");
        assert_eq!(accounts["rows"], 60);
        let unknown = site.runs(&["--tenant", "globex"]);
        assert_eq!(unknown.status.code(), Some(2));
        assert!(
            err(&unknown).contains("hint: it has acme"),
            "{}",
            err(&unknown)
        );
    });
}

#[test]
fn a_refused_run_is_reported_and_accepted_by_name() {
    run(async {
        let site = Site::new(60).await;
        site.sync(&["--tenant", "emea"]).await;
        let (_, users) = site.simulator.ask("GET", "/users?limit=100", None);
        let mut users = users["users"].as_array().expect("a list").clone();
        users.truncate(30);
        users[0]["email"] = "\u{1b}[2Jada@acme.example".into();
        let half = last_page("users", &users, 0);
        site.simulator.faults().add(answer("/users", 0, &half));
        let unseen = "GET /users/P* status=404";
        site.simulator
            .faults()
            .add(unseen.parse().expect("a fault"));
        let refused = site.sync(&["--tenant", "emea"]).await;
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(out(&refused), "");
        let said = err(&refused);
        let lines: Vec<&str> = said.lines().collect();
        assert!(!said.contains('\u{1b}'), "{said}");
        // Severity, check and text stand below each other.
        let found = lines
            .iter()
            .position(|line| line.starts_with("error    shrinkage"))
            .expect(&said);
        let column = lines[found].find("30 of 60 accounts (50 %)").expect(&said);
        assert_eq!(lines[found + 1].find("such as "), Some(column), "{said}");
        assert_eq!(lines[found + 2].find("hint: "), Some(column), "{said}");
        let last = lines.last().expect("a line");
        assert!(
            last.starts_with("error: run 2 of `emea` is not plausible")
                && last.contains("; hint: ")
                && last.contains("`--accept`"),
            "{said}"
        );
        // Nobody accepts namelessly.
        let nameless = site.sync(&["--accept"]).await;
        assert_eq!(nameless.status.code(), Some(2));
        assert!(err(&nameless).contains("--by"), "{}", err(&nameless));
        let asked = site.simulator.request_count();
        let accepted = site.sync(&["--accept", "--by", "ada", "--json"]).await;
        assert_eq!(accepted.status.code(), Some(0), "{}", err(&accepted));
        assert_eq!(
            site.simulator.request_count(),
            asked + 3,
            "whose the credential is, and nothing more"
        );
        let outcome = json(&accepted);
        assert_eq!(outcome["run"]["id"], 2);
        assert_eq!(outcome["run"]["accepted_by"], "ada");
        assert_eq!(outcome["changes"][0]["removed"], 30);
        let table = out(&site.runs(&[]));
        assert!(table.contains("complete, accepted by ada"), "{table}");
    });
}

#[test]
fn the_wrong_tenant_or_store_is_refused_in_one_line() {
    run(async {
        let site = Site::new(20).await;
        site.sync(&["--tenant", "emea"]).await;
        let other = Site {
            simulator: Simulator::new(pagerduty_simulator::Config {
                subdomain: "globex".to_owned(),
                ..config(20)
            }),
            ..site
        };
        let listening = other.simulator.listen(([127, 0, 0, 1], 0).into()).await;
        let other = Site {
            listening: listening.expect("a free port"),
            ..other
        };
        let text = other.folder.path().join("notes.txt");
        std::fs::write(&text, "notes ".repeat(500)).expect("written");
        let text = text.to_str().expect("a path");
        let cases = [
            (other.sync(&["--tenant", "emea"]).await, "is `acme`"),
            (
                harness()
                    .args(["runs", "--store", text])
                    .output()
                    .expect("it runs"),
                "is not an SQLite database",
            ),
            (
                harness()
                    .args(["runs", "--store", "/nowhere/at/all.db"])
                    .output()
                    .expect("it runs"),
                "there is no store",
            ),
        ];
        for (output, said) in cases {
            let shown = err(&output);
            assert_eq!(output.status.code(), Some(2), "{shown}");
            assert_eq!(shown.lines().count(), 1, "{shown}");
            assert!(
                shown.contains(said) && shown.contains("; hint: "),
                "{shown}"
            );
        }
    });
}

/// Starts it, and waits until the first page is there and the next one is asked
/// for.
async fn on_its_second_page(site: &Site, fault: &str) -> Child {
    site.simulator.faults().add(fault.parse().expect("a fault"));
    let mut process = site
        .command(&["--page-size", "100"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    while site.simulator.faults().fired() == 0 {
        assert!(process.try_wait().expect("it is ours").is_none());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &process.id().to_string()])
        .status();
    assert!(sent.expect("there is kill").success());
}

async fn ended(process: Child) -> Output {
    tokio::task::spawn_blocking(move || process.wait_with_output().expect("it ends"))
        .await
        .expect("it ended")
}

#[test]
#[cfg(unix)]
fn the_first_signal_ends_it_at_the_page_and_it_goes_on_from_there() {
    run(async {
        for name in ["-TERM", "-INT"] {
            let site = Site::new(350).await;
            let late = "GET /users latency=1500ms times=1 skip=1";
            let process = on_its_second_page(&site, late).await;
            signal(&process, name);
            let output = ended(process).await;
            let said = err(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("ends after the page"), "{said}");
            let last = said.lines().last().expect("a line");
            assert!(
                last.contains("run 1 of `acme` has stopped; hint: run the same command again"),
                "{said}"
            );
            let stopped = json(&site.runs(&["--json"]));
            assert_eq!(stopped[0]["state"], "running");
            assert_eq!(
                stopped[0]["functions"][0]["pages"], 2,
                "the page was finished"
            );
            let output = site.sync(&[]).await;
            let said = err(&output);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(said.contains("run 1 of `acme` goes on, "), "{said}");
            assert!(said.contains("2 pages are there already"), "{said}");
        }
    });
}

#[test]
#[cfg(unix)]
fn the_second_signal_ends_it_at_once() {
    run(async {
        let site = Site::new(350).await;
        let never = "GET /users hang-after-applied times=1 skip=1";
        let process = on_its_second_page(&site, never).await;
        signal(&process, "-INT");
        // Heard, before the next one: two at once may count as one.
        tokio::time::sleep(Duration::from_millis(300)).await;
        signal(&process, "-INT");
        let output = ended(process).await;
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        let stopped = json(&site.runs(&["--json"]));
        assert_eq!(stopped[0]["state"], "running");
        assert_eq!(stopped[0]["functions"][0]["pages"], 1);
        let output = site.sync(&[]).await;
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert_eq!(json(&site.runs(&["--json"]))[0]["state"], "complete");
    });
}

#[test]
fn where_nobody_sees_a_bar_there_is_a_line_now_and_then() {
    run(async {
        let limited = pagerduty_simulator::Config {
            limit: Some(960),
            ..config(350)
        };
        let site = Site::of(Simulator::new(limited)).await;
        site.sync(&[]).await;
        site.simulator.faults().add(
            "GET /users latency=6s times=1 skip=1"
                .parse()
                .expect("a fault"),
        );
        let output = site.sync(&["--page-size", "100"]).await;
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let said = err(&output);
        let line = said.lines().find(|line| line.starts_with("accounts: "));
        let line = line.expect(&said);
        // Pages, rows, requests, what the vendor said of its limit, and the time that
        // is left, as the run before this one makes it known.
        assert!(line.starts_with("accounts: 100 in 1 page; "), "{line}");
        assert!(line.contains(" requests"), "{line}");
        let (_, limit) = line.split_once("requests").expect("it has them");
        assert!(limit.contains(" of 960 left of the rate limit; "), "{line}");
        assert!(
            line.contains("; about ") && line.ends_with(" left"),
            "{line}"
        );
    });
}

#[test]
fn a_sync_that_was_recorded_can_be_replayed() {
    run(async {
        let site = Site::new(150).await;
        let path = |name: &str| {
            let path = site.folder.path().join(name);
            path.to_str().expect("a path").to_owned()
        };
        let recording = path("sync.json");
        let recorded = site.sync(&["--record", &recording, "--json"]).await;
        assert_eq!(recorded.status.code(), Some(0), "{}", err(&recorded));
        let recorded = json(&recorded);
        let replay = |store: &str| {
            let output = harness()
                .args(["sync", "--json", "--replay", &recording, "--store", store])
                .output()
                .expect("it runs");
            assert_eq!(output.status.code(), Some(0), "{}", err(&output));
            json(&output)
        };
        let (one, two) = (path("one.db"), path("two.db"));
        let replayed = replay(&one);
        // The same requests, each once, and the same rows under other names.
        assert_eq!(replayed["run"]["requests"], recorded["run"]["requests"]);
        assert_eq!(replayed["changes"], recorded["changes"]);
        replay(&two);
        assert_eq!(dump(one.as_ref()), dump(two.as_ref()));
    });
}

#[test]
fn a_call_that_fails_says_how_to_go_on() {
    run(async {
        let site = Site::new(150).await;
        site.simulator
            .faults()
            .add("GET /teams status=400".parse().expect("a fault"));
        let output = site.sync(&[]).await;
        let said = err(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let last = said.lines().last().expect("a line");
        assert!(
            last.starts_with("error: `directory.list-resources` failed: "),
            "{said}"
        );
        assert!(last.contains("goes on where this one ended"), "{said}");
        site.simulator.faults().clear();
        let output = site.sync(&[]).await;
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert_eq!(json(&site.runs(&["--json"]))[0]["id"], 1, "the same run");
    });
}
