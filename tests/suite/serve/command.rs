//! `harness serve` in a process of its own, and requests to it by hand.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use pagerduty_simulator::TOKENS;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::platform::TOKEN;
use crate::command_line::harness;

pub struct Process {
    child: Child,
    /// Closed, it could not say where else it listens.
    stdout: BufReader<ChildStdout>,
    pub addr: SocketAddr,
    folder: Option<TempDir>,
}

impl Process {
    pub fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// With these variables.
    pub fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), args, variables)
    }

    /// With what another one has left there.
    pub fn start_in(folder: TempDir, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let token = folder.path().join("token");
        fs::write(&token, format!("{TOKEN}\n")).expect("written");
        let log = fs::File::create(folder.path().join("log")).expect("created");
        let mut child = harness()
            .args(["serve", "--listen", "127.0.0.1:0", "--token-file"])
            .arg(&token)
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(args)
            .env("HARNESS_LOG", "trace")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut process = Self {
            child,
            stdout,
            addr: ([0; 4], 0).into(),
            folder: Some(folder),
        };
        process.addr = process.address();
        process
    }

    /// Where it says next that it listens.
    pub fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        let (_, addr) = line.trim().rsplit_once("://").expect(&line);
        addr.parse().expect("an address")
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).expect("it listens")
    }

    /// One call, from its connection to its answer.
    pub fn call(&self, capability: &str, envelope: &Value) -> Value {
        let stream = self.connect();
        send(&stream, capability, envelope);
        let (status, answer) = receive(&stream);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).expect("it is there")
    }

    /// Its token, log and state are there.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it is taken at the end").path()
    }

    /// As `kill -9` does. Returns the folder with what it has left.
    pub fn killed(mut self) -> TempDir {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ends");
        self.folder.take().expect("it is taken once")
    }

    /// Waits until it has logged that.
    pub fn wait_for(&self, said: &str) {
        while !self.log().contains(said) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status();
        assert!(status.expect("it runs").success());
    }

    /// Waits for its end, which must be a good one. Returns its log.
    pub fn ended(mut self) -> String {
        assert!(self.child.wait().expect("it ends").success());
        self.log()
    }

    /// The same for an end that is none of the good ones.
    pub fn given_up(mut self) -> String {
        assert_eq!(self.child.wait().expect("it ends").code(), Some(1));
        self.log()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn send(stream: impl Write, capability: &str, body: &Value) {
    send_with(stream, &format!("/pagerduty/{capability}"), "", body);
}

/// With further header lines, each with its line end.
pub fn send_with(mut stream: impl Write, path: &str, headers: &str, body: &Value) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
}

pub fn receive(mut stream: impl Read) -> (u16, Value) {
    let mut text = Vec::new();
    // A TLS stream may end without a farewell.
    stream.read_to_end(&mut text).ok();
    let text = String::from_utf8(text).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.expect("a status"),
        serde_json::from_str(body).unwrap_or_default(),
    )
}

pub fn envelope(request: Value) -> Value {
    let mut envelope = json!({"credentials": [{"token": {"token": TOKENS.owner}}]});
    envelope["request"] = request;
    envelope
}
