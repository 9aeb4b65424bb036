//! x
use crate::exports::iga::connector::diagnostics::Finding;
use crate::pagerduty::client::Client;
/// x
pub async fn diagnose(_: &Client) -> Vec<Finding> { vec![] }
