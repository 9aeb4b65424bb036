//! PagerDuty's error answers.

use serde_json::{Value, json};

use super::error_body;
use crate::config::Refusals;

/// An answer that says no.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: &str) -> Self {
        Self {
            status,
            body: error_body(message, code, &[]),
        }
    }

    /// 400 with the reason in `errors`.
    pub(crate) fn invalid(reason: &str) -> Self {
        Self {
            status: 400,
            body: error_body("Invalid Input Provided", 2001, &[reason]),
        }
    }

    /// As the v3 schedule operations refuse: `errors` is keyed by field.
    pub(crate) fn invalid_field(field: &str, reason: &str) -> Self {
        let errors = json!({field: [reason]});
        let body = json!({
            "error": {"message": "Invalid Input Provided", "code": 2001, "errors": errors}
        });
        Self { status: 400, body }
    }

    /// With the reasons of a 2001 where that account has them.
    pub(crate) fn written(mut self, refusals: Refusals) -> Self {
        let error = &mut self.body["error"];
        let Some(first) = error["errors"].get(0).cloned() else {
            return self;
        };
        if error["code"] != 2001 {
            return self;
        }
        let reasons = json!([first]);
        match refusals {
            Refusals::Usual => {}
            Refusals::ErrorsText => error["errors"] = first,
            Refusals::ErrorsByField => error["errors"] = json!({ "base": reasons }),
            Refusals::ErrorText => *error = first,
            Refusals::ErrorList => *error = reasons,
        }
        self
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, 2100, "Not Found")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, 2006, "Authentication failed")
    }

    pub(crate) fn denied() -> Self {
        Self::new(403, 2010, "Access Denied")
    }

    pub(crate) fn missing_ability(ability: &str) -> Self {
        let reason = format!("The account does not have the {ability} ability");
        let body = error_body("Missing Account Ability", 2014, &[&reason]);
        Self { status: 402, body }
    }

    pub(crate) fn missing_scope(required: &str, held: &str) -> Self {
        let mut body = error_body("Access Denied", 2010, &["Token lacks a required scope"]);
        body["error"]["required_scopes"] = json!(required);
        body["error"]["token_scopes"] = json!(held);
        Self { status: 403, body }
    }

    pub(crate) fn rate_limited() -> Self {
        Self::new(429, 2020, "Rate Limit Exceeded")
    }

    pub(crate) fn dates(reason: &str) -> Self {
        Self {
            status: 400,
            body: error_body("Invalid Query Date Range", 2005, &[reason]),
        }
    }
}
