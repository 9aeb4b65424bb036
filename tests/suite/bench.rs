//! `harness bench`: what it counts is right, and everybody in it does the same
//! work. How long that takes is nobody's business here.

use std::{process::Output, time::Duration};

use pagerduty_simulator::{Config, Simulator};
use serde_json::{Value, json};

use crate::command_line::harness;

fn bench(args: &[&str]) -> Output {
    harness().arg("bench").args(args).output().expect("it runs")
}

fn measured(args: &[&str]) -> Value {
    let output = bench(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn total(simulator: &Simulator, path: &str) -> u64 {
    let (status, list) = simulator.ask("GET", &format!("{path}?limit=1&total=true"), None);
    assert_eq!(status, 200, "{path}: {list}");
    list["total"].as_u64().expect("a count")
}

/// Who has joined and has never signed in, as analytics has it: each by name.
fn never_seen(simulator: &Simulator) -> usize {
    let is_never_seen = |id: &String| {
        let question = json!({"filters": {"user_ids": [id]}, "time_zone": "Etc/UTC"});
        let (_, answer) = simulator.ask("POST", "/analytics/raw/users", Some(&question));
        let row = &answer["data"][0];
        row["signed_up"] == true && row["last_sign_in_at"].is_null()
    };
    simulator
        .user_ids()
        .iter()
        .filter(|id| is_never_seen(id))
        .count()
}

#[test]
fn a_sync_and_the_walk_in_plain_rust_do_the_same_work_and_the_minimum_is_what_is_there() {
    let args = ["--users", "250", "--teams", "5", "--schedules", "9"];
    let config = Config {
        users: 250,
        teams: Some(5),
        schedules: Some(9),
        ..Config::default()
    };
    let never_seen = never_seen(&Simulator::new(config));
    assert!(never_seen > 1, "or that would say nothing");
    let outcome =
        measured(&[&args[..], &["--against", "native", "--runs", "1", "--json"]].concat());
    let [sync, native] = outcome["contenders"].as_array().expect("a list").as_slice() else {
        panic!("{outcome}");
    };
    assert_eq!(
        (&sync["name"], &native["name"]),
        (&json!("sync"), &json!("native"))
    );

    // By hand: 250 users are three pages of a hundred, also of licences; four teams of
    // some fifty members and one of none; nine schedules, two of them shift-based.
    let by_hand = json!({
        "/users/me": 1, "/abilities": 1, "/licenses": 1, "/users": 3, "/license_allocations": 3,
        "/teams": 1, "/teams/*/members": 4, "/schedules": 1, "/v3/schedules": 1,
        "/v3/schedules/*": 2, "/escalation_policies": 1, "/analytics/raw/users": 1,
        "/users/*/oauth_delegations": never_seen,
    });
    assert_eq!(outcome["tenant"]["minimum"], by_hand);
    let minimum = outcome["minimum_of_requests"].as_u64().expect("a count");
    assert_eq!(minimum, 20 + never_seen as u64);

    assert_eq!(
        sync["requests"].as_f64(),
        sync["requests_by_own_count"].as_f64()
    );
    assert!(sync["requests"].as_f64() >= Some(minimum as f64), "{sync}");
    assert_eq!(sync["requests"], native["requests"], "the same requests");
    let share = sync["requests"].as_f64().expect("a number") / minimum as f64;
    let told = sync["requests_to_minimum"].as_f64().expect("a number");
    assert!((told - share).abs() < 0.001, "{told} and {share}");

    // The command fails by itself if they are not the same rows.
    assert_eq!(sync["rows"], native["rows"]);
    assert_eq!(sync["rows"]["accounts"], 250);
    assert_eq!(
        sync["rows"]["resources"],
        1 + 5
            + 9
            + outcome["tenant"]["escalation_policies"]
                .as_u64()
                .expect("a count")
    );
    for one in [sync, native] {
        assert_eq!(one["answers_429"], 0);
        assert!(one["seconds"].as_f64() > Some(0.0), "{one}");
        if cfg!(target_os = "linux") {
            assert!(one["peak_memory_kib"].as_f64() > Some(1024.0), "{one}");
            assert!(one["cpu_seconds"].is_number(), "{one}");
        }
    }
    let names: Vec<_> = outcome["ratios"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|ratio| &ratio["name"])
        .collect();
    assert_eq!(names, ["requests_to_minimum", "sync_to_native"]);
}

#[test]
fn a_tenant_of_another_size_is_measured_beside_it_and_people_get_a_table() {
    let args = ["--users", "60", "--runs", "2", "--memory-against", "20"];
    let outcome = measured(&[&args[..], &["--json"]].concat());
    assert_eq!(
        outcome["contenders"][0]["seconds_of_each_run"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(outcome["smaller_tenant"]["users"], 20);
    let output = bench(&args);
    let shown = String::from_utf8(output.stdout).expect("text");
    for part in [
        "60 users, 4 teams",
        "SECONDS",
        "sync",
        "requests to their minimum",
        "memory to that of 20 users",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn what_can_not_be_measured_is_refused() {
    for (args, said) in [
        (&["--users", "0"][..], "0 is not in 1..=100000"),
        (&["--users", "100001"], "100001 is not in"),
        (&["--limit", "0"], "0 is not in"),
        (&["--runs", "0"], "0 is not in 1..=100"),
        (&["--teams", "0"], "0 is not in 1..=10000"),
        (&["--schedules", "3"], "3 is not in 4..=10000"),
        (&["--against", "ruby"], "invalid value 'ruby'"),
        (
            &["--users", "10001", "--against", "native"],
            "compare with up to 10000 users",
        ),
        (&["--connector", "/nowhere.wasm"], "/nowhere.wasm"),
    ] {
        let output = bench(args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {shown}");
        assert!(shown.contains(said), "{args:?}: {shown}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn without_python_there_is_no_comparison_with_pagerdutys_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = harness()
        .args(["bench", "--users", "5", "--against", "python"])
        .env("PATH", folder.path())
        .env("HARNESS_CACHE", folder.path())
        .output()
        .expect("it runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("error: PagerDuty's client for Python can't be installed"),
        "{shown}"
    );
    assert!(shown.contains("; hint: have `python3`"), "{shown}");
}

#[test]
fn the_simulator_makes_as_many_teams_and_schedules_as_it_is_told() {
    for (users, teams, schedules, shift_based) in [(300, 12, 21, 6), (9, 1, 4, 1), (2, 3, 5, 1)] {
        let simulator = Simulator::new(Config {
            users,
            teams: Some(teams),
            schedules: Some(schedules),
            ..Config::default()
        });
        assert_eq!(total(&simulator, "/users"), users as u64);
        assert_eq!(total(&simulator, "/teams"), teams as u64);
        let shifts = simulator.ask("GET", "/v3/schedules?limit=1000", None).1;
        assert_eq!(
            shifts["schedules"].as_array().map(Vec::len),
            Some(shift_based)
        );
        assert_eq!(
            total(&simulator, "/schedules"),
            (schedules - shift_based) as u64
        );
    }
}

#[test]
fn the_simulator_remembers_what_its_rate_limit_has_refused_and_when() {
    let simulator = Simulator::new(Config {
        limit: Some(2),
        ..Config::default()
    });
    let ask = || simulator.ask("GET", "/users?limit=1", None).0;
    assert_eq!([ask(), ask(), ask()], [200, 200, 429]);
    simulator.advance(Duration::from_secs(61));
    assert_eq!([ask(), ask(), ask(), ask()], [200, 200, 429, 429]);
    let minutes: Vec<u64> = simulator
        .refusals()
        .iter()
        .map(|after| after.as_secs() / 60)
        .collect();
    assert_eq!(minutes, [0, 1, 1]);
}
