//! The last steps: sign-out, and the account itself.

use super::parties::Parties;
use super::step::{Draft, Drafts, Leaving, applied, unchanged};
use crate::capabilities::provisioning::delete_user;
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::sign_ins;

/// Ends the sign-ins of who leaves.
pub const SIGN_OUT: &str = "sign-out";
/// Deletes the account.
pub const DELETE: &str = "delete-account";

/// Sign-out where the plan has it, then the deletion.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let parties = Parties::of(leaving);
    let source = &parties.from.name;
    let mut drafts = Drafts::default();
    match sign_ins::is_signed_in(client, &leaving.source.id) {
        Ok(_) => drafts.steps.push(Draft {
            kind: SIGN_OUT,
            summary: format!("Sign {source} out of PagerDuty's web and mobile apps"),
            payload: parties.payload().done(),
        }),
        Err(error) if error.is_out_of_reach() => drafts.warnings.push(format!(
            "{source} is not signed out before the account is deleted, since sign-ins are out of \
             reach: {}",
            error.message
        )),
        Err(error) => return Err(error),
    }
    drafts.steps.push(Draft {
        kind: DELETE,
        summary: format!("Delete the account of {source}, which sets its licence free"),
        payload: parties.payload().done(),
    });
    drafts.warnings.push(format!(
        "a deleted account does not come back: {source}'s contact methods and notification rules \
         are lost, and personal API keys stop working, along with what uses them"
    ));
    Ok(drafts)
}

/// Applies `sign-out`.
pub fn sign_out(client: &Client, payload: &Json) -> Result<Applied> {
    let user = Parties::read(payload)?.from.id;
    let signed_in = match sign_ins::is_signed_in(client, &user) {
        Ok(signed_in) => signed_in,
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        // Who may not look may still be allowed to do it.
        Err(error) if error.code == ErrorCode::PermissionDenied => true,
        Err(error) => return Err(error),
    };
    if !signed_in {
        return Ok(unchanged("already-done"));
    }
    match sign_ins::sign_out(client, &user) {
        Ok(()) => Ok(applied(Effect::Deleted, None)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(unchanged("already-gone")),
        Err(error) => Err(error),
    }
}

/// Applies `delete-account`.
pub fn delete(client: &Client, payload: &Json) -> Result<Applied> {
    let Parties { from, .. } = Parties::read(payload)?;
    // Some plans of PagerDuty delete all the same, and leave a policy that
    // notifies nobody.
    let list = List::all(escalation_policies::PATH).with("user_ids[]", &from.id);
    let policies = paging::read_all::<EscalationPolicy>(client, &list)?;
    let names = |policy: &&EscalationPolicy| policy.rules.iter().any(|rule| rule.names(&from.id));
    if let Some(policy) = policies.iter().find(names) {
        return Err(Error::new(
            ErrorCode::Conflict,
            format!(
                "{} is still on escalation policy `{}`",
                from.name,
                policy.called()
            ),
        )
        .hint("make a new plan, which takes the account out of it"));
    }
    Ok(applied(delete_user(client, &from.id)?, None))
}
