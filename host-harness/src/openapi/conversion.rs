//! OpenAPI 3.0 schemas made JSON Schemas, in their places: so every `$ref` of
//! the file, also into an array, resolves within one document.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::pointer::{MOST_HOPS, reference, target};

/// Which way a body goes: what is `readOnly` is not asked for in a request, and
/// what is `writeOnly` does not come in an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    Request,
    Answer,
}

impl Direction {
    /// Marks a property that does not go this way.
    fn mark(self) -> &'static str {
        match self {
            Self::Request => "readOnly",
            Self::Answer => "writeOnly",
        }
    }
}

/// The description with JSON Schemas 2020-12 in place of its own.
pub(super) fn converted(openapi: &Value, direction: Direction) -> Value {
    let conversion = Conversion { openapi, direction };
    let mut document = openapi.clone();
    if let Some(paths) = document.get_mut("paths") {
        each(paths, |item| conversion.schemas_within(item));
    }
    // The names of components may be any, also those of keywords.
    if let Some(Value::Object(sections)) = document.get_mut("components") {
        for (section, components) in sections {
            each(components, |component| match section.as_str() {
                "schemas" => conversion.convert(component, false, &BTreeSet::new()),
                "examples" => {}
                _ => conversion.schemas_within(component),
            });
        }
    }
    document
}

struct Conversion<'d> {
    /// As it was.
    openapi: &'d Value,
    direction: Direction,
}

impl Conversion<'_> {
    /// Converts all schemas of an object of a description that is none itself.
    fn schemas_within(&self, node: &mut Value) {
        match node {
            Value::Array(nodes) => nodes.iter_mut().for_each(|node| self.schemas_within(node)),
            Value::Object(members) => {
                for (name, member) in members {
                    match name.as_str() {
                        "schema" => self.convert(member, true, &BTreeSet::new()),
                        "example" | "examples" => {}
                        // By names of the vendor's.
                        "headers" | "callbacks" => {
                            each(member, |named| self.schemas_within(named));
                        }
                        _ => self.schemas_within(member),
                    }
                }
            }
            _ => {}
        }
    }

    /// Makes an OpenAPI schema a JSON Schema. A `whole` one describes a value on
    /// its own, unlike the parts of `allOf`, which the others add to: those say
    /// which properties are `hidden`.
    fn convert(&self, schema: &mut Value, whole: bool, hidden: &BTreeSet<String>) {
        let mut hidden = hidden.clone();
        self.hide(schema, MOST_HOPS, &mut HashSet::new(), &mut hidden);
        let Some(members) = schema.as_object_mut() else {
            return;
        };
        if let Some(Value::Array(required)) = members.get_mut("required") {
            required.retain(|name| !name.as_str().is_some_and(|name| hidden.contains(name)));
        }
        let combines = is_combined(members);
        let describes_members = properties(members).next().is_some();
        let none = BTreeSet::new();
        for (keyword, value) in members.iter_mut() {
            match (keyword.as_str(), value) {
                ("properties", properties) => each(properties, |p| self.convert(p, true, &none)),
                ("items" | "additionalProperties", value) => self.convert(value, true, &none),
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                    for part in parts {
                        self.convert(part, false, &hidden);
                    }
                }
                ("not", value) => self.convert(value, false, &none),
                // Braces of templates can't stand in a URI.
                ("$ref", Value::String(text)) => {
                    if let Some(pointer) = target(text) {
                        *text = reference(&self.moved(&pointer));
                    }
                }
                _ => {}
            }
        }
        for (bound, exclusive) in [
            ("minimum", "exclusiveMinimum"),
            ("maximum", "exclusiveMaximum"),
        ] {
            exclude(members, bound, exclusive);
        }
        let is_request = self.direction == Direction::Request;
        if is_request && whole && (combines || describes_members) {
            members.insert("unevaluatedProperties".to_owned(), json!(false));
        }
        if members.remove("nullable") == Some(json!(true)) {
            or_null(schema, combines);
        }
    }

    /// Where something stands after the conversion: what is within a schema that
    /// `or_null` wraps is further down.
    fn moved(&self, pointer: &str) -> String {
        let is_converted = ["/paths/", "/components/"]
            .iter()
            .any(|section| pointer.starts_with(section));
        if !is_converted {
            return pointer.to_owned();
        }
        let mut moved = String::new();
        let mut node = self.openapi;
        for token in pointer.split('/').skip(1) {
            if node["nullable"] == true && node.as_object().is_some_and(is_combined) {
                moved.push_str("/anyOf/0");
            }
            let step = format!("/{token}");
            node = node.pointer(&step).unwrap_or(&Value::Null);
            moved.push_str(&step);
        }
        moved
    }

    /// Finds the properties of a schema, and of what it refers to and consists
    /// of, that do not go this way.
    fn hide(
        &self,
        schema: &Value,
        deepest: usize,
        seen: &mut HashSet<String>,
        hidden: &mut BTreeSet<String>,
    ) {
        for (name, property) in schema.as_object().into_iter().flat_map(properties) {
            if self.is_hidden(property, MOST_HOPS, &mut HashSet::new()) {
                hidden.insert(name.clone());
            }
        }
        if deepest > 0 {
            for part in self.parts(schema, seen) {
                self.hide(part, deepest - 1, seen, hidden);
            }
        }
    }

    fn is_hidden(&self, property: &Value, deepest: usize, seen: &mut HashSet<String>) -> bool {
        if property[self.direction.mark()] == true {
            return true;
        }
        let mut parts = self.parts(property, seen).into_iter();
        deepest > 0 && parts.any(|part| self.is_hidden(part, deepest - 1, seen))
    }

    /// What a schema refers to, unless that was seen, and consists of.
    fn parts<'s>(&'s self, schema: &'s Value, seen: &mut HashSet<String>) -> Vec<&'s Value> {
        let reference = schema["$ref"].as_str().and_then(target);
        let reference = reference.filter(|pointer| seen.insert(pointer.clone()));
        let referred = reference.and_then(|pointer| self.openapi.pointer(&pointer));
        let parts = schema["allOf"].as_array().into_iter().flatten();
        referred.into_iter().chain(parts).collect()
    }
}

fn is_combined(schema: &Map<String, Value>) -> bool {
    ["$ref", "allOf", "anyOf", "oneOf"]
        .iter()
        .any(|keyword| schema.contains_key(*keyword))
}

fn or_null(schema: &mut Value, combines: bool) {
    if combines {
        let own = schema.take();
        *schema = json!({"anyOf": [own, {"type": "null"}]});
        return;
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

fn each(members: &mut Value, act: impl FnMut(&mut Value)) {
    if let Value::Object(members) = members {
        members.values_mut().for_each(act);
    }
}

/// A bound that is excluded is a flag beside it in OpenAPI 3.0, and a bound of
/// its own in JSON Schema.
fn exclude(schema: &mut Map<String, Value>, bound: &str, exclusive: &str) {
    if schema.get(exclusive).is_some_and(Value::is_boolean)
        && schema.remove(exclusive) == Some(json!(true))
        && let Some(limit) = schema.remove(bound)
    {
        schema.insert(exclusive.to_owned(), limit);
    }
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}
