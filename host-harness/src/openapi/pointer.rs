//! JSON pointers, alone and as fragments of references.

use std::fmt::Write as _;

/// References that lead to references, at most: more are a circle.
pub(super) const MOST_HOPS: usize = 64;

/// A key as part of a pointer.
pub(super) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Where a reference into the same document leads; none for any other.
pub(super) fn target(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let encoded = tail.get(..2).filter(|_| *first == b'%');
        let digits = encoded.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            // Braces of templates are not always encoded, nor is a percent sign.
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    let pointer = String::from_utf8(bytes).ok()?;
    (pointer.is_empty() || pointer.starts_with('/')).then_some(pointer)
}

/// A reference to that place in the same document, as a URI may hold it.
pub(super) fn reference(pointer: &str) -> String {
    let mut reference = String::from("#");
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            reference.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            write!(reference, "%{byte:02X}").ok();
        }
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_back_to_its_pointer() {
        for pointer in ["", "/a", "/paths/~1users~1{id}/get", "/a b/%41/\u{e9}~0"] {
            assert_eq!(target(&reference(pointer)).as_deref(), Some(pointer));
        }
        assert_eq!(
            reference("/paths/~1users~1{id}"),
            "#/paths/~1users~1%7Bid%7D"
        );
    }

    #[test]
    fn what_writers_do_not_encode_is_understood() {
        let literal = "#/paths/~1users~1{id}";
        assert_eq!(target(literal).as_deref(), Some("/paths/~1users~1{id}"));
        assert_eq!(target("#/100%").as_deref(), Some("/100%"));
        for elsewhere in ["other.yaml#/a", "https://example.com/a.json", "#anchor", ""] {
            assert_eq!(target(elsewhere), None, "{elsewhere}");
        }
    }
}
