//! Settings, as the host gives them in environment variables.

use crate::errors::{Error, Result};
use std::time::Duration;
use wasip2::cli::environment::get_environment;

/// PagerDuty's API for tenants of the US service region.
pub const US_ORIGIN: &str = "https://api.pagerduty.com";
/// PagerDuty's API for tenants of the EU service region.
pub const EU_ORIGIN: &str = "https://api.eu.pagerduty.com";

/// Requests in flight at once, when nobody says: PagerDuty asks for few, and
/// six of 100 ms stay within its 960 a minute only just.
const DEFAULT_CONCURRENCY: usize = 6;
/// The host says how long a call may take; this is for hosts that don't.
const DEFAULT_DEADLINE: Duration = Duration::from_mins(10);
/// Longer than any call, and short enough to calculate with.
const MAX_DEADLINE: Duration = Duration::from_hours(24);

/// Where a tenant lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `*.pagerduty.com`
    Us,
    /// `*.eu.pagerduty.com`
    Eu,
}

impl Region {
    /// As the setting spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    /// Where its API is.
    pub fn origin(self) -> &'static str {
        match self {
            Self::Us => US_ORIGIN,
            Self::Eu => EU_ORIGIN,
        }
    }

    /// The only other one.
    pub fn other(self) -> Self {
        match self {
            Self::Us => Self::Eu,
            Self::Eu => Self::Us,
        }
    }
}

/// What an operator may choose, and the call's deadline.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Service region.
    pub region: Region,
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// Whether `base_url` replaces the region's own.
    pub base_url_is_custom: bool,
    /// The tenant that the operator means.
    pub subdomain: Option<String>,
    /// In whose name incidents are moved.
    pub from_email: Option<String>,
    /// The role that takes the place of one that is taken away.
    pub default_role: Option<String>,
    /// The licence that takes the place of one that is taken away.
    pub default_license: Option<String>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// How long the call may take.
    pub deadline: Duration,
}

impl Settings {
    /// Reads the environment.
    pub fn from_environment() -> Result<Self> {
        let mut environment = get_environment();
        // What an operator left empty was not given.
        environment.retain(|(_, value)| !value.is_empty());
        let variable = |name: &str| {
            let mut variables = environment.iter();
            let found = variables.find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.clone())
        };
        let region = match variable("REGION").as_deref() {
            None | Some("us") => Region::Us,
            Some("eu") => Region::Eu,
            Some(other) => {
                return Err(refusal("region", other, "`us` or `eu`"));
            }
        };
        let custom = variable("BASE_URL");
        let base_url = match &custom {
            None => region.origin().to_owned(),
            Some(url) => parse_base_url(url).ok_or_else(|| {
                refusal(
                    "base-url",
                    url,
                    "an http(s) URL without query or credentials",
                )
            })?,
        };
        let subdomain = variable("SUBDOMAIN");
        if let Some(text) = &subdomain
            && !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Err(refusal(
                "subdomain",
                text,
                "the `acme` of `acme.pagerduty.com`",
            ));
        }
        let from_email = variable("FROM_EMAIL");
        if let Some(text) = &from_email
            && (!text.contains('@') || text.bytes().any(|b| b <= b' ' || b == 0x7f))
        {
            return Err(refusal("from-email", text, "an e-mail address"));
        }
        let concurrency = match variable("CONCURRENCY") {
            None => DEFAULT_CONCURRENCY,
            Some(text) => text
                .parse()
                .ok()
                .filter(|count| (1..=16).contains(count))
                .ok_or_else(|| refusal("concurrency", &text, "a number from 1 to 16"))?,
        };
        let deadline = match variable("CALL_DEADLINE_MS") {
            None => DEFAULT_DEADLINE,
            Some(text) => {
                let millis = text.parse().map_err(|_| {
                    Error::invalid_input("`CALL_DEADLINE_MS` is not a number")
                        .hint("the host sets it to a number of milliseconds")
                })?;
                Duration::from_millis(millis).min(MAX_DEADLINE)
            }
        };
        Ok(Self {
            region,
            base_url,
            base_url_is_custom: custom.is_some(),
            subdomain,
            from_email,
            default_role: variable("DEFAULT_ROLE"),
            default_license: variable("DEFAULT_LICENSE"),
            concurrency,
            deadline,
        })
    }
}

fn refusal(setting: &str, value: &str, expected: &str) -> Error {
    let value: String = value.chars().take(100).collect();
    Error::invalid_input(format!("the setting `{setting}` is `{value}`"))
        .hint(format!("set `{setting}` to {expected}"))
}

/// A scheme, an authority, perhaps a path; nothing that would end up in the
/// middle of every request.
fn parse_base_url(url: &str) -> Option<String> {
    let url = url.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split('/').next()?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\\"<>{}%`^|".contains(&byte);
    (!host.is_empty() && !host.starts_with(':') && rest.bytes().all(plain)).then(|| url.to_owned())
}
