//! Instructions that pieces of the host take, counted by callgrind: the same
//! number each time, whatever else the machine does. `cargo bench --bench
//! instructions`; needs valgrind.

use std::{
    env,
    hint::black_box,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use host_harness::{
    Credential, Origin,
    contract::{
        to_json,
        types::{Account, AccountKind, AccountStatus},
    },
    egress::{
        cassette::{Cassette, Player},
        policy::{Declaration, DeclaredCapability, Grant, Level, Policy, RequestLine},
    },
    layers::{Redaction, lookup},
};

/// What is counted: a name, and what prepares it. What that returns is counted.
type Piece = (&'static str, fn() -> Result<Box<dyn FnMut()>>);

const PIECES: &[Piece] = &[
    ("policy: one decision", policy),
    ("cassette: read 100 recorded pages", reading),
    ("cassette: one of 100 recorded answers", cassette),
    ("redaction: search 64 KiB for a credential", redaction),
    ("contract: 100 accounts as JSON", json),
];

fn main() -> Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        // In valgrind.
        Some("--counted") => {
            let name = arguments.next().context("a piece")?;
            let (_, prepare) = PIECES
                .iter()
                .find(|(piece, _)| *piece == name)
                .context("a known piece")?;
            counted(&mut *prepare()?);
            return Ok(ExitCode::SUCCESS);
        }
        // `cargo bench`, as opposed to `cargo test --benches`.
        Some("--bench") => {}
        _ => {
            for (_, prepare) in PIECES {
                counted(&mut *prepare()?);
            }
            return Ok(ExitCode::SUCCESS);
        }
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: there is no valgrind");
        return Ok(ExitCode::SUCCESS);
    }
    let widest = PIECES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    println!("\n{:widest$}  instructions", "piece");
    for (name, _) in PIECES {
        println!("{name:widest$}  {:>12}", count(name)?);
    }
    println!();
    Ok(ExitCode::SUCCESS)
}

/// What valgrind looks at, by its name.
#[inline(never)]
fn counted(piece: &mut dyn FnMut()) {
    black_box(piece)();
}

/// Runs a piece in valgrind.
fn count(name: &str) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted*"])
        .arg(env::current_exe()?)
        .args(["--counted", name])
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name}: {told}");
    }
    told.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .with_context(|| format!("valgrind counts, and says: {told}"))
}

fn policy() -> Result<Box<dyn FnMut()>> {
    let origin: Origin = "https://api.pagerduty.com".parse()?;
    let paths = [
        "/users",
        "/users/{id}",
        "/teams",
        "/teams/{id}/members",
        "/schedules",
    ];
    let declaration = Declaration::new([DeclaredCapability {
        name: "directory.list-grants".to_owned(),
        level: Level::Read,
        requests: paths
            .iter()
            .map(|path| ("GET".to_owned(), (*path).to_owned(), Level::Read))
            .collect(),
    }])?;
    let policy = Policy::new(declaration, Grant::read_only().origin(origin.clone()));
    Ok(Box::new(move || {
        let request = RequestLine {
            capability: "directory.list-grants",
            method: "GET",
            origin: &origin,
            path: "/teams/PABC123/members",
        };
        black_box(policy.decide(request).is_ok());
    }))
}

fn recording() -> Result<String> {
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/accounts.json"
    );
    let mut cassette = Cassette::read(fixture.as_ref())?;
    let page = cassette.interactions.first().context("a request")?.clone();
    cassette.interactions = (0..100)
        .map(|number| {
            let mut page = page.clone();
            page.request.uri = format!("https://api.pagerduty.com/users?limit=100&offset={number}");
            page
        })
        .collect();
    Ok(cassette.to_text())
}

fn reading() -> Result<Box<dyn FnMut()>> {
    let text = recording()?;
    Ok(Box::new(move || {
        black_box(Cassette::parse(&text, "pages").is_ok());
    }))
}

fn cassette() -> Result<Box<dyn FnMut()>> {
    let player = Player::new(Cassette::parse(&recording()?, "pages")?)?;
    Ok(Box::new(move || {
        let uri = "https://api.pagerduty.com/users?offset=99&limit=100";
        assert!(lookup(&player, "GET", uri));
    }))
}

fn redaction() -> Result<Box<dyn FnMut()>> {
    let redaction = Redaction::new(&Credential::token("a-token-that-nobody-repeats")?);
    let body = br#"{"id":"PABC123","name":"Ann Example"},"#.repeat(64 * 1024 / 38);
    Ok(Box::new(move || {
        black_box(redaction.finds(&body));
    }))
}

fn json() -> Result<Box<dyn FnMut()>> {
    let accounts: Vec<Account> = (0..100)
        .map(|number| Account {
            id: format!("PUSER{number:02}"),
            email: Some(format!("user{number}@acme.example")),
            given_name: None,
            family_name: None,
            display_name: format!("User {number}"),
            status: AccountStatus::Active,
            kind: AccountKind::User,
            attributes: vec![("time-zone".to_owned(), "Europe/Berlin".to_owned())],
        })
        .collect();
    Ok(Box::new(move || {
        black_box(to_json(&accounts));
    }))
}
