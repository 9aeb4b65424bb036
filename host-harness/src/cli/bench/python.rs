//! PagerDuty's own client for Python: installed where it is not, and run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::cli::failure::Failure;

/// The client, and what it needs, as it was when the numbers were taken.
const PACKAGES: [&str; 2] = ["pagerduty==7.2.0", "httpx2==2.16.2"];

/// What the client is asked to do.
const SCRIPT: &str = include_str!("python_client.py");

/// A Python that has the client.
pub(super) struct Python {
    program: PathBuf,
}

impl Python {
    /// Installs the client into a virtual environment of its own in that folder,
    /// unless it is there.
    pub(super) fn with_client(cache: &Path) -> Result<Self, Failure> {
        let folder = cache.join(format!("bench-{}", PACKAGES.join("-").replace("==", "-")));
        let bin = if cfg!(windows) { "Scripts" } else { "bin" };
        let python = Self {
            program: folder.join(bin).join("python"),
        };
        if python.has_client() {
            return Ok(python);
        }
        talk!(
            "installs PagerDuty's client for Python into `{}`",
            folder.display()
        );
        // One that was begun, and is no use.
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| missing(&error))?;
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        quietly(&mut venv)?;
        let mut install = Command::new(&python.program);
        install
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(PACKAGES);
        if let Err(failure) = quietly(&mut install) {
            fs::remove_dir_all(&folder).ok();
            return Err(failure);
        }
        Ok(python)
    }

    /// Lists what is at that origin.
    pub(super) fn walk(&self, origin: &str) -> Command {
        let mut command = Command::new(&self.program);
        // Isolated: what lies in the working folder, or in the environment's
        // variables, is not Python's to import.
        command.args(["-I", "-c", SCRIPT, origin]);
        command
    }

    fn has_client(&self) -> bool {
        let found = Command::new(&self.program)
            .args(["-I", "-c", "import pagerduty"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|status| status.success())
    }
}

fn quietly(command: &mut Command) -> Result<(), Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(missing(
        &last.map_or_else(|| output.status.to_string(), str::to_owned),
    ))
}

fn missing(why: &dyn std::fmt::Display) -> Failure {
    Failure::call(
        format!("PagerDuty's client for Python can't be installed: {why}"),
        Some(
            "have `python3` with `venv` and a package index at hand, or leave `--against python` \
             out"
            .to_owned(),
        ),
    )
}
