//! The fingerprint of a request, by which a platform tells repetitions.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::egress::cassette::hex;

/// SHA-256, in hexadecimal, of the canonical JSON of Lumos' SDK: keys sorted, no
/// white space, ASCII only, nothing that is null.
pub(super) fn fingerprint(request: &Map<String, Value>) -> String {
    let mut text = String::new();
    write_object(request, &mut text);
    hex(&Sha256::digest(text))
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => write_object(fields, text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        other => write_ascii(&other.to_string(), text),
    }
}

fn write_object(fields: &Map<String, Value>, text: &mut String) {
    let mut fields: Vec<_> = fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    fields.sort_unstable_by_key(|(name, _)| name.as_str());
    text.push('{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_ascii(&Value::from(name.as_str()).to_string(), text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

/// JSON in which other characters than ASCII can only stand in strings.
fn write_ascii(json: &str, text: &mut String) {
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// By `request_fingerprint` of connector-sdk-types 0.79.
    #[test]
    fn it_is_the_one_of_the_sdk() {
        let request = json!({"b": {"y": null, "x": ["Zoë", "😀", 1, true]}, "a": "\"\n/"});
        let Value::Object(request) = request else {
            unreachable!("it is an object");
        };
        assert_eq!(
            fingerprint(&request),
            "96c89e96725e6482c0b7950025e5cb78fab0870ab620e7dda014f8d40e9a9b75"
        );
    }
}
