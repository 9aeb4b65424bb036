//! A tenant for processes to reach.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use pagerduty_simulator::{Config, Listening, Simulator};
use serde_json::Value;

use crate::command_line::harness;

/// A simulated tenant on a socket, for processes to reach.
pub(super) struct Site {
    pub(super) simulator: Simulator,
    listening: Listening,
}

impl Site {
    pub(super) async fn of(simulator: Simulator) -> Self {
        let listening = simulator
            .listen(([127, 0, 0, 1], 0).into())
            .await
            .expect("a free port");
        Self {
            simulator,
            listening,
        }
    }

    pub(super) async fn new(users: usize) -> Self {
        Self::of(Simulator::new(Config {
            users,
            ..Config::default()
        }))
        .await
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = harness();
        command
            .args(args)
            .args(["--base-url", &self.listening.origin()])
            .env("PAGERDUTY_TOKEN", "simulated-token");
        command
    }

    /// The command runs on a thread that may wait: the simulator is in this
    /// process.
    pub(super) async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().expect("it runs"))
            .await
            .expect("it ran")
    }

    pub(super) fn get(&self, target: &str) -> Value {
        let (status, body) = self.simulator.ask("GET", target, None);
        assert_eq!(status, 200, "GET {target}: {body}");
        body
    }

    pub(super) fn send(&self, method: &str, target: &str, body: &Value) {
        let (status, answer) = self.simulator.ask(method, target, Some(body));
        assert!(status < 300, "{method} {target}: {status} {answer}");
    }

    pub(super) fn rows(&self, target: &str, list: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        loop {
            let sign = if target.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{target}{sign}limit=100&offset={}", rows.len()));
            rows.extend(page[list].as_array().expect("a list").iter().cloned());
            if page["more"] != true {
                return rows;
            }
        }
    }

    /// The first user with that role, the account owner left out.
    pub(super) fn user(&self, role: &str, skip: usize) -> String {
        let users = self.rows("/users", "users");
        let user = users.iter().filter(|user| user["role"] == role).nth(skip);
        id(user.expect("somebody has that role"))
    }

    /// Changes that were applied, as method and path.
    pub(super) fn changes(&self) -> Vec<String> {
        self.simulator
            .exchanges()
            .iter()
            .filter(|exchange| exchange.method != "GET" && exchange.status < 300)
            .map(|exchange| format!("{} {}", exchange.method, exchange.path))
            .collect()
    }

    pub(super) fn methods(&self) -> BTreeSet<String> {
        let exchanges = self.simulator.exchanges();
        exchanges
            .into_iter()
            .map(|exchange| exchange.method)
            .collect()
    }
}

pub(super) fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[track_caller]
pub(super) fn assert_done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[track_caller]
pub(super) fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        panic!("{error}\n{out}\n{err}")
    })
}
