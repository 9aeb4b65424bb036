//! The description of what is served: OpenAPI 3.1 for programs, a page for
//! people.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::{
    capability::{ALL, Capability, Level},
    error::WireCode,
};
use crate::Connector;

/// The models of the wire format, as far as they are served. Lumos publishes
/// the whole: `connector/spec/openapi.yaml` of the package `connector-py`.
static SCHEMAS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("schemas.json")).expect("a test reads it"));

const PREFIX: &str = "#/components/schemas/";

/// Describes exactly these connectors, each with what it offers.
pub(super) fn document<'a>(
    connectors: impl IntoIterator<Item = (&'a str, &'a Connector)>,
) -> Value {
    let mut paths = Map::new();
    paths.insert(
        "/list-connector-app-ids".to_owned(),
        json!({
            "post": {
                "operationId": "list_connector_app_ids",
                "summary": "The ids of the connectors.",
                "tags": ["specification"],
                "responses": {"200": {
                    "description": "The ids.",
                    "content": {"application/json": {"schema": {
                        "type": "object",
                        "required": ["response"],
                        "properties": {"response": {"type": "array", "items": {"type": "string"}}},
                    }}},
                }},
            },
        }),
    );
    for (id, connector) in connectors {
        for capability in ALL
            .iter()
            .filter(|capability| capability.is_offered(connector))
        {
            paths.insert(
                format!("/{id}/{}", capability.name),
                operation(id, capability),
            );
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Connector host",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Capabilities answer with status 200, and with a response or an error object. \
                            Credentials stay with the host: connectors don't see them.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": *SCHEMAS,
        },
    })
}

/// A schema with all that it refers to.
pub(super) fn whole_schema(name: &str, is_list: bool) -> Value {
    let mut found = BTreeSet::new();
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        if let Some(schema) = SCHEMAS.get(&name)
            && found.insert(name)
        {
            references(schema, &mut next);
        }
    }
    let definitions: Map<String, Value> = found
        .into_iter()
        .filter_map(|name| {
            let schema = moved(SCHEMAS.get(&name)?);
            Some((name, schema))
        })
        .collect();
    let reference = json!({"$ref": format!("#/$defs/{name}")});
    let mut schema = if is_list {
        json!({"type": "array", "items": reference})
    } else {
        reference
    };
    schema["$defs"] = Value::Object(definitions);
    schema
}

fn operation(id: &str, capability: &Capability) -> Value {
    let mut properties = json!({
        "request": reference(capability.request),
        "settings": {"type": "object"},
        "page": reference("Page"),
        "rate_limit": reference("RateLimitRequestInfo"),
        "include_raw_data": {"type": "boolean"},
    });
    if capability.is_of_a_tenant() {
        properties["auth"] = reference("AuthCredential");
        properties["credentials"] = json!({"type": "array", "items": reference("AuthCredential")});
    }
    let mut response = reference(capability.response);
    if capability.is_list {
        response = json!({"type": "array", "items": response});
    }
    json!({
        "post": {
            "operationId": format!("{id}_{}", capability.name),
            "summary": capability.summary,
            "tags": [level_name(capability.level)],
            "x-capability-level": level_name(capability.level),
            "requestBody": {
                "required": true,
                "content": {"application/json": {"schema": {
                    "type": "object",
                    "required": ["request"],
                    "properties": properties,
                }}},
            },
            "responses": {
                "200": {
                    "description": "The result, or why there is none.",
                    "content": {"application/json": {"schema": {"anyOf": [
                        {
                            "type": "object",
                            "required": ["response"],
                            "properties": {
                                "response": response,
                                "page": reference("Page"),
                                "rate_limit": reference("RateLimitResponseInfo"),
                                "execution_summary": reference("ExecutionSummary"),
                            },
                        },
                        reference("ErrorResponse"),
                    ]}}},
                },
                "401": failure("No token, or a wrong one."),
                "413": failure("The body is too large."),
                "503": failure("The host is shutting down, or has too much to do."),
            },
        },
    })
}

fn failure(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/json": {"schema": reference("ErrorResponse")}},
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{name}")})
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Specification => "specification",
        Level::Authorization => "authorization",
        Level::Validation => "validation",
        Level::Read => "read",
        Level::Write => "write",
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(target) if name == "$ref" => {
                        found.extend(target.strip_prefix(PREFIX).map(str::to_owned));
                    }
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// The same with references to definitions beside it.
fn moved(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(target) if name == "$ref" => {
                        json!(target.replace(PREFIX, "#/$defs/"))
                    }
                    value => moved(value),
                };
                (name.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(moved).collect(),
        other => other.clone(),
    }
}

/// The page for people. Needs nothing but itself.
pub(super) fn page<'a>(connectors: impl IntoIterator<Item = (&'a str, &'a Connector)>) -> String {
    let mut body = String::new();
    for (id, connector) in connectors {
        let descriptor = connector.descriptor();
        body.push_str(&format!(
            "<h2>{} <small>{} {}</small></h2><p>{}</p>",
            escaped(&descriptor.display_name),
            escaped(id),
            escaped(&descriptor.version),
            escaped(&descriptor.description),
        ));
        for capability in ALL
            .iter()
            .filter(|capability| capability.is_offered(connector))
        {
            let schema = |name, is_list| {
                let schema = whole_schema(name, is_list);
                let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
                escaped(&text)
            };
            body.push_str(&format!(
                "<details><summary><code>POST /{}/{}</code> <b>{}</b> {}</summary>\
                 <h3><code>request</code></h3><pre>{}</pre><h3><code>response</code></h3><pre>{}</pre></details>",
                escaped(id),
                capability.name,
                level_name(capability.level),
                escaped(capability.summary),
                schema(capability.request, false),
                schema(capability.response, capability.is_list),
            ));
        }
    }
    let codes: Vec<String> = WireCode::names()
        .into_iter()
        .map(|name| format!("<code>{name}</code>"))
        .collect();
    include_str!("docs.html")
        .replace(
            "{{credential}}",
            &escaped(
                &serde_json::to_string_pretty(&whole_schema("AuthCredential", false))
                    .unwrap_or_default(),
            ),
        )
        .replace("{{codes}}", &codes.join(", "))
        .replace("{{connectors}}", &body)
}

/// Text of connectors, made safe to stand in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in shown(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '{' => safe.push_str("&#123;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Line by line: line breaks of our own stay.
fn shown(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(crate::printable).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_its_schemas_and_no_reference_leads_nowhere() {
        for capability in ALL {
            for name in [capability.request, capability.response] {
                assert!(SCHEMAS.contains_key(name), "{name}");
            }
        }
        let mut found = Vec::new();
        for schema in SCHEMAS.values() {
            references(schema, &mut found);
        }
        for name in found {
            assert!(SCHEMAS.contains_key(&name), "{name}");
        }
    }

    #[test]
    fn text_of_connectors_can_not_break_out_of_the_page() {
        assert_eq!(
            escaped("<script>alert('x')</script>{{codes}}\u{202e}"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#123;&#123;codes}}\\u&#123;202e}"
        );
    }
}
