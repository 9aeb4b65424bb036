//! Reads over the simulator.

use host_harness::{
    CallError, Refusal, Tenant,
    contract::types::ErrorCode::{
        Conflict, ConnectionFailed, InvalidResponse, RateLimited, Timeout, Unauthorized,
        Unavailable,
    },
};
use pagerduty_simulator::{Config, Simulator};
use serde_json::{Value, json};

use super::{
    PLENTY, at, connector, contract_failure, open, open_undisturbed, out_of_time, play_all,
    table::{
        Cell::{self, Believed, Drawn, Fails, NotStruck, OutOfTime, Says, Sound, Unrecorded},
        Disturbance, HARMLESS, SERVER_ERRORS, Strikes, TRANSIENT, Table, UNREADABLE, except, rule,
    },
};
use crate::{
    support::{Bench, Opening, run},
    vendor::{self, text},
};

const NOW: &str = "2026-11-20T12:00:00Z";

/// What strikes a list's second page, of those functions that read one.
const OF_A_SECOND_PAGE: &[&str] = &[
    "duplicate-items",
    "repeated-page",
    "null-fields",
    "wrong-types",
];

const FIRST: fn(Strikes) -> bool = |strikes| strikes == Strikes::First;
const SECOND: fn(Strikes) -> bool = |strikes| strikes == Strikes::Second;
const EACH: fn(Strikes) -> bool = |strikes| strikes == Strikes::Each;
const ANY: fn(Strikes) -> bool = |_| true;

const DIAGNOSE: &str = "diagnostics.diagnose";
const LAST_ACTIVITY: &str = "activity.get-last-activity";
const MOVED: &str = "what moves while it is read looks like that; a sync looks everybody up who seems to \
    be gone, and warns of duplicates";

pub const TABLE: Table = Table {
    rules: &[
        // They pass, and leave no trace.
        rule(FIRST, TRANSIENT, Sound),
        // They stay.
        rule(EACH, SERVER_ERRORS, Fails(Unavailable)),
        rule(EACH, &["timeout-before", "timeout-after"], Fails(Timeout)),
        rule(
            EACH,
            &["refused-connection", "reset"],
            Fails(ConnectionFailed),
        ),
        rule(EACH, &["429-with-headers"], Fails(RateLimited)),
        rule(EACH, &["429", "slow-drip"], OutOfTime),
        rule(EACH, &["401"], Fails(Unauthorized)),
        // Nowhere a list that is shorter than the vendor's.
        rule(EACH, UNREADABLE, Fails(InvalidResponse)),
        rule(
            SECOND,
            &["null-fields", "wrong-types"],
            Fails(InvalidResponse),
        ),
        rule(EACH, &["redirect"], Fails(InvalidResponse)),
        rule(ANY, HARMLESS, Sound),
        rule(EACH, &["odd-fields"], Drawn),
    ],
    exceptions: &[
        // It tells what it finds.
        except(DIAGNOSE, FIRST, &["429-with-headers"], Says("warn")),
        except(DIAGNOSE, EACH, &["slow-drip"], Says("skip")),
        except(DIAGNOSE, EACH, TRANSIENT, Says("fail")),
        except(DIAGNOSE, EACH, UNREADABLE, Says("fail")),
        except(DIAGNOSE, EACH, &["401", "redirect"], Says("fail")),
        except(
            DIAGNOSE,
            SECOND,
            &["null-fields", "wrong-types"],
            Says("fail"),
        ),
        // The role and the name of the tenant are all that it reads afterwards.
        except(
            "credentials.validate",
            SECOND,
            &["null-fields", "wrong-types"],
            Sound,
        ),
        // Nothing is known, and that is said.
        except(
            LAST_ACTIVITY,
            EACH,
            &["null-fields", "wrong-types"],
            Says("analytics-not-available"),
        ),
        // They make one request.
        except(LAST_ACTIVITY, SECOND, OF_A_SECOND_PAGE, NotStruck),
        except("directory.get-account", SECOND, OF_A_SECOND_PAGE, NotStruck),
        except("on-call.who", SECOND, OF_A_SECOND_PAGE, NotStruck),
        except("on-call.is-on-call", SECOND, OF_A_SECOND_PAGE, NotStruck),
        // The second page never comes.
        except(
            "directory.list-accounts",
            EACH,
            &["repeated-page"],
            Fails(Conflict),
        ),
        except(
            "directory.list-grants",
            EACH,
            &["repeated-page"],
            Fails(Conflict),
        ),
        except(
            "directory.list-accounts",
            SECOND,
            &["repeated-page"],
            Believed(MOVED),
        ),
        except(
            "directory.list-grants",
            SECOND,
            &["repeated-page"],
            Believed(MOVED),
        ),
        except(
            "activity.list-activity",
            ANY,
            &["repeated-page"],
            Believed("a window without records looks like that"),
        ),
    ],
};

/// A read, and what it is asked.
#[derive(Clone, Debug)]
pub struct Read {
    pub function: String,
    pub input: Value,
}

/// Where a fault strikes reads.
pub fn columns() -> impl Iterator<Item = Disturbance> {
    Disturbance::all(|name| {
        let mut strikes = vec![Strikes::Each];
        if TRANSIENT.contains(&name) {
            strikes.push(Strikes::First);
        }
        if OF_A_SECOND_PAGE.contains(&name) {
            strikes.push(Strikes::Second);
        }
        strikes
    })
}

async fn bench() -> Bench {
    let config = Config {
        // Two pages of them.
        users: 101,
        now: Some(NOW.parse().expect("an instant")),
        ..Config::default()
    };
    let simulator = Simulator::new(config);
    Opening::default().open_on(simulator, connector()).await
}

async fn reads(bench: &Bench) -> Vec<Read> {
    let users = vendor::rows(&bench.simulator, "/users?limit=100", "users").await;
    let mut busy = users
        .iter()
        .filter(|user| user["teams"] != json!([]) && user["role"] == "user");
    let busy = text(busy.next().expect("somebody is on a team"), "id");
    let other = text(&users[20], "id");
    let read = |function: &str, input| Read {
        function: function.to_owned(),
        input,
    };
    let since = "2026-06-01T00:00:00Z";
    vec![
        read("credentials.validate", json!({})),
        read("directory.list-accounts", json!({})),
        read("directory.get-account", json!({"id": busy})),
        read("directory.list-resources", json!({})),
        read("directory.list-entitlements", json!({})),
        read("directory.list-grants", json!({})),
        read("directory.account-grants", json!({"id": busy})),
        read(LAST_ACTIVITY, json!({"accounts": [busy, other]})),
        read("activity.list-activity", json!({"since": since})),
        read("on-call.who", json!({"schedules": [], "at": NOW})),
        read(
            "on-call.is-on-call",
            json!({"account": busy, "schedules": [], "at": NOW}),
        ),
        read(
            "offboarding.plan-transfer",
            json!({"source": busy, "target": other}),
        ),
        read("offboarding.plan-removal", json!({"source": busy})),
        read(DIAGNOSE, json!({})),
    ]
}

/// Lists are read to their end.
pub async fn ask(tenant: &Tenant, read: &Read) -> Result<Value, CallError> {
    let mut input = read.input.clone();
    let mut items = Vec::new();
    let mut notices = Vec::new();
    loop {
        let mut answer = tenant.call(&read.function, &input).await?;
        if read.function == DIAGNOSE {
            // What is found is what counts, not the numbers in the text.
            for finding in answer.as_array_mut().into_iter().flatten() {
                finding["summary"].take();
            }
        }
        if !answer.is_object() || answer.get("next").is_none() {
            return Ok(answer);
        }
        items.extend(answer["items"].as_array().cloned().unwrap_or_default());
        notices.extend(answer["notices"].as_array().cloned().unwrap_or_default());
        match answer["next"].take() {
            Value::Null => return Ok(json!({"items": items, "notices": notices})),
            next => input["page"] = json!({"token": next}),
        }
    }
}

/// In an order that does not hang on that of the vendor.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), sorted(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Whether a read came to what the cell says.
pub fn is_so(cell: Cell, fired: u64, outcome: &Result<Value, CallError>, sound: &Value) -> bool {
    if (fired == 0) != (cell == NotStruck) {
        return false;
    }
    match (cell, outcome) {
        (Sound | NotStruck, Ok(value)) => sorted(value) == sorted(sound),
        (Says(what), Ok(value)) => value != sound && value.to_string().contains(what),
        (Believed(why), Ok(value)) => value != sound && !why.is_empty(),
        (OutOfTime, Err(error)) => out_of_time(error).is_some(),
        (Drawn, Ok(value)) => says_no_more(value, sound),
        (Drawn, Err(error)) => contract_failure(error) == Some((InvalidResponse, false)),
        (Unrecorded, Err(error)) => matches!(error, CallError::Refused(Refusal::Unmatched(_))),
        // A read says that it has changed nothing.
        (Fails(code), Err(error)) => contract_failure(error) == Some((code, false)),
        _ => false,
    }
}

/// Whether a read has found all that it finds without a fault, and says nothing
/// of it that is not so. It may say less.
fn says_no_more(value: &Value, sound: &Value) -> bool {
    let (found, all) = (things(value), things(sound));
    let ids = |things: &[Value]| {
        let ids = things
            .iter()
            .map(|one| (one["id"].clone(), one["account"].clone()));
        let mut ids: Vec<String> = ids.map(|ids| format!("{ids:?}")).collect();
        ids.sort();
        ids
    };
    let is_known = |one: &Value| all.iter().any(|all| one == all || is_part(one, all));
    // Of a tenant it may be said that it is not known which one it is.
    let is_nameless = value["id"] == "" && value["warnings"] != json!([]);
    (is_nameless || ids(&found) == ids(&all)) && found.iter().all(is_known)
}

/// What is listed, or the one thing.
fn things(value: &Value) -> Vec<Value> {
    let list = value.as_array().or_else(|| value["items"].as_array());
    list.cloned().unwrap_or_else(|| vec![value.clone()])
}

/// Whether a thing says nothing that the sound one does not say.
fn is_part(value: &Value, sound: &Value) -> bool {
    match (value, sound) {
        (Value::Object(fields), Value::Object(_)) => fields.iter().all(|(name, field)| {
            let is_weaker = value["source"] != sound["source"];
            is_part(field, &sound[name])
                || match name.as_str() {
                    // What is wrong is found, and nothing to be well.
                    "verdict" => field != "pass",
                    "hint" | "warnings" => true,
                    // Who has no name is called by the address.
                    "display_name" => *field == sound["email"],
                    // Another source than the best knows of less.
                    "source" => sound[name] == "analytics",
                    "at" => is_weaker && field.as_str() <= sound[name].as_str(),
                    _ => false,
                }
        }),
        (Value::Array(some), Value::Array(all)) => {
            // A list of things is whole; one of what is said of a thing need not be.
            (some.len() == all.len() || !all.iter().any(Value::is_object))
                && (some.iter()).all(|one| all.iter().any(|all| is_part(one, all)))
        }
        _ => value == sound || value.is_null() || value == "" || value == "unknown",
    }
}

/// What is wrong with a cell.
async fn play(
    bench: &Bench,
    (read, sound): &(Read, Value),
    disturbance: &Disturbance,
) -> Option<String> {
    let Disturbance { name, strikes, .. } = *disturbance;
    let place = format!("{} {disturbance}", read.function);
    let Some(cell) = TABLE.cell(&read.function, name, strikes) else {
        return Some(format!("{place}: no cell"));
    };
    let config = at(bench.config.clone(), NOW.parse().expect("an instant"));
    let (tenant, plan) = open(config, disturbance);
    let outcome = ask(&tenant, read).await;
    plan.clear();
    if !is_so(cell, plan.fired(), &outcome, sound) {
        return Some(format!("{place}: {outcome:?} is not {cell:?}"));
    }
    match ask(&tenant.within(PLENTY), read).await {
        Ok(value) if value == *sound => None,
        other => Some(format!("{place}: and then {other:?}")),
    }
}

#[test]
fn every_read_comes_to_what_the_table_says_whatever_the_vendor_does() {
    run(async {
        let bench = bench().await;
        let reads = reads(&bench).await;
        assert_all_reads(reads.iter().map(|read| read.function.as_str()));
        let mut rows = Vec::new();
        for read in reads {
            let config = at(bench.config.clone(), NOW.parse().expect("an instant"));
            let sound = ask(&open_undisturbed(config), &read).await;
            let sound = sound.expect("nothing is wrong");
            rows.push((read, sound));
        }
        let cells: Vec<_> = rows
            .iter()
            .flat_map(|row| columns().map(move |column| (row, column)))
            .collect();
        TABLE.assert_is_read(
            cells
                .iter()
                .map(|(row, column)| (row.0.function.as_str(), column)),
        );
        let cells = cells.iter().map(|(row, column)| play(&bench, row, column));
        play_all("reads over the simulator", cells.collect()).await;
    });
}

/// All functions that change nothing, but for the one that makes no request.
#[track_caller]
pub fn assert_all_reads<'r>(rows: impl Iterator<Item = &'r str>) {
    let rows: Vec<&str> = rows.collect();
    let is_write =
        |function: &str| function.starts_with("provisioning.") || function == "offboarding.apply";
    for function in connector().functions() {
        let is_read = !is_write(function) && function != "metadata.describe";
        assert_eq!(rows.contains(&function), is_read, "{function}");
    }
}
