//! The credential: held here, added to a request at the last step, looked for
//! in whatever comes back.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aho_corasick::{AhoCorasick, MatchKind};
use http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use super::secret_forms;

/// A secret that the operator gave for one tenant. Can't be printed.
#[derive(Clone)]
pub struct Credential {
    secret: SecretString,
}

/// Why a text can't be used as a credential. Never quotes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Nothing there.
    #[error("the credential is empty")]
    Empty,
    /// White space, control characters or non-ASCII.
    #[error("the credential has characters that can't stand in a header")]
    Characters,
    /// Too short to be told apart from ordinary text in answers and logs.
    #[error("the credential has fewer than {MIN_SECRET} characters")]
    TooShort,
    /// The connector's scheme is no header with a place for the secret.
    #[error("the connector's authentication scheme `{0}` is malformed")]
    Scheme(&'static str),
}

/// PagerDuty's keys have 20 characters. Below eight, scanning answers for the
/// secret would hit ordinary words.
const MIN_SECRET: usize = 8;

impl Credential {
    /// Takes a token or key. White space around it is dropped, since it comes
    /// from files and variables.
    pub fn token(secret: impl Into<String>) -> Result<Self, CredentialError> {
        let secret: String = secret.into();
        let trimmed = secret.trim();
        if trimmed.is_empty() {
            return Err(CredentialError::Empty);
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Characters);
        }
        if trimmed.len() < MIN_SECRET {
            return Err(CredentialError::TooShort);
        }
        Ok(Self {
            secret: SecretString::from(trimmed.to_owned()),
        })
    }

    /// The secret itself, for the one place that sends or stores it.
    pub(crate) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The forms in which the secret could turn up in a text.
    fn forms(&self) -> Vec<String> {
        secret_forms::forms(self.secret.expose_secret())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// How a secret goes into a request, as the connector declared it.
#[derive(Clone, Debug)]
pub struct HeaderScheme {
    /// For people to choose by.
    pub id: String,
    header: HeaderName,
    prefix: String,
    suffix: String,
}

impl HeaderScheme {
    /// Checks a declared scheme: a header that carries credentials, and a
    /// template with `{secret}` in it once.
    pub fn new(id: &str, header: &str, template: &str) -> Result<Self, CredentialError> {
        let name = HeaderName::from_bytes(header.as_bytes())
            .map_err(|_| CredentialError::Scheme("header name"))?;
        let custom = name.as_str().starts_with("x-");
        if name != header::AUTHORIZATION && !custom {
            return Err(CredentialError::Scheme("not a credential header"));
        }
        let (prefix, suffix) = template
            .split_once("{secret}")
            .ok_or(CredentialError::Scheme("no `{secret}`"))?;
        if suffix.contains("{secret}") {
            return Err(CredentialError::Scheme("`{secret}` twice"));
        }
        if HeaderValue::from_str(&format!("{prefix}{suffix}")).is_err() {
            return Err(CredentialError::Scheme("template"));
        }
        Ok(Self {
            id: id.to_owned(),
            header: name,
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        })
    }
}

/// A credential with the scheme by which it is presented.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    header: HeaderName,
    value: HeaderValue,
    /// Which of a source's credentials it is. Zero for one that stays.
    issue: u64,
}

impl Presented {
    pub(crate) fn new(
        credential: &Credential,
        scheme: &HeaderScheme,
    ) -> Result<Self, CredentialError> {
        let text = format!(
            "{}{}{}",
            scheme.prefix,
            credential.secret.expose_secret(),
            scheme.suffix
        );
        let mut value = HeaderValue::from_str(&text).map_err(|_| CredentialError::Characters)?;
        // Keeps it out of `Debug` output and out of HTTP/2's header table.
        value.set_sensitive(true);
        Ok(Self {
            header: scheme.header.clone(),
            value,
            issue: 0,
        })
    }

    /// The same as one of several that a source issues.
    pub(super) fn of_issue(self, issue: u64) -> Self {
        Self { issue, ..self }
    }

    pub(super) fn issue(&self) -> u64 {
        self.issue
    }

    /// The last thing that happens to a request.
    pub(crate) fn apply(&self, headers: &mut http::HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }
}

/// Takes known secrets out of text and bytes. Clones share what they know, so
/// that a call which is under way also knows a token that was renewed meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// `None` while there is no secret.
    known: Arc<RwLock<Option<AhoCorasick>>>,
}

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

impl Redactor {
    pub(crate) fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>) -> Self {
        let redactor = Self::default();
        redactor.know(credentials);
        redactor
    }

    /// From now on these secrets, and no others.
    pub(crate) fn know<'a>(&self, credentials: impl IntoIterator<Item = &'a Credential>) {
        let forms: Vec<String> = credentials
            .into_iter()
            .flat_map(Credential::forms)
            .collect();
        let searcher = (!forms.is_empty()).then(|| {
            AhoCorasick::builder()
                // So that no part of a longer form is left behind.
                .match_kind(MatchKind::LeftmostLongest)
                .build(&forms)
                .expect("a few secrets are far below the searcher's limits")
        });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = searcher;
    }

    /// Cheap: a searcher is a pointer.
    fn searcher(&self) -> Option<AhoCorasick> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether a secret is in there.
    pub(crate) fn finds(&self, bytes: &[u8]) -> bool {
        self.searcher()
            .is_some_and(|searcher| searcher.is_match(bytes))
    }

    /// The text without secrets; the same text if there were none.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        match self.searcher() {
            Some(searcher) => searcher.replace_all_with(text, &mut clean, |_, _, clean| {
                clean.push_str(REDACTED);
                true
            }),
            None => clean.push_str(text),
        }
        clean
    }

    /// The bytes without secrets, or `None` if there were none.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let searcher = self.searcher()?;
        if !searcher.is_match(bytes) {
            return None;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        searcher.replace_all_with_bytes(bytes, &mut clean, |_, _, clean| {
            clean.extend_from_slice(REDACTED.as_bytes());
            true
        });
        Some(clean)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(..)")
    }
}
