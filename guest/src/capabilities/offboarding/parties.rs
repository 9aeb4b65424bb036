//! Who leaves and who takes over, as a step's payload has it.

use super::step::Leaving;
use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::Json;
use crate::pagerduty::users::User;

/// Base roles of stakeholders, whom PagerDuty refuses on schedules.
const STAKEHOLDERS: [&str; 2] = ["read_only_user", "read_only_limited_user"];

/// An account.
#[derive(Clone)]
pub struct Party {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Who leaves, and who takes over.
#[derive(Clone)]
pub struct Parties {
    /// Who leaves.
    pub from: Party,
    /// Who takes over, if anybody does.
    pub to: Option<Party>,
}

impl Party {
    fn of(user: &User) -> Self {
        let names = [&user.name, &user.email];
        let name = names.into_iter().flatten().find(|name| !name.is_empty());
        Self {
            id: user.id.clone(),
            name: clean(name.unwrap_or(&user.id)),
        }
    }

    fn read(payload: &Json, id: &str, name: &str) -> Option<Self> {
        let id = payload.text(id)?;
        Some(Self {
            name: payload.text(name).unwrap_or_else(|| id.clone()),
            id,
        })
    }
}

impl Parties {
    /// Those of a plan. A stakeholder can't take over on a schedule.
    pub fn of(leaving: &Leaving<'_>) -> Result<Self> {
        if let Some(heir) = leaving.heir
            && heir
                .role
                .as_deref()
                .is_some_and(|role| STAKEHOLDERS.contains(&role))
        {
            let name = Party::of(heir).name;
            return Err(Error::new(
                ErrorCode::Conflict,
                format!("{name} is a stakeholder, and can't be on schedules"),
            )
            .hint("name somebody with a full user role to take over, or change the role first"));
        }
        Ok(Self {
            from: Party::of(leaving.source),
            to: leaving.heir.map(Party::of),
        })
    }

    /// The id of who takes over.
    pub fn to_id(&self) -> Option<&str> {
        self.to.as_ref().map(|to| to.id.as_str())
    }

    /// The other way round, if somebody takes over.
    pub fn reversed(&self) -> Option<Self> {
        Some(Self {
            from: self.to.clone()?,
            to: Some(self.from.clone()),
        })
    }

    /// Adds them to a payload.
    pub fn write(&self, payload: &mut Vec<(String, Json)>) {
        let mut add = |party: &Party, id: &str, name: &str| {
            payload.push((id.to_owned(), party.id.as_str().into()));
            payload.push((name.to_owned(), party.name.as_str().into()));
        };
        add(&self.from, "from", "from_name");
        if let Some(to) = &self.to {
            add(to, "to", "to_name");
        }
    }

    /// From a payload.
    pub fn read(payload: &Json) -> Result<Self> {
        Ok(Self {
            from: Party::read(payload, "from", "from_name").ok_or_else(malformed)?,
            to: Party::read(payload, "to", "to_name"),
        })
    }
}

/// A field of a payload that must be there.
pub fn required(payload: &Json, name: &str) -> Result<String> {
    payload.text(name).ok_or_else(malformed)
}

/// The payload is not as this connector writes it.
pub fn malformed() -> Error {
    Error::invalid_input("the step's payload is not one that this connector made")
        .hint("make the plan anew with this version of the connector")
}

/// The world is not as the plan saw it.
pub fn world_changed(message: String) -> Error {
    Error::new(ErrorCode::Conflict, message).hint("make a new plan: it goes by what is there now")
}

/// A name in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", clean(name))
}

/// Which of how many, for a person: `2nd and 4th of 5`.
pub fn places_of(places: &[usize], of: usize) -> String {
    let places = places.iter().map(|place| ordinal(place + 1));
    format!("{} of {of}", listed(places.collect()))
}

/// With commas and an `and`.
pub fn listed(mut items: Vec<String>) -> String {
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} and {last}", items.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
