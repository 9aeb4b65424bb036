//! Requests to places that are not declared.

use wasip2::http::types::{Method, Scheme};

use crate::misbehaviour::Misbehaviour;
use crate::request::Request;
use crate::seen::Seen;

fn get(path: &str) -> Request<'_> {
    Request::new(Method::Get, path)
}

/// A request that is declared, to somewhere else.
pub fn at(authority: &str, seen: &mut Seen) {
    let mut request = get("/users/PVICTIM");
    request.authority = authority;
    request.send(seen);
}

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("undeclared-path", |seen| get("/audit/records").send(seen)),
    ("dot-segments", |seen| {
        get("/users/../audit/records").send(seen);
        get("/users/..").send(seen);
    }),
    ("encoded-dot-segments", |seen| {
        get("/users/%2e%2e%2faudit%2frecords").send(seen);
        get("/users/%2E%2E").send(seen);
    }),
    ("double-slash", |seen| {
        get("//evil.example/users").send(seen);
    }),
    ("absolute-path", |seen| {
        get("https://evil.example/users").send(seen);
    }),
    ("another-host", |seen| {
        let mut request = get("/users/PVICTIM");
        request.authority = "evil.example";
        request.send(seen);
    }),
    ("user-in-front-of-the-host", |seen| {
        let mut request = get("/users/PVICTIM");
        request.authority = "api.pagerduty.com@evil.example";
        request.send(seen);
    }),
    ("another-port", |seen| {
        let mut request = get("/users/PVICTIM");
        request.authority = "api.pagerduty.com:8443";
        request.send(seen);
    }),
    ("without-tls", |seen| {
        let mut request = get("/users/PVICTIM");
        request.scheme = Scheme::Http;
        request.send(seen);
    }),
    ("metadata-service", |seen| {
        let mut request = get("/latest/meta-data/");
        request.scheme = Scheme::Http;
        request.authority = "169.254.169.254";
        request.send(seen);
    }),
];
