//! What each capability may request: the host lets nothing else out.

use crate::exports::iga::connector::metadata::{Capability, Level, RequestRule};

/// The declaration.
pub fn all() -> Vec<Capability> {
    CAPABILITIES.iter().map(capability).collect()
}

struct Rules {
    name: &'static str,
    /// Method and path template, with a space between.
    requests: &'static [&'static str],
    scopes: &'static [&'static str],
}

const USERS: &str = "GET /users";
const USER: &str = "GET /users/{id}";
const NEW_USER: &str = "POST /users";
const CHANGE_USER: &str = "PUT /users/{id}";
const DELETE_USER: &str = "DELETE /users/{id}";
const ME: &str = "GET /users/me";
const USER_LICENSE: &str = "GET /users/{id}/license";
const DELEGATIONS: &str = "GET /users/{id}/oauth_delegations";
const SIGN_OUT: &str = "DELETE /oauth_delegations";
const SESSIONS: &str = "GET /users/{id}/sessions";
const ANALYTICS: &str = "POST /analytics/raw/users";
const AUDIT: &str = "GET /audit/records";
const LICENSES: &str = "GET /licenses";
const ALLOCATIONS: &str = "GET /license_allocations";
const ABILITIES: &str = "GET /abilities";
const TEAMS: &str = "GET /teams";
const ONE_TEAM: &str = "GET /teams/{id}";
const MEMBERS: &str = "GET /teams/{id}/members";
const CHANGE_MEMBER: &str = "PUT /teams/{id}/users/{user_id}";
const REMOVE_MEMBER: &str = "DELETE /teams/{id}/users/{user_id}";
const SCHEDULES: &str = "GET /schedules";
const ONE_SCHEDULE: &str = "GET /schedules/{id}";
const CHANGE_SCHEDULE: &str = "PUT /schedules/{id}";
const SCHEDULES_V3: &str = "GET /v3/schedules";
const ONE_SCHEDULE_V3: &str = "GET /v3/schedules/{id}";
const OVERRIDES: &str = "GET /schedules/{id}/overrides";
const NEW_OVERRIDES: &str = "POST /schedules/{id}/overrides";
const DELETE_OVERRIDE: &str = "DELETE /schedules/{id}/overrides/{override_id}";
const OVERRIDES_V3: &str = "GET /v3/schedules/{id}/overrides";
const NEW_OVERRIDES_V3: &str = "POST /v3/schedules/{id}/overrides";
const OVERRIDE_V3: &str = "GET /v3/schedules/{id}/overrides/{override_id}";
const CHANGE_OVERRIDE_V3: &str = "PUT /v3/schedules/{id}/overrides/{override_id}";
const DELETE_OVERRIDE_V3: &str = "DELETE /v3/schedules/{id}/overrides/{override_id}";
const SHIFTS: &str = "GET /v3/schedules/{id}/custom_shifts";
const NEW_SHIFTS: &str = "POST /v3/schedules/{id}/custom_shifts";
const SHIFT: &str = "GET /v3/schedules/{id}/custom_shifts/{custom_shift_id}";
const CHANGE_SHIFT: &str = "PUT /v3/schedules/{id}/custom_shifts/{custom_shift_id}";
const DELETE_SHIFT: &str = "DELETE /v3/schedules/{id}/custom_shifts/{custom_shift_id}";
const NEW_EVENT: &str = "POST /v3/schedules/{id}/rotations/{rotation_id}/events";
const CHANGE_EVENT: &str = "PUT /v3/schedules/{id}/rotations/{rotation_id}/events/{event_id}";
const DELETE_EVENT: &str = "DELETE /v3/schedules/{id}/rotations/{rotation_id}/events/{event_id}";
const POLICIES: &str = "GET /escalation_policies";
const ONE_POLICY: &str = "GET /escalation_policies/{id}";
const CHANGE_POLICY: &str = "PUT /escalation_policies/{id}";
const INCIDENTS: &str = "GET /incidents";
const CHANGE_INCIDENTS: &str = "PUT /incidents";
const ONCALLS: &str = "GET /oncalls";

/// What it takes to give and to take any entitlement.
const ACCESS: &[&str] = &[
    "users.read",
    "users.write",
    "abilities.read",
    "licenses.read",
    "teams.read",
    "teams.write",
    "schedules.read",
    "schedules.write",
    "escalation_policies.read",
    "escalation_policies.write",
];

const CAPABILITIES: &[Rules] = &[
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
        name: "provisioning.create-account",
        // What it is to hold from the start is assigned.
        requests: &[
            ME,
            USERS,
            NEW_USER,
            USER,
            ABILITIES,
            LICENSES,
            ONE_TEAM,
            MEMBERS,
            CHANGE_MEMBER,
            ONE_SCHEDULE,
            CHANGE_SCHEDULE,
            ONE_SCHEDULE_V3,
            NEW_EVENT,
            CHANGE_EVENT,
            DELETE_EVENT,
            ONE_POLICY,
            CHANGE_POLICY,
        ],
        scopes: ACCESS,
    },
    Rules {
        name: "provisioning.update-account",
        requests: &[USER, CHANGE_USER],
        scopes: &["users.read", "users.write"],
    },
    Rules {
        name: "provisioning.assign",
        requests: &[
            USER,
            CHANGE_USER,
            USER_LICENSE,
            ABILITIES,
            LICENSES,
            ONE_TEAM,
            MEMBERS,
            CHANGE_MEMBER,
            ONE_SCHEDULE,
            CHANGE_SCHEDULE,
            ONE_SCHEDULE_V3,
            NEW_EVENT,
            CHANGE_EVENT,
            DELETE_EVENT,
            ONE_POLICY,
            CHANGE_POLICY,
        ],
        scopes: ACCESS,
    },
    Rules {
        name: "provisioning.unassign",
        requests: &[
            USER,
            CHANGE_USER,
            USER_LICENSE,
            ABILITIES,
            LICENSES,
            MEMBERS,
            REMOVE_MEMBER,
            ONE_SCHEDULE,
            CHANGE_SCHEDULE,
            ONE_SCHEDULE_V3,
            NEW_EVENT,
            CHANGE_EVENT,
            DELETE_EVENT,
            POLICIES,
            ONE_POLICY,
            CHANGE_POLICY,
        ],
        scopes: ACCESS,
    },
    Rules {
        name: "provisioning.delete-account",
        requests: &[
            USER,
            DELETE_USER,
            INCIDENTS,
            ABILITIES,
            POLICIES,
            SCHEDULES,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
        ],
        scopes: &[
            "users.read",
            "users.write",
            "incidents.read",
            "abilities.read",
            "escalation_policies.read",
            "schedules.read",
        ],
    },
    Rules {
        name: "offboarding.plan-transfer",
        requests: &[
            USER,
            ME,
            INCIDENTS,
            POLICIES,
            SCHEDULES,
            OVERRIDES,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
            OVERRIDES_V3,
            SHIFTS,
        ],
        scopes: &[
            "users.read",
            "incidents.read",
            "escalation_policies.read",
            "schedules.read",
        ],
    },
    Rules {
        name: "offboarding.plan-removal",
        requests: &[
            USER,
            ME,
            INCIDENTS,
            POLICIES,
            SCHEDULES,
            OVERRIDES,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
            OVERRIDES_V3,
            SHIFTS,
            DELEGATIONS,
        ],
        scopes: &[
            "users.read",
            "incidents.read",
            "escalation_policies.read",
            "schedules.read",
            "oauth_delegations.read",
        ],
    },
    Rules {
        name: "offboarding.apply",
        requests: &[
            USER,
            ME,
            INCIDENTS,
            CHANGE_INCIDENTS,
            POLICIES,
            ONE_POLICY,
            CHANGE_POLICY,
            SCHEDULES,
            ONE_SCHEDULE,
            CHANGE_SCHEDULE,
            OVERRIDES,
            NEW_OVERRIDES,
            DELETE_OVERRIDE,
            SCHEDULES_V3,
            ONE_SCHEDULE_V3,
            NEW_EVENT,
            CHANGE_EVENT,
            DELETE_EVENT,
            OVERRIDES_V3,
            NEW_OVERRIDES_V3,
            OVERRIDE_V3,
            CHANGE_OVERRIDE_V3,
            DELETE_OVERRIDE_V3,
            SHIFTS,
            NEW_SHIFTS,
            SHIFT,
            CHANGE_SHIFT,
            DELETE_SHIFT,
            MEMBERS,
            CHANGE_MEMBER,
            REMOVE_MEMBER,
            DELEGATIONS,
            SIGN_OUT,
            ABILITIES,
            DELETE_USER,
        ],
        scopes: &[
            "users.read",
            "users.write",
            "incidents.read",
            "incidents.write",
            "escalation_policies.read",
            "escalation_policies.write",
            "schedules.read",
            "schedules.write",
            "teams.read",
            "teams.write",
            "oauth_delegations.read",
            "oauth_delegations.write",
            "abilities.read",
        ],
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
    let requests: Vec<RequestRule> = requests
        .map(|(method, path)| RequestRule {
            method: method.to_owned(),
            path: path.to_owned(),
            level: level(method, path),
        })
        .collect();
    let writes = requests.iter().any(|rule| rule.level == Level::Write);
    Capability {
        name: rules.name.to_owned(),
        level: if writes { Level::Write } else { Level::Read },
        requests,
        scopes: rules.scopes.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

/// PagerDuty takes one query by POST.
fn level(method: &str, path: &str) -> Level {
    match (method, path) {
        ("GET", _) | ("POST", "/analytics/raw/users") => Level::Read,
        _ => Level::Write,
    }
}
