//! What PagerDuty lets others write about a user: name, e-mail address, and the
//! attributes that have no place of their own in the contract.

use crate::errors::{Error, Result};
use crate::pagerduty::errors::clean;
use crate::pagerduty::users::User;

/// The contract's name, PagerDuty's, and what it is now.
type Attribute = (&'static str, &'static str, fn(&User) -> Option<&str>);

const ATTRIBUTES: [Attribute; 3] = [
    ("description", "description", |user| {
        user.description.as_deref()
    }),
    ("job-title", "job_title", |user| user.job_title.as_deref()),
    ("time-zone", "time_zone", |user| user.time_zone.as_deref()),
];

/// PagerDuty's limit for names, e-mail addresses and job titles, in characters.
const MAX_LENGTH: usize = 100;
/// PagerDuty's limit for e-mail addresses.
const MIN_EMAIL: usize = 6;

/// Attributes to write: PagerDuty's names and the values.
pub struct Attributes<'a>(Vec<(&'static Attribute, &'a str)>);

impl<'a> Attributes<'a> {
    /// Refuses what PagerDuty does not take. `job_title` is `job-title`.
    pub fn read(given: &'a [(String, String)]) -> Result<Self> {
        let mut attributes: Vec<(&Attribute, &str)> = Vec::new();
        for (name, value) in given {
            let named = name.replace('_', "-");
            let found = ATTRIBUTES.iter().find(|(known, ..)| *known == named);
            let Some(attribute) = found else {
                let known = ATTRIBUTES.map(|(known, ..)| known).join(", ");
                return Err(Error::invalid_input(format!(
                    "`{}` is not an attribute that can be written",
                    clean(name)
                ))
                .hint(format!("the attributes are {known}")));
            };
            let name = attribute.0;
            if attributes.iter().any(|(other, _)| other.0 == name) {
                return Err(Error::invalid_input(format!(
                    "the attribute {name} is given twice"
                )));
            }
            let value = value.trim();
            if name == "time-zone" && value.is_empty() {
                return Err(
                    Error::invalid_input("an account can't be without a time zone")
                        .hint("give one, such as `Europe/Paris`"),
                );
            }
            if name == "job-title" {
                check_length(name, value)?;
            }
            attributes.push((attribute, value));
        }
        Ok(Self(attributes))
    }

    /// All of them.
    pub fn all(&self) -> Vec<(&'static str, &'a str)> {
        let named = self.0.iter().map(|((_, field, _), value)| (*field, *value));
        named.collect()
    }

    /// Those that a user does not have yet.
    pub fn new_to(&self, user: &User) -> Vec<(&'static str, &'a str)> {
        let differs = |((_, field, now), value): &(&'static Attribute, &'a str)| {
            let now = now(user).unwrap_or_default();
            (now != *value && !is_same_zone(now, value)).then_some((*field, *value))
        };
        self.0.iter().filter_map(differs).collect()
    }
}

/// PagerDuty answers `Etc/UTC` to who writes `UTC`.
fn is_same_zone(one: &str, other: &str) -> bool {
    matches!((one, other), ("Etc/UTC", "UTC") | ("UTC", "Etc/UTC"))
}

/// A name for people. PagerDuty keeps one.
pub fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid_input("an account needs a name")
            .hint("give a display name, or a given and a family name"));
    }
    check_length("name", name)?;
    Ok(name)
}

/// An e-mail address, as far as can be told.
pub fn checked_email(email: &str) -> Result<&str> {
    let is_whole = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if !is_whole || !is_plain || email.chars().count() < MIN_EMAIL {
        return Err(Error::invalid_input(format!(
            "`{}` is not an e-mail address",
            clean(email)
        )));
    }
    check_length("e-mail address", email)?;
    Ok(email)
}

fn check_length(what: &str, value: &str) -> Result<()> {
    let length = value.chars().count();
    if length <= MAX_LENGTH {
        return Ok(());
    }
    Err(Error::invalid_input(format!(
        "the {what} has {length} characters, and PagerDuty takes {MAX_LENGTH}"
    )))
}
