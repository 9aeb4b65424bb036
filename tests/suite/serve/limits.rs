//! Whoever is slow, or goes away.

use std::{io::Read as _, io::Write as _, net::TcpStream, time::Duration};

use pagerduty_simulator::{Config, Simulator};
use serde_json::json;

use super::{
    command::{Process, envelope, send},
    platform::{Platform, TOKEN},
};
use crate::support::run;

/// Sends so much of a request, and returns what comes back until the server
/// closes the connection.
fn unfinished(platform: &Platform, text: &str) -> String {
    let mut stream = TcpStream::connect(platform.running.addr()).expect("it listens");
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it is closed");
    String::from_utf8(answer).expect("text")
}

#[test]
fn whoever_does_not_finish_a_request_in_time_is_let_go() {
    run(async {
        // Long enough for whoever does finish, also on a busy machine.
        let soon = Duration::from_millis(700);
        let platform = Platform::with(5, |config| config.limits.arrival = soon).await;
        let head = format!(
            "POST /pagerduty/info HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
             connection: close\r\n"
        );
        let answer = unfinished(&platform, &format!("{head}content-length: 10\r\n\r\n{{"));
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"request_timeout\""), "{answer}");
        let answer = unfinished(
            &platform,
            &format!("{head}transfer-encoding: chunked\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        for part in ["", "PRI * HTTP/2.0", &head] {
            let answer = unfinished(&platform, part);
            assert!(!answer.contains("200 OK"), "{part}: {answer}");
        }
        // Another request might follow, and does not.
        let whole = format!("{head}content-length: 2\r\n\r\n{{}}").replace("close", "keep-alive");
        let answer = unfinished(&platform, &whole);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // Their places are free again.
        assert_eq!(platform.gauge("harness_calls_under_way").await, 0);
    });
}

#[test]
fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    run(async {
        let platform = Platform::with(5, |config| config.limits.body = 1000).await;
        let chunk = " ".repeat(600);
        let head = format!(
            "POST /pagerduty/info HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
             connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let chunks = format!("{head}258\r\n{chunk}\r\n258\r\n{chunk}\r\n");
        let answer = unfinished(&platform, &chunks);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let fits = format!("{head}258\r\n{chunk}\r\n2\r\n{{}}\r\n0\r\n\r\n");
        let answer = unfinished(&platform, &fits);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

#[test]
fn a_change_comes_to_its_end_though_the_caller_has_gone_and_the_server_stops() {
    run(async {
        let simulator = Simulator::new(Config {
            users: 5,
            ..Config::default()
        });
        let fault = "POST /users latency=700ms".parse().expect("a fault");
        simulator.faults().add(fault);
        let vendor = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        let vendor = vendor.expect("a free port");
        let process = Process::start(&["--base-url", &vendor.origin()]);
        let stream = process.connect();
        let new = json!({"email": "new.comer@acme.example", "username": "New Comer",
                         "entitlements": [{"entitlement_type": "role",
                                           "integration_specific_id": "limited_user"}]});
        send(&stream, "create_account", &envelope(new));
        // The vendor has the change, and has not answered.
        while simulator.faults().fired() == 0 {
            tokio::task::yield_now().await;
        }
        drop(stream);
        process.terminate();
        let log = process.ended();
        let created = log.lines().find(|line| {
            line.contains("capability=\"create_account\"") && line.contains("code=\"ok\"")
        });
        assert!(created.is_some(), "{log}");
        assert_eq!(simulator.user_ids().len(), 6);
    });
}
