//! The conformance suite, and that it notices what it is there to notice.
//!
//! The source of the broken connectors is in `tests/connectors/mutants`.

mod bundled;
mod described;
mod mutants;
mod outcomes;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::LazyLock,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{command_line::harness, components};

static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| components::build("mutant-connector", &[]));

/// The small connector, broken in that way; sound if it knows none of that name.
pub fn mutant(mutation: &str) -> Vec<u8> {
    let slot = b"the-mutant-connector-differs-in:";
    components::with_slot(&COMPONENT, slot, mutation)
}

/// A folder with connectors and what is recorded with them.
struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with the [`mutant`].
    fn connector(&self, mutation: &str) -> PathBuf {
        let path = self.path(&format!("{mutation}.wasm"));
        fs::write(&path, mutant(mutation)).expect("a writable folder");
        path
    }

    /// Records what the command does on a small simulated account.
    fn record(&self, connector: &Path, command: &[&str], file: &Path) {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a writable folder");
        let output = self
            .harness(command)
            .args(["--simulator", "--users", "12", "--connector"])
            .arg(connector)
            .arg("--record")
            .arg(file)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{command:?}: {output:?}");
    }

    /// Recordings of every kind of read that the small connector makes.
    fn recordings(&self, connector: &Path, name: &str) -> PathBuf {
        let folder = self.path(name);
        for (command, file) in [
            (&["validate"][..], "validate.json"),
            (&["accounts", "--page-size", "5"], "accounts.json"),
            (&["resources", "--page-size", "1"], "resources.json"),
            (&["entitlements", "--page-size", "7"], "entitlements.json"),
            (&["grants", "--page-size", "4"], "grants.json"),
        ] {
            self.record(connector, command, &folder.join(file));
        }
        folder
    }

    fn harness(&self, command: &[&str]) -> std::process::Command {
        let mut harness = harness();
        harness
            .env("HARNESS_CACHE", self.path("cache"))
            .args(command);
        harness
    }

    /// Runs the checks and returns how they came out.
    fn check(&self, connector: &Path, args: &[&str]) -> Outcomes {
        let output = self
            .harness(&["conformance", "--format", "json", "--connector"])
            .arg(connector)
            .args(args)
            .output()
            .expect("it runs");
        Outcomes::of(&output)
    }
}

/// How checks came out.
struct Outcomes {
    report: Value,
    code: Option<i32>,
}

impl Outcomes {
    #[track_caller]
    fn of(output: &Output) -> Self {
        let report = serde_json::from_slice(&output.stdout);
        Self {
            report: report.unwrap_or_else(|error| panic!("{error}: {output:?}")),
            code: output.status.code(),
        }
    }

    /// The checks with that outcome, with what was said.
    fn told(&self, word: &str) -> Vec<(String, String)> {
        let text = |check: &Value, name: &str| check[name].as_str().expect(name).to_owned();
        self.report["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|check| check["outcome"] == word)
            .map(|check| (text(check, "id"), text(check, "detail")))
            .collect()
    }

    fn ids(&self, word: &str) -> BTreeSet<String> {
        self.told(word).into_iter().map(|(id, _)| id).collect()
    }
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
