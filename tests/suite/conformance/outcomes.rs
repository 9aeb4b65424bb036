//! How outcomes are told.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use host_harness::{
    Connector, Credential, Network,
    conformance::{self, CheckReport, StandIn, Subject, SubjectError, Vendor},
};
use serde_json::{Value, json};

use super::{Workshop, ids};
use crate::{
    command_line::harness,
    support::{self, Opening},
};

fn conformance(args: &[&str]) -> (Option<i32>, String, String) {
    let output = harness()
        .arg("conformance")
        .args(args)
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn an_unknown_check_is_refused_with_the_most_similar_one() {
    let (code, stdout, stderr) = conformance(&["--check", "page-ends"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert_eq!(
        stderr,
        "error: there is no check `page-ends`; hint: did you mean `page-end`? \
         `harness conformance --list` has all\n"
    );
    let (code, _, stderr) = conformance(&["--check", "\u{1b}[31m"]);
    assert_eq!(code, Some(2));
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn a_live_tenant_is_only_read() {
    let (code, _, stderr) = conformance(&["--live"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--read-only"), "{stderr}");
    let (code, _, stderr) = conformance(&["--read-only", "--check", "create"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("the check `create` changes the tenant"),
        "{stderr}"
    );
}

#[test]
fn the_list_has_all_checks_with_their_level_and_where_they_run() {
    let (code, table, _) = conformance(&["--list"]);
    assert_eq!(code, Some(0));
    let (_, json, _) = conformance(&["--list", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let checks = json["checks"].as_array().expect("a list");
    assert_eq!(table.lines().count(), checks.len() + 1);
    for check in checks {
        let text = |name: &str| check[name].as_str().expect(name);
        let row = table
            .lines()
            .find(|line| line.split_whitespace().next() == Some(text("id")));
        let row = row.expect("a row");
        assert!(
            row.contains(text("level")) && row.contains(text("sources")),
            "{row}"
        );
        assert!(row.ends_with(text("title")), "{row}");
    }
    let (_, reads, _) = conformance(&["--list", "--read-only"]);
    assert!(!reads.contains(" write "), "{reads}");
}

#[test]
fn the_table_has_a_line_for_each_check_and_says_what_to_do() {
    let workshop = Workshop::new();
    let mutant = workshop.connector("identifiers");
    let mutant = mutant.to_str().expect("a path");
    let (code, stdout, stderr) = conformance(&[
        "--connector",
        mutant,
        "--users",
        "3",
        "--check",
        "identifiers",
        "--check",
        "settings",
        "--check",
        "budget",
    ]);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(lines[0].starts_with("pass  settings     "), "{stdout}");
    assert!(lines[1].starts_with("fail  identifiers  "), "{stdout}");
    assert!(lines[1].contains("; hint: "), "{stdout}");
    assert!(lines[2].starts_with("skip  budget       "), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    assert!(
        stderr.contains("1 pass, 1 fail, 0 warn, 1 skip") && stderr.contains("1 check failed"),
        "{stderr}"
    );
}

#[test]
fn junit_is_well_formed_whatever_a_connector_says() {
    let workshop = Workshop::new();
    let mutant = workshop.connector("identifiers");
    let file = workshop.path("conformance.xml");
    let (code, stdout, _) = conformance(&[
        "--connector",
        mutant.to_str().expect("a path"),
        "--users",
        "3",
        "--read-only",
        "--format",
        "junit",
        "--output",
        file.to_str().expect("a path"),
    ]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let xml = fs::read_to_string(file).expect("a file");
    let tags = tags(&xml);
    let count = |name: &str| tags.iter().filter(|tag| *tag == name).count();
    assert_eq!(count("testsuite"), 1);
    assert_eq!(count("failure"), 1, "{xml}");
    assert!(xml.contains("P&lt;&amp;"), "{xml}");
    assert!(
        xml.contains(&format!("tests=\"{}\" failures=\"1\"", count("testcase"))),
        "{xml}"
    );
    assert!(
        xml.contains(&format!("skipped=\"{}\"", count("skipped"))),
        "{xml}"
    );
}

/// The elements of an XML document without comments and CDATA, if each is
/// closed in its place and all text is escaped.
fn tags(xml: &str) -> Vec<String> {
    let is_legal = |character: char| !character.is_control() || character == '\n';
    assert!(xml.chars().all(is_legal), "{xml}");
    let mut open: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    let body = xml.split_once("?>\n").expect("a declaration").1;
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{piece}");
        for entity in piece.split('&').skip(1) {
            let name = entity.split(';').next().expect("a name");
            assert!(
                ["amp", "lt", "gt", "quot", "apos"].contains(&name),
                "{piece}"
            );
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{xml}");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().expect("a name").to_owned();
        if !tag.ends_with('/') {
            open.push(name.clone());
        }
        seen.push(name);
    }
    assert!(open.is_empty(), "{open:?} in {xml}");
    seen
}

#[test]
fn a_folder_without_recordings_of_the_connector_is_told() {
    let workshop = Workshop::new();
    let folder = workshop.path("empty");
    fs::create_dir(&folder).expect("a writable folder");
    let folder = folder.to_str().expect("a path");
    let (code, stdout, stderr) = conformance(&["--cassette", folder]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("holds no recording of the connector `pagerduty`"),
        "{stderr}"
    );
    let (code, _, stderr) = conformance(&["--cassette", "/nowhere/at/all"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("; hint: "), "{stderr}");
}

#[test]
fn no_escape_of_a_connector_reaches_the_terminal() {
    let workshop = Workshop::new();
    let mutant = workshop.connector("escape");
    let mutant = mutant.to_str().expect("a path");
    let args = [
        "--users",
        "3",
        "--check",
        "credential",
        "--connector",
        mutant,
    ];
    let (code, stdout, stderr) = conformance(&args);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.starts_with("pass  credential  ") && stdout.contains("\\u{1b}[31m"),
        "{stdout}"
    );
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
}

#[test]
fn a_connector_of_another_vendor_is_not_checked_on_the_simulator() {
    let workshop = Workshop::new();
    let mutant = workshop.connector("vendor");
    let mutant = mutant.to_str().expect("a path");
    for source in [&[][..], &["--simulator"]] {
        let (code, stdout, stderr) = conformance(&[&["--connector", mutant], source].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        assert!(
            stderr.contains("no simulator of the vendor `example.com`; hint: "),
            "{stderr}"
        );
        assert!(stderr.contains("--cassette"), "{stderr}");
    }
}

#[test]
fn a_run_that_has_looked_at_nothing_is_not_conformant() {
    let (code, stdout, stderr) = conformance(&["--check", "budget", "--format", "json"]);
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["skip"], 1);
    assert_eq!(report["conformant"], false);
    assert!(stderr.contains("nothing could be checked"), "{stderr}");
}

#[test]
fn what_the_recordings_do_not_hold_is_counted_and_alone_is_no_pass() {
    let workshop = Workshop::new();
    let folder = workshop.path("recordings");
    fs::create_dir(&folder).expect("a folder");
    // After an answer that can't be read the connector asks other sources.
    let file = "last-activity.json";
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
    fs::copy(Path::new(fixtures).join(file), folder.join(file)).expect("a recording");
    let run = |check: &str| {
        let folder = folder.to_str().expect("a path");
        let args = ["--format", "json", "--cassette", folder, "--check", check];
        let (_, stdout, _) = conformance(&args);
        let report: Value = serde_json::from_str(&stdout).expect("JSON");
        let text = |name: &str| report["checks"][0][name].as_str().map(str::to_owned);
        (text("outcome").expect("one"), text("detail").expect("one"))
    };
    let (outcome, detail) = run("fault-nonsense");
    assert_eq!(outcome, "skip", "{detail}");
    assert!(detail.contains("; of 6 more the recordings"), "{detail}");
    let (outcome, detail) = run("fault-once");
    assert_eq!(outcome, "pass", "{detail}");
    assert_eq!(
        detail,
        "2 calls that went wrong on purpose; of 1 more the recordings do not hold what it asks \
         for then; not tried at all: `truncated-json`"
    );
    let (outcome, detail) = run("fault-unavailable");
    assert_eq!(
        (outcome.as_str(), detail.as_str()),
        ("pass", "4 calls that went wrong on purpose")
    );
}

#[test]
fn a_recording_that_cannot_be_played_fails() {
    let workshop = Workshop::new();
    let sound = workshop.connector("nothing");
    let recordings = workshop.recordings(&sound, "recordings");
    let file = recordings.join("grants.json");
    let text = fs::read_to_string(&file).expect("a recording");
    let mut recording: Value = serde_json::from_str(&text).expect("JSON");
    recording["x-harness"]["settings"]["region"] = "mars".into();
    fs::write(&file, recording.to_string()).expect("a writable folder");
    let recordings = recordings.to_str().expect("a path");
    let outcomes = workshop.check(&sound, &["--cassette", recordings]);
    assert_eq!(outcomes.ids("fail"), ids(&["recordings"]));
    assert_eq!(outcomes.code, Some(1));
    let (_, what) = outcomes.told("fail").remove(0);
    assert!(what.contains("can't be played"), "{what}");
}

#[test]
fn a_live_tenant_that_changes_meanwhile_is_a_warning() {
    support::run(async {
        let bench = Opening::users(5).open().await;
        let subject = Subject::live(support::connector().clone(), bench.config.clone());
        let named = ["reads", "get-account"].map(str::to_owned);
        let checks = conformance::select(&named).expect("checks");
        let user = &bench.simulator.user_ids()[1];
        // The check after that has the list from before.
        let rename = |_: &CheckReport| {
            let change = json!({ "user": { "type": "user", "name": "Somebody Else" } });
            drop(
                bench
                    .simulator
                    .ask("PUT", &format!("/users/{user}"), Some(&change)),
            );
        };
        let report = conformance::run(&subject, &checks, &rename).await;
        let report = report.expect("a tenant");
        let warned = &report.checks[1].outcome;
        assert_eq!(warned.word(), "warn", "{}", warned.detail());
        assert!(
            warned.detail().contains("differs in"),
            "{}",
            warned.detail()
        );
    });
}

#[test]
fn what_differs_twice_on_a_live_tenant_is_a_failure() {
    support::run(async {
        let workshop = Workshop::new();
        let mutant = workshop.connector("get-account");
        let mutant = Connector::from_file(support::engine(), &mutant).await;
        let mutant = mutant.expect("it loads");
        let bench = Opening::users(5).open_with(&mutant).await;
        let subject = Subject::live(mutant, bench.config.clone());
        let checks = conformance::select(&["get-account".to_owned()]).expect("a check");
        let report = conformance::run(&subject, &checks, &|_| {}).await;
        assert_eq!(report.expect("a tenant").count("fail"), 1);
    });
}

/// A stand-in vendor that starts once.
#[derive(Default)]
struct Once(AtomicBool);

#[async_trait]
impl StandIn for Once {
    async fn start(&self) -> Result<Vendor, SubjectError> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Err(SubjectError::StandIn("no port is free".to_owned()));
        }
        let credential = Credential::token("nobody's").expect("a token");
        Ok(Vendor::new(Network::default(), credential, ()))
    }
}

#[test]
fn a_stand_in_that_does_not_start_again_ends_the_run() {
    let subject = Subject::stand_in(support::connector().clone(), Arc::new(Once::default()));
    let checks = conformance::select(&["credential-revoked".to_owned()]).expect("a check");
    let report = support::run(conformance::run(&subject, &checks, &|_| {}));
    assert!(matches!(report, Err(SubjectError::StandIn(_))));
}
