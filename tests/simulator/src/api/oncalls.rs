//! Who is on call: one row per escalation policy, level and schedule.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::paging::Page;
use super::{Answer, Call, Refusal, references, time, users};
use crate::state::policies::Target;
use crate::state::{Account, shift};

/// On-calls can be asked for this far ahead.
const AHEAD: i64 = 90 * 86_400;

/// A user and from when to when; a direct target has neither.
type Duty = (String, Option<(Timestamp, Timestamp)>);

struct Row<'a> {
    policy: &'a str,
    level: usize,
    target: &'a Target,
    user: String,
    times: Option<(Timestamp, Timestamp)>,
}

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let zone = time::zone(call, "Etc/UTC")?;
    let since = time::param(call, "since")?;
    let until = time::param(call, "until")?;
    let since = since.unwrap_or(account.now);
    let until = until.unwrap_or(since);
    if until < since {
        return Err(Refusal::dates("until must not be before since"));
    }
    if until.duration_since(account.now).as_secs() > AHEAD {
        return Err(Refusal::dates(
            "until must be at most 90 days in the future",
        ));
    }
    let mut rows = rows(account, call, since, until.max(shift(since, 1)));
    if call.flag("earliest") {
        keep_earliest(&mut rows);
    }
    let rows = page.cut_counted(rows.iter()).map(|row| {
        let user = match account.users.get(&row.user) {
            Some(user) if call.includes("users") => users::render(account, user, call),
            _ => references::user(account, &row.user),
        };
        let schedule = match row.target {
            Target::User(_) => Value::Null,
            schedule => references::target(account, schedule),
        };
        json!({
            "escalation_policy": references::policy(account, row.policy),
            "escalation_level": row.level, "schedule": schedule, "user": user,
            "start": row.times.map(|(start, _)| time::in_zone(start, &zone)),
            "end": row.times.map(|(_, end)| time::in_zone(end, &zone)),
        })
    });
    Ok(rows.reply("oncalls"))
}

fn rows<'a>(account: &'a Account, call: &Call, since: Timestamp, until: Timestamp) -> Vec<Row<'a>> {
    let policies = call.list("escalation_policy_ids");
    let schedules = call.list("schedule_ids");
    let users = call.list("user_ids");
    // `null` and an empty value stand for direct targets.
    let direct = schedules.is_empty() || schedules.iter().any(|id| matches!(*id, "null" | ""));
    let wanted = |target: &Target| match target {
        Target::User(_) => direct,
        Target::Schedule(id) | Target::ScheduleV3(id) => {
            schedules.is_empty() || schedules.contains(&id.as_str())
        }
    };
    // Policies share schedules, and rendering is the costly part.
    let mut duties: HashMap<&str, Vec<Duty>> = HashMap::new();
    let mut rows = Vec::new();
    for policy in account.policies.iter() {
        if !policies.is_empty() && !policies.contains(&policy.id.as_str()) {
            continue;
        }
        for (level, rule) in policy.rules.iter().enumerate() {
            for target in rule.targets.iter().filter(|target| wanted(target)) {
                let duties = match target {
                    Target::User(id) => &vec![(id.clone(), None)],
                    Target::Schedule(id) | Target::ScheduleV3(id) => duties
                        .entry(id)
                        .or_insert_with(|| duty(account, target, since, until)),
                };
                for (user, times) in duties {
                    let listed = users.is_empty() || users.contains(&user.as_str());
                    if listed && account.users.contains(user) {
                        rows.push(Row {
                            policy: &policy.id,
                            level: level + 1,
                            target,
                            user: user.clone(),
                            times: *times,
                        });
                    }
                }
            }
        }
    }
    rows
}

fn duty(account: &Account, target: &Target, since: Timestamp, until: Timestamp) -> Vec<Duty> {
    match target {
        Target::User(_) => Vec::new(),
        Target::Schedule(id) => account.schedules.get(id).map_or_else(Vec::new, |schedule| {
            let entries = schedule.overflowing_entries(since, until);
            entries
                .into_iter()
                .map(|e| (e.user, Some((e.start, e.end))))
                .collect()
        }),
        Target::ScheduleV3(id) => account
            .schedules_v3
            .get(id)
            .map_or_else(Vec::new, |schedule| {
                let shifts = schedule.overflowing_shifts(since, until);
                shifts
                    .into_iter()
                    .filter_map(|s| Some((s.member?, Some((s.start, s.end)))))
                    .collect()
            }),
    }
}

/// Only the first on-call of each user in each place.
fn keep_earliest(rows: &mut Vec<Row>) {
    let mut kept: Vec<Row> = Vec::new();
    for row in rows.drain(..) {
        let same = kept.iter_mut().rev().find(|k| {
            k.policy == row.policy
                && k.level == row.level
                && k.target == row.target
                && k.user == row.user
        });
        match same {
            Some(first) if row.times < first.times => *first = row,
            Some(_) => {}
            None => kept.push(row),
        }
    }
    *rows = kept;
}
