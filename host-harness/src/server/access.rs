//! Who may call.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header};
use sha2::Sha256;

/// Shorter ones can be guessed.
const MIN_TOKEN: usize = 16;

/// Who may call: whoever has the token, or, over mutual TLS, whoever has a
/// certificate.
#[derive(Clone)]
pub struct Access {
    /// `None`: the client's certificate is enough.
    expected: Option<Expected>,
}

/// Not the token, but what it takes to recognise it.
#[derive(Clone)]
struct Expected {
    key: [u8; 32],
    digest: [u8; 32],
}

/// Why a token is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Too short.
    #[error("the token has fewer than {MIN_TOKEN} characters")]
    TooShort,
    /// White space, control characters or non-ASCII.
    #[error("the token has characters that can't stand in a header")]
    Characters,
}

impl Access {
    /// Whoever sends `authorization: Bearer` with that token. White space
    /// around it is dropped, since it comes from files.
    pub fn token(token: &str) -> Result<Self, AccessError> {
        let token = token.trim();
        if token.len() < MIN_TOKEN {
            return Err(AccessError::TooShort);
        }
        if !token
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return Err(AccessError::Characters);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system has random numbers");
        Ok(Self {
            expected: Some(Expected {
                key,
                digest: mac(&key, token.as_bytes()).finalize().into_bytes().into(),
            }),
        })
    }

    /// Whoever gets a connection: with [`Tls`](super::Tls) that asks clients
    /// for certificates.
    pub fn by_certificate() -> Self {
        Self { expected: None }
    }

    /// Whether a request may pass. The time it takes says nothing about the
    /// token.
    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.expected else {
            return true;
        };
        given(headers).is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && expected.is(token.as_bytes())
        })
    }

    /// The same for a browser, which sends the token as the password of
    /// somebody.
    pub(super) fn allows_browser(&self, headers: &HeaderMap) -> bool {
        let Some(expected) = &self.expected else {
            return true;
        };
        let Some((scheme, pair)) = given(headers) else {
            return false;
        };
        let pair = STANDARD.decode(pair).unwrap_or_default();
        let token = pair.iter().position(|byte| *byte == b':');
        let token = token.and_then(|colon| pair.get(colon + 1..));
        scheme.eq_ignore_ascii_case("basic") && token.is_some_and(|token| expected.is(token))
    }
}

impl Expected {
    fn is(&self, token: &[u8]) -> bool {
        mac(&self.key, token).verify_slice(&self.digest).is_ok()
    }
}

/// The scheme and what follows it.
fn given(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    Some((scheme, rest.trim()))
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(text);
    mac
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.expected {
            Some(_) => "Access(token)",
            None => "Access(certificate)",
        })
    }
}
