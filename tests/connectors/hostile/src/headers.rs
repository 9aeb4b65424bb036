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
    ("authorization-in-odd-case", |seen| {
        with(("aUtHoRiZaTiOn", "Basic c3RvbGVuOnN0b2xlbg=="), seen);
    }),
    ("connection", |seen| {
        with(("Connection", "authorization"), seen);
    }),
    ("keep-alive", |seen| with(("Keep-Alive", "timeout=9"), seen)),
    ("proxy-connection", |seen| {
        with(("Proxy-Connection", "keep-alive"), seen);
    }),
    ("upgrade", |seen| with(("Upgrade", "h2c"), seen)),
    ("http2-settings", |seen| {
        with(("HTTP2-Settings", "AAMAAABk"), seen);
    }),
    ("second-host", |seen| {
        let mut request = Request::new(Method::Get, "/users/PNOBODY");
        request.headers = &[("host", "api.pagerduty.com"), ("host", "evil.example")];
        request.send(seen);
    }),
    ("line-breaks-in-a-name", |seen| {
        with(("x-a: b\r\nauthorization", "Basic c3RvbGVu"), seen);
        with((" authorization", "Basic c3RvbGVu"), seen);
        with(("authorization ", "Basic c3RvbGVu"), seen);
        with(("authorization\0", "Basic c3RvbGVu"), seen);
        with(("authorization:", "Basic c3RvbGVu"), seen);
        with((":authority", "evil.example"), seen);
        with(("", "Basic c3RvbGVu"), seen);
    }),
    ("line-breaks-in-a-path", |seen| {
        for path in [
            "/users/P1 HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /users/P2",
            "/users/P1\nx: y",
            "/users/P1?a=b c",
        ] {
            Request::new(Method::Get, path).send(seen);
        }
    }),
    ("line-breaks-in-a-method", |seen| {
        let method = Method::Other("GET /audit/records HTTP/1.1\r\nx:".to_owned());
        Request::new(method, "/users/PNOBODY").send(seen);
    }),
    // The rest of the body would be the next request on the connection.
    ("a-body-longer-than-it-says", |seen| {
        let mut request = Request::new(Method::Post, "/analytics/raw/users");
        request.headers = &[("content-length", "2")];
        request.body = "{}DELETE /users/PVICTIM HTTP/1.1\r\nhost: api.pagerduty.com\r\n\r\n";
        request.send(seen);
    }),
    ("a-body-shorter-than-it-says", |seen| {
        let mut request = Request::new(Method::Post, "/analytics/raw/users");
        request.headers = &[("content-length", "2000")];
        request.body = "{}";
        request.send(seen);
    }),
    ("two-lengths", |seen| {
        let mut request = Request::new(Method::Post, "/analytics/raw/users");
        request.headers = &[("content-length", "2"), ("content-length", "40")];
        request.body = "{}DELETE /users/PVICTIM HTTP/1.1\r\n\r\n";
        request.send(seen);
    }),
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
