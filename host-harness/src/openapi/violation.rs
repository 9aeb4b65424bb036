//! What is not as described.

use std::fmt;

/// Something that is not as described.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Method and path: as described, if they are.
    pub operation: String,
    /// What of it: ``query parameter `limit` ``, ``answer 200 at `/users/3/name` ``.
    pub place: String,
    /// What is wrong with it. May quote what stands there, cut at 300 characters.
    pub what: String,
}

impl Violation {
    pub(super) fn of(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            operation: String::new(),
            place: place.into(),
            what: what.into(),
        }
    }

    /// The same for each item of a list: the place without indices.
    pub fn kind(&self) -> (&str, String) {
        let is_index =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = self
            .place
            .split('/')
            .map(|part| match part.trim_end_matches('`') {
                index if is_index(index) => "*",
                _ => part,
            })
            .collect();
        (&self.operation, parts.join("/"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.operation, self.place, self.what)
    }
}
