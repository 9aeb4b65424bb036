//! Syncs into a store: what a run leaves behind, how it goes on after a death,
//! what it refuses to believe, and what becomes of it when the disk gives out.

mod changes;
mod circles;
mod command;
mod cuts;
mod failures;
mod integrity;
pub mod memory;
mod requests;
mod tenants;
mod trust;
mod versions;
mod waits;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use host_harness::{
    Connector, Store, Tenant,
    store::{Finding, Run, RunState},
    sync::{self, Event, Outcome, Stop, Summary, SyncError, SyncOptions},
};
use pagerduty_simulator::{Config, Effect, Fault, Match, Simulator};
use rusqlite::{Connection, types::Value as Sql};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Bench, Opening, connector};

/// A tenant whose clock stands still, so that two syncs of it can be compared.
pub fn config(users: usize) -> Config {
    Config {
        users,
        now: Some("2026-11-20T12:00:00Z".parse().expect("a time")),
        ..Config::default()
    }
}

/// An open tenant, and a folder with a store.
pub struct Desk {
    pub bench: Bench,
    pub folder: TempDir,
    pub options: SyncOptions,
}

impl Desk {
    pub async fn new(users: usize) -> Self {
        Self::of(Simulator::new(config(users))).await
    }

    pub async fn of(simulator: Simulator) -> Self {
        Self {
            bench: Opening::default().open_on(simulator, connector()).await,
            folder: tempfile::tempdir().expect("a folder"),
            options: SyncOptions::default(),
        }
    }

    /// The same tenant and store, opened with something else.
    pub async fn reopened(self, opening: Opening, connector: &Connector) -> Self {
        Self {
            bench: opening.open_on(self.bench.simulator, connector).await,
            ..self
        }
    }

    pub fn simulator(&self) -> &Simulator {
        &self.bench.simulator
    }

    pub fn tenant(&self) -> &Tenant {
        &self.bench.tenant
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.file()).expect("it opens")
    }

    pub async fn try_sync(&self) -> Result<Outcome, SyncError> {
        sync::run(self.tenant(), self.store(), &self.options, &|_| {}).await
    }

    pub async fn sync(&self) -> Summary {
        complete(self.try_sync().await)
    }

    /// Stops a sync behind the page after that one: it is asked for by then.
    pub async fn stop_behind(&self, pages: u64) -> Run {
        let seen = AtomicU64::new(0);
        let mut options = self.options.clone();
        options.stop = Stop::default();
        let stop = options.stop.clone();
        let observer = |event: Event<'_>| {
            if let Event::Page(_) = event
                && seen.fetch_add(1, Ordering::Relaxed) + 1 == pages
            {
                stop.stop();
            }
        };
        stopped(sync::run(self.tenant(), self.store(), &options, &observer).await)
    }

    pub fn runs(&self) -> Vec<Run> {
        let store = Store::open_to_read(&self.file()).expect("it opens");
        store.runs(None).expect("it reads")
    }

    pub fn rows(&self, sql: &str) -> Vec<Vec<Sql>> {
        rows(&self.file(), sql)
    }

    pub fn number(&self, sql: &str) -> i64 {
        match self.rows(sql).as_slice() {
            [row] => match row.as_slice() {
                [Sql::Integer(number)] => *number,
                other => panic!("{sql}: {other:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// All versions of everything.
    pub fn dump(&self) -> String {
        dump(&self.file())
    }

    /// The users as the vendor lists them.
    pub fn users(&self) -> Vec<Value> {
        let mut users = Vec::new();
        loop {
            let page = self.get(&format!("/users?limit=100&offset={}", users.len()));
            users.extend(page["users"].as_array().expect("a list").iter().cloned());
            if page["more"] != true {
                return users;
            }
        }
    }

    pub fn get(&self, target: &str) -> Value {
        let (status, body) = self.simulator().ask("GET", target, None);
        assert_eq!(status, 200, "GET {target}: {body}");
        body
    }

    /// An account that the vendor lets go at once, and so that nothing of others
    /// changes with it.
    pub fn delete_somebody(&self) -> String {
        for user in self.users().iter().rev() {
            let id = user["id"].as_str().expect("an id");
            let (status, _) = self
                .simulator()
                .ask("DELETE", &format!("/users/{id}"), None);
            if status < 300 {
                return id.to_owned();
            }
        }
        panic!("somebody can go");
    }
}

#[track_caller]
pub fn complete(outcome: Result<Outcome, SyncError>) -> Summary {
    match outcome {
        Ok(Outcome::Complete(summary)) => {
            assert_eq!(summary.run.state, RunState::Complete);
            summary
        }
        other => panic!("it should be complete: {other:#?}"),
    }
}

#[track_caller]
pub fn refused(outcome: Result<Outcome, SyncError>) -> Run {
    match outcome {
        Ok(Outcome::Refused(run)) => {
            assert_eq!(run.state, RunState::Refused);
            assert!(!run.findings.is_empty());
            for finding in &run.findings {
                assert!(!finding.hint.is_empty() && !finding.message.is_empty());
            }
            run
        }
        other => panic!("it should be refused: {other:#?}"),
    }
}

#[track_caller]
pub fn stopped(outcome: Result<Outcome, SyncError>) -> Run {
    match outcome {
        Ok(Outcome::Stopped(run)) => {
            assert_eq!(run.state, RunState::Running);
            run
        }
        other => panic!("it should have stopped: {other:#?}"),
    }
}

/// The findings of one check.
pub fn of<'f>(findings: &'f [Finding], check: &str) -> Vec<&'f Finding> {
    findings.iter().filter(|f| f.check == check).collect()
}

pub fn rows(file: &Path, sql: &str) -> Vec<Vec<Sql>> {
    let connection = Connection::open(file).expect("a database");
    let mut statement = connection.prepare(sql).expect(sql);
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
    rows.expect(sql).collect::<Result<_, _>>().expect(sql)
}

/// All rows that have versions, in the order of their keys, as text: what two
/// stores are compared by, byte for byte.
pub fn dump(file: &Path) -> String {
    let tables = [
        ("accounts", "id, from_run"),
        ("resources", "resource_type, id, from_run"),
        (
            "entitlements",
            "entitlement_type, resource_type, resource, id, from_run",
        ),
        (
            "grants",
            "account, entitlement_type, resource_type, resource, entitlement, from_run",
        ),
        ("last_activity", "account, from_run"),
    ];
    let mut dump = String::new();
    for (table, keys) in tables {
        let all = rows(
            file,
            &format!("SELECT * FROM {table} ORDER BY tenant, {keys}"),
        );
        for row in all {
            dump += &format!("{table} {row:?}\n");
        }
    }
    dump
}

/// A request gets this answer, the first time after `skip` others.
pub fn answer(path: &str, skip: u32, body: &Value) -> Fault {
    Fault {
        when: Match {
            method: Some("GET".to_owned()),
            path: Some(path.to_owned()),
            skip,
            times: Some(1),
        },
        effect: Effect::Body {
            content_type: "application/json".to_owned(),
            body: body.to_string().into(),
            status: 200,
        },
    }
}

/// A page of a list, the last one.
pub fn last_page(name: &str, rows: &[Value], offset: usize) -> Value {
    json!({
        name: rows, "limit": 100, "offset": offset, "more": false,
        "total": offset + rows.len(),
    })
}
