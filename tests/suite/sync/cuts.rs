//! Syncs that are cut off, by whatever, and go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use host_harness::{
    Connector,
    store::RunState,
    sync::{self, Event},
};
use pagerduty_simulator::{Exchange, Listening, Simulator};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    Desk, config, dump,
    requests::{counted, template},
    rows,
};
use crate::{
    command_line::harness,
    registry::second_version,
    support::{Opening, engine, run, run_on_one_thread},
};

#[test]
fn a_sync_that_is_killed_after_any_page_ends_as_if_it_had_not_been() {
    run(sweep(Simulator::new(config(2_000)), None, None));
}

/// Many of these take no request at all: what they hold has come with others.
#[test]
fn a_sync_in_small_pages_that_is_killed_after_any_of_them_ends_as_if_it_had_not_been() {
    run(sweep(Simulator::new(config(120)), Some(20), None));
}

/// Somebody has left, somebody has come, somebody is called something else: what
/// becomes of them is told from the run before, in the transaction of the end.
#[test]
fn a_later_sync_that_is_killed_after_any_page_ends_as_if_it_had_not_been() {
    run(async {
        let desk = Desk::new(120).await;
        desk.sync().await;
        let gone = desk.delete_somebody();
        let users = desk.users();
        let renamed = users[5]["id"].as_str().expect("an id");
        for (method, target, user) in [
            (
                "PUT",
                format!("/users/{renamed}"),
                json!({ "name": "Somebody Else" }),
            ),
            (
                "POST",
                "/users".to_owned(),
                json!({ "type": "user", "name": "New Here", "email": "new@acme.example" }),
            ),
        ] {
            let body = json!({ "user": user });
            let (status, said) = desk.simulator().ask(method, &target, Some(&body));
            assert!(status < 300, "{method} {target}: {said}");
        }
        let base = desk.folder.path().join("base.db");
        copy(&desk.file(), &base);
        let uncut = sweep(desk.simulator().fork(), Some(20), Some(&base)).await;
        for what in [gone.as_str(), "deprovisioned", "New Here", "Somebody Else"] {
            assert!(uncut.dump.contains(what), "{what}");
        }
        let looked_up = uncut.functions.iter().any(|function| {
            function[0] == "directory.get-account".to_owned().into() && function[2] == 1.into()
        });
        assert!(looked_up, "{:?}", uncut.functions);
    });
}

/// The command, killed while it commits its first page, its second one, ... and
/// the run as a whole; and then once more, to its end.
/// `base` is the store that it begins with.
async fn sweep(simulator: Simulator, page_size: Option<u32>, base: Option<&Path>) -> Arc<Uncut> {
    let uncut = {
        let (simulator, base) = (simulator.fork(), base.map(Path::to_owned));
        // On one thread: there a page is committed before the next is asked for.
        let sync = move || run_on_one_thread(uncut(simulator, page_size, base.as_deref()));
        let sync = tokio::task::spawn_blocking(sync).await;
        sync.expect("it comes to its end")
    };
    let pages = uncut.asked.len();
    assert!(pages >= 20, "{pages}");
    let simulator = Arc::new(simulator);
    let uncut = Arc::new(uncut);
    let places = Arc::new(tokio::sync::Semaphore::new(2));
    let mut cuts = tokio::task::JoinSet::new();
    for cut in 0..=pages {
        let (simulator, uncut, places) = (simulator.clone(), uncut.clone(), places.clone());
        let base = base.map(Path::to_owned);
        cuts.spawn(async move {
            let _place = places.acquire().await.expect("open");
            let site = Site::new(simulator.fork(), page_size, base.as_deref()).await;
            tokio::task::spawn_blocking(move || site.killed_in(cut, &uncut))
                .await
                .expect("it ends the same");
        });
    }
    let mut failed = Vec::new();
    while let Some(cut) = cuts.join_next().await {
        failed.extend(cut.err().map(|error| error.to_string()));
    }
    assert!(failed.is_empty(), "{failed:#?}");
    uncut
}

/// What a sync comes to that nobody cuts off.
struct Uncut {
    dump: String,
    /// Requests, and answers that are kept, by the end of each page, if nothing is
    /// asked for beside it.
    asked: Vec<(u64, u64)>,
    requests: BTreeMap<String, usize>,
    /// Pages and rows of each function.
    functions: Vec<Vec<rusqlite::types::Value>>,
}

const FUNCTIONS: &str = "
    SELECT function, pages, rows, next, done FROM checkpoints
    WHERE run = (SELECT max(id) FROM runs) ORDER BY 1";

async fn uncut(simulator: Simulator, page_size: Option<u32>, base: Option<&Path>) -> Uncut {
    let mut desk = Desk::of(simulator).await;
    if let Some(base) = base {
        std::fs::copy(base, desk.file()).expect("copied");
    }
    desk.options.page_size = page_size;
    desk.simulator().keep_exchanges(true);
    let asked = Mutex::new(Vec::new());
    let store = Mutex::new(Connection::open(desk.file()).expect("a database"));
    let observer = |event: Event<'_>| {
        if let Event::Page(_) = event {
            let requests = desk.simulator().request_count();
            let store = store.lock().expect("no panic");
            let kept = count(&store, "SELECT count(*) FROM answers");
            asked.lock().expect("no panic").push((requests, kept));
        }
    };
    let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
    super::complete(outcome);
    Uncut {
        dump: desk.dump(),
        asked: asked.into_inner().expect("no panic"),
        requests: counted(&found(desk.simulator().exchanges())),
        functions: desk.rows(FUNCTIONS),
    }
}

/// A tenant on a socket, and a store, for processes.
struct Site {
    simulator: Simulator,
    listening: Listening,
    folder: tempfile::TempDir,
    page_size: Option<u32>,
}

/// Who writes a page with this in the store does not come to an end. The view is
/// endless.
const TRAP: &str = "
    CREATE VIEW endless AS
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
        SELECT n FROM numbers;
    CREATE TRIGGER first_page AFTER INSERT ON checkpoints
        WHEN (SELECT sum(pages) FROM checkpoints WHERE run = NEW.run) = {page} AND NEW.pages = 1
        BEGIN SELECT count(*) FROM endless; END;
    CREATE TRIGGER next_page AFTER UPDATE ON checkpoints
        WHEN (SELECT sum(pages) FROM checkpoints WHERE run = NEW.run) = {page}
        BEGIN SELECT count(*) FROM endless; END;
    CREATE TRIGGER the_end AFTER UPDATE OF state ON runs
        WHEN NEW.state = 'complete' AND {page} = 0
        BEGIN SELECT count(*) FROM endless; END;";

const NO_TRAP: &str = "
    DROP TRIGGER first_page; DROP TRIGGER next_page; DROP TRIGGER the_end; DROP VIEW endless;";

impl Site {
    async fn new(simulator: Simulator, page_size: Option<u32>, base: Option<&Path>) -> Self {
        let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        simulator.keep_exchanges(true);
        let site = Self {
            simulator,
            listening: listening.expect("a free port"),
            folder: tempfile::tempdir().expect("a folder"),
            page_size,
        };
        if let Some(base) = base {
            std::fs::copy(base, site.file()).expect("copied");
        }
        site
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("store.db")
    }

    fn command(&self) -> Command {
        let mut command = harness();
        command
            .args(["sync", "--json", "--store"])
            .arg(self.file())
            .args(["--base-url", &self.listening.origin()])
            .env("PAGERDUTY_TOKEN", "simulated-token");
        if let Some(size) = self.page_size {
            command.args(["--page-size", &size.to_string()]);
        }
        command
    }

    fn start(&self) -> Child {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    }

    /// Kills it while it commits its page number `cut`, counted from 0, or behind
    /// the last one the run as a whole; then lets it go on.
    fn killed_in(&self, cut: usize, uncut: &Uncut) {
        let file = self.file();
        drop(host_harness::Store::open(&file).expect("a store"));
        let page = uncut.asked.get(cut).map_or(0, |_| cut + 1);
        let store = Connection::open(&file).expect("a database");
        store
            .execute_batch(&TRAP.replace("{page}", &page.to_string()))
            .expect("a trap");
        let earlier = count(&store, "SELECT count(*) FROM runs");
        let before = dump(&file);
        let mut process = self.start();
        // All that belongs to the page is asked, answered and kept; what is left
        // is to commit it, and that does not end.
        let (asked, answers) = *uncut.asked.get(cut).or(uncut.asked.last()).expect("pages");
        assert!(asked >= 3, "whose the credential is");
        loop {
            if let Some(status) = process.try_wait().expect("it is ours") {
                panic!("cut {cut}: it ended by itself, {status}");
            }
            let kept = count(&store, "SELECT count(*) FROM answers");
            let pages = count(
                &store,
                &format!("SELECT coalesce(sum(pages), 0) FROM checkpoints WHERE run > {earlier}"),
            );
            assert!(pages <= cut as u64, "cut {cut}: {pages} pages");
            if self.simulator.request_count() >= asked && kept >= answers && pages == cut as u64 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        process.kill().expect("it is ours");
        process.wait().expect("it is ours");
        assert_eq!(dump(&file), before, "cut {cut}: nothing is half there");
        // What is kept was counted with it.
        let requests = count(
            &store,
            "SELECT requests FROM runs WHERE id = (SELECT max(id) FROM runs)",
        );
        let kept = count(&store, "SELECT count(*) FROM answers");
        assert!(requests >= kept, "cut {cut}: {requests} of {kept}");
        store.execute_batch(NO_TRAP).expect("gone");
        drop(store);
        let output = self.command().output().expect("it runs");
        assert_done(&output, cut);
        let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let run = earlier + 1;
        assert_eq!(outcome["run"]["id"], run, "cut {cut}: the same run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(&format!("run {run} of `acme` goes on")),
            "cut {cut}: {said}"
        );
        assert_eq!(dump(&file), uncut.dump, "cut {cut}");
        assert_eq!(rows(&file, FUNCTIONS), uncut.functions, "cut {cut}");
        // Nothing is asked for twice, but whose the credential is; what was under way
        // or waited to be kept, of the page behind; and, of what is no GET, the page
        // whose end was cut off.
        let mut asked = BTreeSet::new();
        let (once, again): (Vec<_>, Vec<_>) = found(self.simulator.exchanges())
            .into_iter()
            .partition(|exchange| {
                let target = format!("{} {:?}", exchange.path, exchange.query);
                exchange.method != "GET" || asked.insert(target)
            });
        let mut again: Vec<&str> = again.iter().map(|it| it.path.as_str()).collect();
        for who in ["/users/me", "/abilities", "/licenses"] {
            let at = again.iter().position(|path| *path == who);
            again.remove(at.expect("it is asked each time"));
        }
        assert!(
            again.len() <= UNDER_WAY + WAITING,
            "cut {cut}: {}: {again:?}",
            again.len()
        );
        let mut made = counted(&once);
        let searches = made.get_mut("/analytics/raw/users").expect("asked");
        let repeated = *searches - uncut.requests["/analytics/raw/users"];
        *searches -= repeated;
        assert!(repeated <= 5, "cut {cut}: {repeated}");
        assert_eq!(made, uncut.requests, "cut {cut}");
    }
}

/// As many as the connector has under way at once.
const UNDER_WAY: usize = 6;

/// So many answers may wait to be written.
const WAITING: usize = 8;

/// That somebody is gone is asked for again, with the page that was cut off: only
/// what is there is kept.
fn found(mut exchanges: Vec<Exchange>) -> Vec<Exchange> {
    exchanges.retain(|exchange| exchange.status != 404);
    exchanges
}

fn count(store: &Connection, sql: &str) -> u64 {
    store.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[track_caller]
fn assert_done(output: &Output, cut: usize) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "cut {cut}: {said}");
}

#[test]
fn a_sync_that_is_killed_while_it_waits_for_an_answer_asks_for_no_answer_twice() {
    run(async {
        let uncut = uncut(Simulator::new(config(260)), Some(40), None).await;
        for skip in [0, 4, 9, 20] {
            let site = Site::new(Simulator::new(config(260)), Some(40), None).await;
            let fault = format!("GET * hang-after-applied times=1 skip={skip}");
            site.simulator.faults().add(fault.parse().expect("a fault"));
            let uncut_requests = uncut.requests.clone();
            let wanted = uncut.dump.clone();
            tokio::task::spawn_blocking(move || {
                let mut process = site.start();
                while site.simulator.faults().fired() == 0 {
                    assert!(process.try_wait().expect("it is ours").is_none());
                    std::thread::sleep(Duration::from_millis(5));
                }
                process.kill().expect("it is ours");
                process.wait().expect("it is ours");
                let output = site.command().output().expect("it runs");
                assert_done(&output, skip);
                assert_eq!(dump(&site.file()), wanted, "cut in request {skip}");
                // Those that were under way when it died are lost, and no more.
                let mut times: BTreeMap<String, usize> = BTreeMap::new();
                for exchange in site.simulator.exchanges() {
                    let target = format!("{} {:?}", exchange.path, exchange.query);
                    *times.entry(target).or_default() += 1;
                }
                let who = ["/users/me []", "/abilities []", "/licenses []"];
                let again = times
                    .iter()
                    .filter(|(target, times)| **times > 1 && !who.contains(&target.as_str()))
                    .filter(|(target, _)| !target.starts_with("/analytics"));
                let again: Vec<_> = again.collect();
                assert!(again.len() <= UNDER_WAY, "{again:?}");
                let asked = site.simulator.exchanges();
                let asked: BTreeSet<String> = asked
                    .iter()
                    .map(|exchange| template(&exchange.path))
                    .collect();
                let wanted: BTreeSet<String> = uncut_requests.keys().cloned().collect();
                assert_eq!(asked, wanted, "all of it, and nothing else");
            })
            .await
            .expect("it ends the same");
        }
    });
}

/// The same desk through another version of the connector.
async fn with_version(desk: Desk, differences: &str) -> Desk {
    let component = second_version(differences);
    let connector = Connector::load(engine(), &component)
        .await
        .expect("it loads");
    desk.reopened(Opening::default(), &connector).await
}

#[test]
fn another_version_of_the_connector_goes_on_where_its_tokens_allow() {
    run(async {
        let simulator = Simulator::new(config(150));
        for (differences, restarted) in [("", false), ("tokens", true)] {
            let whole = Desk::of(simulator.fork()).await;
            whole.sync().await;
            let mut desk = Desk::of(simulator.fork()).await;
            desk.options.page_size = Some(40);
            let first = desk.stop_behind(1).await;
            assert_eq!(first.connector_version, "0.1.0");
            let mut desk = with_version(desk, differences).await;
            desk.options.page_size = Some(40);
            desk.simulator().keep_exchanges(true);
            let events = Mutex::new(Vec::new());
            let observer = |event: Event<'_>| match event {
                Event::Restarted { function, .. } => {
                    events.lock().expect("no panic").push(function.to_owned());
                }
                Event::Began { run, resumed } => {
                    assert_eq!((run.id, resumed), (1, Some(2)));
                }
                _ => {}
            };
            let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
            let summary = super::complete(outcome);
            assert_eq!(summary.run.connector_version, "0.2.0");
            assert!(summary.run.findings.is_empty(), "nothing twice");
            let events = events.into_inner().expect("no panic");
            let codes: Vec<&str> = summary
                .run
                .notices
                .iter()
                .map(|notice| notice.code.as_str())
                .collect();
            if restarted {
                assert_eq!(events, ["directory.list-accounts"]);
                assert_eq!(codes, ["function-restarted"]);
            } else {
                assert!(
                    events.is_empty() && codes.is_empty(),
                    "{events:?} {codes:?}"
                );
            }
            // 150 accounts, in pages of 40, whoever has read them.
            let pages = desk.number(
                "SELECT pages * 1000 + rows FROM checkpoints
                 WHERE function = 'directory.list-accounts'",
            );
            assert_eq!(pages, 4150);
            assert_eq!(desk.dump(), whole.dump(), "{differences}");
            // What the first version had read of the vendor was not asked for again.
            let users = desk.simulator().exchanges();
            let users = users.iter().filter(|exchange| exchange.path == "/users");
            assert_eq!(users.count(), 1, "{differences}");
        }
    });
}

#[test]
fn whoever_begins_anew_reads_anew() {
    run(async {
        let mut desk = Desk::new(150).await;
        desk.options.page_size = Some(40);
        desk.stop_behind(5).await;
        desk.delete_somebody();
        // The run that goes on has read them all, and does not see the change.
        let mut other = Desk::of(desk.simulator().fork()).await;
        other.options.page_size = Some(40);
        copy(&desk.file(), &other.file());
        let resumed = other.sync().await;
        assert_eq!(resumed.run.id, 1);
        desk.options.restart = true;
        let anew = desk.sync().await;
        assert_eq!(anew.run.id, 2);
        assert_eq!(anew.changes[0].total, 149);
        assert_eq!(desk.runs()[0].state, RunState::Abandoned);
        assert_eq!(desk.number("SELECT count(*) FROM staged_accounts"), 0);
    });
}

/// With what is not in the file itself yet.
fn copy(from: &Path, to: &Path) {
    let source = Connection::open(from).expect("a database");
    source
        .execute("VACUUM INTO ?1", [to.to_str().expect("a path")])
        .expect("copied");
}
