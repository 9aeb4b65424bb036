//! Why signing in fails.

use super::{Flow, StoreError, scheme::MissingSetting};
use crate::{
    egress::{Origin, OriginError, TransportError},
    text::printable,
};

/// Why signing in, or renewing a sign-in, failed. Never quotes a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OauthError {
    /// The connector names a place that the operator did not grant.
    #[error("the connector wants to sign in at `{0}`, which is not granted")]
    NotGranted(Origin),
    /// The scheme has no such flow.
    #[error("the sign-in `{scheme}` does not offer {}", .flow.name())]
    Flow {
        /// Which scheme.
        scheme: String,
        /// Which flow.
        flow: Flow,
    },
    /// A scope can't be filled in.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// The redirect URI is no URL.
    #[error("the redirect URI is not a URL")]
    RedirectUri,
    /// The vendor, or the person in front of the browser, said no.
    #[error("the vendor refused: {}{}", printable(.code), described(.description.as_deref()))]
    Refused {
        /// The vendor's code, such as `invalid_grant`.
        code: String,
        /// What the vendor says about it.
        description: Option<String>,
    },
    /// The vendor granted less than was asked. PagerDuty drops scopes that it
    /// does not know, or that the application is not registered for, without
    /// an error.
    #[error(
        "the vendor did not grant {}; it granted {}",
        listed(.missing),
        listed(.granted)
    )]
    Scope {
        /// Asked and not granted.
        missing: Vec<String>,
        /// What was granted.
        granted: Vec<String>,
    },
    /// The token endpoint can't be reached.
    #[error("the token endpoint: {0}")]
    Transport(#[from] TransportError),
    /// It answered with something else than OAuth's.
    #[error("the token endpoint answered with status {status}, {problem}")]
    Reply {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The store of credentials.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is stored under that name.
    #[error("there is no profile `{profile}`{}", others(.known))]
    NoProfile {
        /// What was asked for.
        profile: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A profile with a token that stays, where one that is renewed is needed.
    #[error("the profile `{0}` holds a token, and no OAuth sign-in")]
    NotOauth(String),
    /// The stored endpoint is broken.
    #[error("the profile's token endpoint: {0}")]
    Endpoint(OriginError),
}

impl OauthError {
    /// Whether the vendor will give the same answer again.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                "invalid_grant"
                    | "invalid_client"
                    | "unauthorized_client"
                    | "unsupported_grant_type"
                    | "invalid_scope"
            ),
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotGranted(origin) => format!(
                "grant it with `--grant {origin}` if you trust it with the client's secret and your password"
            ),
            Self::Flow { .. } => {
                "`harness info` lists the ways to sign in; `--auth` chooses one".to_owned()
            }
            Self::Setting(missing) => {
                format!("give it with `--setting {}=...`", missing.setting)
            }
            Self::RedirectUri => {
                "write scheme, host, port and path, as it is registered with the vendor".to_owned()
            }
            Self::Refused { code, .. } => match code.as_str() {
                "access_denied" => "allow access in the browser, as somebody who may".to_owned(),
                "invalid_client" | "unauthorized_client" => {
                    "check the client id and the client secret, and that the application may use this way to sign in"
                        .to_owned()
                }
                "invalid_grant" => {
                    "sign in again with `harness login`: a code is good once and for half a minute, a refresh token once"
                        .to_owned()
                }
                "invalid_scope" => {
                    "ask for what the application is registered for, with `--scope`, and check the settings".to_owned()
                }
                _ => "check how the application is registered with the vendor".to_owned(),
            },
            Self::Scope { .. } => {
                "register the application for these scopes with the vendor, or ask for fewer with `--scope`; the vendor drops scopes that it does not know without saying so"
                    .to_owned()
            }
            Self::Transport(_) => "check the network, the proxy and the certificates".to_owned(),
            Self::Reply { .. } => "check the address of the sign-in; it may be a proxy that answered".to_owned(),
            Self::Store(error) => error.hint(),
            Self::NoProfile { profile, .. } => format!("make it with `{}`", login(profile)),
            Self::NotOauth(profile) => format!("sign in with `{}`", login(profile)),
            Self::Endpoint(error) => error.hint().to_owned(),
        }
    }
}

/// The command that makes a profile, or makes it anew.
pub(super) fn login(profile: &str) -> String {
    if profile == super::DEFAULT_PROFILE {
        "harness login".to_owned()
    } else {
        format!("harness login --profile {profile}")
    }
}

impl Flow {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "the authorization code flow",
            Self::ClientCredentials => "client credentials",
        }
    }
}

fn described(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(", {}", printable(text)))
}

fn others(known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    format!("; there is {}", listed(known))
}

fn listed(words: &[String]) -> String {
    if words.is_empty() {
        return "nothing".to_owned();
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", printable(word)))
        .collect();
    words.join(", ")
}
