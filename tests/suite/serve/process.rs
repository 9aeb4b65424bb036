//! The command in a process of its own: its log, its end, its certificates.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
};

use pagerduty_simulator::{Config, Simulator};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::{Value, json};

use super::{
    command::{Process, envelope, receive, send},
    platform::TOKEN,
    tls::Authority,
};
use crate::{
    command_line::{Served, harness},
    leaks::assert_clean,
    support::run,
};

#[test]
fn at_the_end_calls_under_way_are_answered_and_no_others_and_the_log_is_clean() {
    let vendor = Served::start(&["--users", "20", "--latency", "700"]);
    let process = Process::start(&["--base-url", &vendor.origin]);
    let stream = process.connect();
    send(&stream, "list_accounts", &envelope(json!({})));
    // Once the log names a request to the vendor, the call is under way.
    process.wait_for("/users");
    process.terminate();
    process.wait_for("shutting down");
    // Whoever still gets a connection is turned away.
    if let Ok(late) = TcpStream::connect(process.addr) {
        send(&late, "info", &json!({"request": {}}));
        let mut answer = String::new();
        (&late).read_to_string(&mut answer).ok();
        assert!(answer.is_empty() || answer.contains(" 503 "), "{answer}");
    }
    let (status, answer) = receive(&stream);
    assert_eq!(status, 200);
    assert_eq!(
        answer["response"].as_array().map(Vec::len),
        Some(20),
        "{answer}"
    );
    let log = process.ended();
    assert!(log.contains("list_accounts"), "{log}");
    assert_clean("the log", &log);
    assert!(!log.contains(TOKEN), "the platform's token is in the log");
}

#[test]
fn a_listener_for_other_machines_needs_tls() {
    let output = harness()
        .args(["serve", "--listen", "0.0.0.0:0", "--token-file", "/nowhere"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let output = harness()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output();
    let said = String::from_utf8(output.expect("it runs").stderr).expect("text");
    assert!(said.contains("nothing says who may call"), "{said}");
}

#[test]
fn with_an_authority_for_clients_only_its_clients_get_in() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| -> PathBuf {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("written");
        file
    };
    let (chain, key) = authority.issue(ExtendedKeyUsagePurpose::ServerAuth);
    let files = [
        file("chain.pem", &chain),
        file("key.pem", &key),
        file("clients.pem", &authority.pem),
    ];
    let [chain, key, clients] = files.each_ref().map(|file| file.to_str().expect("text"));
    let tls = [
        "--tls-cert",
        chain,
        "--tls-key",
        key,
        "--client-ca",
        clients,
        "--admin",
        "127.0.0.1:0",
        "--simulator",
        "--users",
        "5",
    ];
    let mut process = Process::start(&tls);
    let admin = process.address();
    let ask = |addr: SocketAddr, identity: Option<(String, String)>| -> Option<(u16, Value)> {
        let name = ServerName::try_from("localhost").expect("a name");
        let config = authority.client(identity);
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let stream = TcpStream::connect(addr).expect("it listens");
        let mut stream = StreamOwned::new(connection, stream);
        let body = envelope(json!({})).to_string();
        let request = format!(
            "POST /pagerduty/validate_credentials HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        (!answer.is_empty()).then(|| receive(answer.as_slice()))
    };
    let known = || Some(authority.issue(ExtendedKeyUsagePurpose::ClientAuth));
    let (status, answer) = ask(process.addr, known()).expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(answer["response"]["unique_tenant_id"], "acme", "{answer}");
    let (status, _) = ask(admin, known()).expect("an answer");
    assert_eq!(status, 404, "no capability is called there");
    for addr in [process.addr, admin] {
        assert!(ask(addr, None).is_none(), "without a certificate");
        let other = stranger.issue(ExtendedKeyUsagePurpose::ClientAuth);
        assert!(
            ask(addr, Some(other)).is_none(),
            "with one of another authority"
        );
    }
}

#[test]
fn a_second_signal_ends_the_host_at_once() {
    run(async {
        let simulator = Simulator::new(Config::default());
        let fault = "GET /users* latency=60000ms".parse().expect("a fault");
        simulator.faults().add(fault);
        let vendor = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        let vendor = vendor.expect("a free port");
        let process = Process::start(&["--base-url", &vendor.origin()]);
        let stream = process.connect();
        send(&stream, "list_accounts", &envelope(json!({})));
        while simulator.faults().fired() == 0 {
            tokio::task::yield_now().await;
        }
        process.terminate();
        process.wait_for("shutting down");
        process.terminate();
        let log = process.given_up();
        assert!(
            log.contains("calls that were under way were given up; hint: "),
            "{log}"
        );
    });
}
