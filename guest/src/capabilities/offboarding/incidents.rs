//! Steps that give away the unresolved incidents of who leaves. Incidents are
//! reassigned, never acknowledged: that would assign them to the requester.

use super::parties::Parties;
use super::step::{Draft, Drafts, Leaving, applied, counted, unchanged};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::offboarding::Applied;
use crate::ids::unique;
use crate::iga::connector::types::Effect;
use crate::pagerduty::client::Client;
use crate::pagerduty::incidents::{self, Assignees, Handover, Incident, MAX_CHANGES};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{End, OFFSET_CAP};
use crate::pagerduty::users;

/// Gives incidents to the heir, or else to whoever is responsible.
pub const REASSIGN: &str = "reassign-incidents";
/// Takes that back.
pub const RETURN: &str = "return-incidents";

/// Users in one question for their incidents: an address has its limits.
const MAX_USERS: usize = 50;

/// What it takes to give away the incidents that there are now.
pub fn plan(client: &Client, leaving: &Leaving<'_>) -> Result<Drafts> {
    let (open, end) = incidents::unresolved(client, &[&leaving.source.id])?;
    let parties = Parties::of(leaving);
    let mut drafts = Drafts::default();
    for (index, chunk) in open.chunks(MAX_CHANGES).enumerate() {
        let ids = chunk.iter().map(|incident| incident.id.as_str().into());
        let first = index * MAX_CHANGES + 1;
        let range = match open.len() {
            total if total > MAX_CHANGES => {
                format!(" ({first} to {} of {total})", first + chunk.len() - 1)
            }
            _ => String::new(),
        };
        drafts.steps.push(Draft {
            kind: REASSIGN,
            summary: summary(&parties, chunk, &range),
            payload: parties
                .payload()
                .with("ids", Json::List(ids.collect()))
                .done(),
        });
    }
    if end == End::Capped {
        drafts.warnings.push(format!(
            "{} has more than {OFFSET_CAP} unresolved incidents, and PagerDuty lists no more: \
             apply this plan, then plan again for the rest",
            parties.from.name
        ));
    }
    Ok(drafts)
}

/// The step that gives away what has come in since the plan was made.
pub fn plan_late(leaving: &Leaving<'_>) -> Draft {
    let parties = Parties::of(leaving);
    let source = &parties.from.name;
    let summary = match &parties.to {
        Some(heir) => format!(
            "Reassign to {} whatever else {source} is assigned by then",
            heir.name
        ),
        None => format!("Take {source} off whatever other incidents there are by then"),
    };
    Draft {
        kind: REASSIGN,
        summary,
        payload: parties.payload().done(),
    }
}

fn summary(parties: &Parties, chunk: &[Incident], range: &str) -> String {
    let source = &parties.from.name;
    let count = counted(chunk.len(), "unresolved incident");
    let is_shared = |incident: &&Incident| !incident.others(&parties.from.id).is_empty();
    let shared = chunk.iter().filter(is_shared).count();
    let alone = chunk.len() - shared;
    let mut summary = match &parties.to {
        Some(heir) => format!("Reassign {count} of {source}{range} to {}", heir.name),
        None => format!("Take {source} off {count}{range}"),
    };
    if parties.to.is_none() && alone > 0 {
        summary += &format!(
            "; restarts {alone} of them on their escalation policies, which notifies whoever is \
             on call"
        );
    }
    if shared > 0 {
        summary += &format!("; the co-assignees of {shared} of them stay");
    }
    summary
}

/// Applies `reassign-incidents`. Incidents that were resolved or reassigned
/// since the plan are left alone.
pub fn reassign(client: &Client, payload: &Json) -> Result<Applied> {
    let parties = Parties::read(payload)?;
    let source = parties.from.id.as_str();
    let ids = payload.list("ids").map(|_| payload.texts("ids"));
    let look = || -> Result<Vec<Handover>> {
        let (open, _) = incidents::unresolved(client, &[source])?;
        let is_meant = |id: &String| ids.as_ref().is_none_or(|ids| ids.contains(id));
        let open = open.iter().filter(|incident| is_meant(&incident.id));
        let due = open.map(|incident| handover(incident, source, parties.to_id()));
        Ok(due.collect())
    };
    let done = carry_out(client, &look)?;
    if done.is_empty() {
        return Ok(unchanged("already-done"));
    }
    let restarted = done.iter().filter(|done| done.to.users().is_none());
    let restarted: Vec<&String> = restarted.map(|done| &done.id).collect();
    if !restarted.is_empty() {
        let left = look()?;
        let back = left.iter().filter(|left| restarted.contains(&&left.id));
        let count = back.count();
        if count > 0 {
            return Err(came_back(count, &parties.from.name));
        }
    }
    Ok(applied(Effect::Updated, undo(&parties, &done)))
}

fn handover(incident: &Incident, source: &str, heir: Option<&str>) -> Handover {
    let before = incident.live_assignees();
    let mut users = incident.others(source);
    if let Some(heir) = heir
        && !incident.is_assigned_to(heir)
    {
        users.push(heir.to_owned());
    }
    let to = match users.as_slice() {
        [] => Assignees::Policy(incident.policy.clone().unwrap_or_default()),
        _ => Assignees::Users(users),
    };
    Handover {
        id: incident.id.clone(),
        before,
        to,
    }
}

fn came_back(count: usize, source: &str) -> Error {
    let count = counted(count, "incident");
    Error::new(
        ErrorCode::Conflict,
        format!(
            "{count} went back to {source}, who is still on call by the incidents' own escalation \
             policies"
        ),
    )
    .hint("hand over to somebody with `plan-transfer`, or reassign them in PagerDuty")
}

/// Those that restarted on their policies have notified whoever is on call:
/// there is no way back from that.
fn undo(parties: &Parties, done: &[Handover]) -> Option<Draft> {
    let texts = |ids: &[String]| Json::List(ids.iter().map(|id| id.as_str().into()).collect());
    let incidents = done.iter().filter_map(|done| {
        Some(Json::of([
            ("id", done.id.as_str().into()),
            ("was", texts(&done.before)),
            ("is", texts(done.to.users()?)),
        ]))
    });
    let incidents: Vec<Json> = incidents.collect();
    let count = counted(incidents.len(), "incident");
    (!incidents.is_empty()).then(|| Draft {
        kind: RETURN,
        summary: format!(
            "Assign {count} to {} again, where nobody has changed them since",
            parties.from.name
        ),
        payload: parties
            .payload()
            .with("incidents", Json::List(incidents))
            .done(),
    })
}

/// Applies `return-incidents`. Incidents that were resolved or reassigned since
/// are left alone.
pub fn give_back(client: &Client, payload: &Json) -> Result<Applied> {
    let moved: Vec<Moved> = payload.objects("incidents").map(Moved::read).collect();
    let holders = moved.iter().filter_map(|moved| moved.is.first());
    let holders = unique(holders.map(String::as_str));
    let look = || -> Result<Vec<Handover>> {
        let mut due = Vec::new();
        for holders in holders.chunks(MAX_USERS) {
            let (open, _) = incidents::unresolved(client, holders)?;
            due.extend(open.iter().filter_map(|incident| {
                let moved = moved.iter().find(|moved| moved.id == incident.id)?;
                let before = incident.live_assignees();
                (same(&before, &moved.is) && !same(&before, &moved.was)).then(|| Handover {
                    id: incident.id.clone(),
                    before,
                    to: Assignees::Users(moved.was.clone()),
                })
            }));
        }
        Ok(due)
    };
    match carry_out(client, &look)?.len() {
        0 => Ok(unchanged("already-done")),
        _ => Ok(applied(Effect::Updated, None)),
    }
}

/// An incident that a step has reassigned.
struct Moved {
    id: String,
    was: Vec<String>,
    is: Vec<String>,
}

impl Moved {
    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            was: json.texts("was"),
            is: json.texts("is"),
        }
    }
}

fn same(left: &[String], right: &[String]) -> bool {
    unique(left.iter().map(String::as_str)) == unique(right.iter().map(String::as_str))
}

/// Makes the changes that `look` finds due, and returns those that were made.
///
/// PagerDuty refuses all for one that somebody has resolved in the meantime. So
/// it looks again after a refusal, and goes on with what is still due; if that
/// is the same as before, in halves, until it has found the ones that can't be
/// changed.
fn carry_out(client: &Client, look: &dyn Fn() -> Result<Vec<Handover>>) -> Result<Vec<Handover>> {
    let due = look()?;
    if due.is_empty() {
        return Ok(due);
    }
    let from = users::requester(client)?;
    // Halving finds each in so many steps; more are a vendor gone wild.
    let mut patience = 2 * due.len() + 8;
    let chunks = due.chunks(MAX_CHANGES).rev();
    let mut waiting: Vec<Vec<Handover>> = chunks.map(<[Handover]>::to_vec).collect();
    let mut done = Vec::new();
    let mut stuck: Vec<Error> = Vec::new();
    while let Some(mut chunk) = waiting.pop() {
        let Err(error) = incidents::hand_over(client, &from, &chunk) else {
            done.extend(chunk);
            continue;
        };
        let is_refusal = matches!(error.code, ErrorCode::Conflict | ErrorCode::NotFound);
        if !is_refusal && !error.may_have_applied {
            return Err(error);
        }
        // What failed says more than that it can't be looked at either.
        let Ok(now) = look() else {
            return Err(error);
        };
        let in_chunk = |now: &Handover| chunk.iter().any(|chunk| chunk.id == now.id);
        let still: Vec<Handover> = now.into_iter().filter(in_chunk).collect();
        patience = patience.saturating_sub(1);
        if still.is_empty() {
            // All or none: what was sent took effect, or others have done it.
            if error.may_have_applied {
                done.extend(chunk);
            }
        } else if !is_refusal || patience == 0 {
            return Err(error);
        } else if still != chunk {
            waiting.push(still);
        } else if error.code == ErrorCode::NotFound && error.upstream_status != Some(404) {
            // Somebody whom they are to go to is gone: that is so for each half.
            return Err(error);
        } else if chunk.len() == 1 {
            stuck.push(error);
        } else {
            let half = chunk.split_off(chunk.len() / 2);
            waiting.extend([half, chunk]);
        }
    }
    match stuck.first() {
        None => Ok(done),
        Some(error) => Err(error.reworded(
            Error::new(
                ErrorCode::Conflict,
                format!(
                    "{} could not be reassigned, {} could: {}",
                    counted(stuck.len(), "incident"),
                    counted(done.len(), "other"),
                    error.message
                ),
            )
            .hint("look at the unresolved incidents in PagerDuty, then apply the step again"),
        )),
    }
}
