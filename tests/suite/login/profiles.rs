//! What a login leaves behind, and how commands use it.

use super::*;

#[test]
fn a_file_beats_a_named_profile_beats_the_variable_beats_the_default_profile() {
    let desk = Desk::new();
    assert_ok(&desk.as_application(&[]));
    assert_ok(&desk.login(&["--profile", "person"]));
    let acting_as = |command: &mut Command| {
        let output = command.arg("--json").output().expect("it runs");
        assert_ok(&output);
        let said: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        said["acting_as"].is_string()
    };
    let with_key = "simulated-token";
    assert!(!acting_as(&mut desk.command(&["validate"])));
    assert!(acting_as(
        desk.command(&["validate"]).env("PAGERDUTY_TOKEN", with_key)
    ));
    assert!(!acting_as(
        desk.command(&["validate", "--profile", "default"])
            .env("PAGERDUTY_TOKEN", with_key)
    ));
    assert!(!acting_as(
        desk.command(&["validate", "--auth", "oauth-app"])
            .env("PAGERDUTY_TOKEN", with_key)
    ));
    assert!(acting_as(&mut desk.command(&[
        "validate",
        "--profile",
        "person"
    ])));
    assert_refused(
        &desk.run(&["validate", "--profile", "person", "--auth", "oauth-app"]),
        2,
        &["`oauth`", "`oauth-app`"],
    );
    assert_refused(
        &desk.run(&["validate", "--profile", "nobody"]),
        2,
        &[
            "`nobody`",
            "`default`, `person`",
            "harness login --profile nobody",
        ],
    );
    assert_refused(
        &desk.run(&["validate", "--profile", "../default"]),
        2,
        &["../default"],
    );
    // The simulator in the process is nobody's account.
    let output = harness()
        .args(["validate", "--simulator", "-v"])
        .env("HARNESS_CREDENTIALS", desk.credentials())
        .output()
        .expect("it runs");
    assert_ok(&output);
    assert!(!stderr(&output).contains("profile"), "{}", stderr(&output));
}

#[test]
fn a_sign_in_that_has_ended_says_to_sign_in_again() {
    let desk = Desk::new();
    assert_ok(&desk.login(&[]));
    desk.simulator.advance(Duration::from_secs(240 * 86_400));
    let output = desk.run(&["accounts", "--json"]);
    assert_refused(&output, 1, &["sign-in has ended", "`harness login`"]);
    let said: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(said["error"]["code"], "unauthorized");
}

#[test]
fn processes_that_share_a_profile_renew_it_once() {
    let desk = Desk::new();
    assert_ok(&desk.login(&[]));
    desk.end("default");
    // Long enough for the others to start with what the first one replaces.
    let slow = "POST /oauth/token latency=1s times=1";
    desk.simulator.faults().add(slow.parse().expect("a fault"));
    let before = desk.token_requests();
    let running: Vec<Child> = (0..4)
        .map(|_| {
            desk.command(&["validate"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for process in running {
        // A refresh token that was used twice would have ended the sign-in.
        assert_ok(&process.wait_with_output().expect("it ends"));
    }
    assert_eq!(desk.token_requests(), before + 1);
    assert_ok(&desk.run(&["validate"]));
}

#[cfg(unix)]
#[test]
fn a_profile_that_others_can_read_is_refused() {
    let desk = Desk::new();
    assert_ok(&desk.login(&[]));
    for exposed in [0o644, 0o640, 0o604, 0o660] {
        set_mode(&desk.file("default"), exposed);
        let said = format!("chmod 600 {}", desk.file("default").display());
        assert_refused(&desk.run(&["validate"]), 2, &[&said, "others can read"]);
    }
    set_mode(&desk.file("default"), 0o600);
    assert_ok(&desk.run(&["validate"]));
    // Where others can write they could put a profile of theirs in its place.
    set_mode(&desk.credentials(), 0o777);
    let asked = desk.simulator.request_count();
    let output = desk.as_application(&[]);
    assert_refused(&output, 2, &["write to", "chmod 700"]);
    assert_eq!(
        desk.simulator.request_count(),
        asked,
        "before anything was sent"
    );
}

#[test]
fn a_profile_that_is_damaged_is_not_quoted() {
    let desk = Desk::new();
    assert_ok(&desk.login(&[]));
    let text = fs::read_to_string(desk.file("default")).expect("stored");
    for damaged in [
        text.replace("\"scheme\"", "\"schema\""),
        text.replace("\"issued_at\": \"", "\"issued_at\": \"pdus+_"),
        text.replace("\"moved\": true", "\"moved\": \"pdus+_secret\""),
        "pdus+_secret".to_owned(),
        String::new(),
    ] {
        fs::write(desk.file("default"), damaged).expect("written");
        let output = desk.run(&["validate"]);
        assert_refused(&output, 2, &["is not a stored credential"]);
        assert!(!stderr(&output).contains("pdus+_"), "{}", stderr(&output));
    }
    assert_ok(&desk.login(&[]));
}

#[test]
fn a_logout_removes_the_profile_and_says_what_it_leaves() {
    let desk = Desk::new();
    assert_ok(&desk.login(&["--profile", "emea"]));
    let logout = |profile: &str| {
        harness()
            .args(["logout", "--profile", profile])
            .env("HARNESS_CREDENTIALS", desk.credentials())
            .output()
            .expect("it runs")
    };
    let output = logout("emea");
    assert_ok(&output);
    assert!(stdout(&output).contains("removed"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("was not told"),
        "{}",
        stderr(&output)
    );
    assert!(!desk.file("emea").exists());
    assert_refused(&logout("emea"), 2, &["no profile `emea`"]);
    assert_refused(
        &desk.run(&["validate"]),
        2,
        &["no credential", "harness login"],
    );
}

#[test]
fn a_recording_made_with_a_profile_holds_no_token_and_no_sign_in() {
    let desk = Desk::new();
    assert_ok(&desk.login(&[]));
    desk.end("default");
    let cassette = desk.folder.path().join("recorded.json");
    let cassette = cassette.to_str().expect("a path");
    let before = desk.token_requests();
    assert_ok(&desk.run(&["accounts", "--record", cassette]));
    assert_eq!(desk.token_requests(), before + 1, "renewed meanwhile");
    let text = fs::read_to_string(cassette).expect("recorded");
    assert!(
        !text.contains("pdus+_") && !text.contains("/oauth/"),
        "{text}"
    );
    let replayed = harness()
        .args(["accounts", "--replay", cassette])
        .output()
        .expect("it runs");
    assert_ok(&replayed);
}
