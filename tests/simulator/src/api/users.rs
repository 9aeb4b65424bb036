//! Reading users.

use serde_json::{Value, json};

use super::paging::Page;
use super::{Answer, Call, Refusal, Reply, references};
use crate::config::Search;
use crate::state::Account;
use crate::state::users::User;

pub(super) fn list(account: &Account, call: &Call) -> Answer {
    let page = Page::read(call)?;
    let teams = call.list("team_ids");
    let query = call.param("query").map(str::to_lowercase);
    let search = account.config.search;
    let users = account.users.iter().filter(|user| {
        let in_team = teams.is_empty() || user.teams.iter().any(|t| teams.contains(&t.as_str()));
        in_team
            && query
                .as_deref()
                .is_none_or(|query| matches(user, query, search))
    });
    Ok(page
        .cut_counted(users)
        .map(|user| render(account, user, call))
        .reply("users"))
}

fn matches(user: &User, query: &str, search: Search) -> bool {
    let (name, email) = (user.name.to_lowercase(), user.email.to_lowercase());
    match search {
        Search::Substring => name.contains(query) || email.contains(query),
        Search::Prefix => {
            let at_a_word = name.match_indices(query).any(|(at, _)| {
                name[..at]
                    .chars()
                    .next_back()
                    .is_none_or(char::is_whitespace)
            });
            at_a_word || email.starts_with(query)
        }
    }
}

pub(super) fn show(account: &Account, call: &Call, id: &str) -> Answer {
    let user = account.users.get(id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(json!({"user": render_one(account, user, call)})))
}

pub(super) fn me(account: &Account, call: &Call) -> Answer {
    match call
        .caller
        .user
        .as_deref()
        .and_then(|id| account.users.get(id))
    {
        Some(user) => Ok(Reply::ok(json!({"user": render_one(account, user, call)}))),
        // Here `error` is a string, unlike anywhere else.
        None => Err(Refusal {
            status: 400,
            body: json!({"error": "Because this request was made using an account-level access \
                token, we were unable to determine the user's identity. Please use a user-level \
                token."}),
        }),
    }
}

/// Single users can also come with their secret calendar feeds.
fn render_one(account: &Account, user: &User, call: &Call) -> Value {
    let mut value = render(account, user, call);
    if call.includes("calendar_urls") {
        let feed = format!("secret-calendar-feed-{}", user.id);
        let web = account.config.region.web_origin(&account.config.subdomain);
        value["http_cal_url"] = json!(format!("{web}/private/{feed}/feed"));
        value["web_cal_url"] = json!(format!(
            "{}/private/{feed}/feed",
            web.replacen("https", "webcal", 1)
        ));
    }
    value
}

/// The full user object.
pub(crate) fn render(account: &Account, user: &User, call: &Call) -> Value {
    let id = &user.id;
    let (own, html) = references::links(account, "users", "users", id);
    let teams: Vec<Value> = if call.includes("teams") {
        user.teams
            .iter()
            .filter_map(|t| super::teams::render(account, t))
            .collect()
    } else {
        references::teams(account, &user.teams)
    };
    let mut value = json!({
        "id": id, "type": "user", "summary": user.name, "self": own, "html_url": html,
        "name": user.name, "email": user.email, "time_zone": user.time_zone, "color": user.color,
        "avatar_url": format!("https://secure.gravatar.com/avatar/{}.png?d=mm&r=PG", id.to_lowercase()),
        "billed": true, "role": user.role.name(), "description": user.description,
        "invitation_sent": user.invitation_sent, "job_title": user.job_title, "teams": teams,
        "created_via_sso": user.created_via_sso,
        "contact_methods": [contact_method(user, &own, call)],
        "notification_rules": notification_rules(user, &own, call),
        "coordinated_incidents": [], "locale": "en-US",
    });
    if call.includes("subdomains") {
        value["subdomains"] = json!([account.config.subdomain]);
    }
    value
}

fn contact_method(user: &User, own: &str, call: &Call) -> Value {
    let id = &user.contact_method;
    let link = format!("{own}/contact_methods/{id}");
    if call.includes("contact_methods") {
        return json!({
            "id": id, "type": "email_contact_method", "summary": "Default", "self": link,
            "html_url": null, "label": "Default", "address": user.email, "send_short_email": false,
            "send_html_email": true,
        });
    }
    json!({
        "id": id, "type": "email_contact_method_reference", "summary": "Default", "self": link,
        "html_url": null,
    })
}

fn notification_rules(user: &User, own: &str, call: &Call) -> Vec<Value> {
    user.notification_rules
        .iter()
        .zip(["high", "low"])
        .map(|(id, urgency)| {
            let link = format!("{own}/notification_rules/{id}");
            let summary = "0 minutes: channel email";
            if call.includes("notification_rules") {
                json!({
                    "id": id, "type": "assignment_notification_rule", "summary": summary,
                    "self": link, "html_url": null, "start_delay_in_minutes": 0,
                    "urgency": urgency,
                    "contact_method": {
                        "id": user.contact_method, "type": "email_contact_method_reference",
                        "summary": "Default", "html_url": null,
                        "self": format!("{own}/contact_methods/{}", user.contact_method),
                    },
                })
            } else {
                json!({
                    "id": id, "type": "assignment_notification_rule_reference",
                    "summary": summary, "self": link, "html_url": null,
                })
            }
        })
        .collect()
}
