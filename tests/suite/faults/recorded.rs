//! Reads over recordings: the same table. There time passes by itself.

use std::collections::BTreeMap;

use host_harness::{Grant, TenantConfig, contract::types::ErrorCode, egress::cassette::Cassette};
use serde_json::Value;

use super::{
    connector, open, open_undisturbed, play_all,
    reads::{Read, TABLE, ask, assert_all_reads, columns, is_so},
    table::{Cell, Disturbance, Strikes, UNREADABLE},
};
use crate::{fixtures::fixtures, support::run};

/// A read that was recorded, where, and what it came to.
struct Recorded {
    read: Read,
    cassette: Cassette,
    sound: Value,
}

fn config(cassette: &Cassette) -> TenantConfig {
    let mut grant = Grant::read_only();
    for origin in connector().origins() {
        grant = grant.origin(origin.clone());
    }
    let config = TenantConfig::new(grant).replay(cassette.clone());
    config.expect("a cassette")
}

/// For each read the one of all recordings that came to most.
async fn recorded() -> Vec<Recorded> {
    let mut found: BTreeMap<String, Recorded> = BTreeMap::new();
    for (_, cassette) in fixtures() {
        for call in &cassette.harness.calls {
            let function = &call.function;
            if function.starts_with("provisioning.") || function == "offboarding.apply" {
                continue;
            }
            let read = Read {
                function: function.clone(),
                input: call.input.clone(),
            };
            let Ok(sound) = ask(&open_undisturbed(config(&cassette)), &read).await else {
                continue;
            };
            let is_more =
                |known: &Recorded| sound.to_string().len() > known.sound.to_string().len();
            if found.get(function).is_none_or(is_more) {
                let cassette = cassette.clone();
                let recorded = Recorded {
                    read,
                    cassette,
                    sound,
                };
                found.insert(function.clone(), recorded);
            }
        }
    }
    found.into_values().collect()
}

/// Cells that are not as over the simulator.
fn cell(row: &Recorded, name: &str, strikes: Strikes) -> Option<Cell> {
    let function = row.read.function.as_str();
    Some(match (function, name, strikes) {
        // It asks its other sources then, which the recording knows nothing of.
        ("activity.get-last-activity", "odd-fields", _) => Cell::Unrecorded,
        ("activity.get-last-activity", _, Strikes::Each) if UNREADABLE.contains(&name) => {
            Cell::Unrecorded
        }
        // There was nothing in the window before.
        (
            "activity.list-activity",
            "null-fields" | "wrong-types" | "repeated-page",
            Strikes::Second,
        )
        | ("activity.list-activity", "repeated-page", _) => Cell::Sound,
        // The same request twice, and other rows each time.
        ("directory.list-accounts" | "directory.list-grants", "reordered-items", _) => {
            Cell::Believed("what moves while it is read looks like that")
        }
        // The second page is of another list, or there is none.
        ("directory.list-accounts" | "directory.list-grants", "repeated-page", _) => Cell::Sound,
        ("offboarding.plan-transfer", "reordered-items", _) => {
            Cell::Believed("steps are numbered in the vendor's order")
        }
        // The recording is of a key of the whole account.
        ("credentials.validate", "null-fields" | "wrong-types", Strikes::Second) => {
            Cell::Fails(ErrorCode::InvalidResponse)
        }
        // Nobody is, in the recording: there is no field to spoil, and little to
        // wait for.
        ("on-call.is-on-call", "null-fields" | "wrong-types", Strikes::Each)
        | ("on-call.is-on-call", "slow-drip", _) => Cell::Sound,
        _ => return TABLE.cell(function, name, strikes),
    })
}

async fn play(row: &Recorded, disturbance: Disturbance) -> Option<String> {
    let Disturbance { name, strikes, .. } = disturbance;
    let place = format!("{} {disturbance}", row.read.function);
    let Some(cell) = cell(row, name, strikes) else {
        return Some(format!("{place}: no cell"));
    };
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let (tenant, plan) = open(config(&row.cassette), &disturbance);
        let outcome = ask(&tenant, &row.read).await;
        outcomes.push(format!("{outcome:?}"));
        if !is_so(cell, plan.fired(), &outcome, &row.sound) {
            return Some(format!("{place}: {outcome:?} is not {cell:?}"));
        }
    }
    (outcomes[0] != outcomes[1]).then(|| format!("{place}: {outcomes:?} differ"))
}

#[test]
fn every_recorded_read_comes_to_what_the_table_says_and_twice_the_same() {
    run(async {
        let rows = recorded().await;
        assert_all_reads(rows.iter().map(|row| row.read.function.as_str()));
        let cells = rows
            .iter()
            .flat_map(|row| columns().map(move |column| play(row, column)));
        play_all("reads over recordings", cells.collect()).await;
    });
}
