//! What it says about itself.

use wasip2::random::random::get_random_u64;

use crate::access::{MEMBERSHIP, ROLE, TEAM, TENANT};
use crate::exports::iga::connector::metadata::{
    AuthScheme, Capability, Descriptor, EntitlementType, HeaderScheme, Level, Oauth2Flow,
    Oauth2Scheme, RequestRule, ResourceType,
};
use crate::mutation;
use crate::vendor::HOST;

pub fn describe() -> Descriptor {
    let mut version = env!("CARGO_PKG_VERSION").to_owned();
    if mutation::is("description") {
        version = format!("{version}-{}", get_random_u64());
    }
    let kind = |id: &str, label: &str| ResourceType {
        id: id.to_owned(),
        label: label.to_owned(),
    };
    Descriptor {
        app_id: "mutant".to_owned(),
        display_name: "Mutant".to_owned(),
        vendor_domain: if mutation::is("vendor") {
            "example.com".to_owned()
        } else {
            "pagerduty.com".to_owned()
        },
        version,
        description: "Reads and changes users and their teams, in the plainest way.".to_owned(),
        resource_types: vec![kind(TENANT, "Account"), kind(TEAM, "Team")],
        entitlement_types: entitlement_types(),
        origins: vec![format!("https://{HOST}")],
        capabilities: capabilities(),
        auth_schemes: auth_schemes(),
        settings_schema: settings().to_owned(),
        rate_limit: None,
    }
}

fn settings() -> &'static str {
    if mutation::is("settings") {
        r#"{"type": "object", "properties": {"region": {"type": "string", "enum": ["us", "eu"],
            "default": "mars", "description": "Where the account is."}}}"#
    } else {
        r#"{"type": "object", "additionalProperties": false, "properties": {"region":
            {"type": "string", "enum": ["us", "eu"], "default": "us",
            "description": "Where the account is."}}}"#
    }
}

fn entitlement_types() -> Vec<EntitlementType> {
    let kind = |id: &str, label: &str, on: &str, min, max, removable| EntitlementType {
        id: id.to_owned(),
        label: label.to_owned(),
        resource_type: on.to_owned(),
        min,
        max,
        assignable: true,
        removable,
    };
    let mut types = vec![
        kind(ROLE, "Role", TENANT, 1, Some(1), false),
        kind(MEMBERSHIP, "Team role", TEAM, 0, None, true),
    ];
    if mutation::is("declared-types") {
        types.push(kind("key", "Key", "shed", 0, None, false));
    }
    types
}

fn auth_schemes() -> Vec<AuthScheme> {
    vec![
        AuthScheme::Header(HeaderScheme {
            id: "api-key".to_owned(),
            label: "API key".to_owned(),
            header: "authorization".to_owned(),
            template: "Token token={secret}".to_owned(),
        }),
        AuthScheme::Oauth2(Oauth2Scheme {
            id: "oauth".to_owned(),
            label: "OAuth".to_owned(),
            authorize_url: "https://identity.pagerduty.com/oauth/authorize".to_owned(),
            token_url: "https://identity.pagerduty.com/oauth/token".to_owned(),
            scopes: vec!["read".to_owned()],
            write_scopes: vec!["write".to_owned()],
            pkce: true,
            flows: vec![Oauth2Flow::AuthorizationCode],
        }),
    ]
}

fn capabilities() -> Vec<Capability> {
    const LOOKS: &[&str] = &["GET /users", "GET /users/{id}", "GET /teams/{id}/members"];
    let mut all = vec![
        reads("credentials.validate", &["GET /users", "GET /abilities"]),
        reads("directory.list-accounts", &["GET /users"]),
        reads("directory.get-account", &["GET /users/{id}"]),
        reads("directory.list-resources", &["GET /teams"]),
        reads("directory.list-entitlements", &["GET /teams"]),
        reads(
            "directory.list-grants",
            &["GET /users", "GET /teams", "GET /teams/{id}/members"],
        ),
        reads("directory.account-grants", LOOKS),
        reads("activity.get-last-activity", &["GET /users/{id}/sessions"]),
        reads(
            "diagnostics.diagnose",
            &["GET /abilities", "GET /users", "GET /users/{id}"],
        ),
        reads("on-call.who", &["GET /oncalls"]),
        reads("on-call.is-on-call", &["GET /oncalls"]),
        reads("offboarding.plan-transfer", LOOKS),
        reads("offboarding.plan-removal", LOOKS),
        writes(
            "offboarding.apply",
            LOOKS,
            &[
                "DELETE /users/{id}",
                "DELETE /teams/{id}/users/{user}",
                "PUT /teams/{id}/users/{user}",
            ],
        ),
        writes(
            "provisioning.create-account",
            LOOKS,
            &["POST /users", "PUT /teams/{id}/users/{user}"],
        ),
        writes("provisioning.update-account", LOOKS, &["PUT /users/{id}"]),
        writes(
            "provisioning.assign",
            LOOKS,
            &["PUT /users/{id}", "PUT /teams/{id}/users/{user}"],
        ),
        writes(
            "provisioning.unassign",
            LOOKS,
            &["DELETE /teams/{id}/users/{user}"],
        ),
        writes(
            "provisioning.delete-account",
            LOOKS,
            &["DELETE /users/{id}"],
        ),
    ];
    let mut also = |function: &str, rule: RequestRule| {
        let capability = all.iter_mut().find(|one| one.name == function);
        capability.expect("it is declared").requests.push(rule);
    };
    if mutation::is("reads-change-nothing") {
        also("diagnostics.diagnose", rule("POST /users", Level::Read));
    }
    if mutation::is("dry-run") {
        let create = all
            .iter_mut()
            .find(|one| one.name == "provisioning.create-account");
        let requests = &mut create.expect("it is declared").requests;
        requests.insert(0, rule("POST /users", Level::Read));
        requests.retain(|rule| rule.method != "POST" || rule.level == Level::Read);
    }
    for capability in &mut all {
        if mutation::is("capabilities") && capability.name == "activity.get-last-activity" {
            capability.level = Level::Write;
        }
        if mutation::is("scopes") && capability.name == "diagnostics.diagnose" {
            capability.scopes.clear();
        }
    }
    all
}

fn reads(name: &str, requests: &[&str]) -> Capability {
    capability(name, Level::Read, requests, &[])
}

fn writes(name: &str, looks: &[&str], changes: &[&str]) -> Capability {
    capability(name, Level::Write, looks, changes)
}

fn capability(name: &str, level: Level, looks: &[&str], changes: &[&str]) -> Capability {
    let looks = looks.iter().map(|text| rule(text, Level::Read));
    let changes = changes.iter().map(|text| rule(text, Level::Write));
    Capability {
        name: name.to_owned(),
        level,
        requests: looks.chain(changes).collect(),
        scopes: vec![match level {
            Level::Read => "read".to_owned(),
            Level::Write => "write".to_owned(),
        }],
    }
}

/// A rule from `METHOD /path`.
fn rule(text: &str, level: Level) -> RequestRule {
    let (method, path) = text.split_once(' ').expect("a method and a path");
    RequestRule {
        method: method.to_owned(),
        path: path.to_owned(),
        level,
    }
}
