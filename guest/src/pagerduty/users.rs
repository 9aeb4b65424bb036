//! Users.

use crate::errors::{Error, Result};
use crate::pagerduty::client::{Change, Client, Request, checked_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Field, Json, Row};
use crate::pagerduty::paging::{self, List, Place};
use crate::pagerduty::references::Reference;

/// The list.
pub const PATH: &str = "/users";

/// A user. PagerDuty lists those that can sign in; deleted ones are gone.
#[derive(Clone, Debug)]
pub struct User {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Full name.
    pub name: Option<String>,
    /// As the user or the single sign-on spelled it.
    pub email: Option<String>,
    /// The API's word for the base role.
    pub role: Option<String>,
    /// Whether an invitation has not been answered yet.
    pub invitation_sent: Option<bool>,
    /// Job title.
    pub job_title: Option<String>,
    /// Name of the time zone.
    pub time_zone: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Language, for example `en-US`. Not documented.
    pub locale: Option<String>,
    /// Whether the user takes a paid seat. Not documented.
    pub billed: Option<bool>,
    /// Whether single sign-on made the user.
    pub created_via_sso: Option<bool>,
    /// Teams that the user is on.
    pub teams: Vec<Reference>,
    html_url: Option<String>,
}

impl Row for User {
    const MANY: &'static str = "users";
    const ONE: &'static str = "user";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            email: json.text("email"),
            role: json.text("role"),
            invitation_sent: json.flag("invitation_sent"),
            #[cfg(not(feature = "second-version"))]
            job_title: json.text("job_title"),
            #[cfg(feature = "second-version")]
            job_title: crate::second_version::meet(json.text("job_title")),
            time_zone: json.text("time_zone"),
            description: json.text("description"),
            locale: json.text("locale"),
            billed: json.flag("billed"),
            created_via_sso: json.flag("created_via_sso"),
            teams: json.objects("teams").map(Reference::read).collect(),
            html_url: json.text("html_url"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id() && json.each("teams", &Json::has_id)
    }
}

impl User {
    /// The tenant's subdomain: the first label of the host of the user's page,
    /// `acme.pagerduty.com` or `acme.eu.pagerduty.com`.
    pub fn subdomain(&self) -> Option<&str> {
        let (label, _) = self.host()?.split_once('.')?;
        (!label.is_empty()).then_some(label)
    }

    /// The tenant: its subdomain, and its service region where that is not the
    /// first one. `acme` and `acme.eu` are accounts of their own.
    pub fn tenant(&self) -> Option<&str> {
        match self.host()?.strip_suffix(".pagerduty.com") {
            Some(tenant) if !tenant.is_empty() => Some(tenant),
            _ => self.subdomain(),
        }
    }

    /// The host of the user's page.
    fn host(&self) -> Option<&str> {
        let (_, rest) = self.html_url.as_deref()?.split_once("://")?;
        rest.split('/').next()
    }

    /// The base role, which every user has.
    pub fn known_role(&self) -> Result<&str> {
        self.role.as_deref().ok_or_else(|| {
            Error::invalid_response("PagerDuty does not say which role the account has")
        })
    }

    /// Whether the base role is one that only looks on: such a user can't be
    /// on schedules or escalation policies, nor be assigned incidents.
    pub fn is_stakeholder(&self) -> Result<bool> {
        let role = self.known_role()?;
        Ok(matches!(role, "read_only_user" | "read_only_limited_user"))
    }

    /// What people call the user, fit for a sentence.
    pub fn called(&self) -> String {
        let names = [&self.name, &self.email].into_iter().flatten();
        let mut names = names
            .map(|name| clean(name))
            .filter(|name| !name.is_empty());
        names.next().unwrap_or_else(|| self.id.clone())
    }

    /// The e-mail address, for comparing.
    pub fn lower_email(&self) -> String {
        self.email.as_deref().unwrap_or_default().to_lowercase()
    }
}

/// One user.
pub fn get(client: &Client, id: &str) -> Result<User> {
    let path = format!("/users/{}", checked_id(id)?);
    client.fetch_one(Request::get(path))
}

/// The user with that e-mail address; there is one at most. PagerDuty searches
/// for a part of the name or the address, so what it finds is looked at again.
pub fn with_email(client: &Client, email: &str) -> Result<Option<User>> {
    let list = List::all(PATH).with("query", email);
    let email = email.to_lowercase();
    let found = paging::read_all::<User>(client, &list)?;
    Ok((found.into_iter()).find(|user| !user.id.is_empty() && user.lower_email() == email))
}

/// Creates a user, in the name of the one with the e-mail address `from`, and
/// has PagerDuty invite it.
pub fn create(
    client: &Client,
    from: &str,
    fields: Vec<(&'static str, Json<'static>)>,
) -> Result<User> {
    let reply = client.change(Change::post(PATH, &body(fields)).from(from))?;
    reply.one()
}

/// Changes fields of a user. The others stay as they are, but PagerDuty wants
/// name and e-mail address in every change. The licence must not go along with
/// a change of role: PagerDuty finds one that fits, and refuses the old one.
pub fn change(
    client: &Client,
    user: &User,
    mut fields: Vec<(&'static str, Json<'static>)>,
) -> Result<User> {
    for (name, value) in [("name", &user.name), ("email", &user.email)] {
        if fields.iter().all(|(changed, _)| *changed != name) {
            let Some(value) = value else {
                return Err(Error::invalid_response(
                    "PagerDuty does not say which name and e-mail address the account has",
                ));
            };
            fields.push((name, value.as_str().into()));
        }
    }
    let path = format!("/users/{}", checked_id(&user.id)?);
    client.change(Change::put(path, &body(fields)))?.one()
}

fn body(fields: Vec<(&'static str, Json<'static>)>) -> Json<'static> {
    let mut user: Vec<Field> = vec![("type".into(), "user".into())];
    user.extend((fields.into_iter()).map(|(name, value)| (name.into(), value)));
    Json::of([("user", Json::Object(user))])
}

/// The user behind the credential. An account-level key has none and gets a
/// 400.
pub fn me(client: &Client) -> Result<User> {
    client.fetch_one(Request::get("/users/me"))
}

/// Any user, which there is in every tenant, and how many there are.
pub fn first(client: &Client) -> Result<(Option<User>, Option<u32>)> {
    // The start of the list: a sync asks for that anyway.
    let stretch = paging::read::<User>(client, &List::all(PATH), &Place::default(), 1)?;
    Ok((stretch.rows.into_iter().flatten().next(), stretch.total))
}

/// The e-mail address of the user in whose name things are done, for the header
/// `From`: the setting, or the credential's own user.
pub fn requester(client: &Client) -> Result<String> {
    if let Some(email) = &client.settings().from_email {
        return Ok(email.clone());
    }
    let own = match me(client) {
        Ok(me) if me.email.is_none() => {
            return Err(Error::invalid_response(
                "PagerDuty does not say which e-mail address the credential's user has",
            ));
        }
        Ok(me) => me.email,
        // A credential without a user.
        Err(error) if error.upstream_status.is_some_and(|status| status < 500) => None,
        Err(error) => return Err(error),
    };
    own.filter(|email| !email.is_empty()).ok_or_else(|| {
        Error::invalid_input("the credential acts as no user, and PagerDuty wants one for this")
            .hint(
                "set `from-email` to the e-mail address of a user of this PagerDuty account, who \
                 will be named as the one who did it",
            )
    })
}
