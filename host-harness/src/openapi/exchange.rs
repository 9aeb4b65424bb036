//! What is held against a description.

use std::borrow::Cow;

use serde_json::Value;

/// A request, and what came of it.
#[derive(Clone, Debug)]
pub struct Exchange<'a> {
    /// In any case.
    pub method: &'a str,
    /// As it was sent, from its first slash to the query.
    pub path: &'a str,
    /// Names and values, decoded, in their order.
    pub query: Cow<'a, [(String, String)]>,
    /// What was sent with it.
    pub body: Option<Content<'a>>,
    /// None if none came.
    pub answer: Option<Answer<'a>>,
    /// What stands in a text or in place of a value that is not told, as in
    /// recordings. A value with it is not looked at.
    pub untold: Option<&'a str>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// 200, 404, ...
    pub status: u16,
    /// Nothing if it was empty.
    pub body: Option<Content<'a>>,
}

/// A body.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// As in `content-type`; JSON's if it is not known.
    pub media_type: Option<&'a str>,
    /// Its JSON, or its text where it is no JSON.
    pub value: Cow<'a, Value>,
}

impl<'a> Exchange<'a> {
    /// A request without query and body, and without an answer.
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self {
            method,
            path,
            query: Cow::Borrowed(&[]),
            body: None,
            answer: None,
            untold: None,
        }
    }

    /// What came of it.
    #[must_use]
    pub fn answer(mut self, answer: Answer<'a>) -> Self {
        self.answer = Some(answer);
        self
    }
}

impl<'a> Content<'a> {
    /// JSON.
    pub fn json(value: &'a Value) -> Self {
        Self {
            media_type: None,
            value: Cow::Borrowed(value),
        }
    }

    /// Whether the media type says so, or nothing does.
    pub fn is_json(&self) -> bool {
        is_json(&self.essence())
    }

    /// Type and subtype, without parameters, in lower case.
    pub(super) fn essence(&self) -> String {
        let name = self.media_type.unwrap_or("application/json");
        let essence = name.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }
}

/// Whether a media type is JSON's, or that of a format in JSON.
pub(super) fn is_json(essence: &str) -> bool {
    essence.ends_with("/json") || essence.ends_with("+json")
}
