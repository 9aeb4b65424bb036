//! Who leaves and who takes over, as a step's payload has it.

use super::step::Leaving;
use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::checked_id;
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Field, Json};
use crate::pagerduty::users::User;

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

/// A schedule, and who leaves it.
pub struct Subject {
    /// The schedule's id.
    pub schedule: String,
    /// Its name.
    pub name: String,
    /// Who leaves, and who takes over.
    pub parties: Parties,
}

/// A payload under construction.
pub struct Payload(Vec<Field<'static>>);

impl Payload {
    /// With that field.
    pub fn with(mut self, name: &'static str, value: impl Into<Json<'static>>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// As it is.
    pub fn done(self) -> Json<'static> {
        Json::Object(self.0)
    }
}

impl Party {
    fn of(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            name: user.called(),
        }
    }

    fn read(payload: &Json, id: &str, name: &str) -> Result<Self> {
        let id = required_id(payload, id)?;
        Ok(Self {
            name: payload
                .text(name)
                .map_or_else(|| id.clone(), |name| clean(&name)),
            id,
        })
    }
}

impl Parties {
    /// Those of a plan.
    pub fn of(leaving: &Leaving<'_>) -> Self {
        Self {
            from: Party::of(leaving.source),
            to: leaving.heir.map(Party::of),
        }
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

    /// A payload of no more than them.
    pub fn payload(&self) -> Payload {
        let mut payload = Vec::new();
        self.write(&mut payload);
        Payload(payload)
    }

    /// Adds them to a payload.
    pub fn write(&self, payload: &mut Vec<Field<'static>>) {
        let mut add = |party: &Party, id: &'static str, name: &'static str| {
            payload.push((id.into(), party.id.as_str().into()));
            payload.push((name.into(), party.name.as_str().into()));
        };
        add(&self.from, "from", "from_name");
        if let Some(to) = &self.to {
            add(to, "to", "to_name");
        }
    }

    /// From a payload.
    pub fn read(payload: &Json) -> Result<Self> {
        let to = match payload.get("to") {
            Json::Null => None,
            _ => Some(Party::read(payload, "to", "to_name")?),
        };
        Ok(Self {
            from: Party::read(payload, "from", "from_name")?,
            to,
        })
    }
}

impl Subject {
    /// That of a plan.
    pub fn of(schedule: &str, name: &str, leaving: &Leaving<'_>) -> Self {
        Self {
            schedule: schedule.to_owned(),
            name: name.to_owned(),
            parties: Parties::of(leaving),
        }
    }

    /// The other way round, if somebody takes over.
    pub fn reversed(&self) -> Option<Self> {
        Some(Self {
            schedule: self.schedule.clone(),
            name: self.name.clone(),
            parties: self.parties.reversed()?,
        })
    }

    /// A payload with one field more.
    pub fn payload(&self, name: &'static str, value: Json<'static>) -> Json<'static> {
        let payload = self.parties.payload();
        payload
            .with("schedule", self.schedule.as_str())
            .with("name", self.name.as_str())
            .with(name, value)
            .done()
    }

    /// From a payload.
    pub fn read(payload: &Json) -> Result<Self> {
        Ok(Self {
            schedule: required_id(payload, "schedule")?,
            name: required(payload, "name")?,
            parties: Parties::read(payload)?,
        })
    }
}

/// A field of a payload that must be there.
pub fn required(payload: &Json, name: &str) -> Result<String> {
    payload.text(name).ok_or_else(malformed)
}

/// The same, where it is to be an id.
pub fn required_id(payload: &Json, name: &str) -> Result<String> {
    let id = required(payload, name)?;
    checked_id(&id)?;
    Ok(id)
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
