//! `on-call`: who is on call, right now or at some time.

use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::on_call::Shift;
use crate::ids::unique;
use crate::instants::{DAY, Timestamp};
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::oncalls::{self, OnCall};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Schedule, Turn, is_unknown};
use crate::pagerduty::schedules_v3::{self, ScheduleV3};

/// PagerDuty looks no further ahead.
const MAX_DAYS_AHEAD: i64 = 90;
/// Schedules in one request: a URL longer than 8 KiB is refused on the way.
const MAX_SCHEDULES: usize = 100;

/// Who is on call?
pub fn who(client: &Client, schedules: &[String], at: Option<&str>) -> Result<Vec<Shift>> {
    let question = Question::new(client, None, schedules, at)?;
    let mut shifts = question.by_policies()?;
    let answered: Vec<&str> = shifts
        .iter()
        .filter_map(|s| s.schedule.as_deref())
        .collect();
    let unanswered: Vec<&str> = (question.schedules.iter().copied())
        .filter(|schedule| !answered.contains(schedule))
        .collect();
    shifts.extend(question.by_schedules(&unanswered)?);
    Ok(in_order(shifts))
}

/// Is this account on call?
pub fn is_on_call(
    client: &Client,
    account: &str,
    schedules: &[String],
    at: Option<&str>,
) -> Result<Option<Shift>> {
    let question = Question::new(client, Some(checked_id(account)?), schedules, at)?;
    let mut shifts = question.by_policies()?;
    if shifts.is_empty() {
        shifts = question.by_schedules(&question.schedules)?;
    }
    Ok(in_order(shifts).into_iter().next())
}

struct Question<'a> {
    client: &'a Client,
    account: Option<&'a str>,
    /// In order, each once.
    schedules: Vec<&'a str>,
    /// None for the present.
    at: Option<Timestamp>,
}

impl<'a> Question<'a> {
    fn new(
        client: &'a Client,
        account: Option<&'a str>,
        schedules: &'a [String],
        at: Option<&str>,
    ) -> Result<Self> {
        let at = match at {
            None => None,
            Some(text) => Some(Timestamp::parse(text).ok_or_else(|| {
                Error::invalid_input("`at` is not an instant")
                    .hint("for example 2026-03-19T08:00:00Z")
            })?),
        };
        if at.is_some_and(|at| at > client.now().plus(MAX_DAYS_AHEAD * DAY)) {
            return Err(Error::invalid_input(format!(
                "`at` is more than {MAX_DAYS_AHEAD} days ahead"
            ))
            .hint("PagerDuty does not know further ahead who is on call"));
        }
        let ids = schedules.iter().map(|id| checked_id(id));
        let ids: Vec<&str> = ids.collect::<Result<_>>()?;
        Ok(Self {
            client,
            account,
            schedules: unique(ids.into_iter()),
            at,
        })
    }

    /// Those that an escalation policy leads to.
    fn by_policies(&self) -> Result<Vec<Shift>> {
        let range = self.at.map(|at| (at.to_rfc3339(), at.plus(1).to_rfc3339()));
        let chunks: Vec<&[&str]> = match self.schedules.as_slice() {
            [] => vec![&[]],
            schedules => schedules.chunks(MAX_SCHEDULES).collect(),
        };
        let lists: Vec<List<'_>> = chunks
            .into_iter()
            .map(|schedules| {
                let mut list = List::all(oncalls::PATH);
                if let Some((since, until)) = &range {
                    list = list.with("since", since).with("until", until);
                }
                if let Some(account) = self.account {
                    list = list.with("user_ids[]", account);
                }
                for schedule in schedules {
                    list = list.with("schedule_ids[]", schedule);
                }
                list
            })
            .collect();
        let rows: Vec<Vec<OnCall>> =
            paging::read_each(self.client, &lists).collect::<Result<_>>()?;
        let at = self.at.unwrap_or(self.client.now());
        let shifts = rows.iter().flatten().filter_map(|row| {
            // For now PagerDuty's clock counts, not this one.
            let turn = row.turn.clone();
            let turn = turn.filter(|turn| self.at.is_none() || turn.covers(at))?;
            Some(Shift {
                policy: row.policy.clone(),
                level: row.level,
                ..shift(turn, row.schedule.as_deref())
            })
        });
        Ok(shifts.filter(|shift| self.concerns(shift)).collect())
    }

    /// Those on schedules that no escalation policy uses.
    fn by_schedules(&self, schedules: &[&str]) -> Result<Vec<Shift>> {
        let at = self.at.unwrap_or(self.client.now());
        let ask = |schedule: &&str| schedules::on_call_request(schedule, at);
        let requests: Vec<Request> = schedules.iter().map(ask).collect::<Result<_>>()?;
        let mut shifts = Vec::new();
        let mut unknown = Vec::new();
        for (schedule, reply) in schedules.iter().zip(self.client.send_all(requests)) {
            match reply.and_then(|reply| reply.one::<Schedule>()) {
                Ok(found) => add_turns(&mut shifts, schedule, found.on_call(at)),
                Err(error) if is_unknown(&error) => unknown.push(*schedule),
                Err(error) => return Err(error),
            }
        }
        let ask = |schedule: &&str| schedules_v3::on_call_request(schedule, at);
        let requests: Vec<Request> = unknown.iter().map(ask).collect::<Result<_>>()?;
        for (schedule, reply) in unknown.iter().zip(self.client.send_all(requests)) {
            match reply.and_then(|reply| reply.one::<ScheduleV3>()) {
                Ok(found) => add_turns(&mut shifts, schedule, found.on_call(at)),
                Err(error) if is_unknown(&error) => {
                    let unknown = format!("there is no schedule `{schedule}`");
                    return Err(error.reworded(Error::new(ErrorCode::NotFound, unknown)));
                }
                Err(error) => return Err(error),
            }
        }
        shifts.retain(|shift| self.concerns(shift));
        Ok(shifts)
    }

    /// PagerDuty filters as well; a pre-approval does not rest on it.
    fn concerns(&self, shift: &Shift) -> bool {
        self.account.is_none_or(|account| account == shift.account)
            && (self.schedules.is_empty()
                || (shift.schedule.as_deref()).is_some_and(|id| self.schedules.contains(&id)))
    }
}

fn add_turns(shifts: &mut Vec<Shift>, schedule: &str, turns: Vec<Turn>) {
    shifts.extend(turns.into_iter().map(|turn| shift(turn, Some(schedule))));
}

fn shift(turn: Turn, schedule: Option<&str>) -> Shift {
    Shift {
        account: turn.user,
        schedule: schedule.map(str::to_owned),
        policy: None,
        level: None,
        start: turn.start.map(Timestamp::to_rfc3339),
        end: turn.end.map(Timestamp::to_rfc3339),
    }
}

/// By schedule, level and account; each once.
fn in_order(mut shifts: Vec<Shift>) -> Vec<Shift> {
    shifts.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
    shifts.dedup_by(|one, other| key(one) == key(other));
    shifts
}

fn key(shift: &Shift) -> impl Ord {
    let Shift {
        account,
        schedule,
        policy,
        level,
        start,
        end,
    } = shift;
    (schedule, level, account, policy, start, end)
}
