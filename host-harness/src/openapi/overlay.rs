//! Corrections to a description, where the real service is known to differ.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    DescriptionError,
    pointer::{MOST_HOPS, target},
};

/// The format that this version reads.
pub const OVERLAY_FORMAT: &str = "iga-openapi-overlay/1";

/// Corrections to a description, applied in their order:
///
/// ```json
/// {
///   "format": "iga-openapi-overlay/1",
///   "corrections": [
///     {
///       "at": "/components/schemas/User/properties/job_title",
///       "reason": "null in the description's own example",
///       "change": "nullable"
///     }
///   ]
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The corrections.
    pub corrections: Vec<Correction>,
}

/// What is otherwise than described.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Its place: a JSON pointer into the description.
    pub at: String,
    /// The evidence.
    pub reason: String,
    /// What is so instead.
    pub change: Change,
}

/// How a description is corrected.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// `"nullable"`: the schema also takes null.
    Nullable,
    /// `{"or": SCHEMA}`: the schema also takes what this one takes.
    Or(Value),
    /// `{"only-required": [NAME]}`: of the properties that the schema requires,
    /// these alone are. A schema that is a reference is corrected here, and not
    /// where it leads.
    OnlyRequired(Vec<String>),
    /// `"any-format"`: the schema's format is something else. A schema that is a
    /// reference is corrected here, and not where it leads.
    AnyFormat,
    /// `{"becomes": ANYTHING}`: it is this instead.
    Becomes(Value),
    /// `{"responses": {STATUS: RESPONSE}}`: the responses of an operation also
    /// have these, or have them so.
    Responses(BTreeMap<String, Value>),
    /// `{"parameter": PARAMETER}`: the list of parameters also has this one.
    Parameter(Value),
    /// `"comma-separated"`: the parameter takes several values with commas
    /// between them.
    CommaSeparated,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    corrections: Vec<Correction>,
}

impl Overlay {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, DescriptionError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|cause| DescriptionError::Read {
            path: shown.clone(),
            cause,
        })?;
        Self::parse(&text, &shown)
    }

    /// Reads a text; `name` is for messages.
    pub fn parse(text: &str, name: &str) -> Result<Self, DescriptionError> {
        let wrong = |cause: String| DescriptionError::NotOverlay {
            path: name.to_owned(),
            cause,
        };
        let document: Document =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if document.format != OVERLAY_FORMAT {
            return Err(wrong(format!(
                "its format is `{}`, and this version reads `{OVERLAY_FORMAT}`",
                document.format
            )));
        }
        let is_bare = |correction: &&Correction| correction.reason.trim().is_empty();
        if let Some(bare) = document.corrections.iter().find(is_bare) {
            return Err(wrong(format!(
                "the correction of `{}` has no reason",
                bare.at
            )));
        }
        let is_pointer = |at: &str| at.is_empty() || at.starts_with('/');
        let mut places = document.corrections.iter().map(|correction| &correction.at);
        if let Some(at) = places.find(|at| !is_pointer(at)) {
            return Err(wrong(format!(
                "`{at}` is no JSON pointer: it has to begin with `/`"
            )));
        }
        Ok(Self {
            corrections: document.corrections,
        })
    }

    /// Corrects a description.
    pub(super) fn apply(&self, openapi: &mut Value) -> Result<(), DescriptionError> {
        self.corrections
            .iter()
            .try_for_each(|correction| correction.apply(openapi))
    }
}

impl Correction {
    fn apply(&self, openapi: &mut Value) -> Result<(), DescriptionError> {
        let misfit = |expected| DescriptionError::Misfit {
            at: self.at.clone(),
            expected,
        };
        let missing = || DescriptionError::Place {
            at: self.at.clone(),
            reason: self.reason.clone(),
        };
        let needless = |cause| DescriptionError::Needless {
            at: self.at.clone(),
            reason: self.reason.clone(),
            cause,
        };
        let described = openapi.pointer(&self.at).ok_or_else(missing)?;
        let misfit = || misfit(self.change.expects());
        let mut place = match self.change {
            // What others refer to as well stays as it is.
            Change::OnlyRequired(_) | Change::AnyFormat => {
                resolved(openapi, described).ok_or_else(misfit)?
            }
            _ => described,
        }
        .clone();
        if !self.change.fits(&self.at, &place) {
            return Err(misfit());
        }
        let before = place.clone();
        match &self.change {
            Change::Nullable => place["nullable"] = json!(true),
            Change::Or(other) => place = json!({ "anyOf": [place, other] }),
            Change::OnlyRequired(names) => only_required(&mut place, names),
            Change::AnyFormat => place["format"] = json!("any"),
            Change::Becomes(other) => place = other.clone(),
            Change::Responses(responses) => {
                for (status, response) in responses {
                    if place.get(status) == Some(response) {
                        return Err(needless("one of the responses is so already"));
                    }
                    place[status] = response.clone();
                }
            }
            Change::Parameter(parameter) => {
                let id = |parameter| {
                    let parameter = resolved(openapi, parameter)?;
                    Some((parameter["name"].as_str()?, parameter["in"].as_str()?))
                };
                let added = id(parameter).ok_or_else(misfit)?;
                if let Some(parameters) = place.as_array_mut() {
                    if parameters.iter().any(|known| id(known) == Some(added)) {
                        return Err(needless("one of this name is in the list already"));
                    }
                    parameters.push(parameter.clone());
                }
            }
            Change::CommaSeparated => {
                let items = place["schema"].take();
                place["schema"] = json!({ "type": "array", "items": items });
                place["style"] = json!("form");
                place["explode"] = json!(false);
            }
        }
        if place == before {
            return Err(needless("it is so already"));
        }
        if let Some(old) = openapi.pointer_mut(&self.at) {
            *old = place;
        }
        Ok(())
    }
}

impl Change {
    fn fits(&self, at: &str, place: &Value) -> bool {
        match self {
            Self::Becomes(_) => true,
            Self::Parameter(_) => place.is_array(),
            Self::CommaSeparated => place["schema"].is_object(),
            Self::Responses(_) => is_of_responses(at) && place.is_object(),
            Self::AnyFormat => is_of_schema(at) && place["format"].is_string(),
            Self::Nullable | Self::Or(_) | Self::OnlyRequired(_) => {
                is_of_schema(at) && place.is_object()
            }
        }
    }

    fn expects(&self) -> &'static str {
        match self {
            Self::Becomes(_) => "anything",
            Self::Parameter(_) => "a list of parameters, each with `name` and `in`",
            Self::CommaSeparated => "a parameter with a schema",
            Self::Responses(_) => "an operation's responses",
            Self::AnyFormat => "a schema with a format",
            Self::Nullable | Self::Or(_) | Self::OnlyRequired(_) => "a schema",
        }
    }
}

/// Whether an operation's responses stand there; those of components have names
/// and not statuses.
fn is_of_responses(at: &str) -> bool {
    at.ends_with("/responses") && at != "/components/responses"
}

/// Whether a schema stands there.
fn is_of_schema(at: &str) -> bool {
    let mut tokens = at.rsplit('/');
    let (last, parent) = (tokens.next(), tokens.next());
    matches!(
        last,
        Some("schema" | "items" | "additionalProperties" | "not")
    ) || matches!(
        parent,
        Some("schemas" | "properties" | "allOf" | "anyOf" | "oneOf")
    )
}

/// What stands at the end of references, if they end.
fn resolved<'v>(openapi: &'v Value, mut place: &'v Value) -> Option<&'v Value> {
    for _ in 0..MOST_HOPS {
        let Some(reference) = place["$ref"].as_str() else {
            return Some(place);
        };
        place = openapi.pointer(&target(reference)?)?;
    }
    None
}

fn only_required(schema: &mut Value, names: &[String]) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| names.iter().any(|kept| name == kept));
    }
    let parts = schema.get_mut("allOf").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        only_required(part, names);
    }
}
