//! `POST /analytics/raw/users`: the only source of true sign-in times.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::request::text;
use super::{Answer, Call, Refusal, Reply, time};
use crate::state::policies::Target;
use crate::state::users::User;
use crate::state::{Account, AnalyticsOrder};

const MOST_ROWS: usize = 1000;

pub(super) fn users(account: &mut Account, call: &Call) -> Answer {
    let query = Query::read(&call.body)?;
    order(account, query.order_by);
    let account = &*account;
    let Some(order) = account.analytics_order.as_ref() else {
        return Err(Refusal::new(500, 2000, "An internal error has occurred"));
    };
    let mut places: Vec<usize> = (0..order.user_ids.len()).collect();
    if query.descending {
        places.reverse();
    }
    let duties = Duties::count(account);
    // A row is a user within a team; a user without teams has one row.
    let mut rows = places.into_iter().flat_map(|place| {
        let user = order
            .user_ids
            .get(place)
            .and_then(|id| account.users.get(id));
        user.filter(|user| query.covers(user))
            .map_or_else(Vec::new, |user| {
                let teams: Vec<Option<&str>> = match user.teams.as_slice() {
                    [] => vec![None],
                    teams => teams.iter().map(|t| Some(t.as_str())).collect(),
                };
                teams
                    .into_iter()
                    .enumerate()
                    .map(|(n, team)| (place, n, user, team))
                    .collect()
            })
    });
    let mut rows: Box<dyn Iterator<Item = (usize, usize, &User, Option<&str>)>> = match query.after
    {
        None => Box::new(rows.by_ref()),
        Some(after) => {
            let descending = query.descending;
            Box::new(rows.by_ref().skip_while(move |(place, team, ..)| {
                let here = (
                    if descending {
                        usize::MAX - place
                    } else {
                        *place
                    },
                    *team,
                );
                let there = (
                    if descending {
                        usize::MAX - after.0
                    } else {
                        after.0
                    },
                    after.1,
                );
                here <= there
            }))
        }
    };
    let page: Vec<_> = rows.by_ref().take(query.limit).collect();
    let more = rows.next().is_some();
    let cursor = |row: Option<&(usize, usize, &User, Option<&str>)>| {
        row.map(|(place, team, ..)| BASE64.encode(format!("{place}:{team}")))
    };
    let (first, last) = (cursor(page.first()), cursor(page.last()));
    let data: Vec<Value> = page
        .iter()
        .map(|(_, _, user, team)| render(account, user, *team, &duties, &query.zone))
        .collect();
    Ok(Reply::ok(json!({
        "data": data, "first": first, "last": last, "limit": query.limit, "more": more,
        "order": if query.descending { "desc" } else { "asc" }, "order_by": query.order_by,
        "filters": query.filters, "time_zone": query.zone_name,
    })))
}

struct Query<'a> {
    filters: Value,
    user_ids: Option<HashSet<&'a str>>,
    team_ids: Option<HashSet<&'a str>>,
    roles: Option<HashSet<&'a str>>,
    created: (Option<Timestamp>, Option<Timestamp>),
    zone: TimeZone,
    zone_name: &'a str,
    descending: bool,
    order_by: &'a str,
    limit: usize,
    after: Option<(usize, usize)>,
}

impl<'a> Query<'a> {
    fn read(body: &'a Value) -> Result<Self, Refusal> {
        let filters = &body["filters"];
        let list = |name: &str| {
            filters.get(name).and_then(Value::as_array).map(|values| {
                values
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<HashSet<&str>>()
            })
        };
        let at = |name: &str| {
            text(filters, name)
                .map(|t| {
                    time::parse(t).ok_or_else(|| Refusal::invalid(&format!("{name} is invalid")))
                })
                .transpose()
        };
        let zone_name = text(body, "time_zone").unwrap_or("Etc/UTC");
        let limit = match body.get("limit") {
            None | Some(Value::Null) => 100,
            Some(limit) => limit
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|limit| (1..=MOST_ROWS).contains(limit))
                .ok_or_else(|| Refusal::invalid("limit must be between 1 and 1000"))?,
        };
        let order_by = text(body, "order_by").unwrap_or("name");
        if ![
            "name",
            "user_name",
            "email",
            "created_at",
            "last_sign_in_at",
        ]
        .contains(&order_by)
        {
            return Err(Refusal::invalid("order_by is invalid"));
        }
        let descending = match text(body, "order") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(Refusal::invalid("order must be asc or desc")),
        };
        let after = text(body, "starting_after")
            .map(|cursor| {
                decode(cursor).ok_or_else(|| Refusal::invalid("starting_after is invalid"))
            })
            .transpose()?;
        Ok(Self {
            filters: if filters.is_object() {
                filters.clone()
            } else {
                json!({})
            },
            user_ids: list("user_ids"),
            team_ids: list("team_ids"),
            roles: list("role_ids"),
            created: (at("created_at_start")?, at("created_at_end")?),
            zone: TimeZone::get(zone_name).map_err(|_| Refusal::invalid("time_zone is invalid"))?,
            zone_name,
            descending,
            order_by,
            limit,
            after,
        })
    }

    fn covers(&self, user: &User) -> bool {
        let has = |set: &Option<HashSet<&str>>, value: &str| {
            set.as_ref()
                .is_none_or(|set| set.is_empty() || set.contains(value))
        };
        let in_team = self.team_ids.as_ref().is_none_or(|set| {
            set.is_empty() || user.teams.iter().any(|t| set.contains(t.as_str()))
        });
        has(&self.user_ids, &user.id)
            && has(&self.roles, user.role.name())
            && in_team
            && self.created.0.is_none_or(|start| user.created_at >= start)
            && self.created.1.is_none_or(|end| user.created_at < end)
    }
}

fn decode(cursor: &str) -> Option<(usize, usize)> {
    let text = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
    let (place, team) = text.split_once(':')?;
    Some((place.parse().ok()?, team.parse().ok()?))
}

/// Sorting 100,000 users for each of 100 pages is too slow: the order is kept
/// until a user changes.
fn order(account: &mut Account, order_by: &str) {
    let version = account.users_version;
    if account
        .analytics_order
        .as_ref()
        .is_some_and(|order| order.version == version && order.order_by == order_by)
    {
        return;
    }
    let mut users: Vec<&User> = account.users.iter().collect();
    match order_by {
        "email" => users.sort_by_cached_key(|u| (u.email.to_lowercase(), u.id.clone())),
        "created_at" => users.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id))),
        "last_sign_in_at" => {
            users.sort_by(|a, b| (a.last_sign_in_at, &a.id).cmp(&(b.last_sign_in_at, &b.id)));
        }
        _ => users.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id))),
    }
    let user_ids = users.into_iter().map(|user| user.id.clone()).collect();
    account.analytics_order = Some(AnalyticsOrder {
        version,
        order_by: order_by.to_owned(),
        user_ids,
    });
}

/// How many schedules and escalation policies each user is on.
struct Duties<'a> {
    schedules: HashMap<&'a str, usize>,
    policies: HashMap<&'a str, usize>,
}

impl<'a> Duties<'a> {
    fn count(account: &'a Account) -> Self {
        let mut schedules: HashMap<&str, usize> = HashMap::new();
        let layered = account.schedules.iter().map(|s| s.user_ids());
        let shifts = account.schedules_v3.iter().map(|s| s.user_ids(account.now));
        for user in layered.chain(shifts).flatten() {
            *schedules.entry(user).or_default() += 1;
        }
        let mut policies: HashMap<&str, usize> = HashMap::new();
        for policy in account.policies.iter() {
            let users: HashSet<&str> = policy
                .targets()
                .filter_map(|target| match target {
                    Target::User(id) => Some(id.as_str()),
                    Target::Schedule(_) | Target::ScheduleV3(_) => None,
                })
                .collect();
            for user in users {
                *policies.entry(user).or_default() += 1;
            }
        }
        Self {
            schedules,
            policies,
        }
    }
}

fn render(
    account: &Account,
    user: &User,
    team: Option<&str>,
    duties: &Duties,
    zone: &TimeZone,
) -> Value {
    // No offset: the reply says which zone the times are in.
    let wall = |at: Timestamp| {
        zone.to_datetime(at)
            .strftime("%Y-%m-%dT%H:%M:%S")
            .to_string()
    };
    let schedules = duties.schedules.get(user.id.as_str()).copied().unwrap_or(0);
    let policies = duties.policies.get(user.id.as_str()).copied().unwrap_or(0);
    let channels: &[&str] = if user.has_mobile() {
        &["email", "push"]
    } else {
        &["email"]
    };
    json!({
        "id": user.id, "user_name": user.name, "email": user.email, "account_id": 1454,
        "description": user.description, "time_zone": user.time_zone, "role": user.role.name(),
        "team_id": team,
        "team_name": team.and_then(|id| account.teams.get(id)).map(|team| &team.name),
        "created_at": wall(user.created_at), "last_sign_in_at": user.last_sign_in_at.map(wall),
        "default_notification_channel_count": 1, "escalation_policies_count": policies,
        "schedules_count": schedules, "channel_types_configured": channels,
        "team_count": user.teams.len(), "downloaded_mobile_app": user.has_mobile(),
        "notification_methods": true, "on_escalation_policy": policies > 0,
        "on_schedule": schedules > 0, "signed_up": !user.invitation_sent,
    })
}
