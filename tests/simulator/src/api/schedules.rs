//! Layer-based (v2) schedules.

mod update;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::paging::Page;
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::Account;
use crate::state::audit::Resource;
use crate::state::rotation::{Entry, Restriction, clip, coverage};
use crate::state::schedules::{Layer, Schedule};
pub(super) use update::{preview, update};

/// What a range spans when only one end or none is given.
const DEFAULT_SPAN: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let teams = call.list("team_ids");
    let query = call.param("query").map(str::to_lowercase);
    let range = time::range(call, account.now, DEFAULT_SPAN)?;
    let zone = call
        .param("time_zone")
        .map(|_| time::zone(call, "UTC"))
        .transpose()?;
    let schedules = account
        .schedules
        .iter()
        .filter(|s| teams.is_empty() || s.teams.iter().any(|t| teams.contains(&t.as_str())))
        .filter(|s| {
            query
                .as_deref()
                .is_none_or(|q| s.name.to_lowercase().contains(q))
        });
    let rows = page.cut_counted(schedules).map(|schedule| {
        let mut value = summary(account, schedule);
        let details = Details::new(
            account,
            schedule,
            zone.clone(),
            range,
            call.flag("overflow"),
        );
        if call.includes("schedule_layers") {
            value["schedule_layers"] = details.layers();
        }
        if call.includes("overrides_subschedule") {
            value["overrides_subschedule"] = details.overrides();
        }
        if call.includes("final_schedule") {
            value["final_schedule"] = details.final_schedule();
        }
        add_next_oncall(&mut value, account, call, schedule);
        value
    });
    Ok(rows.reply("schedules"))
}

pub(super) fn show(account: &Account, call: &Call, id: &str) -> Answer {
    let schedule = account.schedules.get(id).ok_or_else(Refusal::not_found)?;
    let mut value = full(account, call, schedule)?;
    add_next_oncall(&mut value, account, call, schedule);
    Ok(Reply::ok(json!({"schedule": value})))
}

/// The schedule with all its parts, rendered if there is a range.
fn full(account: &Account, call: &Call, schedule: &Schedule) -> Result<Value, Refusal> {
    let range = time::range(call, account.now, DEFAULT_SPAN)?;
    let zone = call
        .param("time_zone")
        .map(|_| time::zone(call, "UTC"))
        .transpose()?;
    let details = Details::new(account, schedule, zone, range, call.flag("overflow"));
    let mut value = summary(account, schedule);
    value["schedule_layers"] = details.layers();
    value["overrides_subschedule"] = details.overrides();
    value["final_schedule"] = details.final_schedule();
    Ok(value)
}

/// What a list row has.
fn summary(account: &Account, schedule: &Schedule) -> Value {
    let id = &schedule.id;
    let (own, html) = references::links(account, "schedules", "schedules", id);
    let users: Vec<Value> = schedule
        .user_ids()
        .into_iter()
        .map(|user| references::user(account, user))
        .collect();
    let feed = |scheme: &str, whose: &str| {
        let web = account.config.region.web_origin(&account.config.subdomain);
        let web = web.replacen("https", scheme, 1);
        format!("{web}/private/{}{whose}/feed/{id}", schedule.feed)
    };
    json!({
        "id": id, "type": "schedule", "summary": schedule.name, "self": own, "html_url": html,
        "name": schedule.name, "description": schedule.description,
        "time_zone": schedule.time_zone, "users": users,
        "teams": references::teams(account, &schedule.teams),
        "escalation_policies": references::policies_of_schedule(account, id),
        "http_cal_url": feed("https", ""), "web_cal_url": feed("webcal", ""),
        "personal_http_cal_url": feed("https", "-personal"),
        "personal_web_cal_url": feed("webcal", "-personal"),
    })
}

struct Details<'a> {
    account: &'a Account,
    schedule: &'a Schedule,
    own_zone: TimeZone,
    zone: TimeZone,
    range: Option<(Timestamp, Timestamp)>,
    overflow: bool,
}

impl<'a> Details<'a> {
    fn new(
        account: &'a Account,
        schedule: &'a Schedule,
        zone: Option<TimeZone>,
        range: Option<(Timestamp, Timestamp)>,
        overflow: bool,
    ) -> Self {
        let own_zone = schedule.zone();
        let zone = zone.unwrap_or_else(|| own_zone.clone());
        Self {
            account,
            schedule,
            own_zone,
            zone,
            range,
            overflow,
        }
    }

    /// In the reverse of the order that PUT wants.
    fn layers(&self) -> Value {
        self.schedule
            .layers
            .iter()
            .rev()
            .map(|layer| self.layer(layer))
            .collect()
    }

    fn layer(&self, layer: &Layer) -> Value {
        let now = &layer.current;
        let users: Vec<Value> = now
            .users
            .iter()
            .map(|user| json!({"user": references::user(self.account, user)}))
            .collect();
        let restrictions: Vec<Value> = now.restrictions.iter().map(restriction).collect();
        let mut value = self.rendered(|since, until| layer.entries(&self.own_zone, since, until));
        value["id"] = json!(layer.id);
        value["name"] = json!(layer.name);
        value["start"] = json!(self.time(now.start));
        value["end"] = json!(now.end.map(|end| self.time(end)));
        value["rotation_virtual_start"] = json!(self.time(now.virtual_start));
        value["rotation_turn_length_seconds"] = json!(now.turn_seconds);
        value["users"] = json!(users);
        value["restrictions"] = json!(restrictions);
        value
    }

    fn overrides(&self) -> Value {
        let mut value = self.rendered(|since, until| self.schedule.override_entries(since, until));
        value["name"] = json!("Overrides");
        value
    }

    fn final_schedule(&self) -> Value {
        let mut value = self.rendered(|since, until| {
            if self.overflow {
                self.schedule.overflowing_entries(since, until)
            } else {
                self.schedule.final_entries(since, until)
            }
        });
        value["name"] = json!("Final Schedule");
        value
    }

    fn rendered(&self, entries: impl Fn(Timestamp, Timestamp) -> Vec<Entry>) -> Value {
        let Some((since, until)) = self.range else {
            return json!({"rendered_schedule_entries": [], "rendered_coverage_percentage": null});
        };
        let mut entries = entries(since, until);
        if !self.overflow {
            entries = clip(entries, since, until);
        }
        let rows: Vec<Value> = entries
            .iter()
            .map(|entry| {
                json!({
                    "start": self.time(entry.start), "end": self.time(entry.end),
                    "user": references::user(self.account, &entry.user),
                })
            })
            .collect();
        json!({
            "rendered_schedule_entries": rows,
            "rendered_coverage_percentage": coverage(&entries, since, until),
        })
    }

    fn time(&self, at: Timestamp) -> String {
        time::in_zone(at, &self.zone)
    }
}

fn restriction(restriction: &Restriction) -> Value {
    let start = restriction
        .start_time_of_day
        .strftime("%H:%M:%S")
        .to_string();
    match restriction.start_day_of_week {
        None => json!({
            "type": "daily_restriction", "start_time_of_day": start,
            "duration_seconds": restriction.duration_seconds,
        }),
        Some(day) => json!({
            "type": "weekly_restriction", "start_time_of_day": start,
            "duration_seconds": restriction.duration_seconds, "start_day_of_week": day,
        }),
    }
}

/// With `include_next_oncall_for_user`: that user's running or next on-call.
fn add_next_oncall(value: &mut Value, account: &Account, call: &Call, schedule: &Schedule) {
    let Some(user) = call.param("include_next_oncall_for_user") else {
        return;
    };
    let until = account.now.checked_add(SignedDuration::from_hours(90 * 24));
    let entries = schedule.overflowing_entries(account.now, until.unwrap_or(Timestamp::MAX));
    let zone = schedule.zone();
    value["next_oncall_for_user"] = entries
        .into_iter()
        .find(|entry| entry.user == user)
        .map(|entry| {
            json!({
                "start": time::in_zone(entry.start, &zone), "end": time::in_zone(entry.end, &zone),
                "user": references::user(account, user),
            })
        })
        .unwrap_or_default();
}

/// The users on call in a range, as full objects and without paging.
pub(super) fn users(account: &Account, call: &Call, id: &str) -> Answer {
    let schedule = account.schedules.get(id).ok_or_else(Refusal::not_found)?;
    let range = time::range(call, account.now, DEFAULT_SPAN)?;
    let (since, until) = range.unwrap_or_else(|| {
        let until = account
            .now
            .checked_add(DEFAULT_SPAN)
            .unwrap_or(Timestamp::MAX);
        (account.now, until)
    });
    let mut seen: Vec<String> = Vec::new();
    let until = until.max(crate::state::shift(since, 1));
    for entry in schedule.final_entries(since, until) {
        if !seen.contains(&entry.user) {
            seen.push(entry.user);
        }
    }
    let users: Vec<Value> = seen
        .iter()
        .filter_map(|id| account.users.get(id))
        .map(|user| super::users::render(account, user, call))
        .collect();
    Ok(Reply::ok(json!({"users": users})))
}

pub(super) fn delete(account: &mut Account, call: &Call, id: &str) -> Answer {
    let schedule = account.schedules.get(id).ok_or_else(Refusal::not_found)?;
    let root = resource(schedule);
    if account
        .policies
        .iter()
        .any(|policy| policy.targets_schedule(id))
    {
        return Err(Refusal::invalid(
            "Schedule can't be deleted if it's being used by escalation policies",
        ));
    }
    let snapshots = account
        .incidents
        .iter()
        .any(|i| i.is_open() && i.snapshot_schedules.iter().any(|schedule| schedule == id));
    if snapshots {
        return Err(Refusal::invalid(
            "Schedule can't be deleted if it's being used by an escalation policy snapshot with open incidents",
        ));
    }
    let origin = call.caller.origin(account);
    account.record(&origin, root, "delete", Vec::new(), Vec::new());
    account.schedules.remove(id);
    Ok(Reply::no_content())
}

fn resource(schedule: &Schedule) -> Resource {
    Resource {
        id: schedule.id.clone(),
        kind: "schedule_reference",
        summary: schedule.name.clone(),
    }
}
