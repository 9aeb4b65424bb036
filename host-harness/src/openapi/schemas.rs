//! Values against the schemas of a description.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::{Draft, Registry, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};

use super::{
    DescriptionError, Violation,
    conversion::{Direction, converted},
    pointer::reference,
};

/// What the document is called where schemas refer to it.
const DOCUMENT: &str = "https://description.invalid/";

/// Characters of a violation's text, at most: it quotes the value.
const LONGEST: usize = 300;

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
        let mut errors: Vec<ValidationError<'_>> = validator.iter_errors(value).collect();
        // An object with another fault has none of its properties evaluated.
        let is_unknown = |error: &ValidationError<'_>| {
            matches!(
                error.kind(),
                ValidationErrorKind::UnevaluatedProperties { .. }
            )
        };
        if !errors.iter().all(is_unknown) {
            errors.retain(|error| !is_unknown(error));
        }
        if let Some(untold) = untold {
            errors.retain(|error| !is_of_untold(error, untold));
        }
        let told = |error: &ValidationError<'_>| {
            let place = format!("{part} at `{}`", error.instance_path());
            Violation::of(place, explain(error))
        };
        Ok(errors.iter().map(told).collect())
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
                cause: error.to_string(),
            })?;
        let validator = Arc::new(validator);
        validators.insert(schema.to_owned(), Arc::clone(&validator));
        Ok(validator)
    }
}

/// Whether it is about a value that is not told: or, of several alternatives,
/// one is refused for such values alone.
fn is_of_untold(error: &ValidationError<'_>, untold: &str) -> bool {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context
                .iter()
                .any(|errors| errors.iter().all(|error| is_of_untold(error, untold)))
        }
        _ => {
            let text = error.instance().as_str();
            text.is_some_and(|text| text.contains(untold))
        }
    }
}

/// The error, and where and why each alternative was refused.
fn explain(error: &ValidationError<'_>) -> String {
    let mut message = error.to_string();
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    let mut parts = vec![message];
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let refusals = context.iter().flatten();
        parts.extend(
            refusals.map(|error| format!("at `{}`: {}", error.instance_path(), explain(error))),
        );
    }
    parts.join("; ")
}
