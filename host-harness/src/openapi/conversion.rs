//! OpenAPI 3.0 schemas made JSON Schemas, in their places: so every `$ref` of
//! the file, also into an array, resolves within one document.

use serde_json::{Map, Value, json};

use super::pointer::{reference, target};

/// Which way a body goes: what is `readOnly` is not asked for in a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    Request,
    Answer,
}

/// The description with JSON Schemas 2020-12 in place of its own.
pub(super) fn converted(openapi: &Value, direction: Direction) -> Value {
    let mut document = openapi.clone();
    if let Some(paths) = document.get_mut("paths") {
        each(paths, |item| schemas_within(item, direction));
    }
    // The names of components may be any, also those of keywords.
    if let Some(Value::Object(sections)) = document.get_mut("components") {
        for (section, components) in sections {
            each(components, |component| match section.as_str() {
                "schemas" => convert(component, direction, false),
                "examples" => {}
                _ => schemas_within(component, direction),
            });
        }
    }
    document
}

fn each(members: &mut Value, act: impl FnMut(&mut Value)) {
    if let Value::Object(members) = members {
        members.values_mut().for_each(act);
    }
}

/// Converts all schemas of an object of a description that is none itself.
fn schemas_within(node: &mut Value, direction: Direction) {
    match node {
        Value::Array(nodes) => nodes
            .iter_mut()
            .for_each(|node| schemas_within(node, direction)),
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => convert(member, direction, true),
                    "example" | "examples" => {}
                    // By names of the vendor's.
                    "headers" | "callbacks" => {
                        each(member, |named| schemas_within(named, direction));
                    }
                    _ => schemas_within(member, direction),
                }
            }
        }
        _ => {}
    }
}

/// Makes an OpenAPI schema a JSON Schema. A `whole` one describes a value on
/// its own, unlike the parts of `allOf`, which the others add to.
fn convert(schema: &mut Value, direction: Direction, whole: bool) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let is_request = direction == Direction::Request;
    let read_only: Vec<String> = properties(members)
        .filter(|(_, property)| property["readOnly"] == true)
        .map(|(name, _)| name.clone())
        .collect();
    if let (true, Some(Value::Array(required))) = (is_request, members.get_mut("required")) {
        required.retain(|name| !read_only.iter().any(|n| name == n));
    }
    let combines = ["$ref", "allOf", "anyOf", "oneOf"]
        .iter()
        .any(|keyword| members.contains_key(*keyword));
    let describes_members = properties(members).next().is_some();
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", properties) => each(properties, |p| convert(p, direction, true)),
            ("items" | "additionalProperties", value) => convert(value, direction, true),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                for part in parts {
                    convert(part, direction, false);
                }
            }
            ("not", value) => convert(value, direction, false),
            // Braces of templates can't stand in a URI.
            ("$ref", Value::String(text)) => {
                if let Some(pointer) = target(text) {
                    *text = reference(&pointer);
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
    if is_request && whole && (combines || describes_members) {
        members.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    if members.remove("nullable") != Some(json!(true)) {
        return;
    }
    if combines {
        let own = schema.take();
        *schema = json!({"anyOf": [own, {"type": "null"}]});
        return;
    }
    if let Some(kind) = members.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    if let Some(Value::Array(values)) = members.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
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
