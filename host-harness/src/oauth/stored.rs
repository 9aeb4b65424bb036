//! What is kept of a sign-in, and its form in a file.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Client, Flow, OauthError, Registration, Tokens};
use crate::egress::{Credential, Issued};

/// A stored credential.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoredCredential {
    /// A token that stays as it is.
    Token(Credential),
    /// A sign-in whose access token is renewed.
    Oauth(Box<OauthCredential>),
}

/// A sign-in by OAuth: all that it takes to use and to renew it.
#[derive(Clone, Debug)]
pub struct OauthCredential {
    pub(super) scheme: String,
    pub(super) flow: Flow,
    pub(super) token_url: Url,
    /// Whether the operator named the endpoint, and not the connector.
    pub(super) moved: bool,
    pub(super) registration: Registration,
    pub(super) asked: Vec<String>,
    pub(super) tokens: Tokens,
    pub(super) settings: BTreeMap<String, String>,
}

/// Why a text is no stored credential. Never quotes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a stored credential (line {line})")]
pub struct StoredFormatError {
    /// Where it ends to make sense.
    pub line: usize,
}

impl OauthCredential {
    /// What `client` was issued by `flow`, having asked for `asked`. An error
    /// if less was granted.
    pub fn issued_to(
        client: &Client,
        flow: Flow,
        asked: &[String],
        tokens: Tokens,
    ) -> Result<Self, OauthError> {
        tokens.check(asked)?;
        Ok(Self {
            scheme: client.scheme().to_owned(),
            flow,
            token_url: client.token_url().clone(),
            moved: client.is_moved(),
            registration: client.registration().clone(),
            asked: asked.to_owned(),
            tokens,
            settings: BTreeMap::new(),
        })
    }

    /// Settings that belong to the account that was signed in to, such as its
    /// region.
    #[must_use]
    pub fn settings(mut self, settings: BTreeMap<String, String>) -> Self {
        self.settings = settings;
        self
    }

    /// When its access token expires, if the vendor said.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.tokens.expires_at
    }

    /// The same with the tokens of a renewal. A vendor that sends no new
    /// refresh token means that the present one stays.
    pub(super) fn renewed(&self, tokens: Tokens) -> Self {
        let refresh = tokens.refresh.or_else(|| self.tokens.refresh.clone());
        Self {
            tokens: Tokens { refresh, ..tokens },
            ..self.clone()
        }
    }

    pub(super) fn issue(&self, issue: u64) -> Issued {
        Issued {
            credential: self.tokens.access.clone(),
            issue,
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.tokens.access.expose() == other.tokens.access.expose()
    }

    /// Everything in it that must not be told.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Credential> {
        [
            Some(&self.tokens.access),
            self.tokens.refresh.as_ref(),
            self.registration.client_secret.as_ref(),
        ]
        .into_iter()
        .flatten()
    }
}

const FORMAT: &str = "harness-credential/1";

#[derive(Deserialize, Serialize)]
struct File {
    format: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Kind {
    Token { token: String },
    Oauth(Box<OauthFile>),
}

#[derive(Deserialize, Serialize)]
struct OauthFile {
    scheme: String,
    flow: FlowName,
    token_url: Url,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    moved: bool,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    asked: Vec<String>,
    granted: Vec<String>,
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    issued_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FlowName {
    AuthorizationCode,
    ClientCredentials,
}

impl StoredCredential {
    /// As a JSON text, with all secrets in it.
    pub fn to_text(&self) -> SecretString {
        let kind = match self {
            Self::Token(token) => Kind::Token {
                token: token.expose().to_owned(),
            },
            Self::Oauth(oauth) => Kind::Oauth(Box::new(OauthFile::from(&**oauth))),
        };
        let file = File {
            format: FORMAT.to_owned(),
            kind,
        };
        let mut text = serde_json::to_string_pretty(&file)
            .expect("strings, instants and lists have a JSON form");
        text.push('\n');
        SecretString::from(text)
    }

    /// Reads what [`StoredCredential::to_text`] wrote.
    pub fn parse(text: &SecretString) -> Result<Self, StoredFormatError> {
        // serde quotes what it does not understand: only its line is passed on.
        let file: File = serde_json::from_str(text.expose_secret())
            .map_err(|error| StoredFormatError { line: error.line() })?;
        let broken = StoredFormatError { line: 1 };
        if file.format != FORMAT {
            return Err(broken);
        }
        let credential = |text: String| Credential::token(text).map_err(|_| broken);
        Ok(match file.kind {
            Kind::Token { token } => Self::Token(credential(token)?),
            Kind::Oauth(file) => Self::Oauth(Box::new(OauthCredential {
                scheme: file.scheme,
                flow: file.flow.into(),
                token_url: file.token_url,
                moved: file.moved,
                registration: Registration {
                    client_id: file.client_id,
                    client_secret: file.client_secret.map(credential).transpose()?,
                },
                asked: file.asked,
                tokens: Tokens {
                    access: credential(file.access_token)?,
                    refresh: file.refresh_token.map(credential).transpose()?,
                    scopes: file.granted,
                    issued_at: file.issued_at,
                    expires_at: file.expires_at,
                },
                settings: file.settings,
            })),
        })
    }
}

impl From<&OauthCredential> for OauthFile {
    fn from(oauth: &OauthCredential) -> Self {
        let text = |credential: &Credential| credential.expose().to_owned();
        Self {
            scheme: oauth.scheme.clone(),
            flow: oauth.flow.into(),
            token_url: oauth.token_url.clone(),
            moved: oauth.moved,
            client_id: oauth.registration.client_id.clone(),
            client_secret: oauth.registration.client_secret.as_ref().map(text),
            asked: oauth.asked.clone(),
            granted: oauth.tokens.scopes.clone(),
            access_token: text(&oauth.tokens.access),
            refresh_token: oauth.tokens.refresh.as_ref().map(text),
            issued_at: oauth.tokens.issued_at,
            expires_at: oauth.tokens.expires_at,
            settings: oauth.settings.clone(),
        }
    }
}

impl From<Flow> for FlowName {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::AuthorizationCode => Self::AuthorizationCode,
            Flow::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl From<FlowName> for Flow {
    fn from(name: FlowName) -> Self {
        match name {
            FlowName::AuthorizationCode => Self::AuthorizationCode,
            FlowName::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorizationCode => "authorization code",
            Self::ClientCredentials => "client credentials",
        })
    }
}
