//! The parts of a schema: what it refers to and is combined of.

use std::collections::HashSet;

use serde_json::Value;

use super::pointer::{target, token};

/// The places of a schema, of what it refers to and of what they are combined
/// of, each once.
pub(super) fn parts(document: &Value, schema: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut seen = HashSet::new();
    let mut next = vec![schema.to_owned()];
    while let Some(place) = next.pop() {
        if seen.contains(&place) {
            continue;
        }
        let Some(schema) = document.pointer(&place) else {
            continue;
        };
        next.extend(schema["$ref"].as_str().and_then(target));
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let count = schema[keyword].as_array().map_or(0, Vec::len);
            next.extend((0..count).map(|part| format!("{place}/{keyword}/{part}")));
        }
        seen.insert(place.clone());
        places.push(place);
    }
    places
}

/// The place of what a schema, or a part of it, says of an object's member: by
/// its name, or of all that it does not name. None if it describes no such member.
pub(super) fn member(document: &Value, schema: &str, name: &str) -> Option<String> {
    let parts = parts(document, schema);
    let is_said = |place: &String| {
        document
            .pointer(place)
            .is_some_and(|said| *said != Value::Bool(false))
    };
    let named = parts
        .iter()
        .map(|part| format!("{part}/properties/{}", token(name)))
        .find(is_said);
    named.or_else(|| {
        let mut others = parts
            .iter()
            .map(|part| format!("{part}/additionalProperties"));
        others.find(is_said)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_described_by_any_part() {
        let document = json!({
            "whole": {"allOf": [{"$ref": "#/base"}, {"properties": {"a/b": {}}}]},
            "base": {"properties": {"id": {}}, "anyOf": [{"$ref": "#/whole"}]},
            "open": {"properties": {"id": {}}, "additionalProperties": {"type": "string"}},
            "closed": {"additionalProperties": false},
        });
        for (schema, name, place) in [
            ("/whole", "id", Some("/base/properties/id")),
            ("/whole", "a/b", Some("/whole/allOf/1/properties/a~1b")),
            ("/whole", "else", None),
            ("/open", "id", Some("/open/properties/id")),
            ("/open", "else", Some("/open/additionalProperties")),
            ("/closed", "else", None),
            ("/nowhere", "id", None),
        ] {
            assert_eq!(
                member(&document, schema, name).as_deref(),
                place,
                "{schema}"
            );
        }
    }
}
