//! Who asks, and what they may do.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;

use super::Refusal;
use crate::oauth::Grants;
use crate::state::Account;
use crate::state::audit::Origin;
use crate::state::users::Role;

/// The API keys of the simulated account.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// A user key of the account owner.
    pub owner: &'static str,
    /// A full-access account key: no user behind it.
    pub account: &'static str,
    /// A read-only account key.
    pub read_only: &'static str,
    /// A user key of a responder (`limited_user`), who administers nothing.
    pub responder: &'static str,
}

/// The API keys of every simulated account.
pub const TOKENS: Tokens = Tokens {
    owner: "simulated-token",
    account: "simulated-account-key",
    read_only: "simulated-read-only",
    responder: "simulated-responder",
};

/// The credential of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) credential: String,
    /// The user behind it, if there is one.
    pub(crate) user: Option<String>,
    pub(crate) admin: bool,
    pub(crate) read_only: bool,
    /// The scopes of an OAuth token; keys have none.
    pub(crate) scopes: Option<Vec<String>>,
}

/// Finds the credential in `Authorization`.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    account: &Account,
    grants: &Grants,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    // A token of one region is unknown in the other.
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("");
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if host == account.config.region.other().api_host() {
        return Err(Refusal::unauthorized());
    }
    let credential = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            value
                .strip_prefix("Token token=")
                .or_else(|| value.strip_prefix("Bearer "))
        })
        .ok_or_else(Refusal::unauthorized)?;
    let key = |user: Option<String>, admin, read_only| Caller {
        credential: credential.to_owned(),
        user,
        admin,
        read_only,
        scopes: None,
    };
    let caller = match credential {
        c if c == TOKENS.owner => key(account.owner().map(|owner| owner.id.clone()), true, false),
        c if c == TOKENS.account => key(None, true, false),
        c if c == TOKENS.read_only => key(None, true, true),
        c if c == TOKENS.responder => {
            // The key dies with its user: it belongs to the second one generated.
            let responder = account
                .users
                .iter()
                .nth(1)
                .filter(|user| user.role == Role::LimitedUser)
                .ok_or_else(Refusal::unauthorized)?;
            key(Some(responder.id.clone()), false, false)
        }
        c => {
            let grant = grants.access(c, now).ok_or_else(Refusal::unauthorized)?;
            let user = grant
                .acts_as_user
                .then(|| account.owner().map(|o| o.id.clone()));
            Caller {
                scopes: Some(grant.scopes.clone()),
                ..key(user.flatten(), true, false)
            }
        }
    };
    Ok(caller)
}

impl Caller {
    /// Checks the scopes of an OAuth token, then what the key itself may do.
    pub(crate) fn authorize(&self, method: &str, segments: &[&str]) -> Result<(), Refusal> {
        let write = is_write(method, segments);
        if let (Some(scopes), Some(required)) = (&self.scopes, required_scope(method, segments)) {
            let classic = if write { "write" } else { "read" };
            // `write` of Classic OAuth includes reading.
            let granted = scopes
                .iter()
                .any(|scope| *scope == required || scope == classic || scope == "write");
            if !granted {
                return Err(Refusal::missing_scope(&required, &scopes.join(" ")));
            }
        }
        if self.read_only && write {
            return Err(Refusal::denied());
        }
        if self.admin {
            return Ok(());
        }
        // A responder works on incidents and covers for others, but does not
        // administer, and does not see what only administrators do.
        let allowed = match segments {
            ["license_allocations"] => {
                let mut refusal = Refusal::denied();
                refusal.body["error"]["errors"] = json!(["Cannot read license allocations"]);
                return Err(refusal);
            }
            ["audit", "records"] | [_, _, "audit", "records"] | [_, _, _, "audit", "records"] => {
                false
            }
            ["users", _, "sessions" | "oauth_delegations", ..] | ["analytics", ..] => false,
            ["incidents", ..]
            | ["schedules", _, "overrides", ..]
            | ["schedules", "preview"]
            | ["v3", "schedules", _, "overrides", ..] => true,
            _ => !write,
        };
        if allowed {
            Ok(())
        } else {
            Err(Refusal::denied())
        }
    }

    /// How the audit trail names the change that this caller makes.
    pub(crate) fn origin(&self, account: &Account) -> Origin {
        let tail = self.credential.len().saturating_sub(4);
        Origin {
            actor: self.user.as_deref().map(|user| account.user_resource(user)),
            method: if self.scopes.is_some() {
                "oauth"
            } else {
                "api_token"
            },
            truncated_token: self.credential.get(tail..).map(str::to_owned),
        }
    }

    /// The user in whose name a change is made: the one behind the key, or the
    /// one whose e-mail address the `From` header has.
    pub(crate) fn requester(
        &self,
        account: &Account,
        headers: &HeaderMap,
    ) -> Result<String, Refusal> {
        if let Some(user) = &self.user {
            return Ok(user.clone());
        }
        let from = headers
            .get("from")
            .and_then(|from| from.to_str().ok())
            .unwrap_or("")
            .trim();
        if from.is_empty() {
            return Err(Refusal::new(
                400,
                2016,
                "You must specify a user's email address in the \"From\" header to perform this action",
            ));
        }
        let well_formed = from.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && host.contains('.') && !host.contains('@')
        });
        if !well_formed || from.contains(char::is_whitespace) {
            return Err(Refusal::new(400, 1028, "Malformed \"From\" header"));
        }
        account
            .user_by_email(from)
            .map(|user| user.id.clone())
            .ok_or_else(|| Refusal::new(400, 1008, "Requester User Not Found"))
    }
}

/// A preview and an analytics query are POSTs that change nothing.
fn is_write(method: &str, segments: &[&str]) -> bool {
    method != "GET" && !matches!(segments, ["schedules", "preview"] | ["analytics", ..])
}

fn required_scope(method: &str, segments: &[&str]) -> Option<String> {
    let access = if method == "GET" { "read" } else { "write" };
    let resource = match segments {
        ["users", "me"] | ["v3", ..] => return None,
        ["users", _, "license"] | ["licenses"] | ["license_allocations"] => "licenses",
        ["users", _, "sessions", ..] => "users:sessions",
        ["users", _, "oauth_delegations", ..] | ["oauth_delegations"] => "oauth_delegations",
        ["audit", ..] | [_, _, "audit", ..] => "audit_records",
        // Printed as `analytics.write` even though it only reads.
        ["analytics", ..] => "analytics",
        ["schedules", _, "users"] => "users",
        [resource, ..] => resource,
        [] => return None,
    };
    Some(format!("{resource}.{access}"))
}
