//! Licences and who holds them.

use serde_json::{Value, json};

use super::paging::Page;
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::Account;
use crate::state::licenses::License;

pub(super) fn list(account: &Account) -> Reply {
    let licenses: Vec<Value> = account
        .licenses
        .iter()
        .map(|license| {
            let mut value = render(license);
            value["current_value"] = json!(license.used);
            // Null is unlimited.
            let free = license
                .seats
                .map(|seats| seats.saturating_sub(license.used));
            value["allocations_available"] = json!(free);
            value
        })
        .collect();
    Reply::ok(json!({"licenses": licenses}))
}

/// Sorted differently from the list of users: newest allocation first.
pub(super) fn allocations(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let rows = page.cut_counted(account.users.iter().rev()).map(|user| {
        json!({
            "license": account.license(&user.license).map(render),
            "user": references::user(account, &user.id),
            "allocated_at": time::utc(user.allocated_at),
        })
    });
    Ok(rows.reply("license_allocations"))
}

pub(super) fn of_user(account: &Account, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    let license = account
        .license(&user.license)
        .ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(json!({"license": render(license)})))
}

fn render(license: &License) -> Value {
    let roles: Vec<&str> = license.valid_roles.iter().map(|role| role.name()).collect();
    json!({
        "id": license.id, "type": "license", "name": license.name, "summary": license.name,
        "description": license.description, "valid_roles": roles,
        "role_group": license.role_group, "self": null, "html_url": null,
    })
}
