//! A headless Chromium, steered through its driver: for what only a browser can
//! show, such as where the keyboard leads.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Set where the tests must not do without one.
const REQUIRED: &str = "HARNESS_REQUIRE_BROWSER";

/// The key as the WebDriver standard encodes it.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// None, and a word about it, where there is no `chromedriver`: a test
    /// does not install browsers on people's machines.
    pub fn open() -> Option<Self> {
        // The port that it finds free for one protocol may be taken for the other: then
        // it ends without a word of where it listens.
        let started = (0..5).find_map(|_| match start() {
            Ok((driver, Some(port))) => Some(Ok((driver, port))),
            Ok((mut driver, None)) => {
                driver.wait().ok();
                None
            }
            Err(error) => Some(Err(error)),
        });
        let (driver, port) = match started.expect("it says where it listens") {
            Ok(started) => started,
            Err(error) => {
                assert!(
                    std::env::var_os(REQUIRED).is_none(),
                    "{REQUIRED} is set, and there is no chromedriver: {error}"
                );
                eprintln!("not tested in a browser: there is no chromedriver ({error})");
                return None;
            }
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--window-size=1200,900".to_owned(),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = browser.ask("POST", "/session", &capabilities);
        answer["sessionId"]
            .as_str()
            .expect("a session")
            .clone_into(&mut browser.session);
        Some(browser)
    }

    pub fn go(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let url = self.ask(
            "GET",
            &format!("/session/{}/url", self.session),
            &Value::Null,
        );
        url.as_str().expect("an address").to_owned()
    }

    /// What a function body returns in the page.
    pub fn evaluate(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text that people see.
    pub fn text(&self) -> String {
        let text = self.evaluate("return document.body.innerText");
        text.as_str().expect("text").to_owned()
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let source = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command("actions", &json!({ "actions": [source] }));
    }

    /// Shows the page as it would be printed.
    pub fn show_as_printed(&self) {
        let print = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"media": "print"}});
        self.command("goog/cdp/execute", &print);
    }

    /// What the page has complained about: what was blocked, and what failed.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry["message"].to_string())
            // Browsers ask for one by themselves.
            .filter(|message| !message.contains("favicon"))
            .collect()
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        self.ask(
            "POST",
            &format!("/session/{}/{command}", self.session),
            body,
        )
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .expect("sent");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a head");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).expect("a body");
        let mut answer: Value = serde_json::from_slice(&text).expect("JSON");
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path}: {value:#}");
        value
    }
}

/// A driver, and where it listens if it says so.
fn start() -> std::io::Result<(Child, Option<u16>)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = BufReader::new(driver.stdout.take().expect("piped"));
    let port = stdout.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    Ok((driver, port))
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask(
                "DELETE",
                &format!("/session/{}", self.session),
                &Value::Null,
            );
        }
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}
