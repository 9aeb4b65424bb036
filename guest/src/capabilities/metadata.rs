//! `metadata`: what the connector is, and all that it may do.

mod rules;

use crate::capabilities::directory::{
    ESCALATION_POLICY, ESCALATION_POLICY_MEMBERSHIP, LICENSE, ROLE, SCHEDULE, SCHEDULE_MEMBERSHIP,
    TEAM, TEAM_MEMBERSHIP, TENANT,
};
use crate::exports::iga::connector::metadata::{
    AuthScheme, Descriptor, EntitlementType, HeaderScheme, Oauth2Flow, Oauth2Scheme, RateLimit,
    ResourceType,
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
        version: version!().to_owned(),
        description: "Reads users, roles, licences, teams, schedules and escalation policies of a \
                      PagerDuty account, when its users were last active, and who is on call. \
                      Creates, changes and deletes users, gives and takes what they hold, and \
                      hands over the work of those who leave."
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
        capabilities: rules::all(),
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
    // Every account has one role and one licence. What is taken away falls back
    // to the setting `default-role` or `default-license`; as PagerDuty sees it,
    // a licence can only be changed.
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
