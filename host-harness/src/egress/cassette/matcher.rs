//! Which recorded interaction answers a request. Pure.
//!
//! Requests match by method, scheme, host, port, path, the query as an
//! unordered multiset, and for requests with a body by its canonical JSON.
//! Equal requests are answered in recorded order, and none twice.

use std::{collections::HashMap, fmt};

use serde_json::Value;
use url::Url;

use super::format::{Body, Interaction};

/// What of a request counts for matching.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestKey {
    method: String,
    /// Scheme, host and port.
    origin: String,
    path: String,
    /// Sorted.
    query: Vec<(String, String)>,
    /// Canonical.
    body: String,
}

impl RequestKey {
    /// From the parts of a request. `None` if `uri` is not an absolute URL.
    pub fn new(method: &str, uri: &str, body: &Body) -> Option<Self> {
        let url = Url::parse(uri).ok()?;
        let mut query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        query.sort_unstable();
        Some(Self {
            method: method.to_ascii_uppercase(),
            origin: url.origin().ascii_serialization(),
            path: url.path().to_owned(),
            query,
            body: canonical(body),
        })
    }

    /// How alike two requests are: higher is nearer. Zero if nothing that
    /// matters is shared.
    fn nearness(&self, other: &Self) -> usize {
        let shared_segments = self
            .path
            .split('/')
            .zip(other.path.split('/'))
            .filter(|(a, b)| a == b && !a.is_empty())
            .count();
        let same_path = usize::from(self.path == other.path);
        if shared_segments == 0 && same_path == 0 {
            return 0;
        }
        let shared_query = self
            .query
            .iter()
            .filter(|pair| other.query.contains(pair))
            .count();
        100 * same_path
            + 20 * shared_segments
            + 10 * usize::from(self.method == other.method)
            + 5 * usize::from(self.origin == other.origin)
            + shared_query
    }

    /// What is different in `asked`, in words.
    fn differences(&self, asked: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, recorded: &str, asked: &str| {
            if recorded != asked {
                differences.push(format!("{what} `{asked}` instead of `{recorded}`"));
            }
        };
        compare("method", &self.method, &asked.method);
        compare("origin", &self.origin, &asked.origin);
        compare("path", &self.path, &asked.path);
        compare("body", &shorten(&self.body), &shorten(&asked.body));
        for (name, value) in &self.query {
            if !asked.query.contains(&(name.clone(), value.clone())) {
                differences.push(format!("without `{name}={}`", shorten(value)));
            }
        }
        for (name, value) in &asked.query {
            if !self.query.contains(&(name.clone(), value.clone())) {
                differences.push(format!("with `{name}={}`", shorten(value)));
            }
        }
        if differences.is_empty() {
            // Only the multiplicity of a query pair is left.
            differences.push("a query parameter repeated".to_owned());
        }
        differences
    }
}

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.origin, self.path)?;
        for (position, (name, value)) in self.query.iter().enumerate() {
            let separator = if position == 0 { '?' } else { '&' };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

/// Bodies can be long; a difference is read in a terminal.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The same text for the same value: object keys sorted, no white space.
fn canonical(body: &Body) -> String {
    fn sort(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort_unstable();
                Value::Object(
                    names
                        .into_iter()
                        .filter_map(|name| Some((name.clone(), sort(fields.get(name)?))))
                        .collect(),
                )
            }
            Value::Array(items) => Value::Array(items.iter().map(sort).collect()),
            other => other.clone(),
        }
    }
    match body {
        Body::None => String::new(),
        Body::Json(value) => sort(value).to_string(),
        Body::Text(text) | Body::Base64(text) => text.clone(),
    }
}

/// A request that no recorded interaction answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// What was asked.
    pub asked: String,
    /// Why nothing answers.
    pub reason: MismatchReason,
}

/// Why nothing answers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MismatchReason {
    /// All interactions for this very request were played.
    AlreadyPlayed {
        /// How many there were.
        times: usize,
    },
    /// The nearest one is different.
    Different {
        /// Its position.
        id: u32,
        /// What was recorded.
        recorded: String,
        /// What is different.
        differences: Vec<String>,
    },
    /// There is nothing like it.
    NothingSimilar,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not in the cassette: ", self.asked)?;
        match &self.reason {
            MismatchReason::AlreadyPlayed { times } => {
                write!(f, "recorded {times} times, and asked once more")
            }
            MismatchReason::Different {
                id,
                recorded,
                differences,
            } => write!(
                f,
                "nearest is interaction {id} `{recorded}`; asked {}",
                differences.join(", ")
            ),
            MismatchReason::NothingSimilar => f.write_str("nothing similar was recorded"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Hands out each interaction once.
#[derive(Debug)]
pub struct Matcher {
    keys: Vec<RequestKey>,
    played: Vec<bool>,
    equals: HashMap<RequestKey, Equals>,
}

/// Interactions for the same request.
#[derive(Debug, Default)]
struct Equals {
    /// In recorded order.
    positions: Vec<usize>,
    /// How many of them are played: the first ones.
    played: usize,
}

impl Matcher {
    /// Prepares a recording. Interactions whose request is no URL never match;
    /// `cassette lint` reports them.
    pub fn new(interactions: &[Interaction]) -> Self {
        let mut keys = Vec::with_capacity(interactions.len());
        let mut equals: HashMap<RequestKey, Equals> = HashMap::new();
        for (position, interaction) in interactions.iter().enumerate() {
            let request = &interaction.request;
            let key = RequestKey::new(&request.method, &request.uri, &request.body).unwrap_or(
                RequestKey {
                    method: request.method.clone(),
                    origin: String::new(),
                    path: request.uri.clone(),
                    query: Vec::new(),
                    body: String::new(),
                },
            );
            let of_this_request = equals.entry(key.clone()).or_default();
            of_this_request.positions.push(position);
            keys.push(key);
        }
        Self {
            played: vec![false; keys.len()],
            keys,
            equals,
        }
    }

    /// The position of the interaction that answers, which is thereby played.
    pub fn take(&mut self, asked: &RequestKey) -> Result<usize, Mismatch> {
        let reason = match self.equals.get_mut(asked) {
            None => self.nearest(asked),
            Some(equals) => match equals.positions.get(equals.played) {
                Some(position) => {
                    equals.played += 1;
                    self.played[*position] = true;
                    return Ok(*position);
                }
                None => MismatchReason::AlreadyPlayed {
                    times: equals.positions.len(),
                },
            },
        };
        Err(Mismatch {
            asked: asked.to_string(),
            reason,
        })
    }

    /// Takes back the last one that was played of those for this request.
    pub(super) fn put_back(&mut self, asked: &RequestKey) {
        if let Some(equals) = self.equals.get_mut(asked)
            && let Some(last) = equals.played.checked_sub(1)
        {
            equals.played = last;
            self.played[equals.positions[last]] = false;
        }
    }

    /// Positions that nothing asked for.
    pub fn unplayed(&self) -> Vec<usize> {
        (0..self.played.len())
            .filter(|position| !self.played[*position])
            .collect()
    }

    fn nearest(&self, asked: &RequestKey) -> MismatchReason {
        let nearest = self
            .keys
            .iter()
            .enumerate()
            .map(|(position, key)| (key.nearness(asked), position, key))
            .filter(|(nearness, ..)| *nearness > 0)
            // Of equally near ones the first that is still to be played.
            .max_by_key(|(nearness, position, _)| {
                (
                    *nearness,
                    !self.played[*position],
                    std::cmp::Reverse(*position),
                )
            });
        match nearest {
            Some((_, position, key)) => MismatchReason::Different {
                id: u32::try_from(position).unwrap_or(u32::MAX),
                recorded: key.to_string(),
                differences: key.differences(asked),
            },
            None => MismatchReason::NothingSimilar,
        }
    }
}
