//! `harness login`, `harness logout` and the profiles that they make. The test
//! is the browser.

mod consent;
mod profiles;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use pagerduty_simulator::{Config, Listening, OAUTH_CLIENT, Simulator};
use serde_json::Value;

use crate::command_line::harness;

/// A simulated vendor in this process, and a folder for credentials.
struct Desk {
    simulator: Simulator,
    origin: String,
    folder: tempfile::TempDir,
    _listening: Listening,
    _runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let simulator = Simulator::new(Config { users: 5, ..config });
        let listening = runtime
            .block_on(simulator.listen(([127, 0, 0, 1], 0).into()))
            .expect("a free port");
        simulator.keep_exchanges(true);
        Self {
            simulator,
            origin: listening.origin(),
            folder: tempfile::tempdir().expect("a folder"),
            _listening: listening,
            _runtime: runtime,
        }
    }

    /// A command that finds the vendor and the credentials.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = harness();
        command
            .args(args)
            .args(["--base-url", &self.origin])
            .env("HARNESS_CREDENTIALS", self.credentials());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    fn login_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["login", "--client-id", OAUTH_CLIENT.id]);
        command.args(["--identity-url", &self.origin]).args(args);
        command
    }

    /// Starts a login with consent and waits for the address that it prints.
    fn start(&self, args: &[&str]) -> Login {
        let mut command = self.login_command(args);
        command.args(["--redirect-port", "0"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut url = String::new();
        stdout.read_line(&mut url).expect("a line");
        Login {
            process,
            stdout,
            url: url.trim().to_owned(),
        }
    }

    /// A login that a person allows.
    fn login(&self, args: &[&str]) -> Output {
        let login = self.start(args);
        let back = browse(&login.url).location.expect("back to the terminal");
        assert_eq!(browse(&back).status, 200);
        login.end()
    }

    fn as_application(&self, args: &[&str]) -> Output {
        self.login_command(args)
            .args(["--client-credentials", "--setting", "subdomain=acme"])
            .env("PAGERDUTY_CLIENT_SECRET", OAUTH_CLIENT.secret)
            .output()
            .expect("it runs")
    }

    fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    fn file(&self, profile: &str) -> PathBuf {
        self.credentials().join(format!("pagerduty.{profile}.json"))
    }

    fn stored(&self, profile: &str) -> Value {
        let text = fs::read_to_string(self.file(profile)).expect("stored");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Lets the stored access token have ended a minute ago.
    fn end(&self, profile: &str) {
        let mut stored = self.stored(profile);
        let past = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
        stored["expires_at"] = past.to_string().into();
        // In place, so that the file keeps its mode.
        fs::write(self.file(profile), stored.to_string()).expect("written");
    }

    fn token_requests(&self) -> usize {
        let exchanges = self.simulator.exchanges();
        let tokens = exchanges.iter().filter(|e| e.path == "/oauth/token");
        tokens.count()
    }
}

/// A login that waits for the browser.
struct Login {
    process: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Login {
    fn end(mut self) -> Output {
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).expect("readable");
        let output = self.process.wait_with_output().expect("it ends");
        Output { stdout, ..output }
    }

    fn redirect_uri(&self) -> String {
        let url = url::Url::parse(&self.url).expect("a URL");
        let found = url.query_pairs().find(|(name, _)| name == "redirect_uri");
        found.expect("it says where to come back to").1.into_owned()
    }

    fn state(&self) -> String {
        let url = url::Url::parse(&self.url).expect("a URL");
        let found = url.query_pairs().find(|(name, _)| name == "state");
        found.expect("it has a state").1.into_owned()
    }
}

struct Page {
    status: u16,
    location: Option<String>,
    body: String,
}

/// What a browser does with an address, but for following it on.
fn browse(url: &str) -> Page {
    let url = url::Url::parse(url).expect("a URL");
    let host = format!(
        "{}:{}",
        url.host_str().expect("a host"),
        url.port().expect("a port")
    );
    let mut stream = TcpStream::connect(&host).expect("somebody listens");
    let target = &url[url::Position::BeforePath..];
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let location = head
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .map(str::to_owned);
    Page {
        status: head[9..12].parse().expect("a status"),
        location,
        body: body.to_owned(),
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_ok(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, said: &[&str]) {
    let shown = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{shown}");
    assert!(
        shown.contains("error: ") && shown.contains("; hint: "),
        "{shown}"
    );
    for said in said {
        assert!(shown.contains(said), "{shown} should say {said}");
    }
    assert!(!shown.contains("panicked"), "{shown}");
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}
