//! What is wrong with a cassette, said before a replay fails on it.

use std::collections::BTreeSet;

use url::Url;

use super::{
    format::{Body, Cassette, RecordedFrom, RecordedOutcome},
    matcher::RequestKey,
    scrub::{TOKEN_SHAPES, find_email},
};

/// Something that a cassette should not have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LintFinding {
    /// Whether a replay or a reader is harmed by it.
    pub severity: Severity,
    /// The interaction it is about, if it is about one.
    pub interaction: Option<u32>,
    /// What was found.
    pub message: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Should be mended.
    Warning,
    /// Must not be committed.
    Error,
}

impl Severity {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Domains that belong to nobody (RFC 2606).
const RESERVED_DOMAINS: &[&str] = &["example.com", "example.org", "example.net"];

/// After so many days a vendor may answer differently.
const OLD_AFTER_DAYS: i64 = 365;

/// Looks through a cassette. `now` is for its age.
pub fn lint(cassette: &Cassette, now: jiff::Timestamp) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    let mut find = |severity, interaction, message: String| {
        findings.push(LintFinding {
            severity,
            interaction,
            message,
        });
    };

    let recording = &cassette.harness;
    match recording.clock.parse::<jiff::Timestamp>() {
        Err(_) => find(
            Severity::Error,
            None,
            format!("`clock` is no RFC 3339 instant: `{}`", recording.clock),
        ),
        Ok(clock) => {
            let days = (now.as_second() - clock.as_second()) / 86_400;
            if days > OLD_AFTER_DAYS && recording.origin == RecordedFrom::Live {
                find(
                    Severity::Note,
                    None,
                    format!("it was recorded {days} days ago; the vendor may have changed"),
                );
            }
        }
    }
    if recording.seed.len() != 64 || !recording.seed.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        find(
            Severity::Error,
            None,
            "`seed` is not 32 bytes in hexadecimal".to_owned(),
        );
    }
    if recording.scrub.policy.is_empty() {
        find(
            Severity::Warning,
            None,
            "it says nothing about scrubbing".to_owned(),
        );
    }
    if recording.calls.is_empty() {
        find(
            Severity::Note,
            None,
            "it names no calls, so it can't be replayed by itself".to_owned(),
        );
    }
    if cassette.interactions.is_empty()
        && recording
            .calls
            .iter()
            .all(|call| call.function != "metadata.describe")
    {
        find(Severity::Note, None, "it has no interactions".to_owned());
    }

    let mut seen = BTreeSet::new();
    for interaction in &cassette.interactions {
        let id = Some(interaction.id);
        if !seen.insert(interaction.id) {
            find(Severity::Error, id, "the id occurs twice".to_owned());
        }
        let request = &interaction.request;
        if RequestKey::new(&request.method, &request.uri, &request.body).is_none() {
            find(
                Severity::Error,
                id,
                format!(
                    "`{}` is no absolute URL, so nothing matches it",
                    request.uri
                ),
            );
        }
        if let Ok(url) = Url::parse(&request.uri)
            && (!url.username().is_empty() || url.password().is_some())
        {
            find(Severity::Error, id, "the URL holds a user".to_owned());
        }
        let mut headers: Vec<&String> = request.headers.keys().collect();
        let mut bodies = vec![&request.body];
        if let RecordedOutcome::Response(response) = &interaction.outcome {
            headers.extend(response.headers.keys());
            bodies.push(&response.body);
        }
        for name in headers {
            let secret = ["authorization", "cookie", "set-cookie", "x-api-key"];
            if secret.contains(&name.to_ascii_lowercase().as_str()) {
                find(Severity::Error, id, format!("it keeps the header `{name}`"));
            }
        }
        for body in bodies {
            let text = match body {
                Body::Json(value) => value.to_string(),
                Body::Text(text) => text.clone(),
                Body::None | Body::Base64(_) => continue,
            };
            for shape in TOKEN_SHAPES {
                if text.contains(shape) {
                    find(
                        Severity::Error,
                        id,
                        format!("a body holds something shaped like a credential (`{shape}...`)"),
                    );
                }
            }
            if let Some(domain) = foreign_email(&text) {
                find(
                    Severity::Warning,
                    id,
                    format!("a body holds an e-mail address at `{domain}`"),
                );
            }
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The domain of the first e-mail address that could be somebody's.
fn foreign_email(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((start, end)) = find_email(rest) {
        let domain = rest[start..end].rsplit('@').next().unwrap_or_default();
        if !RESERVED_DOMAINS.contains(&domain) {
            return Some(domain.to_owned());
        }
        rest = &rest[end..];
    }
    None
}
