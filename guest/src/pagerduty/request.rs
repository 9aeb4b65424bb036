//! Requests: those that look, and those that change something.
//!
//! The two are of different types, so that what is safe to send again does not
//! depend on an argument.

use crate::errors::{Error, Result};
use crate::ids::Ids;
use crate::pagerduty::errors;
use crate::pagerduty::json::{Json, Page, Row};
use crate::pagerduty::transport::Kept;
use std::fmt::Write;
use std::rc::Rc;

/// A request that only looks.
pub struct Request {
    /// In upper case.
    pub(super) method: &'static str,
    /// None for the one in the settings.
    pub(super) base_url: Option<&'static str>,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Option<Vec<u8>>,
    /// The header `From`.
    pub(super) from: Option<String>,
    pub(super) repeat: Repeat,
}

/// When a request may be sent again after a failure that leaves open whether
/// it took effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It only looks.
    Reads,
    /// It changes something, and to do so twice is to do so once.
    Idempotent,
    /// A second one would do it a second time.
    Once,
}

impl Request {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            base_url: None,
            path: path.into(),
            query: String::new(),
            body: None,
            from: None,
            repeat: Repeat::Reads,
        }
    }

    /// A POST whose body is a query, in JSON.
    pub fn search(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: "POST",
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// To another place than the settings say.
    pub fn to(mut self, base_url: &'static str) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// With that query parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.query
            .push(if self.query.is_empty() { '?' } else { '&' });
        percent_encode(&mut self.query, name);
        self.query.push('=');
        percent_encode(&mut self.query, value);
        self
    }

    fn without(&self, name: &str) -> Error {
        self.unreadable(&format!("there is no `{name}`"))
    }

    /// An object does not say what it is, or leaves out a part of it that matters.
    fn unclear(&self, object: &Json) -> Error {
        if object.has_id() {
            self.unreadable("an object leaves out what a part of it is")
        } else {
            self.without("id")
        }
    }

    fn unreadable(&self, why: &str) -> Error {
        let mut error = Error::invalid_response(format!(
            "PagerDuty's answer to {} {} can't be read: {}",
            self.method,
            self.path,
            errors::clean(why)
        ));
        // PagerDuty said yes to it, whatever else it said.
        error.may_have_applied = self.repeat != Repeat::Reads;
        error
    }
}

/// A request that changes something.
pub struct Change(pub(super) Request);

impl Change {
    /// A PUT: the state that something is to have. Safe to send again.
    pub fn put(path: impl Into<String>, body: &Json) -> Self {
        Self::new("PUT", path, Some(body), Repeat::Idempotent)
    }

    /// A DELETE. Safe to send again: see [`Client::change`] on the 404.
    ///
    /// [`Client::change`]: crate::pagerduty::client::Client::change
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path, None, Repeat::Idempotent)
    }

    /// A POST: something new. Not sent again unless PagerDuty has said that it
    /// did nothing; the caller looks whether it is there.
    pub fn post(path: impl Into<String>, body: &Json) -> Self {
        Self::new("POST", path, Some(body), Repeat::Once)
    }

    /// With that query parameter.
    pub fn with(self, name: &str, value: &str) -> Self {
        Self(self.0.with(name, value))
    }

    /// In the name of the user with that e-mail address.
    pub fn from(mut self, email: &str) -> Self {
        self.0.from = Some(email.to_owned());
        self
    }

    fn new(
        method: &'static str,
        path: impl Into<String>,
        body: Option<&Json>,
        repeat: Repeat,
    ) -> Self {
        let body = body.map(|body| {
            let mut text = String::new();
            body.write(&mut text);
            text.into_bytes()
        });
        Self(Request {
            method,
            body,
            repeat,
            ..Request::get(path)
        })
    }
}

/// What came back, and what it answers.
pub struct Reply {
    pub(super) request: Rc<Request>,
    pub(super) body: Kept,
}

impl Reply {
    /// Reads it.
    pub fn json(&self) -> Result<Json<'_>> {
        let json = Json::parse(self.body.bytes());
        json.map_err(|error| self.request.unreadable(&error.to_string()))
    }

    /// Reads one object.
    pub fn one<T: Row>(&self) -> Result<T> {
        let json = self.json()?;
        match json.object(T::ONE) {
            Some(object) if T::is_identified(object) => Ok(T::read(object)),
            Some(object) => Err(self.request.unclear(object)),
            None => Err(self.request.without(T::ONE)),
        }
    }

    /// Reads a list. A null is an empty one, but an answer without the list is
    /// not: an empty list means that everybody is gone.
    pub fn page<T: Row>(&self) -> Result<Page<T>> {
        let json = self.json()?;
        let list = self.list(&json, T::MANY)?;
        let rows = self.rows(list, T::is_identified, None)?;
        let read = |row: &Json| row.is_object().then(|| T::read(row));
        Ok(Page {
            rows: rows.into_iter().map(read).collect(),
            total: json.count("total"),
        })
    }

    /// The rows of a list, each once. What is no object says nothing, but has a
    /// place, which offsets count. So has a row that was there before on a `full`
    /// page that others follow; else nobody counts on from its places.
    pub fn rows<'j>(
        &self,
        list: &'j [Json<'j>],
        is_identified: fn(&Json) -> bool,
        full: Option<usize>,
    ) -> Result<Vec<&'j Json<'j>>> {
        let mut rows = Vec::new();
        // Only rows whose ids were there are looked at any closer: there are pairs
        // by the thousand.
        let mut known = Ids::default();
        let mut was_before =
            |place: usize, row: &Json| !known.insert(&ids_of(row)) && list[..place].contains(row);
        for (place, row) in list.iter().enumerate() {
            if row.is_object() && !is_identified(row) {
                return Err(self.request.unclear(row));
            }
            if !row.is_object() || !was_before(place, row) {
                rows.push(row);
            } else if full == Some(list.len()) {
                rows.push(&Json::Null);
            }
        }
        Ok(rows)
    }

    /// A list as it is.
    pub fn list<'j>(&self, json: &'j Json<'j>, name: &str) -> Result<&'j [Json<'j>]> {
        json.list(name).ok_or_else(|| self.request.without(name))
    }
}

/// The id of a row, or of what it is about: some say only who has what.
fn ids_of(row: &Json) -> String {
    let mut ids = row.id();
    if ids.is_empty() {
        for (_, part) in row.fields() {
            ids += &part.id();
        }
    }
    ids
}

/// A path segment from outside: refuses what is not an id before it becomes
/// part of a request.
pub fn checked_id(id: &str) -> Result<&str> {
    if is_id(id) {
        Ok(id)
    } else {
        Err(
            Error::invalid_input(format!("`{}` is not a PagerDuty id", errors::clean(id)))
                .hint("an id has 1 to 64 letters, digits, `-` and `_`"),
        )
    }
}

/// A path segment from one of PagerDuty's own answers.
pub fn vendor_id(id: &str) -> Result<&str> {
    checked_id(id).map_err(|error| Error::invalid_response(&error.message))
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// RFC 3986: everything but the unreserved characters.
fn percent_encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte.into());
        } else {
            // Writing to a string can't fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}
