//! When accounts were used, and what is wrong.

use serde_json::{Value, json};
use wasip2::http::types::Method;

use crate::accounts::segment;
use crate::errors::{Result, error};
use crate::exports::iga::connector::activity::{ActivityKind, LastActivity, LastActivityReport};
use crate::exports::iga::connector::diagnostics::{Finding, Verdict};
use crate::iga::connector::types::ErrorCode;
use crate::mutation;
use crate::vendor::{change, get, list, text};

pub fn last_activity(accounts: &[String]) -> Result<LastActivityReport> {
    if mutation::is("reads") {
        return Err(error(ErrorCode::Internal, "nobody has written this yet"));
    }
    let mut items = Vec::new();
    for account in accounts {
        let answer = match get(&format!("/users/{}/sessions", segment(account)?)) {
            Err(error) if error.code == ErrorCode::NotFound => continue,
            answer => answer?,
        };
        if let Some(session) = list(&answer, "user_sessions")?.first() {
            items.push(LastActivity {
                account: account.clone(),
                kind: ActivityKind::LastLogin,
                at: text(session, "created_at")?,
                source: "user-sessions".to_owned(),
            });
        }
    }
    if mutation::is("last-activity")
        && let Some(first) = items.first().cloned()
    {
        items.push(first);
    }
    Ok(LastActivityReport {
        items,
        notices: Vec::new(),
    })
}

pub fn diagnose() -> Result<Vec<Finding>> {
    if mutation::is("declared-requests") {
        // Not declared, so the call fails whatever comes of it.
        let _ = get("/services");
    }
    if mutation::is("reads-change-nothing") {
        let user =
            json!({"user": {"type": "user", "name": "Nobody", "email": "nobody@acme.example"}});
        change(
            &Method::Post,
            "/users",
            Some(&user),
            Some("nobody@acme.example"),
        )?;
    }
    let mut summary = "the vendor answers".to_owned();
    if mutation::is("secrets") {
        let users = get("/users?limit=1")?;
        let id = users
            .pointer("/users/0/id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let user = get(&format!("/users/{id}?include%5B%5D=calendar_urls"))?;
        summary = text(&user["user"], "http_cal_url")?;
    }
    get("/abilities")?;
    let check = if mutation::is("diagnostics") {
        "The Vendor"
    } else {
        "vendor-answers"
    };
    Ok(vec![Finding {
        check: check.to_owned(),
        verdict: Verdict::Pass,
        summary,
        hint: None,
    }])
}
