//! `on-call`: who is on call, right now or at some time.

use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::on_call::Shift;
use crate::instants::{DAY, Timestamp};
use crate::pagerduty::client::{Client, checked_id};
use crate::pagerduty::oncalls::{self, OnCall};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedules::{self, Turn};
use crate::pagerduty::schedules_v3;
use std::collections::BTreeSet;

/// PagerDuty looks no further ahead.
const MAX_DAYS_AHEAD: i64 = 90;
/// Schedules in one request: a URL longer than 8 KiB is refused on the way.
const MAX_SCHEDULES: usize = 100;

/// Who is on call?
pub async fn who(client: &Client, schedules: &[String], at: Option<&str>) -> Result<Vec<Shift>> {
    let question = Question::new(client, None, schedules, at)?;
    let mut shifts = question.by_policies().await?;
    let answered: BTreeSet<&str> = shifts
        .iter()
        .filter_map(|s| s.schedule.as_deref())
        .collect();
    let unanswered: Vec<&str> = (question.schedules.iter().copied())
        .filter(|schedule| !answered.contains(schedule))
        .collect();
    shifts.extend(question.by_schedules(&unanswered).await?);
    Ok(in_order(shifts))
}

/// Is this account on call?
pub async fn is_on_call(
    client: &Client,
    account: &str,
    schedules: &[String],
    at: Option<&str>,
) -> Result<Option<Shift>> {
    let question = Question::new(client, Some(checked_id(account)?), schedules, at)?;
    let mut shifts = question.by_policies().await?;
    if shifts.is_empty() {
        let schedules: Vec<&str> = question.schedules.iter().copied().collect();
        shifts = question.by_schedules(&schedules).await?;
    }
    Ok(in_order(shifts).into_iter().next())
}

struct Question<'a> {
    client: &'a Client,
    account: Option<&'a str>,
    schedules: BTreeSet<&'a str>,
    /// None for now.
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
        Ok(Self {
            client,
            account,
            schedules: schedules
                .iter()
                .map(|id| checked_id(id))
                .collect::<Result<_>>()?,
            at,
        })
    }

    /// Those that an escalation policy leads to.
    async fn by_policies(&self) -> Result<Vec<Shift>> {
        let range = self.at.map(|at| (at.to_rfc3339(), at.plus(1).to_rfc3339()));
        let schedules: Vec<&str> = self.schedules.iter().copied().collect();
        let chunks: Vec<&[&str]> = match schedules.as_slice() {
            [] => vec![&[]],
            schedules => schedules.chunks(MAX_SCHEDULES).collect(),
        };
        let rows = chunks.into_iter().map(async |schedules| {
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
            paging::read_all::<OnCall>(self.client, &list).await
        });
        let rows: Vec<Vec<OnCall>> = self.client.all(rows).await?;
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
    async fn by_schedules(&self, schedules: &[&str]) -> Result<Vec<Shift>> {
        let at = self.at.unwrap_or(self.client.now());
        let shifts = schedules.iter().map(async |schedule| {
            let turns = self.turns(schedule, at).await?.into_iter();
            Ok(turns.map(|turn| shift(turn, Some(schedule))).collect())
        });
        let shifts: Vec<Vec<Shift>> = self.client.all(shifts).await?;
        let shifts = shifts.into_iter().flatten();
        Ok(shifts.filter(|shift| self.concerns(shift)).collect())
    }

    async fn turns(&self, schedule: &str, at: Timestamp) -> Result<Vec<Turn>> {
        match schedules::on_call(self.client, schedule, at).await {
            // A 404, or a 400 as the other way round: perhaps a v3 schedule.
            Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::InvalidInput) => {}
            outcome => return outcome,
        }
        match schedules_v3::on_call(self.client, schedule, at).await {
            Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::InvalidInput) => {
                let unknown = format!("there is no schedule `{schedule}`");
                Err(error.reworded(Error::new(ErrorCode::NotFound, unknown)))
            }
            outcome => outcome,
        }
    }

    /// PagerDuty filters as well; a pre-approval does not rest on it.
    fn concerns(&self, shift: &Shift) -> bool {
        self.account.is_none_or(|account| account == shift.account)
            && (self.schedules.is_empty()
                || (shift.schedule.as_deref()).is_some_and(|id| self.schedules.contains(id)))
    }
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
    let key = |s: &Shift| {
        (
            s.schedule.clone(),
            s.level,
            s.account.clone(),
            s.policy.clone(),
            s.start.clone(),
            s.end.clone(),
        )
    };
    shifts.sort_by_cached_key(key);
    shifts.dedup_by(|a, b| key(a) == key(b));
    shifts
}
