//! OAuth delegations and the older user sessions: proxies for sign-ins.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::users::User;
use crate::state::{Account, shift};

const DAY: i64 = 86_400;

struct Delegation {
    id: String,
    kind: &'static str,
    created_at: Timestamp,
    revoked: bool,
}

/// One browser delegation from the last sign-in, for some users an older one of
/// the mobile app.
fn delegations(user: &User) -> Vec<Delegation> {
    let Some(at) = user.last_sign_in_at else {
        return Vec::new();
    };
    let revoked =
        |since: Timestamp, revoked: Option<Timestamp>| revoked.is_some_and(|r| r >= since);
    let mut all = vec![Delegation {
        id: format!("web-{}", user.id.to_lowercase()),
        kind: "web",
        created_at: at,
        revoked: revoked(at, user.web_revoked_at),
    }];
    if user.has_mobile() {
        let at = shift(at, -3 * DAY).max(user.created_at);
        all.push(Delegation {
            id: format!("mobile-{}", user.id.to_lowercase()),
            kind: "mobile",
            created_at: at,
            revoked: revoked(at, user.mobile_revoked_at),
        });
    }
    all
}

pub(super) fn list(account: &Account, call: &Call, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    let kinds = choices(call, "delegation_type", &["web", "mobile", "integration"])?;
    // Those in force, unless others are asked for.
    let statuses = match choices(call, "status", &["issued", "revoked"])? {
        statuses if statuses.is_empty() => vec!["issued"],
        statuses => statuses,
    };
    let limit = match call.param("limit") {
        None => 25,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Refusal::invalid("limit must be a positive integer"))?
            .min(100),
    };
    let from = match call.param("cursor") {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("after-")
            .and_then(|n| n.parse::<usize>().ok())
            .ok_or_else(|| Refusal::invalid("cursor is invalid"))?,
    };
    let all: Vec<Delegation> = delegations(user)
        .into_iter()
        .filter(|d| kinds.is_empty() || kinds.contains(&d.kind))
        .filter(|d| statuses.contains(&status(d)))
        .collect();
    let more = all.len() > from.saturating_add(limit);
    let (own, _) = references::links(account, "users", "users", id);
    let rows: Vec<Value> = all
        .iter()
        .skip(from)
        .take(limit)
        .map(|d| {
            json!({
                "id": d.id, "status": status(d), "client_id": "PagerDutyLogin",
                "delegation_type": d.kind, "scope": "openid",
                "created_at": time::utc(d.created_at),
                "expires_at": time::utc(shift(d.created_at, 30 * DAY)),
                "self": format!("{own}/oauth_delegations/{}", d.id),
            })
        })
        .collect();
    let next = more.then(|| format!("after-{}", from + limit));
    Ok(Reply::ok(json!({
        "oauth_delegations": rows, "limit": limit, "more": more, "next_cursor": next,
    })))
}

fn status(delegation: &Delegation) -> &'static str {
    if delegation.revoked {
        "revoked"
    } else {
        "issued"
    }
}

/// The comma-separated values of a parameter.
fn choices<'a>(call: &Call<'a>, name: &str, known: &[&str]) -> Result<Vec<&'a str>, Refusal> {
    let values: Vec<&str> = call
        .param(name)
        .map(|v| v.split(',').collect())
        .unwrap_or_default();
    if values.iter().any(|value| !known.contains(value)) {
        return Err(Refusal::invalid(&format!(
            "{name} must be in {}",
            known.join(", ")
        )));
    }
    Ok(values)
}

/// Signs a user out of browsers or mobile apps, at once.
pub(super) fn revoke(account: &mut Account, call: &Call) -> Answer {
    let kinds = choices(call, "type", &["mobile", "web"])?;
    let id = call.param("user_id").filter(|_| !kinds.is_empty());
    let id = id.ok_or_else(|| Refusal::new(400, 2003, "Missing Arguments"))?;
    let now = account.now;
    let user = account
        .users
        .get_mut(id)
        .ok_or_else(|| Refusal::new(400, 2013, "User not found"))?;
    if kinds.contains(&"web") {
        user.web_revoked_at = Some(now);
    }
    if kinds.contains(&"mobile") {
        user.mobile_revoked_at = Some(now);
    }
    Ok(Reply::ok(json!({"status": "ok"})))
}

/// The deprecated list: active browser sessions only.
pub(super) fn sessions(account: &Account, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    let sessions: Vec<Value> = delegations(user)
        .iter()
        .filter(|d| d.kind == "web" && !d.revoked && shift(d.created_at, 30 * DAY) > account.now)
        .map(|d| {
            json!({
                "id": d.id, "user_id": id, "created_at": time::utc(d.created_at),
                "type": "browser", "summary": "Mozilla/5.0 (X11; Linux x86_64)",
            })
        })
        .collect();
    Ok(Reply::ok(json!({"user_sessions": sessions})))
}
