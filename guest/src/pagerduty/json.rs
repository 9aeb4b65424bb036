//! Reading JSON that may not be what the documentation says.
//!
//! Rows outlive a field that is missing, null, or of another type; only what
//! gives a row its identity matters. Lists are bounded, because a row of two
//! bytes on the wire is a hundred in memory and memory is what a guest lacks.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor, value::MapAccessDeserializer,
};
use serde::{Deserialize, de};
use std::fmt;
use std::marker::PhantomData;

/// Rows in one list of one answer. Pages hold 100 (members: whatever, at most
/// 10,000 by the offset cap), so more is not an answer.
const MAX_ROWS: usize = 10_000;

/// An object that PagerDuty lists.
pub trait Row: DeserializeOwned {
    /// The name of the list in an answer that holds many.
    const MANY: &'static str;
    /// The name of the object in an answer that holds one.
    const ONE: &'static str;
}

/// An answer that holds many.
pub struct Page<T> {
    /// The rows. Each keeps its place, for offsets count those that say nothing
    /// as well.
    pub rows: Vec<Option<T>>,
    /// Whether there are more after them.
    pub more: bool,
    /// How many there are, where the answer tells.
    pub total: Option<u32>,
}

/// An answer that holds one.
pub struct Single<T>(pub T);

/// A text; a number counts as one.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match deserializer.deserialize_any(ScalarVisitor)? {
        Scalar::Text(text) => Some(text),
        Scalar::Number(number) => Some(number.to_string()),
        Scalar::Flag(_) | Scalar::Nothing => None,
    })
}

/// The text that identifies a row: empty if there is none.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(deserializer)?.unwrap_or_default())
}

/// A boolean. (The specification's own example has the text `"true,"`.)
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match deserializer.deserialize_any(ScalarVisitor)? {
        Scalar::Flag(flag) => Some(flag),
        Scalar::Text(text) if text.starts_with("true") => Some(true),
        Scalar::Text(text) if text.starts_with("false") => Some(false),
        _ => None,
    })
}

/// A number that counts something.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(match deserializer.deserialize_any(ScalarVisitor)? {
        Scalar::Number(number) => u32::try_from(number).ok(),
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    })
}

/// An object; anything else is none.
pub fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Maybe::deserialize(deserializer)?.0)
}

/// The objects of a list; anything else is left out.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let rows = deserializer.deserialize_any(ListVisitor::<Maybe<T>>(PhantomData))?;
    Ok(rows.into_iter().flatten().filter_map(|row| row.0).collect())
}

/// The texts of a list; anything else is left out.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let rows = deserializer.deserialize_any(ListVisitor::<Text>(PhantomData))?;
    Ok(rows.into_iter().flatten().filter_map(|row| row.0).collect())
}

impl<'de, T: Row> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PageVisitor(PhantomData))
    }
}

impl<'de, T: Row> Deserialize<'de> for Single<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SingleVisitor(PhantomData))
    }
}

/// A field whose name does not match is skipped without being kept.
struct Key<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        struct KeyVisitor<'k>(&'k str);
        impl Visitor<'_> for KeyVisitor<'_> {
            type Value = bool;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_str<E>(self, text: &str) -> Result<bool, E> {
                Ok(text == self.0)
            }
        }
        deserializer.deserialize_identifier(KeyVisitor(self.0))
    }
}

struct SingleVisitor<T>(PhantomData<T>);

impl<'de, T: Row> Visitor<'de> for SingleVisitor<T> {
    type Value = Single<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", T::ONE)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(Key(T::ONE))? {
            if matches {
                found = map.next_value::<Maybe<T>>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        found
            .map(Single)
            .ok_or_else(|| A::Error::custom(format_args!("there is no `{}`", T::ONE)))
    }
}

struct PageVisitor<T>(PhantomData<T>);

impl<'de, T: Row> Visitor<'de> for PageVisitor<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", T::MANY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        struct Flag(#[serde(deserialize_with = "flag")] Option<bool>);
        #[derive(Deserialize)]
        struct Count(#[serde(deserialize_with = "count")] Option<u32>);

        let mut rows: Option<Option<Vec<Maybe<T>>>> = None;
        let mut page = Page {
            rows: Vec::new(),
            more: false,
            total: None,
        };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                key if key == T::MANY => {
                    rows = Some(map.next_value::<List<Maybe<T>>>()?.0);
                }
                "more" => page.more = map.next_value::<Flag>()?.0.unwrap_or(false),
                "total" => page.total = map.next_value::<Count>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // An empty list means that everybody is gone. A null says so in its
        // way; an answer without the list, or with something else in its
        // place, does not.
        let rows = rows
            .flatten()
            .ok_or_else(|| A::Error::custom(format_args!("there is no list `{}`", T::MANY)))?;
        page.rows = rows.into_iter().map(|row| row.0).collect();
        Ok(page)
    }
}

/// A list, where null is an empty one and anything else is none.
struct List<T>(Option<Vec<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ListVisitor(PhantomData))
            .map(Self)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element()? {
            if rows.len() == MAX_ROWS {
                return Err(A::Error::custom("a list has too many rows"));
            }
            rows.push(row);
        }
        Ok(Some(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Some(Vec::new()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An object, or something else.
struct Maybe<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MaybeVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MaybeVisitor<T> {
            type Value = Maybe<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|row| Maybe(Some(row)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Maybe(None))
            }
        }
        deserializer.deserialize_any(MaybeVisitor(PhantomData))
    }
}

/// A text, or something else.
#[derive(Deserialize)]
struct Text(#[serde(deserialize_with = "text")] Option<String>);

enum Scalar {
    Nothing,
    Flag(bool),
    Number(i64),
    Text(String),
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Nothing, Scalar::Number))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}
