//! Where PagerDuty is known not to be as it describes itself.

/// Where the real service is not as described.
pub(super) struct Deviation {
    /// A JSON pointer into the description.
    pub(super) at: &'static str,
    pub(super) change: Change,
    /// The evidence.
    pub(super) reason: &'static str,
}

/// How the description is corrected.
#[derive(Clone, Copy)]
pub(super) enum Change {
    /// The schema also takes null.
    Nullable,
    /// The schema also takes what this schema takes.
    Or(&'static str),
    /// Of the required properties of the schema only these are.
    OnlyRequired(&'static [&'static str]),
    /// The schema's format is something else.
    AnyFormat,
    /// It is this instead.
    Becomes(&'static str),
    /// The responses also have this status, as described there.
    Status(&'static str, &'static str),
    /// The parameter takes several values, separated by commas.
    CommaSeparated,
    /// The operation also takes this parameter.
    Parameter(&'static str),
}

/// Corrections to PagerDuty's description, each with its evidence.
pub(super) const KNOWN_DEVIATIONS: &[Deviation] = &[
    Deviation {
        at: "/paths/~1license_allocations/get/parameters",
        change: Change::Parameter("#/components/parameters/offset_total"),
        reason: "PagerDuty's page on pagination: every classic list takes `total`; the answer has it",
    },
    Deviation {
        at: "/paths/~1users~1{id}/put/requestBody/content/application~1json/schema/properties/user/allOf/0",
        change: Change::OnlyRequired(&["type"]),
        reason: "partial bodies are taken (seen live)",
    },
    Deviation {
        at: "/paths/~1users~1{id}/delete/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the operation's own text: 400 when the user has incidents",
    },
    Deviation {
        at: "/paths/~1incidents~1{id}/put/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the codes 1001 to 1028 of PagerDuty's table come with 400",
    },
    Deviation {
        at: "/paths/~1escalation_policies~1{id}/put/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the only rule cannot be removed: code 2001 of PagerDuty's table",
    },
    Deviation {
        at: "/paths/~1schedules~1{id}~1overrides~1{override_id}/delete/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the operation's own text: past overrides cannot be removed",
    },
    Deviation {
        at: "/paths/~1schedules~1{id}~1overrides/get/responses",
        change: Change::Status(
            "200",
            "#/paths/~1schedules~1{id}~1overrides/get/responses/201",
        ),
        reason: "a list is not created: 200 (seen live)",
    },
    Deviation {
        at: "/paths/~1v3~1schedules~1{id}/get/responses",
        change: Change::Status("400", "#/components/responses/BadRequest"),
        reason: "the guide to v3 schedules: 400 for the id of a v2 schedule",
    },
    Deviation {
        at: "/paths/~1users~1me/get/responses/400",
        change: Change::Becomes(
            r#"{"content": {"application/json": {"schema": {
                "type": "object", "properties": {"error": {"type": "string"}}
            }}}}"#,
        ),
        reason: "with an account key `error` is a string (seen by clients)",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_filter_type",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_status",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_type",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/schemas/UserOAuthDelegations/properties/next_cursor",
        change: Change::Nullable,
        reason: "PagerDuty's page on pagination: null at the end",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/job_title",
        change: Change::Nullable,
        reason: "inferred: optional on creation, and `description` beside it is null",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/teams/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Team"}"##),
        reason: "what `include[]=teams` is for",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/contact_methods/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Tag/allOf/0"}"##),
        reason: "what `include[]=contact_methods` is for",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/notification_rules/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Tag/allOf/0"}"##),
        reason: "what `include[]=notification_rules` is for",
    },
    Deviation {
        at: "/paths/~1teams~1{id}~1members/get/responses/200/content/application~1json/schema/allOf/1/properties/members/items/properties/user",
        change: Change::Or(r##"{"$ref": "#/components/schemas/User"}"##),
        reason: "what `include[]=users` is for",
    },
    Deviation {
        at: "/components/schemas/LicenseWithCounts/allOf/0/properties/self",
        change: Change::Nullable,
        reason: "null in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/LicenseWithCounts/allOf/0/properties/html_url",
        change: Change::Nullable,
        reason: "null in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/schedule",
        change: Change::Nullable,
        reason: "users who are direct targets are on call without a schedule",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/start",
        change: Change::Nullable,
        reason: "the property's own text",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/end",
        change: Change::Nullable,
        reason: "the property's own text",
    },
    Deviation {
        at: "/components/schemas/ScheduleLayer/properties/end",
        change: Change::Nullable,
        reason: "an open-ended layer (seen live)",
    },
    Deviation {
        at: "/components/schemas/ScheduleLayer/properties/rendered_coverage_percentage",
        change: Change::Nullable,
        reason: "null unless a range is asked for (seen live)",
    },
    Deviation {
        at: "/components/schemas/SubSchedule/properties/rendered_coverage_percentage",
        change: Change::Nullable,
        reason: "null unless a range is asked for (seen live)",
    },
    Deviation {
        at: "/components/schemas/Incident/allOf/1/properties/resolved_at",
        change: Change::Nullable,
        reason: "null in the description's own example of an open incident",
    },
    Deviation {
        at: "/components/schemas/AnalyticsRawUser/properties/created_at",
        change: Change::AnyFormat,
        reason: "without a zone in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/AnalyticsRawUser/properties/last_sign_in_at",
        change: Change::AnyFormat,
        reason: "without a zone in the description's own examples",
    },
];
