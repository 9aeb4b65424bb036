//! `harness connectors` and `harness audit`.

use std::fs;

use serde_json::Value;

use super::{Host, stderr, stdout, text, verify};
use crate::{
    command_line::harness,
    registry::{recordings, second_version, version},
};

#[test]
fn a_version_that_answers_otherwise_is_refused_with_the_difference_until_it_is_accepted() {
    let recordings = recordings();
    let host = Host::start(&["--recordings", text(recordings.path())]);
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
    let same = host.file("same.wasm", &second_version(""));
    let said = host.done(&["swap", text(&same)]);
    assert!(
        said.starts_with("`pagerduty` 0.2.0 (")
            && said.contains(") serves as generation 2, in place of generation 1"),
        "{said}"
    );

    let other = host.file("other.wasm", &second_version("names"));
    let said = host.refused(&["swap", text(&other)]);
    for part in [
        "entitlements.json\n",
        "- \"Responder\"",
        "+ \"Responder of 0.2.0\"",
        "error: refused at the stage `replay`: it differs from the running generation on 1 of 2 \
         recordings; hint: ",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 2));

    let said = host.done(&["swap", text(&other), "--accept"]);
    assert!(said.contains("+ \"Responder of 0.2.0\""), "{said}");
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 3));
    let entitlements = host.call("list_entitlements").to_string();
    assert!(
        entitlements.contains("Responder of 0.2.0"),
        "{entitlements}"
    );
    let history = host.done(&["history"]);
    assert!(
        history
            .lines()
            .any(|line| line.contains("refused") && line.contains("ada")),
        "{history}"
    );
}

#[test]
fn a_candidate_is_tried_on_live_reads_before_it_takes_over() {
    let host = Host::start(&[]);
    let file = host.file("next.wasm", &second_version("names"));
    let said = host.done(&["load", text(&file)]);
    assert!(
        said.contains("0.2.0") && said.contains("is the candidate"),
        "{said}"
    );
    assert_eq!(host.serving().0, "0.1.0");
    host.done(&["shadow", "pagerduty", "--every", "1"]);
    let said = host.refused(&["swap", "--candidate", "pagerduty"]);
    assert!(said.contains("the stage `shadow`"), "{said}");
    let entitlements = host.call("list_entitlements").to_string();
    assert!(
        entitlements.contains("Responder"),
        "the caller gets the running version's"
    );
    host.call("list_accounts");
    let seen = loop {
        let list = host.list();
        let seen = &list["connectors"][0]["candidate"]["shadow"];
        if seen["compared"] == 2 {
            break seen.clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(seen["differing"], 1, "{seen}");
    let said = host.refused(&["swap", "--candidate", "pagerduty"]);
    assert!(
        said.contains("it answers 1 of 2 live reads otherwise"),
        "{said}"
    );
    host.done(&["swap", "--candidate", "pagerduty", "--accept"]);
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 2));
    let said = host.refused(&["swap", "--candidate", "pagerduty"]);
    assert!(said.contains("has no candidate"), "{said}");

    let file = host.file("third.wasm", &version("0.3.0"));
    host.done(&["load", text(&file)]);
    host.done(&["discard", "pagerduty"]);
    assert_eq!(host.list()["connectors"][0]["candidate"], Value::Null);
    host.refused(&["shadow", "pagerduty"]);
}

#[test]
fn a_rollback_and_a_quarantine_bring_earlier_versions_back() {
    let host = Host::start(&[]);
    for next in ["0.2.0", "0.3.0"] {
        let file = host.file("next.wasm", &version(next));
        host.done(&["swap", text(&file)]);
    }
    let said = host.done(&["rollback", "pagerduty", "--reason", "it was told"]);
    assert_eq!(said, "generation 2 of `pagerduty` serves\n");
    host.done(&["rollback", "pagerduty", "--to", "3"]);
    assert_eq!(host.serving().1, 3);
    let said = host.refused(&["rollback", "pagerduty", "--to", "17"]);
    assert!(
        said.contains("generation 17 of `pagerduty` is not kept"),
        "{said}"
    );
    let said = host.refused(&["rollback", "nobody"]);
    assert!(said.contains("there is no connector `nobody`"), "{said}");

    let list = host.list();
    let digest = list["connectors"][0]["generations"][0]["sha256"].clone();
    let digest = digest.as_str().expect("text");
    host.done(&["quarantine", &digest[..8], "--reason", "it counts wrong"]);
    assert_eq!(host.serving().1, 2);
    let shown = host.done(&["list"]);
    assert!(
        shown.contains("QUARANTINED") && shown.contains("it counts wrong"),
        "{shown}"
    );
    let file = host.file("next.wasm", &version("0.3.0"));
    let said = host.refused(&["swap", text(&file), "--accept"]);
    assert!(said.contains("is in quarantine: it counts wrong"), "{said}");
    host.done(&["quarantine", digest, "--release"]);
    host.done(&["swap", text(&file)]);
    assert_eq!(host.serving().0, "0.3.0");
}

#[test]
fn what_is_no_sound_component_is_refused_and_changes_nothing() {
    let host = Host::start(&[]);
    let text_file = host.file("notes.wasm", b"not a component");
    let said = host.refused(&["swap", text(&text_file)]);
    assert!(said.contains("refused at the stage `verify`"), "{said}");
    let said = host.refused(&["load", text(&text_file)]);
    assert!(said.contains("refused at the stage `verify`"), "{said}");
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
    let missing = host.connectors(&["swap", "/nowhere/x.wasm"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}

#[test]
fn without_the_token_or_a_host_it_is_said_what_to_do() {
    let host = Host::start(&[]);
    let wrong = host.file("token", b"another-token-altogether");
    let output = harness()
        .args(["connectors", "list", "--admin"])
        .arg(format!("http://{}", host.admin))
        .arg("--token-file")
        .arg(&wrong)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the request has no valid token; hint: "));

    for (admin, code, said) in [
        ("http://127.0.0.1:1", 1, "can't be asked"),
        (
            "http://host.example:8701",
            2,
            "would show it the token in clear",
        ),
        ("ftp://127.0.0.1", 2, "is no address of a host"),
        ("http://127.0.0.1/path", 2, "is no address of a host"),
    ] {
        let output = harness()
            .args(["connectors", "list", "--admin", admin])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let shown = stderr(&output);
        assert!(shown.contains(said) && shown.contains("hint: "), "{shown}");
    }
}

#[test]
fn a_change_of_the_audit_log_is_found_while_the_host_runs_and_after() {
    let host = Host::start(&[]);
    let file = host.file("next.wasm", &version("0.2.0"));
    host.done(&["swap", text(&file)]);
    // A replaced generation without calls ends at once; that is the last record.
    host.wait_for("drained");
    let state = host.process.folder().join("state");
    let sound = verify(&state, &["--json"]);
    assert!(sound.status.success(), "{}", stderr(&sound));
    let found: Value = serde_json::from_str(&stdout(&sound)).expect("JSON");
    let head = found["head"].as_str().expect("a hash");
    assert!(verify(&state, &["--head", head]).status.success());
    let other = verify(&state, &["--head", &"0".repeat(64)]);
    assert_eq!(other.status.code(), Some(1));

    let log = fs::read_to_string(host.audit_log()).expect("it is there");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(found["records"], lines.len());
    // The folder knows how far the log reached; the file alone does not.
    let shortened = lines[..lines.len() - 1].join("\n") + "\n";
    let forged = log.replacen("\"by\":\"ada\"", "\"by\":\"eve\"", 1);
    assert_ne!(forged, log);
    for (changed, said) in [
        (forged, "breaks the chain"),
        (shortened, "ends before record"),
    ] {
        fs::write(host.audit_log(), changed).expect("written");
        let output = verify(&state, &[]);
        assert_eq!(output.status.code(), Some(1));
        let shown = stderr(&output);
        assert!(shown.contains(said) && shown.contains("hint: "), "{shown}");
    }
    let nothing = verify("/nowhere".as_ref(), &[]);
    assert_eq!(nothing.status.code(), Some(2));
}
