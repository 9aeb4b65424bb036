//! Looks for the simulator's credentials in all that the tests see: log lines
//! at every level, reports, errors, output of commands, files.
//!
//! The log is watched for the whole run. A leak ends the process at once: a
//! panic in a background task would be swallowed by the runtime, and a leak
//! that no test waits for is one all the same.

use std::{
    io::{self, Write},
    process::exit,
    sync::{Arc, LazyLock, Once},
};

use aho_corasick::AhoCorasick;
use base64::{Engine as _, engine::general_purpose};
use host_harness::{CallError, CallReport};
use pagerduty_simulator::TOKENS;
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

/// Ways to write a credential, and what each looks like.
struct Forms {
    names: Vec<String>,
    /// Without regard to case, for hexadecimal; base64 of this length is not
    /// hit by chance either way.
    searcher: AhoCorasick,
}

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let tokens = [
        TOKENS.owner,
        TOKENS.account,
        TOKENS.read_only,
        TOKENS.responder,
    ];
    Forms::new(&tokens)
});

impl Forms {
    fn new(tokens: &[&str]) -> Self {
        let (names, texts): (Vec<_>, Vec<_>) = tokens
            .iter()
            .flat_map(|token| {
                forms(token.as_bytes())
                    .into_iter()
                    .map(move |(way, text)| (format!("`{token}` {way}"), text))
            })
            .unzip();
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(texts)
            .expect("a few short texts");
        Self { names, searcher }
    }
}

fn forms(token: &[u8]) -> Vec<(&'static str, String)> {
    let each = |byte: fn(&u8) -> String| token.iter().map(byte).collect::<Vec<_>>();
    let mut forms = vec![
        ("as it is", String::from_utf8_lossy(token).into_owned()),
        (
            "in hexadecimal",
            each(|byte| format!("{byte:02x}")).concat(),
        ),
        (
            "percent-encoded",
            each(|byte| format!("%{byte:02x}")).concat(),
        ),
        (
            "percent-encoded where it is no letter",
            each(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(*byte).to_string()
                } else {
                    format!("%{byte:02x}")
                }
            })
            .concat(),
        ),
        ("as a list of bytes", each(u8::to_string).join(", ")),
    ];
    for alphabet in [general_purpose::STANDARD, general_purpose::URL_SAFE] {
        // Within a longer text, for example behind `user:`, it may start at
        // any of the three bytes that make four characters.
        for (before, way) in ["in base64", "in base64 at 1", "in base64 at 2"]
            .into_iter()
            .enumerate()
        {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(token);
            let encoded = alphabet.encode(&bytes);
            // Without the characters that hold bits of what stands around it.
            let from = (before * 8).div_ceil(6);
            let to = bytes.len() * 8 / 6;
            forms.push((way, encoded[from..to].to_owned()));
        }
    }
    forms
}

/// The credential in a text, and how it is written there.
pub fn find(text: &str) -> Option<&'static str> {
    let found = FORMS.searcher.find(text)?;
    Some(&FORMS.names[found.pattern().as_usize()])
}

/// Fails the test if a credential is in `text`; `what` says where that is from.
#[track_caller]
pub fn assert_clean(what: &str, text: &str) {
    if let Some(found) = find(text) {
        panic!("{found} is in {what}");
    }
}

/// Looks into all that an error says.
#[track_caller]
pub fn assert_clean_error(error: &CallError) {
    assert_clean("an error", &format!("{error} {error:?} {:?}", error.hint()));
    assert_clean("an error", &format!("{:?}", error.to_contract()));
}

/// Looks into all that a report says. Runs in the middle of a call, so a leak
/// ends the process, as one in the log does.
pub fn watch_report(report: &CallReport) {
    let json = serde_json::to_string(&report.requests).expect("it has a JSON form");
    for text in [format!("{report:?}"), json] {
        if let Some(found) = find(&text) {
            end(found, "a report", &text);
        }
    }
}

/// Watches the log of this process from now on, at every level and of every
/// crate. Nothing is left out, the simulator's own side included.
pub fn watch_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let watched = subscriber(|found, line| end(found, "a log line", line));
        tracing::subscriber::set_global_default(watched).expect("no test sets another");
    });
}

fn end(found: &str, place: &str, text: &str) -> ! {
    let thread = std::thread::current();
    // Written past the test's captured output, which would end with it.
    let _ = writeln!(
        io::stderr(),
        "\nerror: {found} is in {place} (thread `{}`):\n{text}",
        thread.name().unwrap_or("unnamed")
    );
    exit(101)
}

/// Formats all there is, as a log file would show it, and shows it to nobody
/// but the search.
fn subscriber(
    leaked: impl Fn(&str, &str) + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        // A span's fields are complete when it closes.
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(Watched(Arc::new(leaked)))
        .finish()
}

/// Gets each line whole.
#[derive(Clone)]
struct Watched(Arc<Leaked>);

/// What to do about a leak: how it is written, and the line.
type Leaked = dyn Fn(&str, &str) + Send + Sync;

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if let Some(found) = find(&line) {
            (self.0)(found, &line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Watched {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The watch itself must be able to find something, so here it does.
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What a watch of its own finds in what `log` logs.
    fn leaks(log: impl FnOnce()) -> Vec<String> {
        let found: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&found);
        let watched = subscriber(move |found, _| {
            kept.lock().expect("no panic").push(found.to_owned());
        });
        tracing::subscriber::with_default(watched, log);
        std::mem::take(&mut *found.lock().expect("no panic"))
    }

    #[test]
    fn a_token_in_a_message_a_field_or_a_span_is_seen_at_every_level() {
        let token = TOKENS.read_only;
        for log in [
            || tracing::error!("sent {}", TOKENS.read_only),
            || tracing::trace!(header = ?("authorization", TOKENS.read_only), "sent"),
            || drop(tracing::trace_span!("request", key = TOKENS.read_only)),
            || {
                let span = tracing::trace_span!("request", key = tracing::field::Empty);
                span.record("key", TOKENS.read_only);
            },
            || {
                let bytes = TOKENS.read_only.as_bytes();
                tracing::debug!(target: "h2", body = ?bytes, "frame");
            },
        ] {
            let found = leaks(log);
            assert!(found.iter().any(|found| found.contains(token)), "{found:?}");
        }
        assert!(leaks(|| tracing::error!(key = "simulated", "nothing")).is_empty());
    }

    #[test]
    fn a_token_is_found_however_it_is_written() {
        assert_eq!(
            find("c2ltdWxhdGVkLWFjY291bnQta2V5"),
            Some("`simulated-account-key` in base64")
        );
        for text in [
            "Token token=simulated-token",
            "SIMULATED-RESPONDER",
            "73696d756c617465642d746f6b656e",
            "73696D756C617465642D746F6B656E",
            "key=simulated%2Dread%2Donly",
            "[115, 105, 109, 117, 108, 97, 116, 101, 100, 45, 116, 111, 107, 101, 110]",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
        for before in ["", "u", "us", "use", "user:", "Token token="] {
            for after in ["", "\n", ":x", ":password"] {
                let text = format!("{before}{}{after}", TOKENS.owner);
                for alphabet in [
                    general_purpose::STANDARD_NO_PAD,
                    general_purpose::URL_SAFE_NO_PAD,
                ] {
                    assert!(find(&alphabet.encode(&text)).is_some(), "{text:?}");
                }
            }
        }
        assert_eq!(
            find("simulated-tenant, simulated token, simulated_token"),
            None
        );
    }
}
