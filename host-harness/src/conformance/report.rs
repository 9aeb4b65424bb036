//! What a run of the checks comes to, as JSON and as JUnit.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{Check, Outcome, Subject};
use crate::{contract, text::printable};

/// How the checks came out for one connector.
pub struct Report {
    /// `metadata.descriptor.app-id`.
    pub app_id: String,
    /// `metadata.descriptor.version`.
    pub version: String,
    /// Digest of the component, in hexadecimal.
    pub sha256: String,
    /// What it was checked on: `recordings`, `simulator` or `live`.
    pub source: &'static str,
    /// The checks, in the order in which they ran.
    pub checks: Vec<CheckReport>,
}

/// How one check came out.
pub struct CheckReport {
    /// Which.
    pub check: &'static Check,
    /// How.
    pub outcome: Outcome,
    /// How long it took, with all that others after it have used as well.
    pub elapsed: Duration,
}

impl Report {
    pub(super) fn new(subject: &Subject, checks: Vec<CheckReport>) -> Self {
        let connector = &subject.connector;
        Self {
            app_id: printable(&connector.descriptor().app_id).into_owned(),
            version: printable(&connector.descriptor().version).into_owned(),
            sha256: connector.sha256().to_owned(),
            source: subject.source.word(),
            checks,
        }
    }

    /// Whether none has failed. Where nothing could be looked at, nothing holds
    /// either.
    pub fn is_conformant(&self) -> bool {
        self.count("fail") == 0 && self.count("pass") + self.count("warn") > 0
    }

    /// How many came out so, by the [word](Outcome::word) for it.
    pub fn count(&self, word: &str) -> usize {
        self.checks
            .iter()
            .filter(|report| report.outcome.word() == word)
            .count()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|report| {
                json!({
                    "id": report.check.id,
                    "level": report.check.level.as_str(),
                    "title": report.check.title,
                    "outcome": report.outcome.word(),
                    "detail": report.outcome.detail(),
                    "hint": report.outcome.hint(),
                    "elapsed_ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
                })
            })
            .collect();
        json!({
            "connector": {
                "app_id": self.app_id,
                "version": self.version,
                "sha256": self.sha256,
            },
            "contract": format!("{}@{}", contract::PACKAGE, contract::VERSION),
            "source": self.source,
            "conformant": self.is_conformant(),
            "pass": self.count("pass"),
            "fail": self.count("fail"),
            "warn": self.count("warn"),
            "skip": self.count("skip"),
            "checks": checks,
        })
    }

    /// For a build server: JUnit's XML, one suite, a case for each check. A
    /// warning is a case that has passed, with the warning as its output.
    pub fn to_junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let seconds = |elapsed: Duration| format!("{:.3}", elapsed.as_secs_f64());
        let total = self.checks.iter().map(|report| report.elapsed).sum();
        let suite = format!("{} {} ({})", self.app_id, self.version, self.source);
        // Writing to a `String` does not fail.
        writeln!(
            xml,
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{}\">",
            escaped(&suite),
            self.checks.len(),
            self.count("fail"),
            self.count("skip"),
            seconds(total),
        )
        .ok();
        for report in &self.checks {
            let (check, detail) = (report.check, escaped(report.outcome.detail()));
            write!(
                xml,
                "  <testcase classname=\"conformance.{}\" name=\"{}\" time=\"{}\">",
                check.level.as_str(),
                escaped(check.id),
                seconds(report.elapsed),
            )
            .ok();
            match &report.outcome {
                Outcome::Pass { .. } => {}
                Outcome::Warn { .. } => {
                    write!(xml, "<system-out>warning: {detail}</system-out>").ok();
                }
                Outcome::Skip { .. } => {
                    write!(xml, "<skipped message=\"{detail}\"/>").ok();
                }
                Outcome::Fail { hint, .. } => {
                    let hint = hint.as_deref().map(escaped).unwrap_or_default();
                    let title = escaped(check.title);
                    write!(
                        xml,
                        "<failure message=\"{detail}\">{title}\nhint: {hint}</failure>"
                    )
                    .ok();
                }
            }
            xml.push_str("</testcase>\n");
        }
        xml.push_str("</testsuite>\n");
        xml
    }
}

/// Text for XML 1.0, in content and in attributes. What XML can't hold at all
/// has been made visible.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
