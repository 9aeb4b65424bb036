//! What a new version must go on to offer: tenants and callers of the running
//! one would find out by failing calls.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::{connector::Connector, contract::metadata::AuthScheme, text::printable};

/// Something that the running version has and the new one lacks, or wants.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Incompatibility {
    /// It does not export an interface any more.
    Interface(String),
    /// It does not export a function any more, in an interface that it has.
    Function(String),
    /// It does not offer a way to sign in any more.
    Scheme(String),
    /// It can't do without a setting that tenants need not have.
    Setting(String),
    /// It does not take a setting any more that tenants may have.
    SettingGone(String),
}

impl std::fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, name) = match self {
            Self::Interface(name) => ("it no longer exports the interface", name),
            Self::Function(name) => ("it no longer exports the function", name),
            Self::Scheme(name) => ("it no longer has the authentication scheme", name),
            Self::Setting(name) => ("it now requires the setting", name),
            Self::SettingGone(name) => ("it no longer takes the setting", name),
        };
        write!(f, "{what} `{}`", printable(name))
    }
}

/// What calls and tenants of `running` would miss in `candidate`.
pub(super) fn compare(running: &Connector, candidate: &Connector) -> Vec<Incompatibility> {
    let interfaces = candidate.interfaces();
    let mut missing: Vec<Incompatibility> = running
        .interfaces()
        .into_keys()
        .filter(|interface| !interfaces.contains_key(interface))
        .map(Incompatibility::Interface)
        .collect();
    let functions: BTreeSet<&str> = candidate.functions().collect();
    for function in running.functions() {
        let interface = function.split('.').next().unwrap_or(function);
        if interfaces.contains_key(interface) && !functions.contains(function) {
            missing.push(Incompatibility::Function(function.to_owned()));
        }
    }
    let schemes = schemes(candidate);
    missing.extend(
        self::schemes(running)
            .into_iter()
            .filter(|scheme| !schemes.contains(scheme))
            .map(|scheme| Incompatibility::Scheme(scheme.to_owned())),
    );
    let (before, after) = (Settings::of(running), Settings::of(candidate));
    let newly = after.required.difference(&before.required);
    missing.extend(newly.cloned().map(Incompatibility::Setting));
    let gone = before.known.difference(&after.known);
    missing.extend(gone.cloned().map(Incompatibility::SettingGone));
    missing
}

fn schemes(connector: &Connector) -> BTreeSet<&str> {
    let schemes = connector.descriptor().auth_schemes.iter();
    schemes
        .map(|scheme| match scheme {
            AuthScheme::Header(header) => header.id.as_str(),
            AuthScheme::Oauth2(oauth) => oauth.id.as_str(),
        })
        .collect()
}

/// The settings by name.
struct Settings {
    known: BTreeSet<String>,
    required: BTreeSet<String>,
}

impl Settings {
    fn of(connector: &Connector) -> Self {
        // `Connector::load` has parsed it.
        let schema: Value =
            serde_json::from_str(&connector.descriptor().settings_schema).unwrap_or_default();
        let known = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        Self {
            known: known
                .into_iter()
                .flat_map(|known| known.keys().cloned())
                .collect(),
            required: required
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
        }
    }
}
