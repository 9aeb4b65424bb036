//! JSON to component values and back, by the types that a component exports.
//! Any function of any connector can be called this way.

use serde_json::{Map, Number, Value};
use wasmtime::component::{Type, Val};

use super::json::snake_case;

/// Why a JSON value is not of the type that a function takes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct InputError {
    /// Where, for example `page.size`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What stands where, in words a caller understands.
pub(crate) struct Expected<'a>(pub &'a Type);

impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Type::Bool => f.write_str("true or false"),
            Type::S8 | Type::S16 | Type::S32 | Type::S64 => f.write_str("a whole number"),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => f.write_str("a whole number from 0"),
            Type::Float32 | Type::Float64 => f.write_str("a number"),
            Type::Char => f.write_str("a string of one character"),
            Type::String => f.write_str("a string"),
            Type::List(list) => write!(f, "an array, each item {}", Expected(&list.ty())),
            Type::Tuple(tuple) => write!(f, "an array of {} items", tuple.types().len()),
            Type::Record(record) => {
                let names: Vec<String> = record
                    .fields()
                    .map(|field| snake_case(field.name))
                    .collect();
                write!(f, "an object with {}", names.join(", "))
            }
            Type::Enum(cases) => {
                let names: Vec<String> = cases.names().map(snake_case).collect();
                write!(f, "one of {}", names.join(", "))
            }
            Type::Variant(variant) => {
                let names: Vec<String> =
                    variant.cases().map(|case| snake_case(case.name)).collect();
                write!(f, "one of {}", names.join(", "))
            }
            Type::Option(option) => write!(f, "{} or null", Expected(&option.ty())),
            _ => f.write_str("something that JSON can't express"),
        }
    }
}

/// A component value of type `ty` from JSON. `path` names it in errors.
pub(crate) fn from_json(value: &Value, ty: &Type, path: &str) -> Result<Val, InputError> {
    let wrong = || InputError {
        path: path.to_owned(),
        problem: format!("must be {}, not {}", Expected(ty), kind(value)),
    };
    Ok(match (ty, value) {
        (Type::Bool, Value::Bool(value)) => Val::Bool(*value),
        (Type::S8, Value::Number(n)) => Val::S8(integer(n).ok_or_else(wrong)?),
        (Type::U8, Value::Number(n)) => Val::U8(integer(n).ok_or_else(wrong)?),
        (Type::S16, Value::Number(n)) => Val::S16(integer(n).ok_or_else(wrong)?),
        (Type::U16, Value::Number(n)) => Val::U16(integer(n).ok_or_else(wrong)?),
        (Type::S32, Value::Number(n)) => Val::S32(integer(n).ok_or_else(wrong)?),
        (Type::U32, Value::Number(n)) => Val::U32(integer(n).ok_or_else(wrong)?),
        (Type::S64, Value::Number(n)) => Val::S64(n.as_i64().ok_or_else(wrong)?),
        (Type::U64, Value::Number(n)) => Val::U64(n.as_u64().ok_or_else(wrong)?),
        (Type::Float32, Value::Number(n)) => Val::Float32(n.as_f64().ok_or_else(wrong)? as f32),
        (Type::Float64, Value::Number(n)) => Val::Float64(n.as_f64().ok_or_else(wrong)?),
        (Type::Char, Value::String(text)) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(character), None) => Val::Char(character),
                _ => return Err(wrong()),
            }
        }
        (Type::String, Value::String(text)) => Val::String(text.clone()),
        (Type::List(list), Value::Array(items)) => Val::List(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| from_json(item, &list.ty(), &format!("{path}[{at}]")))
                .collect::<Result<_, _>>()?,
        ),
        (Type::Tuple(tuple), Value::Array(items)) if items.len() == tuple.types().len() => {
            Val::Tuple(
                tuple
                    .types()
                    .zip(items)
                    .enumerate()
                    .map(|(at, (ty, item))| from_json(item, &ty, &format!("{path}[{at}]")))
                    .collect::<Result<_, _>>()?,
            )
        }
        (Type::Record(record), Value::Object(fields)) => {
            let expected = record.fields().map(|field| (field.name, field.ty));
            Val::Record(object(fields, expected, path)?)
        }
        (Type::Enum(cases), Value::String(text)) => Val::Enum(
            cases
                .names()
                .find(|name| snake_case(name) == *text || name == text)
                .ok_or_else(|| InputError {
                    path: path.to_owned(),
                    problem: format!("must be {}, not `{text}`", Expected(ty)),
                })?
                .to_owned(),
        ),
        (Type::Variant(variant), _) => {
            let (name, payload) = match value {
                Value::String(name) => (name, None),
                Value::Object(fields) if fields.len() == 1 => {
                    let (name, payload) = fields.iter().next().ok_or_else(wrong)?;
                    (name, Some(payload))
                }
                _ => return Err(wrong()),
            };
            let case = variant
                .cases()
                .find(|case| snake_case(case.name) == *name || case.name == name)
                .ok_or_else(wrong)?;
            let payload = match (case.ty, payload) {
                (Some(ty), Some(payload)) => Some(Box::new(from_json(
                    payload,
                    &ty,
                    &format!("{path}.{name}"),
                )?)),
                (None, None) => None,
                _ => return Err(wrong()),
            };
            Val::Variant(case.name.to_owned(), payload)
        }
        (Type::Option(_), Value::Null) => Val::Option(None),
        (Type::Option(option), value) => {
            Val::Option(Some(Box::new(from_json(value, &option.ty(), path)?)))
        }
        _ => return Err(wrong()),
    })
}

/// Fields by name: snake_case or as in WIT, options may be left out, anything
/// that nobody asked for is an error.
pub(crate) fn object<'a>(
    fields: &Map<String, Value>,
    expected: impl Iterator<Item = (&'a str, Type)>,
    path: &str,
) -> Result<Vec<(String, Val)>, InputError> {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let mut known = Vec::new();
    let mut values = Vec::new();
    for (name, ty) in expected {
        let snake = snake_case(name);
        let value = match fields.get(&snake).or_else(|| fields.get(name)) {
            Some(value) => from_json(value, &ty, &below(&snake))?,
            None if matches!(ty, Type::Option(_)) => Val::Option(None),
            None => {
                return Err(InputError {
                    path: below(&snake),
                    problem: format!("is missing; it must be {}", Expected(&ty)),
                });
            }
        };
        values.push((name.to_owned(), value));
        known.push(snake);
    }
    let surplus = fields
        .keys()
        .find(|name| !known.iter().any(|known| *known == snake_case(name)));
    match surplus {
        Some(name) => Err(InputError {
            path: below(name),
            problem: if known.is_empty() {
                "is not known; nothing is expected here".to_owned()
            } else {
                format!("is not known; expected {}", known.join(", "))
            },
        }),
        None => Ok(values),
    }
}

fn integer<T: TryFrom<i64>>(number: &Number) -> Option<T> {
    T::try_from(number.as_i64()?).ok()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "this number",
        Value::String(_) => "a string",
        Value::Array(_) => "this array",
        Value::Object(_) => "this object",
    }
}

/// The JSON form of a component value.
pub(crate) fn value_to_json(value: &Val) -> Value {
    let payload =
        |payload: &Option<Box<Val>>| payload.as_deref().map_or(Value::Null, value_to_json);
    match value {
        Val::Bool(value) => Value::Bool(*value),
        Val::S8(value) => Value::from(*value),
        Val::U8(value) => Value::from(*value),
        Val::S16(value) => Value::from(*value),
        Val::U16(value) => Value::from(*value),
        Val::S32(value) => Value::from(*value),
        Val::U32(value) => Value::from(*value),
        Val::S64(value) => Value::from(*value),
        Val::U64(value) => Value::from(*value),
        Val::Float32(value) => Value::from(*value),
        Val::Float64(value) => Value::from(*value),
        Val::Char(value) => Value::from(value.to_string()),
        Val::String(value) => Value::from(value.as_str()),
        Val::List(items) | Val::Tuple(items) | Val::FixedLengthList(items) => {
            Value::Array(items.iter().map(value_to_json).collect())
        }
        Val::Map(pairs) => Value::Array(
            pairs
                .iter()
                .map(|(key, value)| Value::Array(vec![value_to_json(key), value_to_json(value)]))
                .collect(),
        ),
        Val::Record(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (snake_case(name), value_to_json(value)))
                .collect(),
        ),
        Val::Variant(name, None) => Value::from(snake_case(name)),
        Val::Variant(name, payload_value) => {
            Value::Object(Map::from_iter([(snake_case(name), payload(payload_value))]))
        }
        Val::Enum(name) => Value::from(snake_case(name)),
        Val::Option(value) => payload(value),
        Val::Result(Ok(value)) => {
            Value::Object(Map::from_iter([("ok".to_owned(), payload(value))]))
        }
        Val::Result(Err(value)) => {
            Value::Object(Map::from_iter([("error".to_owned(), payload(value))]))
        }
        Val::Flags(names) => Value::Array(
            names
                .iter()
                .map(|name| Value::from(snake_case(name)))
                .collect(),
        ),
        // Handles have no meaning outside of the call.
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => Value::Null,
    }
}
