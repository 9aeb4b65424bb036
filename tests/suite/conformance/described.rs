//! Requests and answers against what a vendor says of its API.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};

use super::{Outcomes, Workshop, bundled::FIXTURES, ids};
use crate::{command_line::harness, openapi};

/// A description of what the small connector asks for.
pub fn small(workshop: &Workshop) -> PathBuf {
    let page = json!([
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
        {"name": "offset", "in": "query", "schema": {"type": "integer"}},
    ]);
    let list = |name: &str| {
        json!({"get": {"parameters": page, "responses": {"200": {"content": {"application/json": {
            "schema": {"type": "object", "required": [name]},
        }}}}}})
    };
    let mut shifts = list("oncalls");
    for name in ["schedule_ids[]", "user_ids[]"] {
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let parameter = json!({"name": name, "in": "query", "schema": texts});
        let parameters = shifts["get"]["parameters"].as_array_mut();
        parameters.expect("a list").push(parameter);
    }
    let path = workshop.path("openapi.json");
    let document = json!({"openapi": "3.0.3", "paths": {
        "/abilities": list("abilities"),
        "/oncalls": shifts,
        "/teams": list("teams"),
        "/teams/{id}/members": list("members"),
        "/users": list("users"),
        "/users/{id}": list("user"),
        "/users/{id}/sessions": list("user_sessions"),
    }});
    write(&path, &document);
    path
}

/// A folder with one recording of the bundled connector, `accounts.json`, and a
/// description of what is in it.
struct Recorded {
    workshop: Workshop,
    description: PathBuf,
}

impl Recorded {
    /// The recording is that of the repository, but for `change`.
    fn new(change: impl FnOnce(&mut Value)) -> Self {
        let workshop = Workshop::new();
        let folder = workshop.path("recordings");
        fs::create_dir(&folder).expect("a folder");
        let text = fs::read_to_string(Path::new(FIXTURES).join("accounts.json"));
        let mut recording = serde_json::from_str(&text.expect("a recording")).expect("JSON");
        change(&mut recording);
        write(&folder.join("accounts.json"), &recording);
        let description = workshop.path("openapi.json");
        write(&description, &users("string"));
        Self {
            workshop,
            description,
        }
    }

    fn check(&self, args: &[&str]) -> Outcomes {
        Outcomes::of(&self.run(&[args, &["--format", "json"]].concat()))
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = harness();
        command
            .args(["conformance", "--cassette"])
            .arg(self.workshop.path("recordings"))
            .arg("--openapi")
            .arg(&self.description)
            .args(args);
        command.output().expect("it runs")
    }

    fn overlay(&self, at: &str) -> String {
        let path = self.workshop.path("overlay.json");
        let correction = json!({"at": at, "reason": "seen", "change": {"or": {"type": "integer"}}});
        let document = json!({"format": "iga-openapi-overlay/1", "corrections": [correction]});
        write(&path, &document);
        path.to_str().expect("a path").to_owned()
    }
}

const COLOR: &str = "/paths/~1users/get/responses/200/content/application~1json/schema/properties/users/items/properties/color";

/// A description of a list of users, whose colour is of that type.
fn users(color: &str) -> Value {
    let user = json!({"type": "object", "required": ["id", "email"], "properties": {
        "id": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "color": {"type": color, "maxLength": 20},
    }});
    let parameter =
        |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind}});
    json!({"openapi": "3.0.3", "paths": {"/users": {"get": {
        "parameters": [
            parameter("limit", "integer"),
            parameter("offset", "integer"),
            parameter("total", "boolean"),
        ],
        "responses": {"200": {"content": {"application/json": {"schema": {
            "type": "object", "properties": {"users": {"type": "array", "items": user}},
        }}}}},
    }}}})
}

fn write(path: &Path, document: &Value) {
    fs::write(path, document.to_string()).expect("a writable folder");
}

/// Gives each recorded user that colour.
fn colored(color: &Value) -> impl FnOnce(&mut Value) {
    |recording| {
        for interaction in recording["interactions"].as_array_mut().expect("a list") {
            let users = &mut interaction["response"]["body"]["content"]["users"];
            for user in users.as_array_mut().expect("a list") {
                user["color"] = color.clone();
            }
        }
    }
}

/// What is told of the check, with its outcome.
fn told(outcomes: &Outcomes) -> (String, String) {
    let check = outcomes.report["checks"].as_array().expect("a list");
    let check = check.iter().find(|check| check["id"] == "openapi");
    let text = |name: &str| {
        check.expect("the check")[name]
            .as_str()
            .expect(name)
            .to_owned()
    };
    (text("outcome"), text("detail"))
}

#[test]
fn recordings_that_are_as_described_pass() {
    let recorded = Recorded::new(|_| {});
    let outcomes = recorded.check(&[]);
    assert_eq!(outcomes.told("fail"), []);
    let expected = ("pass".to_owned(), "2 requests and their answers".to_owned());
    assert_eq!(told(&outcomes), expected);
}

#[test]
fn a_recording_that_is_not_as_described_fails_this_check_and_no_other() {
    let recorded = Recorded::new(colored(&json!(7)));
    let outcomes = recorded.check(&[]);
    assert_eq!(outcomes.ids("fail"), ids(&["openapi"]));
    assert_eq!(outcomes.code, Some(1));
    let (_, detail) = told(&outcomes);
    assert_eq!(
        detail,
        "accounts.json, request 0: GET /users: answer 200 at `/users/0/color`: 7 is not of type \
         \"string\" (and 47 more like this)"
    );
    // Where that is known of the vendor, it is no failure.
    let overlay = recorded.overlay(COLOR);
    let outcomes = recorded.check(&["--openapi-overlay", &overlay, "--check", "openapi"]);
    assert_eq!(
        outcomes.ids("pass"),
        ids(&["openapi"]),
        "{:?}",
        told(&outcomes)
    );
}

#[test]
fn each_rule_that_is_broken_is_told() {
    let recorded = Recorded::new(|recording| {
        let users = "/interactions/0/response/body/content/users";
        let users = recording.pointer_mut(users).and_then(Value::as_array_mut);
        for (n, user) in users.expect("users").iter_mut().enumerate() {
            let missing = ["id", "email", "id"].get(n);
            if let Some(name) = missing {
                user.as_object_mut().expect("an object").remove(*name);
            }
        }
    });
    let (outcome, detail) = told(&recorded.check(&["--check", "openapi"]));
    assert_eq!(outcome, "fail");
    let first = "`/users/0`: \"id\" is a required property (and 1 more like this)";
    assert!(detail.contains(first), "{detail}");
    assert!(
        detail.contains("`/users/1`: \"email\" is a required property"),
        "{detail}"
    );
}

#[test]
fn a_text_that_looks_like_json_is_a_text() {
    let recorded = |schema: Value| {
        let recorded = Recorded::new(|recording| {
            let response = &mut recording["interactions"][0]["response"];
            response["headers"]["content-type"] = json!(["text/plain; charset=utf-8"]);
            response["body"]["content"] = json!(123);
        });
        let mut description = users("string");
        let content = &mut description["paths"]["/users"]["get"]["responses"]["200"]["content"];
        content["text/plain"] = json!({ "schema": schema });
        write(&recorded.description, &description);
        told(&recorded.check(&["--check", "openapi"]))
    };
    let (outcome, detail) = recorded(json!({"type": "string"}));
    assert_eq!(outcome, "pass", "{detail}");
    let (outcome, detail) = recorded(json!({"type": "string", "maxLength": 2}));
    assert_eq!(outcome, "fail");
    assert!(
        detail.contains("\"123\" is longer than 2 characters"),
        "{detail}"
    );
}

#[test]
fn a_recorded_request_that_is_not_described_fails() {
    let undescribed = |uri: &'static str| {
        Recorded::new(move |recording| {
            recording["interactions"][1]["request"]["uri"] = uri.into();
        })
    };
    let told = |uri| told(&undescribed(uri).check(&["--check", "openapi"]));
    for (uri, what) in [
        (
            "nowhere",
            "accounts.json, request 1: GET: address: `nowhere` is none",
        ),
        (
            "https://api.pagerduty.com/people",
            "accounts.json, request 1: GET /people: path: it is not described",
        ),
        (
            "https://api.pagerduty.com/users?limit=all",
            "accounts.json, request 1: GET /users: query parameter `limit` at ``: \"all\" is not of \
             type \"integer\"",
        ),
    ] {
        assert_eq!(told(uri), ("fail".to_owned(), what.to_owned()));
    }
}

#[test]
fn what_a_recording_does_not_tell_is_not_held_against_it() {
    let recorded = Recorded::new(|recording| {
        let users = "/interactions/0/response/body/content/users";
        for user in recording
            .pointer_mut(users)
            .and_then(Value::as_array_mut)
            .expect("users")
        {
            user["email"] = "[scrubbed]".into();
        }
    });
    let outcomes = recorded.check(&["--check", "openapi"]);
    assert_eq!(told(&outcomes).0, "pass", "{:?}", told(&outcomes));
}

#[test]
fn requests_that_nobody_answered_are_left_out() {
    let lost = |count: usize| {
        Recorded::new(move |recording| {
            for interaction in 0..count {
                let interaction = &mut recording["interactions"][interaction];
                interaction["request"]["uri"] = "https://api.pagerduty.com/people".into();
                interaction
                    .as_object_mut()
                    .expect("an object")
                    .remove("response");
                interaction["error"] = "timeout".into();
            }
        })
    };
    let outcomes = lost(1).check(&["--check", "openapi"]);
    let (outcome, detail) = told(&outcomes);
    assert_eq!(outcome, "pass", "{detail}");
    assert_eq!(detail, "1 request and its answer; 1 more was not answered");
    let outcomes = lost(2).check(&["--check", "openapi"]);
    let (outcome, detail) = told(&outcomes);
    assert_eq!(
        (outcome.as_str(), outcomes.code),
        ("skip", Some(1)),
        "{detail}"
    );
    assert_eq!(detail, "none of 2 recorded requests was answered");
}

#[test]
fn nothing_of_a_vendor_reaches_the_terminal_as_it_is() {
    let recorded = Recorded::new(colored(&json!(
        "\u{1b}[31m and more than is allowed\u{202e}"
    )));
    let output = recorded.run(&["--check", "openapi"]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout.contains("u{1b}[31m") || stdout.contains("u001b[31m"),
        "{stdout}"
    );
    assert!(!stdout.contains(['\u{1b}', '\u{202e}']), "{stdout}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
}

#[test]
fn without_a_description_it_is_skipped_with_what_would_help() {
    let output = harness()
        .args(["conformance", "--format", "json", "--check", "openapi"])
        .args(["--cassette", FIXTURES])
        .output()
        .expect("it runs");
    let (outcome, detail) = told(&Outcomes::of(&output));
    assert_eq!(outcome, "skip");
    assert!(detail.contains("`--openapi FILE`"), "{detail}");
}

#[test]
fn a_description_that_cannot_be_used_is_told_before_anything_runs() {
    let workshop = Workshop::new();
    let path = |name: &str| workshop.path(name).to_str().expect("a path").to_owned();
    fs::write(workshop.path("no.json"), "{").expect("a writable folder");
    write(
        &workshop.path("other.json"),
        &json!({"openapi": "3.1.0", "paths": {}}),
    );
    write(&workshop.path("users.json"), &users("string"));
    write(
        &workshop.path("overlay.json"),
        &json!({
            "format": "iga-openapi-overlay/1",
            "corrections": [{"at": "/paths/~1people", "reason": "seen", "change": "nullable"}],
        }),
    );
    let (users, overlay) = (path("users.json"), path("overlay.json"));
    for (args, told) in [
        (
            &["--openapi", &*path("gone.json")][..],
            "gone.json` can't be read: ",
        ),
        (
            &["--openapi", &path("no.json")],
            "no.json` is neither JSON nor YAML: ",
        ),
        (
            &["--openapi", &path("other.json")],
            "it is one in OpenAPI 3.1.0; hint: ",
        ),
        (
            &["--openapi", &users, "--openapi-overlay", &overlay],
            "the overlay corrects `/paths/~1people` (\"seen\"), which is not in the description",
        ),
        (
            &["--openapi", &users, "--openapi-overlay", &users],
            "users.json` is no overlay: ",
        ),
    ] {
        let output = harness()
            .args(["conformance", "--cassette", FIXTURES])
            .args(args)
            .output()
            .expect("it runs");
        assert_refused(&output, told);
    }
    // An overlay of nothing.
    let output = harness()
        .args(["conformance", "--openapi-overlay", &overlay])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_schema_that_cannot_be_used_ends_the_run() {
    let recorded = Recorded::new(|_| {});
    write(&recorded.description, &users("colour"));
    let output = recorded.run(&["--check", "openapi"]);
    let told = "the vendor's description: the schema at `/paths/~1users/get/responses/200/";
    assert_refused(&output, told);
}

/// It ends before anything runs, and says why and what to do.
#[track_caller]
fn assert_refused(output: &Output, told: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{stderr}"
    );
    assert!(
        stderr.contains(told) && stderr.contains("; hint: "),
        "{stderr}"
    );
}

/// Where PagerDuty's description is at hand.
#[test]
fn the_bundled_connector_does_as_pagerduty_describes() {
    let Some(file) = openapi::file() else {
        return;
    };
    for source in [&["--cassette", FIXTURES][..], &["--simulator"]] {
        let output = harness()
            .args(["conformance", "--format", "json", "--check", "openapi"])
            .args(["--openapi", &file, "--openapi-overlay", openapi::OVERLAY])
            .args(source)
            .output()
            .expect("it runs");
        let (outcome, detail) = told(&Outcomes::of(&output));
        assert_eq!(outcome, "pass", "{source:?}: {detail}");
        let requests: usize = detail
            .split(' ')
            .next()
            .and_then(|count| count.parse().ok())
            .expect("a number");
        assert!(requests > 20, "{source:?}: {detail}");
    }
}
