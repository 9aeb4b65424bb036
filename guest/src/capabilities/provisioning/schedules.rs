//! STUB: replaced on this branch.

use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;

pub fn assign(_: &Client, _: &str, _: &str) -> Result<Effect> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}

pub fn unassign(_: &Client, _: &str, _: &str) -> Result<Effect> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}
