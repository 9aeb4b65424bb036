//! Answers that a run has had already.
//!
//! A sync makes many calls that ask for the same things: the roles of all users
//! are in the list of users. Within one run the same GET gets the same answer,
//! which saves requests, and gives all calls one view of the tenant.

use std::{fmt, sync::LazyLock};

use aho_corasick::AhoCorasick;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Where the answers of a run are kept.
#[async_trait]
pub(crate) trait AnswerCache: fmt::Debug + Send + Sync {
    /// The answer that this request has had.
    async fn find(&self, request: &RequestKey) -> Option<KeptAnswer>;

    /// Keeps the answer to a request.
    async fn keep(&self, request: &RequestKey, answer: KeptAnswer);

    /// A request could not be answered from here, and goes on its way.
    fn passed_on(&self);
}

/// Tells requests apart: a digest of URI and headers, as the guest set them, but
/// for the one that says who it is. No credential is in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct RequestKey(pub(crate) [u8; 32]);

/// An answer that was kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeptAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl RequestKey {
    /// None for what must reach the vendor each time: anything but a GET.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        if method != Method::GET || !body.is_empty() {
            return None;
        }
        let mut parts: Vec<(&[u8], &[u8])> = headers
            .iter()
            // Another version of the connector asks for the same.
            .filter(|(name, _)| *name != http::header::USER_AGENT)
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
            .collect();
        parts.sort_unstable();
        let uri = uri.to_string();
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            // With its length, so that nothing can move from one to the next.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(uri.as_bytes());
        for (name, value) in parts {
            add(name);
            add(value);
        }
        Some(Self(digest.finalize().into()))
    }
}

impl KeptAnswer {
    /// What is kept of an answer. None of one that is no plain success.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        if status != StatusCode::OK {
            return None;
        }
        let headers = headers
            .iter()
            .filter(|(name, _)| !is_of_its_moment(name))
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        Some(Self {
            status: status.as_u16(),
            headers,
            body: without_secrets(body),
        })
    }

    /// As the answer to a request. None if it was not kept by [`KeptAnswer::of`].
    pub(super) fn into_parts(self) -> Option<(http::response::Parts, Bytes)> {
        let mut parts = http::Response::new(()).into_parts().0;
        parts.status = StatusCode::from_u16(self.status).ok()?;
        for (name, value) in &self.headers {
            parts.headers.append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            );
        }
        Some((parts, self.body))
    }
}

/// What would be wrong the next time: how much of the rate limit is left, when
/// it was said.
fn is_of_its_moment(name: &HeaderName) -> bool {
    name.as_str().starts_with("ratelimit-") || name == http::header::DATE
}

/// Fields that open something to whoever has them. No connector has a use for
/// them, and nobody should find them in a store. Fields called `token` are not
/// among them: they can be the way to the next page.
const SECRET_FIELDS: [&str; 9] = [
    "_cal_url",
    "calendar_urls",
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "password",
    "api_key",
    "apikey",
];

fn is_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    SECRET_FIELDS
        .iter()
        .any(|secret| field == *secret || (secret.starts_with('_') && field.ends_with(secret)))
}

/// The body without secret fields. Most bodies have none, and are not looked at
/// more closely.
fn without_secrets(body: &Bytes) -> Bytes {
    static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(SECRET_FIELDS)
            .expect("a few short texts")
    });
    if !NAMES.is_match(body.as_ref()) {
        return body.clone();
    }
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
        return body.clone();
    };
    drop_secrets(&mut json);
    json.to_string().into()
}

fn drop_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !is_secret(name));
            fields.values_mut().for_each(drop_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(
        method: &Method,
        uri: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Option<RequestKey> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        RequestKey::of(method, &uri.parse().expect("a URI"), &map, b"")
    }

    #[test]
    fn requests_are_the_same_where_everything_is() {
        let one = key(
            &Method::GET,
            "https://a/b?c=d",
            &[("accept", "x"), ("e", "f")],
        );
        assert!(one.is_some());
        let turned = [("e", "f"), ("user-agent", "2"), ("accept", "x")];
        assert_eq!(one, key(&Method::GET, "https://a/b?c=d", &turned));
        for (uri, headers) in [
            ("https://a/b?c=e", &[("accept", "x"), ("e", "f")][..]),
            ("https://b/b?c=d", &[("accept", "x"), ("e", "f")]),
            ("https://a/b?c=d", &[("accept", "x")]),
            ("https://a/b?c=d", &[("accept", "xe"), ("e", "f")]),
        ] {
            assert_ne!(one, key(&Method::GET, uri, headers), "{uri} {headers:?}");
        }
        assert_eq!(key(&Method::POST, "https://a/b", &[]), None);
        let with_body = RequestKey::of(
            &Method::GET,
            &Uri::from_static("https://a/b"),
            &HeaderMap::new(),
            b"x",
        );
        assert_eq!(with_body, None);
    }

    #[test]
    fn what_opens_something_is_not_kept() {
        let body = Bytes::from_static(
            br#"{"schedules":[{"id":"P1","http_cal_url":"https://feed","Api_Key":"k","token":"next"}]}"#,
        );
        let kept = KeptAnswer::of(StatusCode::OK, &HeaderMap::new(), &body).expect("kept");
        assert_eq!(
            serde_json::from_slice::<Value>(&kept.body).expect("JSON"),
            serde_json::json!({"schedules": [{"id": "P1", "token": "next"}]}),
        );
        let plain = Bytes::from_static(b"{\"b\":1,  \"a\":\"not to be_touched\"}");
        let kept = KeptAnswer::of(StatusCode::OK, &HeaderMap::new(), &plain).expect("kept");
        assert_eq!(kept.body, plain);
        let gone = KeptAnswer::of(StatusCode::NOT_FOUND, &HeaderMap::new(), &plain);
        assert_eq!(gone, None);
    }

    #[test]
    fn a_rate_limit_is_not_told_twice() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
        let kept = KeptAnswer::of(StatusCode::OK, &headers, &Bytes::new()).expect("kept");
        let (parts, _) = kept.into_parts().expect("as it was");
        let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type"]);
    }
}
