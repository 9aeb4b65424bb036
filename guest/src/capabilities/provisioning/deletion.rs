//! Deleting a user, which PagerDuty refuses as long as work hangs on it.

use super::unchanged;
use crate::errors::{Error, ErrorCode, Result};
use crate::iga::connector::types::Effect;
use crate::pagerduty::abilities;
use crate::pagerduty::client::{Change, Client, Request, checked_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::escalation_policies::{self, EscalationPolicy};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Schedule};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};
use crate::pagerduty::users;
use std::time::Duration;

/// How long PagerDuty may take to catch up with a hand-over: it reassigns in
/// the background, and its Terraform provider waits as long.
const CATCH_UP: Duration = Duration::from_mins(2);
/// Between two looks. The first ones come sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Names in a message; there may be hundreds.
const MOST_NAMES: usize = 5;

/// Deletes a user, for good, and answers once PagerDuty shows it no more.
///
/// A `conflict`, before anything is sent, for the account owner and for whom
/// open incidents are assigned to, unless the plan hands those back by itself
/// (ability `offboarding`). Where PagerDuty refuses, a `conflict` that names
/// the schedules and policies that hold the user. If nothing does, PagerDuty
/// has yet to catch up with a hand-over, and is asked again for two minutes.
pub fn delete_user(client: &Client, id: &str) -> Result<Effect> {
    let path = format!("/users/{}", checked_id(id)?);
    let user = match users::get(client, id) {
        Err(error) if error.code == ErrorCode::NotFound => return Ok(unchanged("already-gone")),
        user => user?,
    };
    if user.known_role()? == "owner" {
        return Err(
            Error::new(ErrorCode::Conflict, "the account owner can't be deleted")
                .hint("hand the ownership over in PagerDuty first"),
        );
    }
    let open = open_incidents(client, id)?;
    if open > 0 && !hands_incidents_back(client)? {
        return Err(has_incidents(id, open));
    }
    let mut patience = Patience::default();
    loop {
        let refusal = match client.change(Change::delete(&path)) {
            Ok(_) => break,
            Err(error) if error.code == ErrorCode::NotFound => {
                if error.may_have_applied {
                    // An earlier attempt was not as fruitless as it looked.
                    break;
                }
                return Ok(unchanged("already-gone"));
            }
            // Its wording is not known.
            Err(error) if error.code == ErrorCode::InvalidInput => error,
            Err(error) if error.may_have_applied && is_gone(client, id).unwrap_or(false) => break,
            Err(error) => return Err(error),
        };
        let open = open_incidents(client, id)?;
        if open > 0 {
            return Err(refusal.reworded(has_incidents(id, open)));
        }
        if patience.is_fresh()
            && let Some(held) = is_held(client, id)?
        {
            return Err(refusal.reworded(held));
        }
        let late = "nothing holds the account any more, and PagerDuty still refuses to delete it";
        patience.wait(client, late, &refusal)?;
    }
    let mut patience = Patience::default();
    while !is_gone(client, id).map_err(Error::uncertain)? {
        let late = "PagerDuty has accepted the deletion, and still shows the account";
        let accepted = Error::new(ErrorCode::Unavailable, "").uncertain();
        patience.wait(client, late, &accepted)?;
    }
    Ok(Effect::Deleted)
}

fn is_gone(client: &Client, id: &str) -> Result<bool> {
    match users::get(client, id) {
        Ok(_) => Ok(false),
        Err(error) if error.code == ErrorCode::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// An incident, of which nothing but its existence matters.
struct AnyIncident;

impl Row for AnyIncident {
    const MANY: &'static str = "incidents";
    const ONE: &'static str = "incident";

    fn read(_: &Json) -> Self {
        Self
    }
}

/// How many open incidents are assigned to a user, however old.
fn open_incidents(client: &Client, id: &str) -> Result<u32> {
    let list = List::all("/incidents")
        .with("user_ids[]", id)
        .with("statuses[]", "triggered")
        .with("statuses[]", "acknowledged")
        .with("date_range", "all");
    paging::count::<AnyIncident>(client, &list)
}

fn has_incidents(id: &str, open: u32) -> Error {
    let incidents = match open {
        1 => "1 open incident is".to_owned(),
        _ => format!("{open} open incidents are"),
    };
    Error::new(
        ErrorCode::Conflict,
        format!("the account can't be deleted: {incidents} assigned to it"),
    )
    .hint(format!(
        "hand them over first: `offboarding.plan-transfer`, or `harness offboard {id} --to HEIR`"
    ))
}

/// Whether the plan has PagerDuty reassign the incidents of who is deleted. If
/// the account is not set up for it, PagerDuty refuses all the same.
fn hands_incidents_back(client: &Client) -> Result<bool> {
    match abilities::get(client) {
        Ok(abilities) => Ok(abilities.has("offboarding")),
        Err(error) if error.is_out_of_reach() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The error that names what holds a user, if anything does.
fn is_held(client: &Client, id: &str) -> Result<Option<Error>> {
    let list = List::all(escalation_policies::PATH).with("user_ids[]", id);
    let policies = paging::read_all::<EscalationPolicy>(client, &list)?;
    let policies = policies.into_iter().map(|policy| (policy.name, policy.id));
    let mut holders = Vec::new();
    holders.extend(named("escalation policies", policies.collect()));
    holders.extend(named("schedules", schedules_of(client, id)?));
    if holders.is_empty() {
        return Ok(None);
    }
    let holders = holders.join(", and the ");
    let error = Error::new(
        ErrorCode::Conflict,
        format!("the account can't be deleted: it is part of the {holders}"),
    );
    Ok(Some(error.hint(format!(
        "take it out of them first: `offboarding.plan-removal`, or `harness offboard {id}`"
    ))))
}

/// Name, where there is one, and id.
type Labels = Vec<(Option<String>, String)>;

fn schedules_of(client: &Client, id: &str) -> Result<Labels> {
    let mut found = Labels::new();
    for schedule in paging::read_all::<Schedule>(client, &schedules::with_layers())? {
        if schedule.members(client.now()).contains(&id) {
            found.push((schedule.name, schedule.id));
        }
    }
    let listed = match paging::read_all::<ScheduleV3>(client, &List::all(schedules_v3::PATH)) {
        Err(error) if error.is_out_of_reach() => return Ok(found),
        listed => listed?,
    };
    let requests = listed.iter().map(|row| schedules_v3::request(&row.id));
    let requests: Vec<Request> = requests.collect::<Result<_>>()?;
    for reply in client.send_all(requests) {
        match reply.and_then(|reply| reply.one::<ScheduleV3>()) {
            Ok(schedule) if schedule.members(client.now()).contains(&id) => {
                found.push((schedule.name, schedule.id));
            }
            Ok(_) => {}
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// For example "schedules `Primary`, `Secondary` and 3 more"; none for none.
fn named(what: &str, labels: Labels) -> Option<String> {
    let more = labels.len().saturating_sub(MOST_NAMES);
    let names = labels.into_iter().take(MOST_NAMES);
    let names = names.map(|(name, id)| format!("`{}`", clean(&name.unwrap_or(id))));
    let names = names.collect::<Vec<_>>().join(", ");
    match more {
        _ if names.is_empty() => None,
        0 => Some(format!("{what} {names}")),
        _ => Some(format!("{what} {names} and {more} more")),
    }
}

/// How long to go on asking, and how often. Time is not measured, but what was
/// waited is added up: so a replay asks as often as the recording did.
#[derive(Default)]
struct Patience {
    waited: Duration,
}

impl Patience {
    fn is_fresh(&self) -> bool {
        self.waited.is_zero()
    }

    /// Waits for the next look: 1 s, 2 s, 4 s, then 8 s. If there is no time
    /// for it, the error says `late`, and why as `cause` has it.
    fn wait(&mut self, client: &Client, late: &str, cause: &Error) -> Result<()> {
        let wait = (self.waited + Duration::from_secs(1)).min(LONGEST_WAIT);
        let is_over = self.waited >= CATCH_UP;
        let pause = if is_over { Ok(()) } else { client.pause(wait) };
        let code = match pause {
            Err(_) => ErrorCode::BudgetExhausted,
            Ok(()) if is_over => ErrorCode::Unavailable,
            Ok(()) => {
                self.waited += wait;
                return Ok(());
            }
        };
        let mut error = cause.reworded(Error::new(code, late).hint(
            "PagerDuty works on a hand-over in the background, for some minutes at most: delete \
             the account again later",
        ));
        error.retry_after = Some(60);
        error.may_have_applied = cause.may_have_applied;
        Err(error)
    }
}
