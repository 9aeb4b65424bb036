//! Services, only as far as other objects refer to them.

use serde_json::{Value, json};

use super::paging::Page;
use super::{Answer, Call, Refusal, Reply, references, time};
use crate::state::{Account, Service};

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let query = call.param("query").map(str::to_lowercase);
    let services = account.services.iter().filter(|s| {
        query
            .as_deref()
            .is_none_or(|q| s.name.to_lowercase().contains(q))
    });
    Ok(page
        .cut_counted(services)
        .map(|s| render(account, s))
        .reply("services"))
}

pub(super) fn show(account: &Account, id: &str) -> Answer {
    let service = account
        .services
        .iter()
        .find(|s| s.id == id)
        .ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(json!({"service": render(account, service)})))
}

fn render(account: &Account, service: &Service) -> Value {
    let mut value = references::service(account, &service.id);
    value["type"] = json!("service");
    value["name"] = json!(service.name);
    value["description"] = json!("");
    value["status"] = json!("active");
    value["created_at"] = json!(time::utc(service.created_at));
    value["escalation_policy"] = references::policy(account, &service.policy);
    value["teams"] = json!([]);
    value
}
