//! A store with few rows, all of them known.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use host_harness::Store;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::command_line::harness;

/// When the runs of the scene began.
pub const FIRST: &str = "2026-01-10T08:05:00Z";
pub const SECOND: &str = "2026-06-30T12:00:00Z";

/// A tenant's store, written row by row.
pub struct Scene {
    folder: TempDir,
    connection: Connection,
}

/// An account: id, name, status, last login.
pub type Account<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

impl Scene {
    /// A store without tenants.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        drop(Store::open(&path).expect("a store"));
        let connection = Connection::open(path).expect("it opens");
        Self { folder, connection }
    }

    /// The tenant `acme` with a team, a schedule, a policy, a role, two licences,
    /// and the runs 1 and 2, both complete. The accounts are there from run 1 on,
    /// and have the role `user` and the licence `LFULL`.
    pub fn with(accounts: &[Account<'_>]) -> Self {
        let scene = Self::empty();
        scene.tenant(1, "acme");
        scene.run(1, 1, FIRST);
        scene.run(2, 1, SECOND);
        for (kind, id, label) in [
            ("tenant", "", "acme"),
            ("team", "TPAY", "Payments"),
            ("schedule", "SPRIM", "Primary"),
            ("escalation-policy", "EPOL", "Payments policy"),
        ] {
            scene.sql(
                "INSERT INTO resources (tenant, resource_type, id, from_run, label)
                 VALUES (1, ?1, ?2, 1, ?3)",
                &[kind, id, label],
            );
        }
        for (kind, on, id, resource, label) in [
            ("role", "tenant", "user", "", "Manager"),
            ("license", "tenant", "LFULL", "", "Full User"),
            ("license", "tenant", "LLOOK", "", "Stakeholder"),
            ("team-membership", "team", "responder", "TPAY", "Responder"),
            (
                "schedule-membership",
                "schedule",
                "member",
                "SPRIM",
                "Member",
            ),
            (
                "escalation-policy-membership",
                "escalation-policy",
                "member",
                "EPOL",
                "Member",
            ),
        ] {
            scene.sql(
                "INSERT INTO entitlements
                     (tenant, entitlement_type, resource_type, resource, id, from_run, label,
                      assignable, available)
                 VALUES (1, ?1, ?2, ?4, ?3, 1, ?5, 1, CASE ?3 WHEN 'LFULL' THEN 12 END)",
                &[kind, on, id, resource, label],
            );
        }
        for account in accounts {
            scene.account(1, *account);
            scene.grant(1, account.0, ("role", "tenant", "", "user"), None);
            scene.grant(
                1,
                account.0,
                ("license", "tenant", "", "LFULL"),
                Some("2025-02-03T00:00:00Z"),
            );
        }
        scene
    }

    pub fn tenant(&self, id: i64, name: &str) {
        self.connection
            .execute(
                "INSERT INTO tenants VALUES (?1, ?2, 'pagerduty', ?2, ?3)",
                params![id, name, FIRST],
            )
            .expect("written");
    }

    /// A complete run that took five minutes.
    pub fn run(&self, id: i64, tenant: i64, began_at: &str) {
        let began: jiff::Timestamp = began_at.parse().expect("a time");
        let ended = began + jiff::SignedDuration::from_mins(5);
        self.connection
            .execute(
                "INSERT INTO runs (id, tenant, state, began_at, ended_at, connector_version, component_sha256)
                 VALUES (?1, ?2, 'complete', ?3, ?4, '0.1.0', 'abc')",
                params![id, tenant, began_at, ended.to_string()],
            )
            .expect("written");
    }

    pub fn account(&self, from_run: i64, (id, name, status, login): Account<'_>) {
        self.connection
            .execute(
                "INSERT INTO accounts
                     (tenant, id, from_run, email, display_name, status, kind, attributes)
                 VALUES (1, ?1, ?2, lower(?1) || '@acme.example', ?3, ?4, 'user', '{\"job-title\":\"Engineer\"}')",
                params![id, from_run, name, status],
            )
            .expect("written");
        if let Some(at) = login {
            self.connection
                .execute(
                    "INSERT INTO last_activity VALUES (1, ?1, ?2, NULL, 'last-login', ?3, 'analytics')",
                    params![id, from_run, at],
                )
                .expect("written");
        }
    }

    /// A grant: kind, kind of resource, resource, entitlement.
    pub fn grant(
        &self,
        from_run: i64,
        account: &str,
        (kind, on, resource, entitlement): (&str, &str, &str, &str),
        since: Option<&str>,
    ) {
        self.connection
            .execute(
                "INSERT INTO grants VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7)",
                params![account, kind, on, resource, entitlement, from_run, since],
            )
            .expect("written");
    }

    /// The same for a place on the schedule and in the policy.
    pub fn on_call(&self, from_run: i64, account: &str) {
        let schedule = ("schedule-membership", "schedule", "SPRIM", "member");
        let policy = (
            "escalation-policy-membership",
            "escalation-policy",
            "EPOL",
            "member",
        );
        self.grant(from_run, account, schedule, None);
        self.grant(from_run, account, policy, None);
    }

    /// What a command says on stderr. It must succeed.
    #[track_caller]
    pub fn said(&self, args: &[&str]) -> String {
        let output = self.run_command(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        said
    }

    pub fn sql(&self, sql: &str, params: &[&str]) {
        self.connection
            .execute(sql, rusqlite::params_from_iter(params))
            .expect(sql);
    }

    /// Many rows at once.
    pub fn batch(&self, sql: &str) {
        self.connection.execute_batch(sql).expect(sql);
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// A path in the store's folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command on the store.
    pub fn run_command(&self, args: &[&str]) -> Output {
        harness()
            .args(args)
            .args(["--store", text(&self.path())])
            .output()
            .expect("it runs")
    }

    /// What a command says on stdout. It must succeed.
    #[track_caller]
    pub fn told(&self, args: &[&str]) -> String {
        let output = self.run_command(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What a command says on stderr when it fails: one line with a hint.
    #[track_caller]
    pub fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.run_command(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("; hint: "), "{said}");
        assert!(output.stdout.is_empty(), "nothing half-written");
        (output.status.code().expect("a code"), said)
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}
