//! STUB: replaced on this branch.

use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::provisioning::{AccountChange, CreatedAccount, NewAccount};
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;

pub fn create_account(_: &Client, _: &NewAccount) -> Result<CreatedAccount> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}

pub fn update_account(_: &Client, _: &str, _: &AccountChange) -> Result<Effect> {
    Err(Error::new(ErrorCode::Unsupported, "stub"))
}
