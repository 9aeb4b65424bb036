//! Settings: checked against the schema that the connector declares, handed to
//! it as environment variables.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Why a setting is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting `{name}`; the connector knows {}", .known.join(", "))]
    Unknown {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The value does not fit.
    #[error("the setting `{name}`: {problem}")]
    Value {
        /// Which setting.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A required one is missing, or something else about the whole.
    #[error("the settings are not valid: {0}")]
    Whole(String),
    /// The connector's schema is no schema.
    #[error("the connector's settings schema is not valid: {0}")]
    Schema(String),
}

/// A connector's settings schema.
pub(super) struct Schema {
    names: Vec<String>,
    validator: jsonschema::Validator,
}

impl Schema {
    pub(super) fn parse(text: &str) -> Result<Self, SettingError> {
        let schema: Value =
            serde_json::from_str(text).map_err(|error| SettingError::Schema(error.to_string()))?;
        let names = schema
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default();
        let validator = jsonschema::draft202012::new(&schema)
            .map_err(|error| SettingError::Schema(error.to_string()))?;
        Ok(Self { names, validator })
    }

    /// The environment variables for `settings`.
    pub(super) fn environment(
        &self,
        settings: &BTreeMap<String, String>,
    ) -> Result<Vec<(String, String)>, SettingError> {
        if let Some(name) = settings.keys().find(|name| !self.names.contains(name)) {
            return Err(SettingError::Unknown {
                name: name.clone(),
                known: self.names.iter().map(|name| format!("`{name}`")).collect(),
            });
        }
        let object: Map<String, Value> = settings
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        if let Some(error) = self.validator.iter_errors(&Value::Object(object)).next() {
            let path = error.instance_path().to_string();
            let name = path.trim_start_matches('/');
            return Err(if name.is_empty() {
                SettingError::Whole(error.to_string())
            } else {
                SettingError::Value {
                    name: name.to_owned(),
                    problem: error.to_string(),
                }
            });
        }
        Ok(settings
            .iter()
            .map(|(name, value)| (variable(name), value.clone()))
            .collect())
    }
}

/// What a setting is if nobody says.
pub(super) fn default(schema: &str, name: &str) -> Option<String> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let default = schema.get("properties")?.get(name)?.get("default")?;
    default.as_str().map(str::to_owned)
}

/// `from-email` as `FROM_EMAIL`.
fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}
