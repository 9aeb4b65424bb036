//! What a host has told, for people.

use serde_json::{Value, json};

use super::super::{failure::Failure, output};
use crate::{registry::ReplayDiff, text::printable};

/// What a load came to.
pub(super) fn load(report: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(report);
    }
    let text = |name: &str| report[name].as_str().unwrap_or_default();
    let number = |name: &str| report[name].as_u64();
    let (app, version) = (text("app_id"), text("version"));
    let sha256 = text("sha256");
    let short = sha256.get(..12).unwrap_or(sha256);
    let what = if report["unchanged"] == json!(true) {
        format!("`{app}` {version} ({short}) is there already; nothing was changed")
    } else if report["staged"] == json!(true) {
        format!("`{app}` {version} ({short}) is the candidate")
    } else {
        let replaced = match number("replaced") {
            Some(replaced) => format!(", in place of generation {replaced}"),
            None => String::new(),
        };
        format!(
            "`{app}` {version} ({short}) serves as generation {}{replaced}",
            number("generation").unwrap_or_default()
        )
    };
    output::line(&printable(&what))?;
    if let Some(warning) = report["warning"].as_str() {
        talk!("warning: {}", printable(warning));
    }
    if let Ok(diff) = serde_json::from_value::<ReplayDiff>(report["diff"].clone())
        && diff.played > 0
    {
        talk!(
            "{} of {} differ",
            diff.fixtures.len(),
            output::counted(diff.played, "recording", "recordings")
        );
        output::raw(diff.to_string().as_bytes())?;
    }
    if report["staged"] == json!(true) {
        talk!(
            "next: `harness connectors shadow {}` tries it on live reads, `harness connectors swap \
             --candidate {}` lets it take over",
            printable(app),
            printable(app)
        );
    }
    Ok(())
}

/// Connectors, generations, candidates, quarantine.
pub(super) fn list(answer: &Value) -> Result<(), Failure> {
    let connectors = array(&answer["connectors"]);
    let rows = connectors.iter().flat_map(|connector| {
        let app = cell(&connector["app_id"]);
        let generations = array(&connector["generations"]).iter();
        let mut rows: Vec<Vec<String>> = generations
            .map(|generation| generation_row(&app, generation))
            .collect();
        if let Some(candidate) = connector.get("candidate").filter(|value| !value.is_null()) {
            rows.push(candidate_row(&app, candidate));
        }
        if rows.is_empty() {
            rows.push(vec![app, String::new(), "nobody".to_owned()]);
        }
        rows
    });
    output::table(
        &[
            "connector",
            "gen",
            "state",
            "version",
            "digest",
            "signer",
            "loaded",
            "calls",
            "failed",
            "crashed",
        ],
        rows,
    )?;
    for connector in connectors {
        if let Some(problem) = connector["problem"].as_str() {
            talk!(
                "nobody serves `{}`: {}",
                cell(&connector["app_id"]),
                printable(problem)
            );
        }
        let report = connector.pointer("/candidate/shadow");
        if let Some(report) = report.filter(|report| !report.is_null()) {
            talk!(
                "the candidate of `{}` has answered {} of {} live reads otherwise",
                cell(&connector["app_id"]),
                cell(&report["differing"]),
                cell(&report["compared"])
            );
        }
    }
    if let Some(quarantine) = answer["quarantine"]
        .as_object()
        .filter(|map| !map.is_empty())
    {
        output::line("")?;
        output::table(
            &["quarantined", "since", "by", "why"],
            quarantine.iter().map(|(sha256, record)| {
                vec![
                    short(sha256),
                    moment(&record["at"]),
                    cell(&record["by"]),
                    cell(&record["reason"]),
                ]
            }),
        )?;
    }
    Ok(())
}

fn generation_row(app: &str, generation: &Value) -> Vec<String> {
    let traffic = &generation["traffic"];
    vec![
        app.to_owned(),
        cell(&generation["id"]),
        cell(&generation["state"]),
        cell(&generation["version"]),
        short(&cell(&generation["sha256"])),
        cell(&generation["signer"]),
        moment(&generation["loaded_at"]),
        cell(&traffic["calls"]),
        cell(&traffic["failures"]),
        cell(&traffic["crashes"]),
    ]
}

fn candidate_row(app: &str, candidate: &Value) -> Vec<String> {
    vec![
        app.to_owned(),
        "-".to_owned(),
        "candidate".to_owned(),
        cell(&candidate["version"]),
        short(&cell(&candidate["sha256"])),
        cell(&candidate["signer"]),
        moment(&candidate["since"]),
    ]
}

/// Records of the audit log.
pub(super) fn history(answer: &Value) -> Result<(), Failure> {
    let rows = array(&answer["records"]).iter().map(|record| {
        vec![
            cell(&record["seq"]),
            moment(&record["at"]),
            cell(&record["event"]),
            cell(&record["app_id"]),
            cell(&record["generation"]),
            cell(&record["version"]),
            short(&cell(&record["sha256"])),
            cell(&record["by"]),
            cell(&record["reason"]),
        ]
    });
    output::table(
        &[
            "no",
            "at",
            "event",
            "connector",
            "gen",
            "version",
            "digest",
            "by",
            "why",
        ],
        rows,
    )
}

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// To the second.
fn moment(value: &Value) -> String {
    let text = cell(value);
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => text,
    }
}

fn short(sha256: &str) -> String {
    sha256.get(..12).unwrap_or(sha256).to_owned()
}
