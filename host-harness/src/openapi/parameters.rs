//! The query of a request against the parameters of an operation.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Description, DescriptionError, Exchange, Violation};

/// Schemas within schemas, at most, in search of a type.
const DEEPEST: usize = 4;

/// A parameter of the query.
struct Parameter<'d> {
    name: &'d str,
    is_required: bool,
    style: &'d str,
    explode: bool,
    /// The place of its schema.
    schema: String,
    /// It is JSON as a text.
    is_json: bool,
    /// The types that its schema speaks of; none if it takes anything.
    kinds: BTreeSet<&'d str>,
}

/// What a parameter's texts may stand for: one of these must be as described.
type Readings = Vec<Value>;

impl Description {
    /// What of a query is not as the parameters at these places have it; the
    /// first of a name counts.
    pub(super) fn query_violations(
        &self,
        places: &[String],
        exchange: &Exchange<'_>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let mut found = Vec::new();
        let mut parameters: Vec<Parameter<'_>> = Vec::new();
        for list in places {
            for index in 0..self.at(list).as_array().map_or(0, Vec::len) {
                let parameter = self.parameter(format!("{list}/{index}"));
                if let Some(parameter) = parameter
                    && parameters.iter().all(|known| known.name != parameter.name)
                {
                    parameters.push(parameter);
                }
            }
        }
        let mut is_known = vec![false; exchange.query.len()];
        for parameter in &parameters {
            let mut given: Vec<(&str, &str)> = Vec::new();
            for (at, (name, text)) in exchange.query.iter().enumerate() {
                if let Some(key) = self.key(parameter, name) {
                    is_known[at] = true;
                    given.push((key, text));
                }
            }
            self.parameter_violations(parameter, &given, exchange.untold, &mut found)?;
        }
        let names = exchange.query.iter().map(|(name, _)| name);
        for (name, _) in names.zip(&is_known).filter(|(_, is_known)| !**is_known) {
            let listed = format!("{name}[]");
            let what = if parameters.iter().any(|known| known.name == listed) {
                format!("it takes several values, and must be `{listed}`")
            } else {
                "it is not described".to_owned()
            };
            found.push(Violation::of(part(name), what));
        }
        Ok(found)
    }

    fn parameter(&self, place: String) -> Option<Parameter<'_>> {
        let place = self.follow(place);
        let parameter = self.at(&place);
        if parameter["in"] != "query" {
            return None;
        }
        let is_json = parameter["schema"].is_null() && parameter["content"].is_object();
        let schema = if is_json {
            format!("{place}/content/application~1json/schema")
        } else {
            format!("{place}/schema")
        };
        let mut kinds = BTreeSet::new();
        self.kinds(&schema, DEEPEST, &mut kinds);
        let style = parameter["style"].as_str().unwrap_or("form");
        Some(Parameter {
            name: parameter["name"].as_str()?,
            is_required: parameter["required"] == true,
            explode: parameter["explode"].as_bool().unwrap_or(style == "form"),
            style,
            schema,
            is_json,
            kinds,
        })
    }

    /// The property that a name of the query stands for, or the name itself, if
    /// it is one of this parameter's.
    fn key<'n>(&self, parameter: &Parameter<'_>, name: &'n str) -> Option<&'n str> {
        if parameter.is_deep() {
            let key = name.strip_prefix(parameter.name)?.strip_prefix('[')?;
            return key.strip_suffix(']');
        }
        if parameter.is_spread() {
            let schema = self.follow(parameter.schema.clone());
            return self.at(&schema)["properties"].get(name).map(|_| name);
        }
        (name == parameter.name).then_some(name)
    }

    fn parameter_violations(
        &self,
        parameter: &Parameter<'_>,
        given: &[(&str, &str)],
        untold: Option<&str>,
        found: &mut Vec<Violation>,
    ) -> Result<(), DescriptionError> {
        let name = parameter.name;
        if given.is_empty() {
            if parameter.is_required {
                found.push(Violation::of(part(name), "it is missing"));
            }
            return Ok(());
        }
        let is_untold = |(_, text): &(&str, &str)| untold.is_some_and(|word| text.contains(word));
        if self.at(&parameter.schema).is_null() || given.iter().any(is_untold) {
            return Ok(());
        }
        for readings in self.values(parameter, given) {
            let mut wrong = Vec::new();
            for (attempt, value) in readings.iter().enumerate() {
                let violations =
                    self.requests
                        .violations(&parameter.schema, &part(name), value, untold)?;
                if violations.is_empty() {
                    wrong.clear();
                    break;
                }
                if attempt == 0 {
                    wrong = violations;
                }
            }
            found.extend(wrong);
        }
        let may_repeat = parameter.is_deep()
            || parameter.is_spread()
            || name.ends_with("[]")
            || parameter.is_list() && parameter.explode;
        if given.len() > 1 && !may_repeat {
            found.push(Violation::of(part(name), "it is given twice"));
        }
        Ok(())
    }

    /// The JSON that a parameter's texts stand for.
    fn values(&self, parameter: &Parameter<'_>, given: &[(&str, &str)]) -> Vec<Readings> {
        let texts: Vec<&str> = given.iter().map(|(_, text)| *text).collect();
        if parameter.is_json {
            let json = |text: &&str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            return texts.iter().map(|text| vec![json(text)]).collect();
        }
        if parameter.is_deep() || parameter.is_spread() {
            return vec![self.object_readings(parameter, given)];
        }
        let is_several = texts.len() > 1 || !parameter.has_scalar();
        if parameter.is_list() && is_several {
            let mut kinds = BTreeSet::new();
            let items = format!("{}/items", self.follow(parameter.schema.clone()));
            self.kinds(&items, DEEPEST, &mut kinds);
            let texts: Vec<&str> = match parameter.delimiter() {
                Some(delimiter) => texts.iter().flat_map(|t| t.split(delimiter)).collect(),
                None => texts,
            };
            let list = |reading: usize| -> Value {
                let items = texts.iter().map(|text| readings(text, &kinds));
                items.map(|mut item| item.swap_remove(reading)).collect()
            };
            return vec![vec![list(0), list(1)]];
        }
        if parameter.kinds.contains("object") && !parameter.has_scalar() {
            // Written as one text: whatever the style, it is not looked into.
            return Vec::new();
        }
        // Some describe a list by the type of its elements.
        let several = parameter.name.ends_with("[]");
        let count = if several { texts.len() } else { 1 };
        let first = texts.iter().take(count);
        first.map(|text| readings(text, &parameter.kinds)).collect()
    }

    fn object_readings(&self, parameter: &Parameter<'_>, given: &[(&str, &str)]) -> Readings {
        let schema = self.follow(parameter.schema.clone());
        let object = |reading: usize| {
            let mut members = Map::new();
            for (key, text) in given {
                let mut kinds = BTreeSet::new();
                let token = super::pointer::token(key);
                self.kinds(&format!("{schema}/properties/{token}"), DEEPEST, &mut kinds);
                let value = readings(text, &kinds).swap_remove(reading);
                members.insert((*key).to_owned(), value);
            }
            Value::Object(members)
        };
        vec![object(0), object(1)]
    }

    /// The types that a schema speaks of, itself or by its parts.
    fn kinds<'d>(&'d self, schema: &str, deepest: usize, kinds: &mut BTreeSet<&'d str>) {
        let place = self.follow(schema.to_owned());
        let schema = self.at(&place);
        if let Some(kind) = schema["type"].as_str() {
            kinds.insert(kind);
        } else if schema["properties"].is_object() {
            kinds.insert("object");
        }
        if deepest == 0 {
            return;
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let parts = schema[keyword].as_array().map_or(0, Vec::len);
            for part in 0..parts {
                self.kinds(&format!("{place}/{keyword}/{part}"), deepest - 1, kinds);
            }
        }
    }
}

impl Parameter<'_> {
    fn is_list(&self) -> bool {
        self.kinds.contains("array")
    }

    fn has_scalar(&self) -> bool {
        ["boolean", "integer", "number", "string"]
            .iter()
            .any(|kind| self.kinds.contains(kind))
    }

    /// `filter[name]=ada`.
    fn is_deep(&self) -> bool {
        self.style == "deepObject"
    }

    /// Each property of an object is a parameter of its own.
    fn is_spread(&self) -> bool {
        self.style == "form" && self.explode && self.kinds.contains("object") && !self.is_json
    }

    /// What stands between values in one text.
    fn delimiter(&self) -> Option<char> {
        match self.style {
            _ if self.explode => None,
            "spaceDelimited" => Some(' '),
            "pipeDelimited" => Some('|'),
            _ => Some(','),
        }
    }
}

fn part(name: &str) -> String {
    format!("query parameter `{name}`")
}

/// A text as what its type says, and as the other thing that it may be.
fn readings(text: &str, kinds: &BTreeSet<&str>) -> Readings {
    let own = json!(text);
    let read: Option<Value> = serde_json::from_str(text).ok();
    let scalar = read.filter(|value| value.is_number() || value.is_boolean());
    let scalar = scalar.unwrap_or_else(|| own.clone());
    if kinds.is_empty() || kinds.contains("string") {
        vec![own, scalar]
    } else {
        vec![scalar, own]
    }
}
