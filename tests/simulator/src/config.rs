//! What kind of account is simulated.

use std::time::Duration;

/// The account that is simulated and how it behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many users the account starts with; at least 1, the account owner.
    pub users: usize,
    /// How many teams; at least 1, the last of several without members. `None`:
    /// one for each 40 users. An account of one user has none.
    pub teams: Option<usize>,
    /// How many schedules of both kinds; at least 4, two in seven of them
    /// shift-based, where the plan has such. `None`: about one for each 43
    /// users. An account of one user has none.
    pub schedules: Option<usize>,
    /// The same seed and numbers give the same ids and names.
    pub seed: u64,
    /// A clock that only moves with [`Simulator::advance`](crate::Simulator::advance);
    /// `None` is the real time.
    pub now: Option<jiff::Timestamp>,
    /// Requests a minute per credential, 960 on the real API; `None` switches
    /// all rate limits off, those of single operations too.
    pub limit: Option<u32>,
    /// Added to every answer.
    pub latency: Duration,
    /// What the account's pricing plan includes.
    pub plan: Plan,
    /// How `GET /users?query=` matches.
    pub search: Search,
    /// In which order `PUT /schedules/{id}` takes layers.
    pub layer_order: LayerOrder,
    /// How `POST /schedules/{id}/overrides` answers.
    pub override_reply: OverrideReply,
    /// The account's subdomain, part of every `html_url`.
    pub subdomain: String,
    /// The service region.
    pub region: Region,
    /// How refusals with the code 2001 are written.
    pub refusals: Refusals,
    /// Seats left of the licences of full users; `None`: some of the first,
    /// three of the second.
    pub full_seats: Option<usize>,
    /// How long the clean-up behind incident reassignments takes: so long after
    /// an incident was taken from a user the deletion of that user still fails,
    /// and so long after a deletion with `offboarding` the incidents still hang
    /// on the deleted user.
    pub reassignment_delay: Duration,
    /// Whether the person in front of the browser allows access.
    pub consent: bool,
    /// How long OAuth access tokens live; `None` is as PagerDuty documents.
    pub access_token_life: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: 120,
            teams: None,
            schedules: None,
            seed: 1,
            now: None,
            limit: None,
            latency: Duration::ZERO,
            plan: Plan::default(),
            search: Search::Substring,
            layer_order: LayerOrder::Reversed,
            override_reply: OverrideReply::PerItem,
            subdomain: "acme".to_owned(),
            region: Region::Us,
            refusals: Refusals::Usual,
            full_seats: None,
            reassignment_delay: Duration::ZERO,
            consent: true,
            access_token_life: None,
        }
    }
}

/// The features of the account's pricing plan.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Teams; without, `/teams` answers 402.
    pub teams: bool,
    /// Licence reads; without, `/licenses` and `/license_allocations` answer 403.
    pub licenses: bool,
    /// `POST /analytics/raw/users`; without, 402.
    pub analytics: bool,
    /// Audit records; without, 402.
    pub audit: bool,
    /// OAuth delegations; without, 402.
    pub delegations: bool,
    /// Stakeholder licences and roles.
    pub stakeholders: bool,
    /// The roles `observer` and `restricted_access`.
    pub advanced_permissions: bool,
    /// Deleting a user hands the open incidents back to their escalation policy.
    pub offboarding: bool,
    /// Shift-based schedules; without, the account has none.
    pub v3_schedules: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            teams: true,
            licenses: true,
            analytics: true,
            audit: true,
            delegations: true,
            stakeholders: true,
            advanced_permissions: true,
            offboarding: false,
            v3_schedules: true,
        }
    }
}

/// How a refusal with the code 2001, `Invalid Input Provided`, is written. All
/// of these forms have been seen by PagerDuty's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// `{"error": {"message", "code", "errors": ["…"]}}`, as documented.
    Usual,
    /// `errors` is a text.
    ErrorsText,
    /// `errors` is an object by field.
    ErrorsByField,
    /// `error` is a text.
    ErrorText,
    /// `error` is a list of texts.
    ErrorList,
}

/// How a user query matches: PagerDuty only says that it "filters by name".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Anywhere in the name or the e-mail address, regardless of case.
    Substring,
    /// At the start of any word of the name, or of the e-mail address.
    Prefix,
}

/// In which order `PUT /schedules/{id}` takes layers, as against the order in
/// which `GET` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerOrder {
    /// The last one first: what PagerDuty does.
    Reversed,
    /// The same, as PagerDuty may do one day: an open pull request of its
    /// Terraform provider prepares for it.
    Same,
}

/// How `POST /schedules/{id}/overrides` answers: PagerDuty's documents differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideReply {
    /// `[{"status": 201, "override": {…}}]`, as specified. Each override is
    /// accepted or refused by itself.
    PerItem,
    /// `{"overrides": [{…}]}`, as in the guide to upgrading schedules. All are
    /// accepted, or none.
    Wrapped,
    /// `{"override": {…}}`, which is specified for the deprecated form of the
    /// request. Otherwise as `Wrapped`.
    Single,
}

/// A PagerDuty service region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `api.pagerduty.com`.
    Us,
    /// `api.eu.pagerduty.com`.
    Eu,
}

impl Region {
    /// The host of the region's REST API.
    #[must_use]
    pub fn api_host(self) -> &'static str {
        match self {
            Self::Us => "api.pagerduty.com",
            Self::Eu => "api.eu.pagerduty.com",
        }
    }

    /// The region's name in scopes and ID tokens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Us => Self::Eu,
            Self::Eu => Self::Us,
        }
    }

    pub(crate) fn web_origin(self, subdomain: &str) -> String {
        match self {
            Self::Us => format!("https://{subdomain}.pagerduty.com"),
            Self::Eu => format!("https://{subdomain}.eu.pagerduty.com"),
        }
    }
}
