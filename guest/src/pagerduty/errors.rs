//! What PagerDuty's refusals mean. The only place that looks at their texts.
//!
//! The usual body is `{"error":{"message","code","errors":[..]}}`, but `error`
//! may be a text or a list of texts, `errors` a text or an object by field, and
//! a proxy in between may answer in HTML.

use crate::errors::{Error, ErrorCode};
use crate::pagerduty::json::Json;

/// Vendor texts longer than that say nothing more.
const MAX_TEXT: usize = 300;
/// A refusal longer than that is not PagerDuty's.
const MAX_BODY: usize = 64 * 1024;

/// The error that a reply with that status and body stands for. `reset` is
/// `ratelimit-reset`.
pub fn from_reply(what: &str, status: u16, reset: Option<u32>, body: &[u8]) -> Error {
    let complaint = Complaint::read(body);
    let (code, hint) = complaint.meaning(status);
    let text = complaint.text();
    let message = match (code, text.as_str()) {
        (ErrorCode::RateLimited, _) => format!("PagerDuty's rate limit is used up ({what})"),
        (_, "") => format!("PagerDuty answered {what} with status {status}"),
        (_, text) => format!("PagerDuty answered {what} with status {status}: {text}"),
    };
    let mut error = Error::new(code, message);
    error.hint = hint;
    error.upstream_status = Some(status);
    error.upstream_code = complaint.code.map(|code| code.to_string());
    error.retry_after = reset.filter(|_| code == ErrorCode::RateLimited);
    // A refusal is a refusal; a server that breaks may have done its work.
    error.may_have_applied = status >= 500 || status == 408;
    error
}

/// A vendor's text, made fit for a log: short, and of one line.
pub fn clean(text: &str) -> String {
    let text = text.trim();
    let mut clean: String = text
        .chars()
        .take(MAX_TEXT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.len() < text.len() {
        clean.push('…');
    }
    clean
}

#[derive(Default)]
struct Complaint {
    message: Option<String>,
    code: Option<i64>,
    details: Vec<String>,
    required_scopes: Vec<String>,
}

impl Complaint {
    fn read(body: &[u8]) -> Self {
        let mut complaint = Self::default();
        if body.len() > MAX_BODY {
            return complaint;
        }
        let Ok(body) = Json::parse(body) else {
            return complaint;
        };
        match body.get("error") {
            error @ Json::Object(_) => {
                complaint.message = error.text("message").as_deref().map(clean);
                // Code 0 is what PagerDuty writes when it has none.
                complaint.code = error.number("code").filter(|code| *code != 0);
                gather(error.get("errors"), &mut complaint.details);
                gather(error.get("required_scopes"), &mut complaint.required_scopes);
            }
            other => gather(other, &mut complaint.details),
        }
        if complaint.message.is_none() {
            complaint.message = body.text("message").as_deref().map(clean);
        }
        gather(body.get("errors"), &mut complaint.details);
        gather(body.get("required_scopes"), &mut complaint.required_scopes);
        complaint
    }

    fn text(&self) -> String {
        let parts: Vec<&str> = self
            .message
            .iter()
            .chain(&self.details)
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        clean(&parts.join(": "))
    }

    fn says(&self, phrase: &str) -> bool {
        self.message
            .iter()
            .chain(&self.details)
            .any(|text| text.to_ascii_lowercase().contains(phrase))
    }

    fn meaning(&self, status: u16) -> (ErrorCode, Option<String>) {
        let hint = |text: &str| Some(text.to_owned());
        match (status, self.code) {
            (429, _) | (_, Some(2020)) => (
                ErrorCode::RateLimited,
                hint("other integrations may be using the same credential"),
            ),
            (_, Some(2008 | 2012)) => (
                ErrorCode::PermissionDenied,
                hint("the PagerDuty account is locked or has expired: its owner must settle that"),
            ),
            (401, _) | (_, Some(2006)) => (
                ErrorCode::Unauthorized,
                hint(
                    "check the credential, and the setting `region`: the API of one service \
                     region refuses credentials of the other",
                ),
            ),
            // Not the plan: what was paid for is in use. Before the plan's 402.
            (_, Some(2019)) => (ErrorCode::Conflict, seat_hint()),
            (400 | 402, _) if self.says("license is not available") => {
                (ErrorCode::Conflict, seat_hint())
            }
            (402, _) | (_, Some(2014)) => (
                ErrorCode::PlanRequired,
                hint("the PagerDuty plan of this account does not include that"),
            ),
            (_, Some(1018)) => (
                ErrorCode::PermissionDenied,
                hint(
                    "the user in whose name it is done may not change these incidents: set \
                     `from-email` to one who may",
                ),
            ),
            (403, _) | (_, Some(2010 | 2018)) => {
                (ErrorCode::PermissionDenied, Some(self.permission_hint()))
            }
            (404, _) | (_, Some(2007 | 2013 | 2100 | 3004 | 5001 | 5002 | 6001)) => {
                (ErrorCode::NotFound, None)
            }
            (_, Some(1007)) => (
                ErrorCode::NotFound,
                hint("an account that an incident was to go to is gone: make a new plan"),
            ),
            // It has been resolved or acknowledged, can't be reassigned, or its
            // escalation policy is gone or has nobody on call.
            (_, Some(1001 | 1002 | 1011 | 1014 | 1015)) => (ErrorCode::Conflict, None),
            (408, _) => (ErrorCode::Timeout, None),
            (500.., _) | (_, Some(2000)) => (ErrorCode::Unavailable, None),
            // Two writes at once contend for a lock on the whole account.
            (400, _) if self.says("could not be locked") => (ErrorCode::Unavailable, None),
            (400 | 409 | 422, _) if self.says("already been taken") => (ErrorCode::Conflict, None),
            (409 | 412, _) => (ErrorCode::Conflict, None),
            // It lists the roles that the plan has.
            (400, _) if self.says("role must be in") => (
                ErrorCode::PlanRequired,
                hint("the PagerDuty plan of this account does not include that role"),
            ),
            (_, Some(2009)) => (
                ErrorCode::InvalidInput,
                hint("set `base-url` to an https URL"),
            ),
            (400, Some(1008 | 1028 | 2011)) => (ErrorCode::InvalidInput, from_hint()),
            (400, Some(2016)) if self.says("from") => (ErrorCode::InvalidInput, from_hint()),
            // Code 2013 in PagerDuty's table, 2001 where a body names the user.
            (400, _) if self.says("user not found") => (ErrorCode::NotFound, None),
            (400.., _) => (ErrorCode::InvalidInput, None),
            _ => (
                ErrorCode::InvalidResponse,
                hint("check the setting `base-url`: this is not how PagerDuty's API answers"),
            ),
        }
    }

    fn permission_hint(&self) -> String {
        if self.required_scopes.is_empty() {
            "the credential needs the rights of a Global Admin or Account Owner, and an OAuth \
             token the scope for it"
                .to_owned()
        } else {
            format!(
                "the OAuth token needs one of these scopes: {}",
                clean(&self.required_scopes.join(" "))
            )
        }
    }
}

fn seat_hint() -> Option<String> {
    Some("free a seat of a licence that fits the role, or buy one in PagerDuty".to_owned())
}

fn from_hint() -> Option<String> {
    Some("set `from-email` to the e-mail address of a user of this PagerDuty account".to_owned())
}

/// Texts, in whatever they are wrapped: `"a"`, `["a"]`, `{"field":["a"]}`.
fn gather(value: &Json, texts: &mut Vec<String>) {
    match value {
        Json::Text(text) => texts.push(clean(text)),
        Json::List(values) => {
            for value in values.iter().take(10) {
                gather(value, texts);
            }
        }
        Json::Object(fields) => {
            for (field, value) in fields.iter().take(10) {
                let mut inner = Vec::new();
                gather(value, &mut inner);
                texts.extend(inner.iter().map(|text| clean(&format!("{field} {text}"))));
            }
        }
        _ => {}
    }
}
