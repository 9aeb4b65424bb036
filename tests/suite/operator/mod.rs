//! What the operator does: on the command line, over HTTP and in a browser, with
//! a host in a process of its own.

mod api;
mod commands;
mod console;
mod crashes;
mod storm;
mod versions;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command_line::harness,
    serve::command::{Process, envelope},
};

/// A host with a simulated vendor, and who operates it.
struct Host {
    process: Process,
    admin: SocketAddr,
    /// For components.
    files: TempDir,
}

impl Host {
    fn start(args: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), args)
    }

    fn start_in(folder: TempDir, args: &[&str]) -> Self {
        let simulated = ["--simulator", "--users", "30"];
        Self::before(folder, &[&simulated, args].concat())
    }

    /// In front of a vendor that the arguments name.
    fn before(folder: TempDir, args: &[&str]) -> Self {
        let all = [&["--admin", "127.0.0.1:0"], args].concat();
        let mut process = Process::start_in(folder, &all, &[]);
        Self {
            admin: process.address(),
            process,
            files: tempfile::tempdir().expect("a folder"),
        }
    }

    /// `harness connectors` as ada.
    fn connectors(&self, args: &[&str]) -> Output {
        harness()
            .arg("connectors")
            .args(args)
            .env("HARNESS_ADMIN", format!("http://{}", self.admin))
            .env(
                "HARNESS_ADMIN_TOKEN_FILE",
                self.process.folder().join("token"),
            )
            .env("USER", "ada")
            .output()
            .expect("it runs")
    }

    /// The same, which succeeds. Returns what it printed.
    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let output = self.connectors(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// The same, which is refused with exit code 1. Returns what it said.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let output = self.connectors(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        stderr(&output)
    }

    #[track_caller]
    fn list(&self) -> Value {
        serde_json::from_str(&self.done(&["list", "--json"])).expect("JSON")
    }

    /// The version that serves, and its generation.
    fn serving(&self) -> (String, u64) {
        let list = self.list();
        let connector = &list["connectors"][0];
        let serving = connector["serving"].as_u64().expect("one serves");
        let generations = connector["generations"].as_array().expect("a list");
        let found = generations
            .iter()
            .find(|generation| generation["id"] == serving);
        let version = &found.expect("it is listed")["version"];
        (version.as_str().expect("text").to_owned(), serving)
    }

    /// A component as a file.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// A call of a platform, which succeeds.
    #[track_caller]
    fn call(&self, capability: &str) -> Value {
        let answer = self
            .process
            .call(capability, &envelope(serde_json::json!({})));
        assert!(answer.get("is_error").is_none(), "{answer}");
        answer
    }

    /// Waits until the audit log has a record of that kind.
    fn wait_for(&self, event: &str) {
        let wanted = format!("\"event\":\"{event}\"");
        while !fs::read_to_string(self.audit_log()).is_ok_and(|log| log.contains(&wanted)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn audit_log(&self) -> PathBuf {
        self.process.folder().join("state/registry/audit.jsonl")
    }
}

fn verify(path: &Path, more: &[&str]) -> Output {
    harness()
        .args(["audit", "verify"])
        .arg(path)
        .args(more)
        .output()
        .expect("it runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}
