//! The command line: what people and scripts see.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// The built command, without the caller's credential or settings.
pub fn harness() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .env_remove("PAGERDUTY_TOKEN")
        .env_remove("PAGERDUTY_CLIENT_ID")
        .env_remove("PAGERDUTY_CLIENT_SECRET")
        .env("HARNESS_CREDENTIALS", "/nowhere")
        .env_remove("HARNESS_LOG")
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .env_remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .stdin(Stdio::null());
    command
}

/// A simulator in a process of its own.
pub struct Served {
    process: Child,
    pub origin: String,
}

impl Served {
    pub fn start(args: &[&str]) -> Self {
        let mut process = harness()
            .args(["simulator", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let origin = line
            .trim()
            .strip_prefix("listening on ")
            .expect(&line)
            .to_owned();
        Self { process, origin }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn run(args: &[&str]) -> Output {
    harness().args(args).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// One line with cause and hint, the exit code, nothing on stdout.
#[track_caller]
fn assert_refused(output: &Output, code: i32, said: &str) {
    let shown = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{shown}");
    assert_eq!(shown.lines().count(), 1, "one line: {shown}");
    assert!(
        shown.starts_with("error: ") && shown.contains("; hint: "),
        "{shown}"
    );
    assert!(shown.contains(said), "{shown} should say {said}");
    assert!(
        !shown.contains("panicked") && !shown.contains("RUST_BACKTRACE"),
        "{shown}"
    );
    assert_eq!(stdout(output), "", "nothing half-written");
}

#[test]
fn bad_input_is_refused_in_one_line_with_cause_and_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let text = path("text.wasm", b"#!/bin/sh\n");
    let module = path("module.wasm", &wat::parse_str("(module)").expect("valid"));
    let sockets = wat::parse_str("(component (import \"wasi:sockets/tcp@0.2.0\" (instance)))");
    let sockets = path("sockets.wasm", &sockets.expect("valid"));
    let future = wat::parse_str(
        "(component (instance $i) (export \"iga:connector/metadata@9.0.0\" (instance $i)))",
    );
    let future = path("future.wasm", &future.expect("valid"));
    let token = path("token", b"some-token-of-somebody");
    let empty = path("empty", b"\n");
    let with_token = |args: &[&'static str]| {
        let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        all.extend(["--token-file".to_owned(), token.clone()]);
        all
    };
    let owned = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let cases: Vec<(Vec<String>, i32, &str)> = vec![
        (
            owned(&["call", "directory.nope", "--simulator"]),
            2,
            "directory.nope",
        ),
        (owned(&["call", "nonsense", "--simulator"]), 2, "nonsense"),
        (
            owned(&[
                "call",
                "directory.list-accounts",
                "--simulator",
                "--input",
                "{bad",
            ]),
            2,
            "JSON",
        ),
        (
            owned(&[
                "call",
                "directory.list-accounts",
                "--simulator",
                "--input",
                "@/nowhere",
            ]),
            2,
            "/nowhere",
        ),
        (
            owned(&["call", "directory.get-account", "--simulator"]),
            2,
            "`id`",
        ),
        (
            owned(&[
                "call",
                "directory.list-accounts",
                "--simulator",
                "--input",
                "{\"page\":{\"token\":\"AAAA\"}}",
            ]),
            1,
            "page token",
        ),
        (owned(&["accounts"]), 2, "no credential"),
        (
            owned(&["accounts", "--token-file", "/nowhere"]),
            2,
            "/nowhere",
        ),
        (owned(&["accounts", "--token-file", &empty]), 2, "empty"),
        (
            owned(&["info", "--connector", "/nowhere.wasm"]),
            2,
            "/nowhere.wasm",
        ),
        (
            owned(&["info", "--connector", &text]),
            2,
            "not a WebAssembly file",
        ),
        (owned(&["info", "--connector", &module]), 2, "core module"),
        (
            owned(&["info", "--connector", &sockets]),
            2,
            "wasi:sockets/tcp@0.2.0",
        ),
        (
            owned(&["info", "--connector", &future]),
            2,
            "iga:connector@9.0.0",
        ),
        (
            with_token(&["accounts", "--base-url", "http://127.0.0.1:1"]),
            1,
            "connection refused",
        ),
        (
            with_token(&["accounts", "--base-url", "https://no.such.host.invalid"]),
            1,
            "no.such.host.invalid",
        ),
        (
            with_token(&["accounts", "--base-url", "http://127.0.0.1:1/v2"]),
            2,
            "path",
        ),
        (
            with_token(&["accounts", "--base-url", "http://example.com"]),
            2,
            "in the clear",
        ),
        (
            with_token(&["accounts", "--base-url", "nonsense"]),
            2,
            "not a URL",
        ),
        (
            with_token(&["accounts", "--grant", "https://x.y/z"]),
            2,
            "--grant",
        ),
        (
            with_token(&["accounts", "--ca-file", "/nowhere"]),
            2,
            "/nowhere",
        ),
        (
            with_token(&["accounts", "--record", "/nowhere/x.json"]),
            2,
            "/nowhere",
        ),
        (
            owned(&["accounts", "--simulator", "--setting", "region=mars"]),
            2,
            "mars",
        ),
        (
            owned(&["accounts", "--simulator", "--setting", "planet=mars"]),
            2,
            "planet",
        ),
        (
            owned(&["accounts", "--simulator", "--setting", "region"]),
            2,
            "`=`",
        ),
        (
            owned(&["accounts", "--simulator", "--auth", "nope"]),
            2,
            "nope",
        ),
        (
            owned(&["accounts", "--replay", "/nowhere.json"]),
            2,
            "/nowhere.json",
        ),
        (owned(&["accounts", "--replay", &text]), 2, "no cassette"),
        (owned(&["cassette", "inspect", &text]), 2, "no cassette"),
        (
            owned(&["cassette", "lint", "/nowhere.json"]),
            2,
            "/nowhere.json",
        ),
        (owned(&["simulator", "--fault", "nonsense"]), 2, "nonsense"),
        (
            owned(&["on-call", "--simulator", "--at", "noon"]),
            1,
            "instant",
        ),
    ];
    for (args, code, said) in cases {
        let output = harness().args(&args).output().expect("it runs");
        println!("harness {}", args.join(" "));
        assert_refused(&output, code, said);
    }
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error() {
    for args in [
        &["nonsense"][..],
        &["accounts", "--nonsense"],
        &[],
        &["accounts", "--users", "0"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "info",
        "validate",
        "doctor",
        "login",
        "logout",
        "call",
        "accounts",
        "resources",
        "entitlements",
        "grants",
        "on-call",
        "cassette",
        "simulator",
        "demo",
        "completions",
    ] {
        let output = run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = stdout(&output);
        assert!(help.contains("Usage:"), "{help}");
        assert!(
            stdout(&run(&["--help"])).contains(command),
            "{command} is listed"
        );
    }
    assert!(stdout(&run(&["--help"])).contains("Exit codes"));
    assert!(stdout(&run(&["accounts", "--help"])).contains("Example"));
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(
            script.contains("harness") && script.contains("entitlements"),
            "{shell}"
        );
    }
}

#[test]
fn json_goes_to_stdout_and_talk_to_stderr() {
    let output = run(&["accounts", "--simulator", "--users", "7", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!(json["items"].as_array().map(Vec::len), Some(7));
    assert_eq!(json["next"], Value::Null);

    for command in [
        "validate",
        "doctor",
        "resources",
        "entitlements",
        "grants",
        "on-call",
    ] {
        let output = run(&[command, "--simulator", "--users", "7", "--json"]);
        serde_json::from_slice::<Value>(&output.stdout)
            .unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    let json: Value = serde_json::from_slice(&run(&["info", "--json"]).stdout).expect("JSON");
    assert_eq!(json["app_id"], "pagerduty");
    assert!(json["settings_schema"].is_object());
}

#[test]
fn a_failed_call_is_also_told_as_json() {
    let output = run(&[
        "call",
        "directory.get-account",
        "--input",
        "{\"id\":\"PNOPE99\"}",
        "--simulator",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["error"]["code"], "not_found");
    assert_eq!(json["error"]["upstream_status"], 404);
}

#[test]
fn what_is_recorded_can_be_replayed_inspected_linted_and_converted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("accounts.json");
    let file = file.to_str().expect("a path");
    let live = run(&[
        "accounts",
        "--simulator",
        "--users",
        "150",
        "--json",
        "--record",
        file,
    ]);
    assert_eq!(live.status.code(), Some(0), "{}", stderr(&live));
    let replayed = run(&["accounts", "--replay", file, "--json"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stderr(&replayed));
    assert_eq!(
        run(&["accounts", "--replay", file, "--json"]).stdout,
        replayed.stdout
    );
    let ids = |output: &Output| -> Vec<String> {
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        json["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["id"].to_string())
            .collect()
    };
    assert_eq!(ids(&replayed), ids(&live));

    let inspected = stdout(&run(&["cassette", "inspect", file]));
    assert!(
        inspected.contains("simulator")
            && inspected.contains("GET https://api.pagerduty.com/users")
    );
    let linted = run(&["cassette", "lint", file]);
    assert_eq!(linted.status.code(), Some(0), "{}", stdout(&linted));
    let har = folder.path().join("accounts.har");
    let har = har.to_str().expect("a path");
    assert_eq!(
        run(&["cassette", "convert", file, "--to", "har", "--output", har])
            .status
            .code(),
        Some(0)
    );
    let back = run(&["cassette", "convert", har, "--from", "har"]);
    assert_eq!(stdout(&back), fs::read_to_string(file).expect("readable"));
}

#[test]
fn a_cassette_with_a_secret_fails_the_lint() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.json");
    let path = file.to_str().expect("a path");
    run(&["validate", "--simulator", "--record", path]);
    let text = fs::read_to_string(&file).expect("recorded");
    fs::write(&file, text.replace("\"accept\"", "\"authorization\"")).expect("written");
    let output = run(&["cassette", "lint", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("authorization"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_served_simulator_is_reached_by_base_url_and_by_tls() {
    let plain = Served::start(&["--users", "9"]);
    let list = |extra: &[&str]| {
        harness()
            .args(["accounts", "--json"])
            .args(extra)
            .env("PAGERDUTY_TOKEN", "simulated-token")
            .output()
            .expect("it runs")
    };
    let output = list(&["--base-url", &plain.origin]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let folder = tempfile::tempdir().expect("a folder");
    let tls = folder.path().join("tls");
    fs::create_dir(&tls).expect("made");
    let served = Served::start(&["--users", "9", "--tls", tls.to_str().expect("a path")]);
    assert!(served.origin.starts_with("https://"), "{}", served.origin);
    let ca = tls.join("ca.pem");
    let output = list(&[
        "--base-url",
        &served.origin,
        "--ca-file",
        ca.to_str().expect("a path"),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = list(&["--base-url", &served.origin]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("certificate"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn another_connector_reaches_nothing_that_was_not_granted_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.wasm");
    fs::write(&file, host_harness::connector::BUNDLED).expect("written");
    let file = file.to_str().expect("a path");
    let output = harness()
        .args(["validate", "--connector", file])
        .env("PAGERDUTY_TOKEN", "simulated-token")
        .output()
        .expect("it runs");
    assert_refused(&output, 1, "https://api.pagerduty.com");
    assert!(stderr(&output).contains("--grant"), "{}", stderr(&output));
    let output = run(&["validate", "--connector", file, "--simulator"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn doctor_fails_where_a_check_fails() {
    let served = Served::start(&["--users", "3"]);
    let output = harness()
        .args(["doctor", "--base-url", &served.origin])
        .env("PAGERDUTY_TOKEN", "revoked-long-ago")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("fail"), "{}", stdout(&output));
}

#[test]
fn the_demo_tells_the_whole_story() {
    let output = run(&["demo", "--users", "40"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    for part in [
        "validate", "grants", "on-call", "doctor", "replay", "Done in",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}
