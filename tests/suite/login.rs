//! `harness login`, `harness logout` and the profiles that they make. The test
//! is the browser.

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

#[test]
fn a_person_allows_access_once_and_commands_use_the_profile_from_then_on() {
    let desk = Desk::new();
    let login = desk.start(&["--json"]);
    let asked = url::Url::parse(&login.url).expect("a URL");
    let asked: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("scope", "read"),
    ] {
        assert!(
            asked.contains(&(name.to_owned(), value.to_owned())),
            "{asked:?}"
        );
    }
    assert!(login.redirect_uri().starts_with("http://127.0.0.1:"));
    let back = browse(&login.url).location.expect("back to the terminal");
    let page = browse(&back);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Signed in"), "{}", page.body);
    let output = login.end();
    assert_ok(&output);
    let said: Value = serde_json::from_str(&stdout(&output)).expect("JSON after the address");
    assert_eq!(said["tenant"], "acme");
    assert_eq!(said["scopes"], serde_json::json!(["openid", "read"]));

    #[cfg(unix)]
    {
        assert_eq!(mode(&desk.file("default")), 0o600);
        assert_eq!(mode(&desk.credentials()), 0o700);
    }
    let before = desk.token_requests();
    let output = desk.run(&["accounts", "--json", "-v"]);
    assert_ok(&output);
    assert!(
        stderr(&output).contains("profile=\"default\""),
        "{}",
        stderr(&output)
    );
    assert_ok(&desk.run(&["validate", "--auth", "oauth"]));
    assert_ok(&desk.run(&["validate", "--profile", "default"]));
    assert_eq!(
        desk.token_requests(),
        before,
        "the access token is still good"
    );
}

#[test]
fn an_answer_with_another_state_is_turned_away_and_ends_nothing() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let callback = login.redirect_uri();
    for wrong in [
        "?code=stolen&state=wrong",
        "?code=stolen",
        "?error=access_denied&state=wrong",
        "?error=access_denied",
        "",
    ] {
        let page = browse(&format!("{callback}{wrong}"));
        assert_eq!(page.status, 400, "{wrong}");
    }
    assert_eq!(
        browse(&callback.replace("/callback", "/favicon.ico")).status,
        404
    );
    let no_code = browse(&format!("{callback}?state={}", login.state()));
    assert_eq!(no_code.status, 400);
    assert_eq!(desk.token_requests(), 0, "no code was exchanged");
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 200);
    assert_ok(&login.end());
}

#[test]
fn a_person_who_says_no_leaves_nothing_behind() {
    let desk = Desk::with(Config {
        consent: false,
        ..Config::default()
    });
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_refused(&login.end(), 1, &["access_denied", "denied the request"]);
    assert!(!desk.file("default").exists());
}

#[test]
fn what_the_vendor_says_does_not_reach_the_terminal_as_it_is() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let back = format!(
        "{}?error=%1b%5b31mred&error_description=%1b%5d0%3btitle%07&state={}",
        login.redirect_uri(),
        login.state()
    );
    assert_eq!(browse(&back).status, 400);
    let output = login.end();
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains('\u{1b}'), "{:?}", stderr(&output));
}

#[test]
fn a_scope_that_was_not_granted_is_an_error_and_nothing_is_kept() {
    let desk = Desk::new();
    let login = desk.start(&["--scope", "read", "--scope", "everything"]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_refused(
        &login.end(),
        1,
        &["did not grant `everything`", "`openid`, `read`", "--scope"],
    );
    assert!(!desk.file("default").exists());
}

#[test]
fn a_code_that_comes_too_late_is_told_apart() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    desk.simulator.advance(Duration::from_secs(31));
    assert_eq!(browse(&back).status, 400);
    assert_refused(&login.end(), 1, &["invalid_grant", "half a minute"]);
    assert!(!desk.file("default").exists());
}

#[test]
fn nobody_in_front_of_the_browser_ends_the_wait() {
    let desk = Desk::new();
    let output = desk.start(&["--timeout", "1"]).end();
    assert_refused(&output, 1, &["within 1 s", "--timeout"]);
}

#[test]
fn a_login_that_does_not_work_at_the_api_is_not_kept() {
    let desk = Desk::new();
    for fault in ["GET /users* status=401", "GET /abilities status=401"] {
        desk.simulator.faults().add(fault.parse().expect("a fault"));
    }
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_eq!(login.end().status.code(), Some(1));
    assert!(!desk.file("default").exists());
}

#[test]
fn an_application_signs_in_without_a_person() {
    let desk = Desk::new();
    let settings = ["--setting", "subdomain=acme"];
    let without_secret = desk
        .login_command(&["--client-credentials"])
        .args(settings)
        .output()
        .expect("it runs");
    assert_refused(
        &without_secret,
        2,
        &["client secret", "--client-secret-file"],
    );
    let secret = desk.folder.path().join("secret");
    fs::write(&secret, "not-the-secret\n").expect("written");
    let with_file = |args: &[&str]| {
        desk.login_command(&["--client-credentials"])
            .arg("--client-secret-file")
            .arg(&secret)
            .args(args)
            .output()
            .expect("it runs")
    };
    assert_refused(&with_file(&[]), 2, &["`subdomain`", "--setting subdomain="]);
    assert_refused(
        &with_file(&settings),
        1,
        &["invalid_client", "client secret"],
    );
    fs::write(&secret, format!("{}\n", OAUTH_CLIENT.secret)).expect("written");
    assert_refused(
        &with_file(&["--setting", "subdomain=other"]),
        1,
        &["invalid_scope"],
    );
    assert_ok(&with_file(&settings));
    // The profile knows the account that it is for, and renews itself.
    assert_eq!(desk.stored("default")["settings"]["subdomain"], "acme");
    let first = desk.stored("default")["access_token"].clone();
    desk.end("default");
    assert_ok(&desk.run(&["accounts"]));
    assert_ne!(desk.stored("default")["access_token"], first);
}

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
fn another_connector_gets_neither_secret_nor_password_where_it_was_not_granted() {
    let desk = Desk::new();
    let theirs = desk.folder.path().join("theirs.wasm");
    let bytes = crate::oauth::replaced("identity.pagerduty.com", "identity.attackers.com");
    fs::write(&theirs, bytes).expect("written");
    let theirs = theirs.to_str().expect("a path");
    let flows: [&[&str]; 2] = [
        &[],
        &["--client-credentials", "--setting", "subdomain=acme"],
    ];
    for flow in flows {
        let output = desk
            .command(&["login", "--connector", theirs, "--client-id", "mine"])
            .args(flow)
            .env("PAGERDUTY_CLIENT_SECRET", OAUTH_CLIENT.secret)
            .output()
            .expect("it runs");
        assert_refused(
            &output,
            2,
            &[
                "`https://identity.attackers.com`",
                "--grant https://identity.attackers.com",
            ],
        );
        assert_eq!(stdout(&output), "", "no address to open");
    }
    // A profile of the bundled one is not for it either.
    assert_ok(&desk.login(&["--profile", "mine"]));
    let mut stored = desk.stored("mine");
    stored["token_url"] = "https://identity.pagerduty.com/oauth/token".into();
    stored["moved"] = false.into();
    fs::write(desk.file("mine"), stored.to_string()).expect("written");
    let output = desk.run(&["validate", "--connector", theirs, "--profile", "mine"]);
    assert_refused(
        &output,
        2,
        &["identity.attackers.com", "not for this connector"],
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

#[test]
fn no_command_tells_a_secret_even_when_it_says_everything() {
    let desk = Desk::new();
    let mut said = String::new();
    let mut note = |output: Output| {
        said.push_str(&stdout(&output));
        said.push_str(&stderr(&output));
    };
    note(desk.login(&["-vvv"]));
    note(desk.as_application(&["-vvv", "--profile", "app"]));
    note(desk.run(&["accounts", "-vvv"]));
    desk.end("default");
    note(desk.run(&["validate", "-vvv"]));
    desk.end("app");
    note(desk.run(&["validate", "-vvv", "--profile", "app"]));
    desk.simulator.faults().add(
        "POST /oauth/token truncated times=1"
            .parse()
            .expect("a fault"),
    );
    desk.end("app");
    note(desk.run(&["validate", "-vvv", "--profile", "app"]));
    desk.simulator.advance(Duration::from_secs(240 * 86_400));
    note(desk.run(&["accounts", "-vvv"]));
    note(desk.run(&["doctor", "-vvv", "--profile", "app"]));
    note(desk.start(&["-vvv", "--timeout", "1"]).end());
    assert!(said.contains("harness::sign_in"), "it says a lot");
    // All tokens begin with it, and codes have 32 characters.
    assert!(!said.contains("pdus+_") && !said.contains("pdus%2B_"));
    assert!(!said.contains(OAUTH_CLIENT.secret));
    for exchange in desk.simulator.exchanges() {
        let body = exchange.response_body.unwrap_or_default();
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = body[name].as_str() {
                let tail = &token[token.len() - 20..];
                assert!(!said.contains(tail), "{name} was told");
            }
        }
    }
}
