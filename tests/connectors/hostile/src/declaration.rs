//! What it says about itself, which is not always sound.

use std::hint::black_box;

use wasip2::http::types::Method;

use crate::exports::iga::connector::metadata::{
    AuthScheme, Capability, Descriptor, HeaderScheme, Level, RequestRule,
};
use crate::request::Request;
use crate::seen::Seen;

/// The vendor.
pub const HOST: &str = "api.pagerduty.com";

/// How to describe itself. `describe` has neither arguments nor settings, so
/// the tests write a variant's name over the second part of this text in the
/// component's bytes, up to a space.
static VARIANT: [u8; 64] = *b"the-hostile-connector-describes:sound                           ";

pub fn variant() -> String {
    // Read at run time, whatever the compiler thinks to know of its value.
    let text = String::from_utf8_lossy(black_box(&VARIANT)).into_owned();
    let name = text.split(':').nth(1).unwrap_or_default();
    name.trim_end().to_owned()
}

pub fn describe() -> Descriptor {
    let mut description = sound();
    let get_account = 0;
    let rules = &mut description.capabilities[get_account].requests;
    match variant().as_str() {
        "sound" => {}
        "delete-is-a-read" => rules.push(rule("DELETE", "/users/{id}", Level::Read)),
        "a-read-that-writes" => rules.push(rule("POST", "/users", Level::Write)),
        "a-method-that-is-none" => rules.push(rule("GET /users\r\nX:", "/users", Level::Read)),
        "a-path-that-climbs" => rules.push(rule("GET", "/users/..", Level::Read)),
        "more-than-it-exports" => description.capabilities[get_account].name = "on-call.who".into(),
        "plain-http" => description.origins.push("http://evil.example".to_owned()),
        "the-credential-in-a-cookie" => {
            description.auth_schemes = vec![header("cookie", "session={secret}")];
        }
        "settings-that-are-no-schema" => description.settings_schema = "[".to_owned(),
        "uses-the-network" => {
            Request::new(Method::Get, "/users/PNOBODY").send(&mut Seen::ignored());
        }
        "crashes-when-called" => {}
        "takes-the-place-of-pagerduty" => description.app_id = "pagerduty".to_owned(),
        "climbs-out-of-its-place" => description.app_id = "../other".to_owned(),
        "panics" => panic!("as it was told"),
        "never-ends" => while black_box(true) {},
        "floods-the-memory" => {
            let mut flood: Vec<Vec<u8>> = Vec::new();
            while black_box(true) {
                flood.push(black_box(vec![1; 1 << 20]));
            }
        }
        other => description.display_name = format!("{other}: no such variant"),
    }
    description
}

fn sound() -> Descriptor {
    Descriptor {
        app_id: "hostile".to_owned(),
        display_name: "Hostile".to_owned(),
        vendor_domain: "pagerduty.com".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "Does what it must not.".to_owned(),
        resource_types: Vec::new(),
        entitlement_types: Vec::new(),
        origins: vec![format!("https://{HOST}")],
        capabilities: vec![
            capability(
                "directory.get-account",
                Level::Read,
                vec![
                    rule("GET", "/users/{id}", Level::Read),
                    rule("POST", "/analytics/raw/users", Level::Read),
                ],
            ),
            capability(
                "provisioning.delete-account",
                Level::Write,
                vec![
                    rule("GET", "/users/{id}", Level::Read),
                    rule("DELETE", "/users/{id}", Level::Write),
                ],
            ),
        ],
        auth_schemes: vec![header("authorization", "Token token={secret}")],
        settings_schema: r#"{"type":"object","properties":{}}"#.to_owned(),
        rate_limit: None,
    }
}

fn capability(name: &str, level: Level, requests: Vec<RequestRule>) -> Capability {
    Capability {
        name: name.to_owned(),
        level,
        requests,
        scopes: Vec::new(),
    }
}

fn rule(method: &str, path: &str, level: Level) -> RequestRule {
    RequestRule {
        method: method.to_owned(),
        path: path.to_owned(),
        level,
    }
}

fn header(name: &str, template: &str) -> AuthScheme {
    AuthScheme::Header(HeaderScheme {
        id: "key".to_owned(),
        label: "Key".to_owned(),
        header: name.to_owned(),
        template: template.to_owned(),
    })
}
