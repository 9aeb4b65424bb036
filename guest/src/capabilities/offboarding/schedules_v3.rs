//! STUB: replaced on this branch.

use super::step::{Drafts, Leaving};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;

pub const REPLACE: &str = "replace-in-shift-schedule";
pub const REMOVE: &str = "remove-from-shift-schedule";

pub fn plan(_: &Client, _: &Leaving<'_>) -> Result<Drafts> {
    Ok(Drafts::default())
}

pub fn apply(_: &Client, _: &Json) -> Result<Applied> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}
