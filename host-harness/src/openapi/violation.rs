//! What is not as described.

use std::fmt;

/// Something that is not as described.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Method and path: as described, if they are.
    pub operation: String,
    /// What of it: ``query parameter `limit` ``, ``answer 200 at `/users/3/name` ``.
    pub place: String,
    /// What is wrong with it. May quote what stands there: each quotation, and
    /// the whole, is cut (at 300 and at 2,000 characters).
    pub what: String,
    /// What rule it breaks: the same whatever the value, such as `type` or
    /// `required "id"`.
    pub rule: String,
}

impl Violation {
    /// One whose text is the same for each value.
    pub(super) fn of(place: impl Into<String>, what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            operation: String::new(),
            place: place.into(),
            rule: what.clone(),
            what,
        }
    }

    /// What it has in common with others like it, in each item of a list: the
    /// operation, the place without indices, and the rule.
    pub fn kind(&self) -> (&str, String, &str) {
        (&self.operation, without_indices(&self.place), &self.rule)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.operation, self.place, self.what)
    }
}

/// A place with stars for indices: the same for each item of a list.
pub(super) fn without_indices(place: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = place
        .split('/')
        .map(|part| match part.trim_end_matches('`') {
            index if is_index(index) => "*",
            _ => part,
        })
        .collect();
    parts.join("/")
}
