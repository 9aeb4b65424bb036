//! Faults on purpose: wrong statuses, lost connections, cut bodies.

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::api::Refusal;
use crate::clock::lock;

/// One fault: which requests it hits and what then happens.
///
/// It can be read from a string, `METHOD PATH EFFECT [NAME=VALUE]…`:
///
/// * `METHOD` is an HTTP method, `!METHOD` for any but that, or `*`.
/// * `PATH` is a path (`/teams`), a prefix (`/users*`) or `*`.
/// * `EFFECT` is one of `status=CODE`, `rate-limited`, `latency=DURATION`,
///   `reset`, `reset-after-applied`, `status-after-applied=CODE`, `hang-after-applied`, `truncated`,
///   `body=TEXT` (`_` stands for a space), `slow`, `not-locked` (400 `could not be
///   locked`, which writes at the same time bring about).
/// * For all effects: `times=N` (default: always) and `skip=N` (let N requests pass first).
/// * For `rate-limited`: `reset=SECONDS` (default: no headers, no body).
/// * For `body`: `type=CONTENT-TYPE` (default `text/html`) and `code=STATUS` (default 200).
/// * For `slow`: `chunk=BYTES` (default 64) and `pause=DURATION` (default `50ms`).
/// * `DURATION` is `250ms` or `3s`.
///
/// ```
/// use pagerduty_simulator::{Effect, Fault};
///
/// let fault: Fault = "GET /users* status=503 times=2".parse()?;
/// assert_eq!(fault.when.times, Some(2));
/// assert!(matches!(fault.effect, Effect::Status { status: 503, .. }));
/// let fault: Fault = "* /teams rate-limited reset=3".parse()?;
/// assert!(matches!(fault.effect, Effect::RateLimited { reset: Some(3) }));
/// # Ok::<(), pagerduty_simulator::FaultError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    /// The requests it hits.
    pub when: Match,
    /// What happens to them.
    pub effect: Effect,
}

/// Which requests a fault hits.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// The HTTP method, or with `!` before it any but that; `None` is any.
    pub method: Option<String>,
    /// The exact path, or a prefix when it ends in `*`; `None` is any.
    pub path: Option<String>,
    /// How many matching requests pass unharmed first.
    pub skip: u32,
    /// How many requests it hits; `None` is every one.
    pub times: Option<u32>,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum Effect {
    /// This answer instead; nothing is applied.
    Status {
        /// The HTTP status.
        status: u16,
        /// The JSON body, if any.
        body: Option<Value>,
        /// More headers.
        headers: Vec<(String, String)>,
    },
    /// 429; `None` gives neither headers nor a body.
    RateLimited {
        /// The value of `ratelimit-reset`, in seconds.
        reset: Option<u32>,
    },
    /// The answer comes later.
    Latency(Duration),
    /// Somebody else's request gets in first; then the true answer. Has no
    /// form as a string.
    Meanwhile(Meanwhile),
    /// The connection is dropped; nothing is applied.
    Reset,
    /// The change is applied, then the connection is dropped.
    ResetAfterApplied,
    /// The change is applied, but the answer has this status and no body.
    StatusAfterApplied(u16),
    /// The change is applied, and then nothing comes: for a client that dies
    /// while it waits.
    HangAfterApplied,
    /// Half of the JSON, with a `content-length` to match.
    Truncated,
    /// This body instead; nothing is applied.
    Body {
        /// The `content-type`.
        content_type: String,
        /// The bytes.
        body: Bytes,
        /// The HTTP status.
        status: u16,
    },
    /// The true answer, in small pieces.
    Slow {
        /// Bytes in a piece.
        chunk: usize,
        /// Time before each piece.
        pause: Duration,
    },
}

/// A request that the account owner makes.
#[derive(Clone, Debug)]
pub struct Meanwhile {
    /// The HTTP method.
    pub method: String,
    /// The path, and the query behind a `?`.
    pub path: String,
    /// The JSON body, if any.
    pub body: Option<Value>,
}

/// The faults in force. The first one that matches a request is used.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Armed>>,
    fired: AtomicU64,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u32,
    used: u32,
}

impl Faults {
    /// Adds a fault behind those already there.
    pub fn add(&self, fault: Fault) {
        lock(&self.armed).push(Armed {
            fault,
            seen: 0,
            used: 0,
        });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        lock(&self.armed).clear();
    }

    /// How many requests were hit so far.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.fired.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Effect> {
        let mut armed = lock(&self.armed);
        for one in armed.iter_mut() {
            if !one.fault.when.covers(method, path) {
                continue;
            }
            one.seen = one.seen.saturating_add(1);
            let spent = one.fault.when.times.is_some_and(|times| one.used >= times);
            if one.seen > one.fault.when.skip && !spent {
                one.used = one.used.saturating_add(1);
                self.fired.fetch_add(1, Ordering::Relaxed);
                return Some(one.fault.effect.clone());
            }
        }
        None
    }
}

impl Match {
    fn covers(&self, method: &str, path: &str) -> bool {
        let method_fits = self
            .method
            .as_deref()
            .is_none_or(|m| match m.strip_prefix('!') {
                Some(other) => !other.eq_ignore_ascii_case(method),
                None => m == "*" || m.eq_ignore_ascii_case(method),
            });
        let path_fits = self
            .path
            .as_deref()
            .is_none_or(|p| match p.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => p == path,
            });
        method_fits && path_fits
    }
}

/// Why a fault string is not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the fault `{fault}` can't be read: {reason}")]
pub struct FaultError {
    fault: String,
    reason: String,
    hint: &'static str,
}

impl FaultError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

const FORM: &str =
    "write `METHOD PATH EFFECT [NAME=VALUE]…`, for example `GET /users* status=503 times=2`";
const EFFECTS: &str = "effects are status=CODE, rate-limited, latency=DURATION, reset, \
    reset-after-applied, status-after-applied=CODE, hang-after-applied, truncated, body=TEXT, slow, \
    not-locked";

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let refuse = |reason: String, hint| FaultError {
            fault: text.to_owned(),
            reason,
            hint,
        };
        let mut words = text.split_whitespace();
        let (Some(method), Some(path), Some(effect)) = (words.next(), words.next(), words.next())
        else {
            return Err(refuse("it has fewer than three words".to_owned(), FORM));
        };
        let bare = method.strip_prefix('!').unwrap_or(method);
        if method != "*" && !bare.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(refuse(format!("`{method}` is not an HTTP method"), FORM));
        }
        if path != "*" && !path.starts_with('/') {
            return Err(refuse(
                format!("the path `{path}` does not start with `/`"),
                FORM,
            ));
        }
        let mut options = Options::default();
        for word in words {
            let Some((name, value)) = word.split_once('=') else {
                return Err(refuse(format!("`{word}` is not NAME=VALUE"), FORM));
            };
            options
                .set(name, value)
                .map_err(|reason| refuse(reason, FORM))?;
        }
        let (effect, needs) = options
            .effect(effect)
            .map_err(|reason| refuse(reason, EFFECTS))?;
        if let Some(name) = options.misplaced(needs) {
            return Err(refuse(
                format!("`{name}` does not belong to this effect"),
                FORM,
            ));
        }
        Ok(Self {
            when: Match {
                method: (method != "*").then(|| method.to_ascii_uppercase()),
                path: (path != "*").then(|| path.to_owned()),
                skip: options.skip,
                times: options.times,
            },
            effect,
        })
    }
}

#[derive(Default)]
struct Options {
    skip: u32,
    times: Option<u32>,
    reset: Option<u32>,
    content_type: Option<String>,
    code: Option<u16>,
    chunk: Option<usize>,
    pause: Option<Duration>,
}

impl Options {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "skip" => self.skip = number(name, value)?,
            "times" => self.times = Some(number(name, value)?),
            "reset" => self.reset = Some(number(name, value)?),
            "type" => self.content_type = Some(value.to_owned()),
            "code" => self.code = Some(status(value)?),
            "chunk" => self.chunk = Some(number::<usize>(name, value)?.max(1)),
            "pause" => self.pause = Some(duration(value)?),
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    /// The effect, and the options that it may have beside `skip` and `times`.
    fn effect(&self, word: &str) -> Result<(Effect, &'static [&'static str]), String> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let effect = match (name, value) {
            ("status", Some(value)) => Effect::Status {
                status: status(value)?,
                body: None,
                headers: Vec::new(),
            },
            ("rate-limited", None) => {
                return Ok((Effect::RateLimited { reset: self.reset }, &["reset"]));
            }
            ("not-locked", None) => Effect::Status {
                status: 400,
                body: Some(Refusal::invalid("Account could not be locked").body),
                headers: Vec::new(),
            },
            ("latency", Some(value)) => Effect::Latency(duration(value)?),
            ("reset", None) => Effect::Reset,
            ("reset-after-applied", None) => Effect::ResetAfterApplied,
            ("status-after-applied", Some(value)) => Effect::StatusAfterApplied(status(value)?),
            ("hang-after-applied", None) => Effect::HangAfterApplied,
            ("truncated", None) => Effect::Truncated,
            ("body", Some(value)) => {
                let body = Effect::Body {
                    content_type: self
                        .content_type
                        .clone()
                        .unwrap_or_else(|| "text/html".to_owned()),
                    body: Bytes::from(value.replace('_', " ")),
                    status: self.code.unwrap_or(200),
                };
                return Ok((body, &["type", "code"]));
            }
            ("slow", None) => {
                let slow = Effect::Slow {
                    chunk: self.chunk.unwrap_or(64),
                    pause: self.pause.unwrap_or(Duration::from_millis(50)),
                };
                return Ok((slow, &["chunk", "pause"]));
            }
            _ => return Err(format!("`{word}` is not an effect")),
        };
        Ok((effect, &[]))
    }

    fn misplaced(&self, allowed: &[&str]) -> Option<&'static str> {
        [
            ("reset", self.reset.is_some()),
            ("type", self.content_type.is_some()),
            ("code", self.code.is_some()),
            ("chunk", self.chunk.is_some()),
            ("pause", self.pause.is_some()),
        ]
        .into_iter()
        .find(|(name, set)| *set && !allowed.contains(name))
        .map(|(name, _)| name)
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("the value `{value}` of `{name}` is not a number"))
}

fn status(value: &str) -> Result<u16, String> {
    match value.parse::<u16>() {
        Ok(status @ 200..=599) => Ok(status),
        _ => Err(format!("`{value}` is not an HTTP status from 200 to 599")),
    }
}

fn duration(value: &str) -> Result<Duration, String> {
    let wrong = || format!("`{value}` is not a duration such as `250ms` or `3s`");
    if let Some(millis) = value.strip_suffix("ms") {
        return millis
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| wrong());
    }
    let seconds = value.strip_suffix('s').ok_or_else(wrong)?;
    seconds
        .parse()
        .map(Duration::from_secs)
        .map_err(|_| wrong())
}
