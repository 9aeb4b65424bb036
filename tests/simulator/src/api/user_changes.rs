//! Creating, changing and deleting users.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::request::{reference_id, text};
use super::{Answer, Call, Refusal, Reply, error_body, users};
use crate::state::Account;
use crate::state::audit::FieldChange;
use crate::state::users::{Blocker, Role, User};

pub(super) fn create(account: &mut Account, call: &Call) -> Answer {
    call.caller.requester(account, call.headers)?;
    let body = call.wrapped("user")?;
    let name = name(body)?.ok_or_else(|| Refusal::invalid("Name can't be blank"))?;
    let email =
        email(account, body, None)?.ok_or_else(|| Refusal::invalid("Email can't be blank"))?;
    let role = role(account, body, None)?.unwrap_or(Role::User);
    let license = match body.get("license").filter(|l| !l.is_null()) {
        Some(reference) => named_license(account, reference, role)?,
        None => {
            let license = account.license_for(role);
            license
                .map(|l| l.id.clone())
                .ok_or_else(|| seats_exceeded(402))?
        }
    };
    if !account.license(&license).is_some_and(|l| l.has_seat()) {
        return Err(seats_exceeded(402));
    }
    let time_zone = match text(body, "time_zone") {
        Some(zone) => checked_zone(zone)?,
        None => "Etc/UTC".to_owned(),
    };
    let now = account.now;
    let ids = &mut account.ids;
    let user = User {
        id: ids.object(),
        name,
        email,
        role,
        time_zone,
        color: "purple",
        job_title: text(body, "job_title").map(str::to_owned),
        description: text(body, "description").map(str::to_owned),
        invitation_sent: true,
        created_via_sso: false,
        created_at: now,
        last_sign_in_at: None,
        web_revoked_at: None,
        mobile_revoked_at: None,
        license: license.clone(),
        allocated_at: now,
        teams: Vec::new(),
        contact_method: ids.object(),
        notification_rules: [ids.object(), ids.object()],
    };
    let id = user.id.clone();
    let fields = vec![
        change("email", None, Some(&user.email)),
        change("role", None, Some(role.name())),
    ];
    if let Some(license) = account.license_mut(&license) {
        license.used += 1;
    }
    account.add_user(user);
    record(account, call, &id, "create", fields);
    reply(account, call, &id, Reply::created)
}

pub(super) fn update(account: &mut Account, call: &Call, id: &str) -> Answer {
    let before = account
        .users
        .get(id)
        .cloned()
        .ok_or_else(Refusal::not_found)?;
    let body = call.wrapped("user")?;
    let mut after = before.clone();
    if let Some(name) = name(body)? {
        after.name = name;
    }
    if let Some(email) = email(account, body, Some(id))? {
        after.email = email;
    }
    if let Some(role) = role(account, body, Some(before.role))?.filter(|role| *role != before.role)
    {
        if before.role == Role::Owner {
            return Err(Refusal::invalid(
                "The account owner's role cannot be changed",
            ));
        }
        after.role = role;
    }
    after.license = match body.get("license").filter(|l| !l.is_null()) {
        Some(reference) => named_license(account, reference, after.role)?,
        // Without a licence the backend finds one that fits the role.
        None => fitting_license(account, &before.license, after.role)?,
    };
    if after.license != before.license {
        if !account
            .license(&after.license)
            .is_some_and(|l| l.has_seat())
        {
            return Err(Refusal::invalid("License is not available"));
        }
        after.allocated_at = account.now;
    }
    if let Some(zone) = text(body, "time_zone") {
        after.time_zone = checked_zone(zone)?;
    }
    if let Some(title) = body.get("job_title") {
        after.job_title = title.as_str().map(str::to_owned);
    }
    if let Some(description) = body.get("description") {
        after.description = description.as_str().map(str::to_owned);
    }
    apply(account, &before, after.clone());
    record(account, call, id, "update", differences(&before, &after));
    reply(account, call, id, Reply::ok)
}

fn apply(account: &mut Account, before: &User, after: User) {
    if after.license != before.license {
        if let Some(license) = account.license_mut(&before.license) {
            license.used -= 1;
        }
        if let Some(license) = account.license_mut(&after.license) {
            license.used += 1;
        }
    }
    account.emails.remove(&before.email.to_lowercase());
    account
        .emails
        .insert(after.email.to_lowercase(), after.id.clone());
    let (id, new_role) = (after.id.clone(), after.role != before.role);
    if let Some(user) = account.users.get_mut(&before.id) {
        *user = after;
    }
    account.users_version += 1;
    if new_role {
        account.align_team_roles(&id);
    }
}

pub(super) fn delete(account: &mut Account, call: &Call, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    let license = user.license.clone();
    if let Some(blocker) = account.deletion_blocker(id) {
        // PagerDuty's own wording is not known; clients cannot rely on it.
        let reason = match blocker {
            Blocker::Owner => "The account owner cannot be deleted",
            Blocker::Incidents | Blocker::CleanUp => {
                "User cannot be deleted as they have assigned incidents"
            }
            Blocker::Schedule => "User cannot be deleted as they are on a schedule",
            Blocker::EscalationPolicy => {
                "User cannot be deleted as they are on an escalation policy"
            }
        };
        return Err(Refusal::invalid(reason));
    }
    record(account, call, id, "delete", Vec::new());
    account.delete_user(id);
    if let Some(license) = account.license_mut(&license) {
        license.used -= 1;
    }
    Ok(Reply::no_content())
}

fn name(body: &Value) -> Result<Option<String>, Refusal> {
    match body.get("name") {
        None => Ok(None),
        Some(value) => match value.as_str().map(str::trim) {
            None | Some("") => Err(Refusal::invalid("Name can't be blank")),
            Some(name) if name.chars().count() > 100 => Err(Refusal::invalid(
                "Name is too long (maximum is 100 characters)",
            )),
            Some(name) => Ok(Some(name.to_owned())),
        },
    }
}

fn email(account: &Account, body: &Value, own: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(value) = body.get("email") else {
        return Ok(None);
    };
    let email = value.as_str().unwrap_or_default().trim();
    let length = email.chars().count();
    if !(6..=100).contains(&length) || !email.contains('@') {
        return Err(Refusal::invalid("Email is invalid"));
    }
    match account.user_by_email(email) {
        Some(user) if Some(user.id.as_str()) != own => {
            Err(Refusal::invalid("Email has already been taken"))
        }
        _ => Ok(Some(email.to_owned())),
    }
}

/// The owner's own object may be sent back with the role that it has.
fn role(account: &Account, body: &Value, current: Option<Role>) -> Result<Option<Role>, Refusal> {
    let Some(name) = text(body, "role") else {
        return Ok(None);
    };
    let plan = account.config.plan;
    let offered = |role: &Role| match role {
        Role::Observer | Role::RestrictedAccess => plan.advanced_permissions,
        Role::ReadOnlyUser | Role::ReadOnlyLimitedUser => plan.stakeholders,
        Role::Owner | Role::Admin | Role::User | Role::LimitedUser => true,
    };
    match Role::parse(name).filter(offered) {
        // Ownership cannot be handed over by the API.
        Some(Role::Owner) if current != Some(Role::Owner) => {
            Err(Refusal::invalid("Role cannot be set to owner"))
        }
        Some(role) => Ok(Some(role)),
        None => {
            let roles: Vec<&str> = Role::FULL
                .into_iter()
                .chain(Role::STAKEHOLDERS)
                .filter(|role| *role != Role::Owner && offered(role))
                .map(Role::name)
                .collect();
            Err(Refusal::invalid(&format!(
                "Role must be in {}",
                roles.join(", ")
            )))
        }
    }
}

fn named_license(account: &Account, reference: &Value, role: Role) -> Result<String, Refusal> {
    reference_id(reference)
        .and_then(|id| account.license(id))
        .filter(|license| license.valid_roles.contains(&role))
        .map(|license| license.id.clone())
        .ok_or_else(|| Refusal::invalid("License is not available"))
}

fn fitting_license(account: &Account, current: &str, role: Role) -> Result<String, Refusal> {
    account
        .license(current)
        .filter(|license| license.valid_roles.contains(&role))
        .or_else(|| account.license_for(role))
        .map(|license| license.id.clone())
        .ok_or_else(|| Refusal::invalid("License is not available"))
}

fn seats_exceeded(status: u16) -> Refusal {
    let body = error_body("Product Limit Reached", 2019, &["License is not available"]);
    Refusal { status, body }
}

fn checked_zone(name: &str) -> Result<String, Refusal> {
    TimeZone::get(name).map_err(|_| Refusal::invalid("Time zone is invalid"))?;
    Ok(if name == "UTC" {
        "Etc/UTC".to_owned()
    } else {
        name.to_owned()
    })
}

fn change(name: &'static str, before: Option<&str>, value: Option<&str>) -> FieldChange {
    FieldChange {
        name,
        before: before.map(str::to_owned),
        value: value.map(str::to_owned),
    }
}

fn differences(before: &User, after: &User) -> Vec<FieldChange> {
    [
        change("name", Some(&before.name), Some(&after.name)),
        change("email", Some(&before.email), Some(&after.email)),
        change("role", Some(before.role.name()), Some(after.role.name())),
        change("license", Some(&before.license), Some(&after.license)),
        change("time_zone", Some(&before.time_zone), Some(&after.time_zone)),
        change(
            "job_title",
            before.job_title.as_deref(),
            after.job_title.as_deref(),
        ),
        change(
            "description",
            before.description.as_deref(),
            after.description.as_deref(),
        ),
    ]
    .into_iter()
    .filter(|field| field.before != field.value)
    .collect()
}

fn record(
    account: &mut Account,
    call: &Call,
    id: &str,
    action: &'static str,
    fields: Vec<FieldChange>,
) {
    let origin = call.caller.origin(account);
    let root = account.user_resource(id);
    account.record(&origin, root, action, fields, Vec::new());
}

fn reply(account: &Account, call: &Call, id: &str, wrap: fn(Value) -> Reply) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    Ok(wrap(json!({"user": users::render(account, user, call)})))
}
