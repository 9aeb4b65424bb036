//! JSON that may not be what its documentation says.
//!
//! An answer becomes a small tree, and rows are picked from it. A row outlives
//! a field that is missing, null, or of another type; only what gives it its
//! identity matters. (A tree instead of derived types because each of those is
//! a parser of its own: all of them together were half of the component.)
//!
//! Texts and names are borrowed from the document, where they stand there as they
//! are. It is a crate of its own to be compiled for speed, and the rest of the
//! component to be small: most of what a connector does is to read answers.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Write};

/// Values in one answer. A page of 100 rows has some 30,000 at most. One that is the
/// only field of an object takes up to 140 bytes, and a guest has 64 MiB, of which the
/// answer itself may take 16, and twice that while it comes in.
const MAX_VALUES: u32 = 150_000;

/// A field of an object: its name, and its value.
pub type Field<'d> = (Cow<'d, str>, Json<'d>);

/// A value. What it says may be borrowed from its document.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'d> {
    /// Null, and numbers that are not whole.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Cow<'d, str>),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Vec<Field<'d>>),
}

impl<'d> Json<'d> {
    /// Reads a document.
    pub fn parse(document: &'d [u8]) -> serde_json::Result<Self> {
        let building = RefCell::new(Building {
            left: MAX_VALUES,
            fields: Vec::new(),
            values: Vec::new(),
        });
        // All at once: text by text takes twice as long.
        let document = std::str::from_utf8(document).map_err(Error::custom)?;
        let mut deserializer = serde_json::Deserializer::from_str(document);
        let json = Tree(&building).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(json)
    }

    /// An object with these fields; those that are null are left out.
    pub fn of<const N: usize>(mut fields: [(&'d str, Self); N]) -> Self {
        Self::of_fields(&mut fields)
    }

    fn of_fields(fields: &mut [(&'d str, Self)]) -> Self {
        let mut object = Vec::new();
        for (name, value) in fields {
            if !matches!(value, Self::Null) {
                let value = std::mem::replace(value, Self::Null);
                object.push((Cow::Borrowed(*name), value));
            }
        }
        Self::Object(object)
    }

    /// The same by itself: for what outlives its document.
    pub fn to_static(&self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Flag(flag) => Json::Flag(*flag),
            Self::Number(number) => Json::Number(*number),
            Self::Text(text) => text.to_string().into(),
            Self::List(list) => Json::List(list.iter().map(Self::to_static).collect()),
            Self::Object(fields) => Json::Object(fields.iter().map(field_to_static).collect()),
        }
    }

    /// Writes a document.
    pub fn write(&self, into: &mut String) {
        match self {
            Self::Null => into.push_str("null"),
            Self::Flag(flag) => into.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => into.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, into),
            Self::List(values) => {
                let mut before = '[';
                for value in values {
                    into.push(before);
                    value.write(into);
                    before = ',';
                }
                into.push_str(if before == '[' { "[]" } else { "]" });
            }
            Self::Object(fields) => {
                let mut before = '{';
                for (name, value) in fields {
                    into.push(before);
                    write_text(name, into);
                    into.push(':');
                    value.write(into);
                    before = ',';
                }
                into.push_str(if before == '{' { "{}" } else { "}" });
            }
        }
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The fields of an object; none of anything else.
    pub fn fields(&self) -> &[Field<'d>] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// A field; null if there is none.
    pub fn get(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else {
            return &Self::Null;
        };
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or(&Self::Null, |(_, value)| value)
    }

    /// A field by itself; none if there is none.
    pub fn into_field(self, name: &str) -> Option<Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let mut fields = fields.into_iter();
        fields.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// An object in a field.
    pub fn object(&self, name: &str) -> Option<&Self> {
        Some(self.get(name)).filter(|value| value.is_object())
    }

    /// The objects of a list in a field; anything else is left out.
    pub fn objects(&self, name: &str) -> impl Iterator<Item = &Self> {
        let list = self.list(name).unwrap_or_default();
        list.iter().filter(|value| value.is_object())
    }

    /// A list in a field, where null is an empty one; none if the field is
    /// missing or holds something else.
    pub fn list(&self, name: &str) -> Option<&[Self]> {
        let Self::Object(fields) = self else {
            return None;
        };
        match fields.iter().find(|(key, _)| key == name)? {
            (_, Self::List(list)) => Some(list),
            (_, Self::Null) => Some(&[]),
            _ => None,
        }
    }

    /// A text in a field; a number counts as one.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Self::Text(text) => Some(text.to_string()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The texts of a list in a field; anything else is left out.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let list = self.list(name).unwrap_or_default().iter();
        list.filter_map(|value| match value {
            Self::Text(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
    }

    /// The field `id`; empty if there is none.
    pub fn id(&self) -> String {
        self.text("id").unwrap_or_default()
    }

    /// Whether the field `id` says something.
    pub fn has_id(&self) -> bool {
        self.has_text("id")
    }

    /// Whether the object in a field, if there is one, has an id.
    pub fn points_at_something(&self, name: &str) -> bool {
        self.object(name).is_none_or(Self::has_id)
    }

    /// Whether it says what it points at: PagerDuty's references have an id and
    /// a type.
    pub fn is_reference(&self) -> bool {
        self.has_id() && self.has_text("type")
    }

    /// Whether a text in a field says something.
    pub fn has_text(&self, name: &str) -> bool {
        match self.get(name) {
            Self::Text(text) => !text.is_empty(),
            other => matches!(other, Self::Number(_)),
        }
    }

    /// Whether there is a text in a field, be it empty.
    pub fn is_text(&self, name: &str) -> bool {
        matches!(self.get(name), Self::Text(_))
    }

    /// Whether that is the text in a field.
    pub fn says(&self, name: &str, text: &str) -> bool {
        matches!(self.get(name), Self::Text(own) if own == text)
    }

    /// Whether all objects of a list in a field are so. (By reference: a copy of
    /// the loop for each question would take kilobytes.)
    pub fn each(&self, name: &str, is_so: &dyn Fn(&Self) -> bool) -> bool {
        let mut objects = self.objects(name);
        objects.all(is_so)
    }

    /// A boolean in a field. (The specification's own example has the text
    /// `"true,"`.)
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) if text.starts_with("true") => Some(true),
            Self::Text(text) if text.starts_with("false") => Some(false),
            _ => None,
        }
    }

    /// A number in a field that counts something.
    pub fn count(&self, name: &str) -> Option<u32> {
        u32::try_from(self.number(name)?).ok()
    }

    /// A number in a field.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl From<u32> for Json<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

/// By itself: what is written does not last long, and is little.
impl From<&str> for Json<'_> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Json<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

/// A field by itself: for what outlives its document.
pub fn field_to_static((name, value): &Field<'_>) -> Field<'static> {
    (name.to_string().into(), value.to_static())
}

fn write_text(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            // Writing to a string can't fail.
            '\0'..' ' => drop(write!(into, "\\u{:04x}", u32::from(c))),
            _ => into.push(c),
        }
    }
    into.push('"');
}

/// What a tree is built from.
struct Building<'d> {
    /// So many more values it may have.
    left: u32,
    /// Fields and values of all objects and lists that are not complete, the innermost
    /// last: they are moved once, to where there is room for no more than them.
    fields: Vec<Field<'d>>,
    values: Vec<Json<'d>>,
}

/// Builds a tree.
#[derive(Clone, Copy)]
struct Tree<'b, 'd>(&'b RefCell<Building<'d>>);

impl<'de> DeserializeSeed<'de> for Tree<'_, 'de> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        {
            let left = &mut self.0.borrow_mut().left;
            let fewer = left.checked_sub(1);
            *left = fewer.ok_or_else(|| D::Error::custom("it holds too many values"))?;
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_, 'de> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(number).map_or(Json::Null, Json::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let first = self.0.borrow().values.len();
        while let Some(value) = seq.next_element_seed(self)? {
            self.0.borrow_mut().values.push(value);
        }
        let values = self.0.borrow_mut().values.drain(first..).collect();
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let first = self.0.borrow().fields.len();
        while let Some(name) = map.next_key_seed(Name)? {
            // Calendar feeds: whoever has the address can read the calendar.
            // They do not even get into the tree.
            if name.ends_with("_cal_url") || name == "calendar_urls" {
                map.next_value::<IgnoredAny>()?;
            } else {
                let value = map.next_value_seed(self)?;
                self.0.borrow_mut().fields.push((name, value));
            }
        }
        let fields = self.0.borrow_mut().fields.drain(first..).collect();
        Ok(Json::Object(fields))
    }
}

/// The name of a field.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
