//! Values against the schemas of a description.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::{Draft, Registry, ValidationError, Validator, error::ValidationErrorKind, uri};
use serde_json::{Value, json};

use super::{
    DescriptionError, Violation,
    conversion::{Direction, converted},
    parts::member,
    pointer::{reference, target},
    violation::without_indices,
};

/// What the document is called where schemas refer to it.
const DOCUMENT: &str = "https://description.invalid/";

/// Characters of a quotation of a value, at most.
const LONGEST_QUOTATION: usize = 300;

/// Characters of what is said of a value, at most: each alternative that refuses
/// it may quote it.
const LONGEST: usize = 2_000;

/// The schemas of a description for one direction. Each is made ready when it
/// is asked for first.
pub(super) struct Schemas {
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    pub(super) fn of(openapi: &Value, direction: Direction) -> Result<Self, DescriptionError> {
        let document = Draft::Draft202012.create_resource(converted(openapi, direction));
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(DOCUMENT, document)
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| DescriptionError::Schema {
                at: String::new(),
                cause: error.to_string(),
            })?;
        Ok(Self {
            registry,
            validators: Mutex::default(),
        })
    }

    /// What of a value is not as the schema at a place has it. `part` says what
    /// the value is; what is `untold` in it is left out.
    pub(super) fn violations(
        &self,
        schema: &str,
        part: &str,
        value: &Value,
        untold: Option<&str>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let validator = self.validator(schema)?;
        let errors: Vec<ValidationError<'_>> = validator.iter_errors(value).collect();
        let faults = self.faults(&errors, untold);
        let told = faults.into_iter().map(|fault| Violation {
            rule: fault.rule,
            ..Violation::of(format!("{part} at `{}`", fault.place), fault.what)
        });
        Ok(told.collect())
    }

    /// What of the errors of one schema is about something that is told.
    fn faults(&self, errors: &[ValidationError<'_>], untold: Option<&str>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for error in errors {
            let mut rule = error.kind().keyword().to_owned();
            let mut what = cut(error.to_string(), LONGEST_QUOTATION);
            match error.kind() {
                ValidationErrorKind::UnevaluatedProperties { .. } => {
                    let names = self.undescribed(error, errors, untold);
                    if names.is_empty() {
                        continue;
                    }
                    let quoted: Vec<String> =
                        names.iter().map(|name| format!("'{name}'")).collect();
                    let names = quoted.join(", ");
                    let verb = if quoted.len() == 1 { "is" } else { "are" };
                    what = cut(format!("{names} {verb} not described"), LONGEST_QUOTATION);
                    rule = format!("{rule} {names}");
                }
                ValidationErrorKind::AnyOf { context }
                | ValidationErrorKind::OneOfNotValid { context } => {
                    let alternatives: Vec<Vec<Fault>> = context
                        .iter()
                        .map(|errors| self.faults(errors, untold))
                        .collect();
                    // One is refused for what is not told alone.
                    if alternatives.iter().any(Vec::is_empty) {
                        continue;
                    }
                    for fault in alternatives.iter().flatten() {
                        let place = without_indices(&fault.place);
                        what.push_str(&format!("; at `{}`: {}", fault.place, fault.what));
                        rule.push_str(&format!("; {place} {}", fault.rule));
                    }
                }
                _ if untold.is_some_and(|untold| is_of_untold(error, untold)) => continue,
                ValidationErrorKind::Required { property } => {
                    rule = format!("{rule} {property}");
                }
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    rule = format!("{rule} {}", unexpected.join(", "));
                }
                _ => {}
            }
            faults.push(Fault {
                place: error.instance_path().to_string(),
                rule,
                what: cut(what, LONGEST),
            });
        }
        faults
    }

    /// Which names an error that says so of them finds undescribed indeed. Where
    /// a part of a schema refuses an object for one member, the validator takes
    /// none of that part's names as described: then those count that no part has.
    fn undescribed<'e>(
        &self,
        error: &'e ValidationError<'_>,
        errors: &[ValidationError<'_>],
        untold: Option<&str>,
    ) -> Vec<&'e str> {
        let ValidationErrorKind::UnevaluatedProperties { unexpected } = error.kind() else {
            return Vec::new();
        };
        let object = error.instance_path().as_str();
        let is_within = |other: &ValidationError<'_>| {
            let rest = other.instance_path().as_str().strip_prefix(object);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_refused = errors
            .iter()
            .any(|other| !std::ptr::eq(other, error) && is_within(other))
            || untold.is_some_and(|untold| holds(error.instance(), untold));
        let schema = is_refused.then(|| self.schema_of(error)).flatten();
        let names = unexpected.iter().map(String::as_str);
        names
            .filter(|name| {
                schema
                    .as_ref()
                    .is_none_or(|(document, place)| member(document, place, name).is_none())
            })
            .collect()
    }

    /// The document, and the place of the schema that an error comes from.
    fn schema_of(&self, error: &ValidationError<'_>) -> Option<(&Value, String)> {
        let uri = uri::from_str(DOCUMENT).ok()?;
        let resolved = self.registry.resolver(uri).lookup("#").ok()?;
        let document = resolved.contents();
        let (place, _) = error.schema_path().as_str().rsplit_once('/')?;
        // It may be as in a reference, or as it is.
        let places = [Some(place.to_owned()), target(&format!("#{place}"))];
        let mut places = places.into_iter().flatten();
        let place = places.find(|place| document.pointer(place).is_some())?;
        Some((document, place))
    }

    fn validator(&self, schema: &str) -> Result<Arc<Validator>, DescriptionError> {
        let mut validators = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(schema) {
            return Ok(Arc::clone(validator));
        }
        let place = reference(schema);
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_registry(&self.registry)
            .build(&json!({ "$ref": format!("{DOCUMENT}{place}") }))
            .map_err(|error| DescriptionError::Schema {
                at: schema.to_owned(),
                // It may be far away, behind references.
                cause: format!("{error} at `{}`", error.schema_path()),
            })?;
        let validator = Arc::new(validator);
        validators.insert(schema.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }
}

/// What is wrong, and where in the value.
struct Fault {
    place: String,
    rule: String,
    what: String,
}

/// Whether it is about a value that is not told, or compares such values.
fn is_of_untold(error: &ValidationError<'_>, untold: &str) -> bool {
    match error.kind() {
        ValidationErrorKind::UniqueItems
        | ValidationErrorKind::Enum { .. }
        | ValidationErrorKind::Constant { .. } => holds(error.instance(), untold),
        _ => {
            let text = error.instance().as_str();
            text.is_some_and(|text| text.contains(untold))
        }
    }
}

/// Whether something within a value is not told.
fn holds(value: &Value, untold: &str) -> bool {
    match value {
        Value::String(text) => text.contains(untold),
        Value::Array(items) => items.iter().any(|item| holds(item, untold)),
        Value::Object(members) => members.values().any(|member| holds(member, untold)),
        _ => false,
    }
}

fn cut(mut text: String, longest: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
    text
}
