//! Whoever watches the log learns of each denial.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tracing::{Event, Level, Subscriber, field::Field};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

use super::{HOSTILE, denial, open};
use crate::support::Opening;

#[test]
fn a_denial_is_an_event_with_all_that_an_auditor_asks() {
    let events: Arc<Mutex<Vec<Audited>>> = Arc::default();
    // Loaded before anybody listens.
    let _ = &*HOSTILE;
    let audit = tracing_subscriber::registry().with(Auditor(Arc::clone(&events)));
    // One thread, so that the auditor hears this call and no other.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread");
    tracing::subscriber::with_default(audit, || {
        runtime.block_on(async {
            let bench = open(Opening::users(3)).await;
            denial(bench.tenant.get_account("delete").await);
            denial(bench.tenant.get_account("cookie").await);
            denial(bench.tenant.get_account("without-tls").await);
        });
    });
    let events = std::mem::take(&mut *events.lock().expect("no panic"));
    let denials: Vec<&BTreeMap<String, String>> = events
        .iter()
        .filter(|event| event.target == "harness::egress")
        .filter(|event| event.level == Level::WARN)
        .map(|event| &event.fields)
        .collect();
    let fields = |fields: &[(&str, &str)]| -> BTreeMap<String, String> {
        let common = [
            ("message", "request denied"),
            ("capability", "directory.get-account"),
        ];
        fields
            .iter()
            .chain(&common)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let expected = [
        fields(&[
            ("method", "DELETE"),
            ("uri", "https://api.pagerduty.com/users/PVICTIM"),
            ("rule", "declared-request"),
            (
                "denial",
                "`directory.get-account` did not declare `DELETE /users/PVICTIM`",
            ),
        ]),
        fields(&[
            ("rule", "host-header"),
            ("denial", "`directory.get-account` sets the header `cookie`"),
        ]),
        fields(&[
            ("method", "GET"),
            ("uri", "http://api.pagerduty.com/users/PVICTIM"),
            ("rule", "granted-origin"),
            (
                "denial",
                "the origin `http://api.pagerduty.com` is not granted",
            ),
        ]),
    ];
    assert_eq!(denials, expected.iter().collect::<Vec<_>>());
    // And the call itself, with what it failed for.
    let failed = events.iter().filter(|event| {
        event.target == "harness::call"
            && event.fields.get("error").map(String::as_str) == Some("permission_denied")
            && event.fields.contains_key("cause")
    });
    assert_eq!(failed.count(), 3);
}

/// An event of the log.
struct Audited {
    target: String,
    level: Level,
    fields: BTreeMap<String, String>,
}

/// Keeps all events.
struct Auditor(Arc<Mutex<Vec<Audited>>>);

impl<S: Subscriber> Layer<S> for Auditor {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut |field: &Field, value: &dyn std::fmt::Debug| {
            let text = format!("{value:?}");
            let text = text.trim_matches('"').to_owned();
            fields.insert(field.name().to_owned(), text);
        });
        self.0.lock().expect("no panic").push(Audited {
            target: event.metadata().target().to_owned(),
            level: *event.metadata().level(),
            fields,
        });
    }
}
