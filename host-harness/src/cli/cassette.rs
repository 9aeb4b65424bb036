//! `harness cassette`: look into recordings, check and convert them.

use std::{fs, path::Path};

use serde_json::json;

use super::{args::CassetteFormat, failure::Failure, output};
use crate::egress::cassette::{
    Cassette, RecordedOutcome, Scrubber, Severity,
    convert::{from_har, from_vcr, to_har},
    lint,
};
use crate::whole_file;

pub(super) fn inspect(file: &Path, as_json: bool) -> Result<(), Failure> {
    let cassette = Cassette::read(file)?;
    let outcome = |outcome: &RecordedOutcome| match outcome {
        RecordedOutcome::Response(response) => response.status.code.to_string(),
        RecordedOutcome::Error(code) => code.clone(),
    };
    if as_json {
        let requests: Vec<_> = cassette
            .interactions
            .iter()
            .map(|interaction| {
                json!({
                    "id": interaction.id,
                    "capability": interaction.capability,
                    "method": interaction.request.method,
                    "uri": interaction.request.uri,
                    "outcome": outcome(&interaction.outcome),
                    "elapsed_ms": interaction.elapsed_ms,
                })
            })
            .collect();
        return output::json(&json!({ "recording": &cassette.harness, "requests": requests }));
    }
    let recording = &cassette.harness;
    let calls: Vec<String> = recording
        .calls
        .iter()
        .map(|call| format!("{} {}", call.function, call.input))
        .collect();
    let settings: Vec<String> = recording
        .settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let scrubbed: Vec<String> = recording
        .scrub
        .replaced
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    output::fields(&[
        ("format", recording.format.clone()),
        (
            "origin",
            json!(recording.origin)
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
        ("clock", recording.clock.clone()),
        (
            "connector",
            format!(
                "{} {}, sha256 {}",
                recording.connector.app_id,
                recording.connector.version,
                recording.connector.sha256.get(..12).unwrap_or_default()
            ),
        ),
        ("contract", recording.contract.clone()),
        ("settings", settings.join(", ")),
        ("scrubbed", scrubbed.join(", ")),
        ("calls", calls.join("\n           ").replace('\n', "; ")),
    ])?;
    output::line("")?;
    let rows = cassette.interactions.iter().map(|interaction| {
        vec![
            interaction.id.to_string(),
            interaction.capability.clone(),
            outcome(&interaction.outcome),
            format!("{} ms", interaction.elapsed_ms),
            format!("{} {}", interaction.request.method, interaction.request.uri),
        ]
    });
    output::table(&["id", "capability", "outcome", "took", "request"], rows)
}

pub(super) fn lint_files(files: &[impl AsRef<Path>]) -> Result<(), Failure> {
    let now = jiff::Timestamp::now();
    let mut errors = 0;
    for file in files {
        let file = file.as_ref();
        let cassette = Cassette::read(file)?;
        let findings = lint(&cassette, now);
        if findings.is_empty() {
            output::line(&format!("{}: good", file.display()))?;
        }
        for finding in findings {
            errors += usize::from(finding.severity == Severity::Error);
            let place = finding
                .interaction
                .map(|id| format!(" interaction {id}:"))
                .unwrap_or_default();
            output::line(&format!(
                "{}:{place} {}: {}",
                file.display(),
                finding.severity.as_str(),
                crate::text::printable(&finding.message)
            ))?;
        }
    }
    if errors > 0 {
        return Err(Failure::call(
            format!("{} found", output::counted(errors, "error", "errors")),
            Some("record again, or mend the file".to_owned()),
        ));
    }
    Ok(())
}

pub(super) fn convert(
    file: &Path,
    from: CassetteFormat,
    to: CassetteFormat,
    target: Option<&Path>,
) -> Result<(), Failure> {
    let shown = file.display().to_string();
    let text = || {
        fs::read_to_string(file).map_err(|error| {
            Failure::usage(
                format!("`{shown}` can't be read: {error}"),
                "name a file to convert",
            )
        })
    };
    // Whose recording it is, nobody knows; people and secrets are scrubbed.
    let scrubber = Scrubber::random(
        "pagerduty.com",
        [
            "api.pagerduty.com".to_owned(),
            "api.eu.pagerduty.com".to_owned(),
        ],
    );
    let cassette = match from {
        CassetteFormat::Cassette => Cassette::read(file)?,
        CassetteFormat::Har => from_har(&text()?, &shown, &scrubber)?,
        CassetteFormat::Vcr => from_vcr(&text()?, &shown, &scrubber)?,
    };
    let converted = match to {
        CassetteFormat::Cassette => cassette.to_text(),
        CassetteFormat::Har => {
            let mut text = serde_json::to_string_pretty(&to_har(&cassette))
                .expect("a JSON value has string keys only");
            text.push('\n');
            text
        }
        CassetteFormat::Vcr => {
            return Err(Failure::usage(
                "VCR.py's format can only be read",
                "convert to `har`, which VCR's users can open as well",
            ));
        }
    };
    match target {
        None => output::raw(converted.as_bytes()),
        Some(target) => {
            whole_file::write(target, converted.as_bytes()).map_err(|error| {
                Failure::usage(
                    format!("`{}` can't be written: {error}", target.display()),
                    "name a file in a folder that exists and is writable",
                )
            })?;
            talk!("wrote `{}`", target.display());
            Ok(())
        }
    }
}
