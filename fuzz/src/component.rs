//! The connector in its sandbox, with parameters and a vendor that make no sense.
//!
//! Whatever they are, a call comes to a result or to an error that has a code, and
//! the connector neither crashes nor runs on.

use std::sync::LazyLock;

use bytes::Bytes;
use host_harness::{
    CallError, Connector, Engine, EngineConfig, Grant, ReplaysOn, Tenant, TenantConfig,
    egress::{
        cassette::Cassette,
        faults::{Fault, FaultPlan, FaultRule, FaultWhen},
    },
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Compiled once.
struct Bench {
    runtime: Runtime,
    connector: Connector,
    /// A recording in which nobody has said anything: for its clock, its random
    /// numbers, and time that does not pass.
    silence: Cassette,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread");
    let connector = runtime.block_on(async {
        let mut config = EngineConfig::default();
        // Most of these calls are over sooner than another thread is awake.
        config.replays = ReplaysOn::CallersThread;
        let engine = Engine::new(config).expect("an engine");
        Connector::bundled(&engine).await.expect("it loads")
    });
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/account.json"
    );
    let mut silence = Cassette::read(path.as_ref()).expect("a cassette");
    silence.interactions.clear();
    Bench {
        runtime,
        connector,
        silence,
    }
});

/// Functions that need nothing but a page.
const LISTS: [&str; 4] = [
    "directory.list-accounts",
    "directory.list-resources",
    "directory.list-entitlements",
    "directory.list-grants",
];

impl Bench {
    fn tenant(&self, answers: FaultPlan) -> Tenant {
        let origins = self.connector.origins().iter().cloned();
        let grant = origins.fold(Grant::read_write(), Grant::origin);
        let config = TenantConfig::new(grant)
            .replay(self.silence.clone())
            .expect("a sound recording")
            .faults(answers);
        self.connector.open(config).expect("it opens")
    }

    /// What comes of a call. Panics if that is nothing that may come of one.
    fn call(&self, tenant: &Tenant, function: &str, input: &Value) -> Option<Value> {
        let outcome = self.runtime.block_on(tenant.call(function, input));
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(
                    !error.is_crash(),
                    "{function} {input}: {error} ({})",
                    error.code()
                );
                assert!(
                    !matches!(error, CallError::Deadline(_)),
                    "{function} {input} does not end"
                );
                assert_ne!(error.code(), "internal", "{function} {input}: {error}");
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }
}

/// Every request is answered like that.
fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> FaultRule {
    FaultRule::always(Fault::Answer {
        status,
        headers: vec![("content-type".to_owned(), content_type.to_owned())],
        body: body.into(),
    })
}

/// The input is a token, or what is in one: the first byte says which, and of
/// which function.
pub(super) fn page_tokens_are_used_or_refused(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let function = usize::from(*first) % (LISTS.len() + 1);
    let token = if *first < 128 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        sealed(1, u8::try_from(function).unwrap_or(0) + 1, rest)
    };
    let page = json!({ "token": token, "size": null });
    let tenant = BENCH.tenant(FaultPlan::new(0).rule(answer(200, "application/json", EMPTY)));
    match LISTS.get(function) {
        Some(list) => BENCH.call(&tenant, list, &json!({ "page": page })),
        None => {
            let input = json!({ "since": "2026-01-01T00:00:00Z", "page": page });
            BENCH.call(&tenant, "activity.list-activity", &input)
        }
    };
}

/// As the connector would give it: base64url of version, function, cursor and a
/// checksum (`guest/src/page_token.rs`), which chance would not hit.
fn sealed(version: u8, function: u8, cursor: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![version, function];
    bytes.extend(cursor);
    let sum = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    bytes.extend(sum.to_be_bytes());
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..=chunk.len() {
            text.push(DIGITS[bits >> (18 - 6 * at) & 63].into());
        }
    }
    text
}

/// Lists of everything, with nothing in them.
const EMPTY: &str = r#"{"users":[],"teams":[],"schedules":[],"escalation_policies":[],"members":[],
"licenses":[],"license_allocations":[],"abilities":["teams"],"oncalls":[],"incidents":[],
"records":[],"overrides":[],"custom_shifts":[],"more":false,"total":0,"limit":100,"offset":0,
"next_cursor":null,"user":{"id":"PABC123","type":"user","name":"Ada","email":"ada@example.com",
"role":"admin","html_url":"https://acme.pagerduty.com/users/PABC123"}}"#;

/// A function by its number, and JSON in place of its parameters.
pub(super) fn parameters_are_taken_or_refused(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let Ok(parameters) = serde_json::from_slice::<Value>(rest) else {
        return;
    };
    let functions: Vec<&str> = BENCH.connector.functions().collect();
    let function = functions[usize::from(*first) % functions.len()];
    let tenant = BENCH.tenant(FaultPlan::new(0).rule(answer(200, "application/json", EMPTY)));
    BENCH.call(&tenant, function, &parameters);
}

/// Two bytes of status, one that says what is called and what the body calls
/// itself, then the body.
pub(super) fn answers_become_results_or_errors(input: &[u8]) {
    let [high, low, what, body @ ..] = input else {
        return;
    };
    let status = 200 + u16::from_be_bytes([*high, *low]) % 400;
    let content_type = match what >> 6 {
        0 => "text/html",
        1 => "",
        _ => "application/json",
    };
    let answers = FaultPlan::new(0).rule(answer(status, content_type, body.to_vec()));
    let tenant = BENCH.tenant(answers);
    let id = "PABC123";
    let role = json!({
        "entitlement_type": "role", "id": "admin", "resource_type": "tenant", "resource": "",
    });
    let page = json!({ "token": null, "size": null });
    let (function, input) = match what & 63 {
        0..8 => ("directory.get-account", json!({ "id": id })),
        8..16 => ("directory.list-accounts", json!({ "page": page })),
        16..24 => ("directory.account-grants", json!({ "id": id })),
        24..32 => (
            "provisioning.assign",
            json!({ "id": id, "entitlement": role }),
        ),
        32..40 => ("provisioning.delete-account", json!({ "id": id })),
        40..48 => ("credentials.validate", json!({})),
        48..56 => ("diagnostics.diagnose", json!({})),
        _ => ("activity.get-last-activity", json!({ "accounts": [id] })),
    };
    let given = BENCH.call(&tenant, function, &input);
    let is_success = (200..300).contains(&status) || function == "diagnostics.diagnose";
    // What a plan or a role does not show is left out, and that is said.
    let says_so = given
        .as_ref()
        .and_then(|given| given["notices"].as_array())
        .is_some_and(|notices| !notices.is_empty());
    assert!(
        is_success || status == 404 || given.is_none() || (matches!(status, 402 | 403) && says_so),
        "{status} became {given:?}"
    );
}

/// A schedule, or a list of them, in place of all that the vendor has: who is to be
/// replaced is in it by the id PABC123.
pub(super) fn schedules_are_edited_or_refused(input: &[u8]) {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let of = |prefix: &str| FaultWhen {
        path_prefix: Some(prefix.to_owned()),
        ..FaultWhen::reads()
    };
    let given = || answer(200, "application/json", body.to_vec());
    // Of one kind or of the other; the rest is empty.
    let prefix = if *first < 128 {
        "/schedules"
    } else {
        "/v3/schedules"
    };
    let answers = FaultPlan::new(0)
        .rule(given().when(of(prefix)))
        .rule(answer(200, "application/json", EMPTY).when(FaultWhen::reads()))
        .rule(answer(200, "application/json", body.to_vec()));
    let tenant = BENCH.tenant(answers);
    let plan = if *first % 2 == 0 {
        let input = json!({ "source": "PABC123", "target": "PXYZ789" });
        BENCH.call(&tenant, "offboarding.plan-transfer", &input)
    } else {
        BENCH.call(
            &tenant,
            "offboarding.plan-removal",
            &json!({ "source": "PABC123" }),
        )
    };
    let steps = plan.as_ref().and_then(|plan| plan["steps"].as_array());
    for step in steps.into_iter().flatten().take(4) {
        BENCH.call(&tenant, "offboarding.apply", &json!({ "step": step }));
    }
}
