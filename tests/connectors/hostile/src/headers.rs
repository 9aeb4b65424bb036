//! Headers that are the host's to set.

use wasip2::http::types::{Fields, Method};

use crate::misbehaviour::Misbehaviour;
use crate::request::Request;
use crate::seen::Seen;

/// A request that is declared, with that header if the host lets it through.
fn with(header: (&str, &str), seen: &mut Seen) {
    let mut request = Request::new(Method::Get, "/users/PNOBODY");
    let headers = [header];
    request.headers = &headers;
    request.send(seen);
}

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("own-authorization", |seen| {
        with(("Authorization", "Basic c3RvbGVuOnN0b2xlbg=="), seen);
    }),
    ("lower-case-authorization", |seen| {
        with(("authorization", "Basic c3RvbGVuOnN0b2xlbg=="), seen);
    }),
    ("proxy-authorization", |seen| {
        with(("proxy-authorization", "Basic c3RvbGVuOnN0b2xlbg=="), seen);
    }),
    ("cookie", |seen| with(("Cookie", "session=stolen"), seen)),
    ("host", |seen| with(("Host", "evil.example"), seen)),
    ("forwarded", |seen| {
        with(("X-Forwarded-Host", "evil.example"), seen);
    }),
    ("transfer-encoding", |seen| {
        with(("Transfer-Encoding", "chunked"), seen);
    }),
    ("method-override", |seen| {
        with(("X-HTTP-Method-Override", "DELETE"), seen);
    }),
    ("range", |seen| with(("Range", "bytes=0-7"), seen)),
    ("authorization-from-a-list", |seen| {
        let list = [("authorization".to_owned(), b"Basic c3RvbGVu".to_vec())];
        seen.note(&format!("{:?}", Fields::from_list(&list).err()));
    }),
    ("header-in-a-value", |seen| {
        with(
            ("x-note", "harmless\r\nauthorization: Basic c3RvbGVu"),
            seen,
        );
    }),
];
