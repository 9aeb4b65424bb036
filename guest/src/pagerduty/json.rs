//! What PagerDuty lists, picked from JSON that may not be what the documentation
//! says.

pub use lenient_json::{Field, Json, field_to_static};

use crate::instants::Timestamp;

/// An object that PagerDuty lists.
pub trait Row: Sized {
    /// The name of the list in an answer that holds many.
    const MANY: &'static str;
    /// The name of the object in an answer that holds one.
    const ONE: &'static str;

    /// Picks the fields.
    fn read(json: &Json) -> Self;

    /// Whether an object says what it is, whom and what it is about, and all that
    /// a change of it repeats. If it does not, nobody knows what the answer leaves
    /// out: it is not the same as one without that object, or that part of it.
    fn is_identified(json: &Json) -> bool {
        json.has_id()
    }
}

/// An answer that holds many.
pub struct Page<T> {
    /// The rows. Each keeps its place, for offsets count those that say nothing
    /// as well.
    pub rows: Vec<Option<T>>,
    /// How many there are, where the answer tells.
    pub total: Option<u32>,
}

/// Times in fields.
pub trait Instants {
    /// Whether there is an instant in a field.
    fn has_instant(&self, name: &str) -> bool {
        self.instant(name).is_some()
    }

    /// Whether there is an instant in a field, or nothing.
    fn may_have_instant(&self, name: &str) -> bool;

    /// An instant in a field.
    fn instant(&self, name: &str) -> Option<Timestamp>;
}

impl Instants for Json<'_> {
    fn may_have_instant(&self, name: &str) -> bool {
        *self.get(name) == Json::Null || self.has_instant(name)
    }

    fn instant(&self, name: &str) -> Option<Timestamp> {
        Timestamp::parse(&self.text(name)?)
    }
}
