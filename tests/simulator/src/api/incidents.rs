//! Incidents: finding, reassigning, resolving, opening.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::paging::Page;
use super::request::{reference_id, text};
use super::{Answer, Call, Refusal, Reply, error_body, references, time};
use crate::state::incidents::{Incident, Status};
use crate::state::policies::EscalationPolicy;
use crate::state::{Account, shift};

const DAY: i64 = 86_400;
/// The most incidents in one PUT.
const MOST_UPDATES: usize = 250;

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let zone = time::zone(call, "Etc/UTC")?;
    let range = match call.param("date_range") {
        Some("all") => None,
        Some(_) => return Err(Refusal::dates("date_range must be all")),
        None => Some(range(account, call)?),
    };
    let statuses = call
        .list("statuses")
        .into_iter()
        .map(|s| Status::parse(s).ok_or_else(|| Refusal::invalid("statuses is invalid")))
        .collect::<Result<Vec<_>, _>>()?;
    let (users, services) = (call.list("user_ids"), call.list("service_ids"));
    let (urgencies, teams) = (call.list("urgencies"), call.list("team_ids"));
    let in_teams = |incident: &Incident| {
        let policy = account.policies.get(&incident.policy);
        policy.is_some_and(|p| p.teams.iter().any(|t| teams.contains(&t.as_str())))
    };
    let mut found: Vec<&Incident> = account
        .incidents
        .iter()
        .filter(|i| {
            range.is_none_or(|(since, until)| i.created_at >= since && i.created_at < until)
        })
        .filter(|i| statuses.is_empty() || statuses.contains(&i.status))
        .filter(|i| users.is_empty() || users.iter().any(|user| i.is_assigned_to(user)))
        .filter(|i| services.is_empty() || services.contains(&i.service.as_str()))
        .filter(|i| urgencies.is_empty() || urgencies.contains(&urgency(i)))
        .filter(|i| call.param("incident_key").is_none_or(|key| i.key == key))
        .filter(|i| teams.is_empty() || in_teams(i))
        .collect();
    sort(&mut found, call)?;
    let rows = page
        .cut_counted(found.into_iter())
        .map(|i| render(account, i, call, &zone));
    Ok(rows.reply("incidents"))
}

/// The last month, unless told; at most six months.
fn range(account: &Account, call: &Call) -> Result<(Timestamp, Timestamp), Refusal> {
    let until = time::param(call, "until")?;
    let since = time::param(call, "since")?;
    let until = until.or_else(|| since.map(|_| shift(account.now, 1)));
    let until = until.unwrap_or_else(|| shift(account.now, 1));
    let since = since.unwrap_or_else(|| shift(until, -30 * DAY));
    if until < since || until.duration_since(since).as_secs() > 184 * DAY {
        return Err(Refusal::dates("The date range must be at most 6 months"));
    }
    Ok((since, until))
}

fn sort(incidents: &mut [&Incident], call: &Call) -> Result<(), Refusal> {
    let fields: Vec<&str> = call
        .query
        .iter()
        .filter(|(name, _)| name == "sort_by" || name == "sort_by[]")
        .flat_map(|(_, value)| value.split(','))
        .collect();
    // The first field counts most, so it is sorted by last.
    for field in fields.into_iter().rev() {
        let (name, order) = field.split_once(':').unwrap_or((field, "asc"));
        match name {
            "incident_number" => incidents.sort_by_key(|i| i.number),
            "created_at" => incidents.sort_by_key(|i| i.created_at),
            "resolved_at" => incidents.sort_by_key(|i| i.resolved_at),
            "urgency" => incidents.sort_by_key(|i| i.high_urgency),
            _ => return Err(Refusal::invalid("sort_by is invalid")),
        }
        match order {
            "asc" => {}
            "desc" => incidents.reverse(),
            _ => return Err(Refusal::invalid("sort_by is invalid")),
        }
    }
    Ok(())
}

pub(super) fn show(account: &Account, id: &str) -> Answer {
    let incident = account.incidents.get(id).ok_or_else(not_found)?;
    Ok(Reply::ok(
        json!({"incident": render_plain(account, incident, &TimeZone::UTC)}),
    ))
}

fn render(account: &Account, incident: &Incident, call: &Call, zone: &TimeZone) -> Value {
    let mut value = render_plain(account, incident, zone);
    if call.includes("assignees") {
        let full = |id: &str| match account.users.get(id) {
            Some(user) => super::users::render(account, user, call),
            None => references::user(account, id),
        };
        value["assignments"] = incident
            .assignments
            .iter()
            .map(|(at, user)| json!({"at": time::in_zone(*at, zone), "assignee": full(user)}))
            .collect();
    }
    value
}

fn render_plain(account: &Account, incident: &Incident, zone: &TimeZone) -> Value {
    let id = &incident.id;
    let (own, html) = references::links(account, "incidents", "incidents", id);
    let people = |list: &[(Timestamp, String)], name: &str| -> Vec<Value> {
        list.iter()
            .map(|(at, user)| {
                json!({"at": time::in_zone(*at, zone), name: references::user(account, user)})
            })
            .collect()
    };
    let policy = account.policies.get(&incident.policy);
    let teams = policy
        .map(|p| references::teams(account, &p.teams))
        .unwrap_or_default();
    let service = references::service(account, &incident.service);
    json!({
        "id": id, "type": "incident", "self": own, "html_url": html,
        "summary": format!("[#{}] {}", incident.number, incident.title),
        "incident_number": incident.number, "title": incident.title,
        "created_at": time::in_zone(incident.created_at, zone),
        "updated_at": time::in_zone(incident.updated_at, zone),
        "status": incident.status.name(), "incident_key": incident.key,
        "urgency": urgency(incident), "service": service,
        "escalation_policy": references::policy(account, &incident.policy),
        "assignments": people(&incident.assignments, "assignee"),
        "acknowledgements": people(&incident.acknowledgers, "acknowledger"),
        "assigned_via": "escalation_policy", "teams": teams,
        "alert_counts": {"all": 0, "triggered": 0, "resolved": 0}, "pending_actions": [],
        "last_status_change_at": time::in_zone(incident.updated_at, zone),
        "last_status_change_by": service,
        "resolved_at": incident.resolved_at.map(|at| time::in_zone(at, zone)),
    })
}

fn urgency(incident: &Incident) -> &'static str {
    if incident.high_urgency { "high" } else { "low" }
}

/// In whose name incidents are changed. That stakeholders may not is known, the
/// status that comes with the code is not.
fn requester(account: &Account, call: &Call) -> Result<String, Refusal> {
    let requester = call.caller.requester(account, call.headers)?;
    let user = account.users.get(&requester);
    if user.is_some_and(|user| user.role.is_stakeholder()) {
        let text = "Requester not authorized to perform action";
        return Err(Refusal::new(403, 1018, text));
    }
    Ok(requester)
}

pub(super) fn update_many(account: &mut Account, call: &Call) -> Answer {
    let requester = requester(account, call)?;
    let page = Page::with_limits(call, MOST_UPDATES, MOST_UPDATES)?;
    let updates = call.body.get("incidents").and_then(Value::as_array);
    let updates = updates.ok_or_else(|| Refusal::invalid("incidents is missing"))?;
    if updates.len() > MOST_UPDATES {
        let reason = "At most 250 incidents can be updated at a time";
        let body = error_body("Request Entity Too Large", 2001, &[reason]);
        return Err(Refusal { status: 413, body });
    }
    // All or nothing: everything is checked before anything is changed.
    let updates = updates
        .iter()
        .map(|body| Update::read(account, reference_id(body).unwrap_or_default(), body))
        .collect::<Result<Vec<_>, _>>()?;
    for update in &updates {
        update.apply(account, &requester);
    }
    let rows = page.cut(updates.iter()).map(|update| {
        let incident = account.incidents.get(&update.id);
        incident
            .map(|i| render(account, i, call, &TimeZone::UTC))
            .unwrap_or_default()
    });
    Ok(rows.reply("incidents"))
}

pub(super) fn update_one(account: &mut Account, call: &Call, id: &str) -> Answer {
    let requester = requester(account, call)?;
    let update = Update::read(account, id, call.wrapped("incident")?)?;
    update.apply(account, &requester);
    show(account, id)
}

struct Update {
    id: String,
    status: Option<Status>,
    assignees: Option<Vec<String>>,
    policy: Option<String>,
    title: Option<String>,
    high_urgency: Option<bool>,
}

impl Update {
    fn read(account: &Account, id: &str, body: &Value) -> Result<Self, Refusal> {
        let incident = account.incidents.get(id).ok_or_else(not_found)?;
        let status = match text(body, "status") {
            None => None,
            Some(name) => {
                let status = Status::parse(name);
                Some(status.ok_or_else(|| Refusal::invalid("Status is invalid"))?)
            }
        };
        if !incident.is_open() {
            return Err(Refusal::new(400, 1001, "Incident Already Resolved"));
        }
        let assignees = body
            .get("assignments")
            .map(|a| assignees(account, a))
            .transpose()?;
        let policy = body
            .get("escalation_policy")
            .filter(|p| !p.is_null())
            .map(|p| {
                reference_id(p)
                    .filter(|id| account.policies.contains(id))
                    .ok_or_else(|| Refusal::new(400, 1014, "Escalation Policy Not Found"))
            })
            .transpose()?;
        if assignees.is_some() && policy.is_some() {
            return Err(Refusal::invalid(
                "Specify either assignments or an escalation policy, not both",
            ));
        }
        let (assignees, policy) = match policy {
            None => (assignees, None),
            Some(policy) => {
                let on_call = account.on_call_for(policy);
                if on_call.is_empty() {
                    let text = "Escalation Policy Has No User On Call";
                    return Err(Refusal::new(400, 1015, text));
                }
                (Some(on_call), Some(policy.to_owned()))
            }
        };
        Ok(Self {
            id: id.to_owned(),
            status,
            assignees,
            policy,
            title: text(body, "title").map(str::to_owned),
            high_urgency: text(body, "urgency").map(|urgency| urgency == "high"),
        })
    }

    fn apply(&self, account: &mut Account, requester: &str) {
        if let Some(status) = self.status {
            // Acknowledging takes the incident over.
            account.set_status(&self.id, status, Some(requester));
        }
        if let Some(assignees) = &self.assignees {
            account.reassign(&self.id, assignees);
        }
        let snapshot = self
            .policy
            .as_deref()
            .and_then(|id| account.policies.get(id));
        let snapshot = snapshot.map(EscalationPolicy::schedule_ids);
        let now = account.now;
        let Some(incident) = account.incidents.get_mut(&self.id) else {
            return;
        };
        if let (Some(policy), Some(schedules)) = (&self.policy, snapshot) {
            incident.policy.clone_from(policy);
            incident.snapshot_schedules = schedules;
            incident.status = Status::Triggered;
        }
        if let Some(title) = &self.title {
            incident.title.clone_from(title);
        }
        if let Some(high) = self.high_urgency {
            incident.high_urgency = high;
        }
        incident.updated_at = now;
    }
}

fn assignees(account: &Account, assignments: &Value) -> Result<Vec<String>, Refusal> {
    let list = assignments.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Refusal::invalid("Assignments can't be blank"))?;
    let mut users: Vec<String> = Vec::new();
    for assignment in list {
        let user = assignment.get("assignee").and_then(reference_id);
        let user = user
            .and_then(|id| account.users.get(id))
            .ok_or_else(|| Refusal::new(400, 1007, "Assigned To User Not Found"))?;
        if user.role.is_stakeholder() {
            return Err(Refusal::invalid(
                "Stakeholders cannot be assigned to incidents",
            ));
        }
        if !users.contains(&user.id) {
            users.push(user.id.clone());
        }
    }
    Ok(users)
}

pub(super) fn create(account: &mut Account, call: &Call) -> Answer {
    call.caller.requester(account, call.headers)?;
    let body = call.wrapped("incident")?;
    let title = text(body, "title").filter(|title| !title.trim().is_empty());
    let title = title
        .ok_or_else(|| Refusal::invalid("Title can't be blank"))?
        .to_owned();
    let service = body.get("service").and_then(reference_id);
    let service = service
        .and_then(|id| account.services.iter().find(|service| service.id == id))
        .cloned()
        .ok_or_else(|| Refusal::new(400, 5002, "Service Not Found"))?;
    let policy = match body.get("escalation_policy").and_then(reference_id) {
        None => service.policy,
        Some(id) if account.policies.contains(id) => id.to_owned(),
        Some(_) => return Err(Refusal::new(400, 1014, "Escalation Policy Not Found")),
    };
    let users = match body.get("assignments").filter(|a| !a.is_null()) {
        Some(assignments) => assignees(account, assignments)?,
        None => account.on_call_for(&policy),
    };
    if users.is_empty() {
        return Err(Refusal::new(
            400,
            1015,
            "Escalation Policy Has No User On Call",
        ));
    }
    let key = text(body, "incident_key").map(str::to_owned);
    let taken = account
        .incidents
        .iter()
        .any(|i| i.is_open() && Some(&i.key) == key.as_ref());
    if taken {
        return Err(Refusal::invalid(
            "Open incident already exists for this key",
        ));
    }
    let now = account.now;
    let snapshot = account
        .policies
        .get(&policy)
        .map(EscalationPolicy::schedule_ids);
    let number = account
        .incidents
        .iter()
        .map(|i| i.number)
        .max()
        .unwrap_or(0)
        + 1;
    let incident = Incident {
        id: account.ids.long(),
        number,
        title,
        key: key.unwrap_or_else(|| account.ids.secret(32).to_lowercase()),
        status: Status::Triggered,
        high_urgency: text(body, "urgency") != Some("low"),
        service: service.id,
        policy,
        snapshot_schedules: snapshot.unwrap_or_default(),
        assignments: users.into_iter().map(|user| (now, user)).collect(),
        acknowledgers: Vec::new(),
        created_at: now,
        updated_at: now,
        resolved_at: None,
    };
    let reply = json!({"incident": render(account, &incident, call, &TimeZone::UTC)});
    account.incidents.insert(incident);
    Ok(Reply::created(reply))
}

fn not_found() -> Refusal {
    Refusal::new(404, 5001, "Incident Not Found")
}
