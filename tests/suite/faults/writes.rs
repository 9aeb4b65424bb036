//! Writes over the simulator: what was said, and what is so.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::join_all;
use host_harness::{
    TenantConfig,
    contract::types::{
        Effect,
        ErrorCode::{
            ConnectionFailed, InvalidResponse, RateLimited, Timeout, Unauthorized, Unavailable,
        },
    },
    egress::faults::Fault,
};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    PLENTY, connector, contract_failure, open, out_of_time, play_all,
    table::{
        Cell::{Believed, Drawn, Fails, OutOfTime, Sound, TakenBack, Uncertain},
        Fate::{self, Done, Partly, Undone},
        HARMLESS, SERVER_ERRORS, Strikes, TRANSIENT, Table, UNREADABLE, except, faults, rule,
    },
};
use crate::{
    support::run,
    write_matrix::{
        Stage,
        leaver::Leaver,
        offboarding::Origin,
        scene::{Column, Kind, Scene, Write},
    },
};

const NOW: &str = "2026-11-20T12:00:00Z";

const WRITES: [(&str, Write); 13] = [
    ("create-account", Write::Create),
    ("update-account", Write::Update),
    ("delete-account", Write::Delete),
    ("assign role", Write::Assign(Kind::Role)),
    ("assign license", Write::Assign(Kind::License)),
    ("assign team", Write::Assign(Kind::Team)),
    ("assign schedule", Write::Assign(Kind::Schedule)),
    ("assign policy", Write::Assign(Kind::Policy)),
    ("unassign role", Write::Unassign(Kind::Role)),
    ("unassign license", Write::Unassign(Kind::License)),
    ("unassign team", Write::Unassign(Kind::Team)),
    ("unassign schedule", Write::Unassign(Kind::Schedule)),
    ("unassign policy", Write::Unassign(Kind::Policy)),
];

/// One of each shape: a change to many things at once, to a list, to layers, to
/// events; something made and something deleted; a deletion.
const STEPS: [(Origin, &str); 7] = [
    (Origin::Transfer, "reassign-incidents"),
    (Origin::Transfer, "replace-in-policy"),
    (Origin::Transfer, "replace-in-schedule"),
    (Origin::Transfer, "replace-in-shift-schedule"),
    (Origin::Transfer, "reassign-override"),
    (Origin::Transfer, "reassign-custom-shift"),
    (Origin::Removal, "leave-team"),
];

const READS: fn(Strikes) -> bool = |strikes| strikes == Strikes::EachRead;
const CHANGES: fn(Strikes) -> bool = |strikes| strikes == Strikes::EachChange;
const ONE: fn(Strikes) -> bool = |strikes| matches!(strikes, Strikes::Change(_));
const FIRST: fn(Strikes) -> bool = |strikes| strikes == Strikes::Change(0);
const LATER: fn(Strikes) -> bool = |strikes| matches!(strikes, Strikes::Change(1..));
const THIRD: fn(Strikes) -> bool = |strikes| strikes == Strikes::Change(2);

const TABLE: Table = Table {
    rules: &[
        // A change that went wrong once is repeated, or found to be done.
        rule(ONE, TRANSIENT, Sound),
        // PagerDuty said yes. What else it said does not matter, or is looked up.
        rule(ONE, UNREADABLE, Sound),
        rule(ONE, HARMLESS, Sound),
        rule(ONE, &["odd-fields"], Drawn),
        // A refusal is one.
        rule(FIRST, &["401"], Fails(Unauthorized)),
        rule(FIRST, &["redirect"], Fails(InvalidResponse)),
        rule(LATER, &["401"], Uncertain(Unauthorized, Partly)),
        rule(LATER, &["redirect"], Uncertain(InvalidResponse, Partly)),
        rule(ONE, &["slow-drip"], OutOfTime),
        // They stay.
        rule(CHANGES, &["429"], OutOfTime),
        rule(CHANGES, &["429-with-headers"], Fails(RateLimited)),
        rule(CHANGES, &["refused-connection"], Fails(ConnectionFailed)),
        rule(CHANGES, SERVER_ERRORS, Uncertain(Unavailable, Undone)),
        rule(CHANGES, &["timeout-before"], Uncertain(Timeout, Undone)),
        // It was done, and is found to be.
        rule(CHANGES, &["timeout-after", "reset"], Sound),
        // What can't be seen is not changed.
        rule(READS, SERVER_ERRORS, Fails(Unavailable)),
        rule(READS, &["timeout-before", "timeout-after"], Fails(Timeout)),
        rule(
            READS,
            &["refused-connection", "reset"],
            Fails(ConnectionFailed),
        ),
        rule(READS, &["429-with-headers"], Fails(RateLimited)),
        rule(READS, &["429", "slow-drip"], OutOfTime),
        rule(READS, &["401"], Fails(Unauthorized)),
        rule(READS, &["redirect"], Fails(InvalidResponse)),
        rule(READS, UNREADABLE, Fails(InvalidResponse)),
        rule(READS, HARMLESS, Sound),
        rule(READS, &["odd-fields"], Drawn),
    ],
    exceptions: &[
        except(
            "leave-team",
            ONE,
            &["huge-body", "gzip-bomb"],
            Uncertain(InvalidResponse, Done),
        ),
        except(
            "leave-team",
            CHANGES,
            &["reset"],
            Uncertain(ConnectionFailed, Done),
        ),
        except(
            "leave-team",
            CHANGES,
            &["timeout-after"],
            Uncertain(Timeout, Done),
        ),
        // What was made is not in a list from before.
        except(
            "reassign-custom-shift",
            READS,
            &["repeated-page"],
            Uncertain(InvalidResponse, Partly),
        ),
        except(
            "replace-in-shift-schedule",
            READS,
            &["repeated-page"],
            Believed("the overrides were read as they had been before"),
        ),
        // Its place is taken again by the old event.
        except(
            "replace-in-shift-schedule",
            THIRD,
            &["401"],
            TakenBack(Unauthorized),
        ),
        except(
            "replace-in-shift-schedule",
            THIRD,
            &["redirect"],
            TakenBack(InvalidResponse),
        ),
    ],
};

/// What an undisturbed call comes to.
struct Undisturbed {
    effect: Effect,
    before: Value,
    after: Value,
    changes: u32,
}

impl Undisturbed {
    async fn play(stage: &impl Stage, config: TenantConfig, now: Timestamp) -> Self {
        let changes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&changes);
        let config = config.observe(move |report| {
            let requests = report.requests.iter();
            let changes = requests.filter(|request| request.method != "GET").count();
            counted.store(u32::try_from(changes).expect("a few"), Ordering::Relaxed);
        });
        let (tenant, plan) = open(config, now, &Fault::Reset, Strikes::First);
        plan.clear();
        let before = stage.state().await;
        let effect = stage.act_through(&tenant).await.expect("nothing is wrong");
        let after = stage.state().await;
        assert_ne!(before, after);
        Self {
            effect,
            before,
            after,
            changes: changes.load(Ordering::Relaxed),
        }
    }

    fn fate(&self, after: &Value) -> Fate {
        if *after == self.after {
            Done
        } else if *after == self.before {
            Undone
        } else {
            Partly
        }
    }

    /// Where a fault strikes.
    fn columns(&self) -> impl Iterator<Item = (&'static str, Fault, Strikes)> {
        faults().flat_map(|(name, fault)| {
            let mut strikes = vec![Strikes::EachRead];
            strikes.extend((0..self.changes).map(Strikes::Change));
            if TRANSIENT.contains(&name) {
                strikes.push(Strikes::EachChange);
            }
            strikes
                .into_iter()
                .map(move |strikes| (name, fault.clone(), strikes))
        })
    }
}

/// What is wrong with a cell.
async fn play(
    row: &str,
    stage: &impl Stage,
    (config, now): (TenantConfig, Timestamp),
    (name, fault, strikes): (&str, Fault, Strikes),
    undisturbed: &Undisturbed,
) -> Option<String> {
    let place = format!("{row} {name} {strikes:?}");
    let Some(cell) = TABLE.cell(row, name, strikes) else {
        return Some(format!("{place}: no cell"));
    };
    let (tenant, plan) = open(config, now, &fault, strikes);
    let outcome = stage.act_through(&tenant).await;
    plan.clear();
    let fate = undisturbed.fate(&stage.state().await);
    let is_so = match (cell, &outcome) {
        (Sound, Ok(effect)) => *effect == undisturbed.effect && fate == Done,
        (OutOfTime, Ok(effect)) => *effect == undisturbed.effect && fate == Done,
        (OutOfTime, Err(error)) => {
            out_of_time(error).is_some_and(|may_have_applied| may_have_applied || fate == Undone)
        }
        (Believed(_), Ok(_)) => fate != Undone,
        (Drawn, Ok(_)) => true,
        (Drawn, Err(error)) => contract_failure(error).is_some(),
        (Fails(code), Err(error)) => {
            contract_failure(error) == Some((code, false)) && fate == Undone
        }
        (Uncertain(code, wanted), Err(error)) => {
            contract_failure(error) == Some((code, true)) && fate == wanted
        }
        (TakenBack(code), Err(error)) => {
            contract_failure(error) == Some((code, true)) && fate == Partly
        }
        _ => false,
    };
    if !is_so || plan.fired() == 0 && cell != OutOfTime {
        let fired = plan.fired();
        return Some(format!(
            "{place}: {outcome:?}, {fate:?} is not {cell:?} ({fired} struck)"
        ));
    }
    let next = stage.act_through(&tenant.within(PLENTY)).await;
    let fate = undisturbed.fate(&stage.state().await);
    // What was read oddly was changed as it was read.
    let ends_alike = fate == Done || matches!(cell, TakenBack(_) | Believed(_) | Drawn);
    (next.is_err() || !ends_alike).then(|| format!("{place}: and then {next:?}, {fate:?}"))
}

#[test]
fn every_write_of_accounts_comes_to_what_the_table_says_whatever_the_vendor_does() {
    run(async {
        let now: Timestamp = NOW.parse().expect("an instant");
        let rows = WRITES.map(async |(row, write)| {
            let scene = Scene::set(write, Column::Fresh).await;
            let first = scene.again(connector()).await;
            let undisturbed = Undisturbed::play(&first, first.config(), now).await;
            (row, scene, undisturbed)
        });
        let rows = join_all(rows).await;
        let cells = rows.iter().flat_map(|row| {
            let columns = row.2.columns();
            columns.map(move |column| (row, column))
        });
        let cells = cells.map(async |((row, scene, undisturbed), column)| {
            let scene = scene.again(connector()).await;
            let config = (scene.config(), now);
            play(row, &scene, config, column, undisturbed).await
        });
        play_all("writes of accounts over the simulator", cells.collect()).await;
    });
}

#[test]
fn every_shape_of_a_step_comes_to_what_the_table_says_whatever_the_vendor_does() {
    run(async {
        let leaver = Leaver::set().await;
        let leaver = &leaver;
        let rows = STEPS.map(async |(origin, kind)| {
            let step = leaver.step(origin, kind).await;
            let first = leaver.applying(&step, Column::Fresh, None).await;
            let undisturbed = Undisturbed::play(&first, first.config(), first.now()).await;
            (kind, step, undisturbed)
        });
        let rows = join_all(rows).await;
        let cells = rows.iter().flat_map(|row| {
            let columns = row.2.columns();
            columns.map(move |column| (row, column))
        });
        let cells = cells.map(async |((kind, step, undisturbed), column)| {
            let stage = leaver.applying(step, Column::Fresh, None).await;
            let config = (stage.config(), stage.now());
            play(kind, &stage, config, column, undisturbed).await
        });
        play_all("steps over the simulator", cells.collect()).await;
    });
}

/// Each line of the table is there for a cell.
#[test]
fn every_line_of_the_table_of_writes_is_read() {
    let rows = WRITES.map(|(row, _)| row).into_iter();
    let rows: Vec<&str> = rows.chain(STEPS.map(|(_, kind)| kind)).collect();
    let places = rows.iter().flat_map(|row| {
        faults().flat_map(move |(name, _)| {
            let one = (0..4).map(Strikes::Change);
            let strikes = one.chain([Strikes::EachRead, Strikes::EachChange]);
            strikes.map(move |strikes| (*row, name, strikes))
        })
    });
    TABLE.assert_is_read(places);
    let functions: Vec<&str> = connector().functions().collect();
    for function in functions {
        let Some(name) = function.strip_prefix("provisioning.") else {
            continue;
        };
        assert!(rows.iter().any(|row| row.starts_with(name)), "{function}");
    }
}
