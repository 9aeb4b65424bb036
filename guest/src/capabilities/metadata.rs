//! `metadata`: what the connector is, and all that it may do.

use crate::capabilities::directory::{
    ESCALATION_POLICY, ESCALATION_POLICY_MEMBERSHIP, LICENSE, ROLE, SCHEDULE, SCHEDULE_MEMBERSHIP,
    TEAM, TEAM_MEMBERSHIP, TENANT,
};
use crate::exports::iga::connector::metadata::{
    AuthScheme, Capability, Descriptor, EntitlementType, HeaderScheme, Level, Oauth2Flow,
    Oauth2Scheme, RateLimit, RequestRule, ResourceType,
};
use crate::settings::{EU_ORIGIN, US_ORIGIN};

/// JSON Schema of the settings.
const SETTINGS_SCHEMA: &str = include_str!("settings.schema.json");

/// The connector's own description.
pub fn describe() -> Descriptor {
    Descriptor {
        app_id: "pagerduty".to_owned(),
        display_name: "PagerDuty".to_owned(),
        vendor_domain: "pagerduty.com".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "Reads users, roles, licences, teams, schedules and escalation policies of a \
                      PagerDuty account, when its users were last active, and who is on call."
            .to_owned(),
        resource_types: [
            (TENANT, "Account"),
            (TEAM, "Team"),
            (SCHEDULE, "Schedule"),
            (ESCALATION_POLICY, "Escalation policy"),
        ]
        .map(|(id, label)| ResourceType {
            id: id.to_owned(),
            label: label.to_owned(),
        })
        .into(),
        entitlement_types: entitlement_types(),
        origins: vec![US_ORIGIN.to_owned(), EU_ORIGIN.to_owned()],
        capabilities: CAPABILITIES.iter().map(capability).collect(),
        auth_schemes: auth_schemes(),
        settings_schema: SETTINGS_SCHEMA.to_owned(),
        // Per API key, per user over all their keys, per app and account.
        rate_limit: Some(RateLimit {
            requests: 960,
            per_seconds: 60,
        }),
    }
}

fn entitlement_types() -> Vec<EntitlementType> {
    // Every account has one role and one licence. A role that is taken away
    // falls back to a lesser one; a licence can only be changed.
    [
        (ROLE, "Role", TENANT, 1, Some(1), true),
        (LICENSE, "Licence", TENANT, 1, Some(1), false),
        (TEAM_MEMBERSHIP, "Team role", TEAM, 0, None, true),
        (
            SCHEDULE_MEMBERSHIP,
            "Schedule membership",
            SCHEDULE,
            0,
            None,
            true,
        ),
        (
            ESCALATION_POLICY_MEMBERSHIP,
            "Escalation policy membership",
            ESCALATION_POLICY,
            0,
            None,
            true,
        ),
    ]
    .map(
        |(id, label, resource_type, min, max, removable)| EntitlementType {
            id: id.to_owned(),
            label: label.to_owned(),
            resource_type: resource_type.to_owned(),
            min,
            max,
            assignable: true,
            removable,
        },
    )
    .into()
}

struct Rules {
    name: &'static str,
    /// Method and path template, with a space between.
    requests: &'static [&'static str],
    scopes: &'static [&'static str],
}

const USERS: &str = "GET /users";
const USER: &str = "GET /users/{id}";
const ME: &str = "GET /users/me";
const USER_LICENSE: &str = "GET /users/{id}/license";
const DELEGATIONS: &str = "GET /users/{id}/oauth_delegations";
const SESSIONS: &str = "GET /users/{id}/sessions";
const ANALYTICS: &str = "POST /analytics/raw/users";
const AUDIT: &str = "GET /audit/records";
const LICENSES: &str = "GET /licenses";
const ALLOCATIONS: &str = "GET /license_allocations";
const ABILITIES: &str = "GET /abilities";
const TEAMS: &str = "GET /teams";
const MEMBERS: &str = "GET /teams/{id}/members";
const SCHEDULES: &str = "GET /schedules";
const ONE_SCHEDULE: &str = "GET /schedules/{id}";
const SCHEDULES_V3: &str = "GET /v3/schedules";
const ONE_SCHEDULE_V3: &str = "GET /v3/schedules/{id}";
const POLICIES: &str = "GET /escalation_policies";
const ONCALLS: &str = "GET /oncalls";

const CAPABILITIES: [Rules; 12] = [
    Rules {
        name: "credentials.validate",
        requests: &[ME, USERS, ABILITIES, LICENSES],
        scopes: &["users.read", "abilities.read", "licenses.read"],
    },
    Rules {
        name: "directory.list-accounts",
        requests: &[USERS],
        scopes: &["users.read"],
    },
    Rules {
        name: "directory.get-account",
        requests: &[USER],
        scopes: &["users.read"],
    },
    Rules {
        name: "directory.list-resources",
        requests: &[USERS, TEAMS, SCHEDULES, SCHEDULES_V3, POLICIES],
        scopes: &[
            "users.read",
            "teams.read",
            "schedules.read",
            "escalation_policies.read",
        ],
    },
    Rules {
        name: "directory.list-entitlements",
        requests: &[
            ABILITIES,
            LICENSES,
            TEAMS,
            SCHEDULES,
            SCHEDULES_V3,
            POLICIES,
        ],
        scopes: &[
            "abilities.read",
            "licenses.read",
            "teams.read",
            "schedules.read",
            "escalation_policies.read",
        ],
    },
    Rules {
        name: "directory.list-grants",
        requests: &[
            USERS,
            ALLOCATIONS,
            USER_LICENSE,
            TEAMS,
            MEMBERS,
            SCHEDULES,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
            POLICIES,
        ],
        scopes: &[
            "users.read",
            "licenses.read",
            "teams.read",
            "schedules.read",
            "escalation_policies.read",
        ],
    },
    Rules {
        name: "directory.account-grants",
        requests: &[
            USER,
            USER_LICENSE,
            MEMBERS,
            SCHEDULES,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
            POLICIES,
        ],
        scopes: &[
            "users.read",
            "licenses.read",
            "teams.read",
            "schedules.read",
            "escalation_policies.read",
        ],
    },
    Rules {
        name: "activity.get-last-activity",
        requests: &[ANALYTICS, DELEGATIONS, SESSIONS],
        // PagerDuty wants `write` for this query.
        scopes: &[
            "analytics.write",
            "oauth_delegations.read",
            "users:sessions.read",
        ],
    },
    Rules {
        name: "activity.list-activity",
        requests: &[AUDIT],
        scopes: &["audit_records.read"],
    },
    Rules {
        name: "on-call.who",
        requests: &[ONCALLS, ONE_SCHEDULE, ONE_SCHEDULE_V3],
        scopes: &["oncalls.read", "schedules.read"],
    },
    Rules {
        name: "on-call.is-on-call",
        requests: &[ONCALLS, ONE_SCHEDULE, ONE_SCHEDULE_V3],
        scopes: &["oncalls.read", "schedules.read"],
    },
    Rules {
        name: "diagnostics.diagnose",
        requests: &[
            ME,
            USERS,
            ABILITIES,
            LICENSES,
            ALLOCATIONS,
            TEAMS,
            MEMBERS,
            ANALYTICS,
            DELEGATIONS,
            SESSIONS,
        ],
        scopes: &[
            "users.read",
            "abilities.read",
            "licenses.read",
            "teams.read",
            "analytics.write",
            "oauth_delegations.read",
            "users:sessions.read",
        ],
    },
];

fn capability(rules: &Rules) -> Capability {
    let requests = rules
        .requests
        .iter()
        .filter_map(|rule| rule.split_once(' '));
    Capability {
        name: rules.name.to_owned(),
        level: Level::Read,
        requests: requests
            .map(|(method, path)| RequestRule {
                method: method.to_owned(),
                path: path.to_owned(),
                level: Level::Read,
            })
            .collect(),
        scopes: rules.scopes.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

fn auth_schemes() -> Vec<AuthScheme> {
    let header = |id: &str, label: &str, template: &str| {
        AuthScheme::Header(HeaderScheme {
            id: id.to_owned(),
            label: label.to_owned(),
            header: "authorization".to_owned(),
            template: template.to_owned(),
        })
    };
    vec![
        header("api-key", "REST API key", "Token token={secret}"),
        header("bearer", "OAuth access token", "Bearer {secret}"),
        // Classic OAuth, which works for any account: what a platform uses for
        // many. It knows two scopes, and `write` includes reading.
        oauth(
            "oauth",
            "PagerDuty OAuth",
            Oauth2Flow::AuthorizationCode,
            &["read"],
            &["write"],
        ),
        // Scoped OAuth, which works for the account that registered the app:
        // the app acts as itself, in the account that the first scope names.
        oauth(
            "oauth-app",
            "PagerDuty Scoped OAuth app",
            Oauth2Flow::ClientCredentials,
            &APP_SCOPES[..APP_READS],
            &APP_SCOPES,
        ),
    ]
}

/// What an app reads with, then what it writes with.
const APP_SCOPES: [&str; 14] = [
    "as_account-{region}.{subdomain}",
    "abilities.read",
    "escalation_policies.read",
    "incidents.read",
    "licenses.read",
    "oncalls.read",
    "schedules.read",
    "teams.read",
    "users.read",
    "escalation_policies.write",
    "incidents.write",
    "schedules.write",
    "teams.write",
    "users.write",
];
const APP_READS: usize = 9;

fn oauth(
    id: &str,
    label: &str,
    flow: Oauth2Flow,
    scopes: &[&str],
    write_scopes: &[&str],
) -> AuthScheme {
    let owned = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    AuthScheme::Oauth2(Oauth2Scheme {
        id: id.to_owned(),
        label: label.to_owned(),
        authorize_url: "https://identity.pagerduty.com/oauth/authorize".to_owned(),
        token_url: "https://identity.pagerduty.com/oauth/token".to_owned(),
        scopes: owned(scopes),
        write_scopes: owned(write_scopes),
        pkce: true,
        flows: vec![flow],
    })
}
