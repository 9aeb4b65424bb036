//! `offboarding`: plans that hand over what an account leaves behind, and free
//! what it holds. A plan only reads; each of its steps can be applied twice, and
//! looks again before it changes anything.

mod overrides;
mod schedules;
mod schedules_v3;
mod step;

use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::{Applied, Plan, Step};
use crate::pagerduty::client::Client;

pub fn plan_transfer(_: &Client, _: &str, _: &str) -> Result<Plan> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}

pub fn plan_removal(_: &Client, _: &str) -> Result<Plan> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}

pub fn apply(_: &Client, _: &Step) -> Result<Applied> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}
