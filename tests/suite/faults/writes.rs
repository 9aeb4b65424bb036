//! Writes over the simulator: what was said, and what is so.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::{join, join_all};
use host_harness::{
    TenantConfig,
    contract::{
        offboarding::Step,
        types::{
            Effect,
            ErrorCode::{
                Conflict, ConnectionFailed, InvalidResponse, RateLimited, Timeout, Unauthorized,
                Unavailable,
            },
        },
    },
};
use pagerduty_simulator::Simulator;
use serde_json::Value;

use super::{
    PLENTY, at, connector, contract_failure, open, open_undisturbed, out_of_time, play_all,
    table::{
        Cell::{Believed, Drawn, Fails, OutOfTime, Sound, TakenBack, Uncertain},
        Disturbance,
        Fate::{self, Done, Partly, Undone},
        HARMLESS, SERVER_ERRORS, Strikes, TRANSIENT, Table, UNREADABLE, except, rule,
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
        rule(ONE, &["odd-fields"], Sound),
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
    async fn play(stage: &impl Stage, config: TenantConfig) -> Self {
        let changes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&changes);
        let config = config.observe(move |report| {
            let requests = report.requests.iter();
            let changes = requests.filter(|request| request.method != "GET").count();
            counted.store(u32::try_from(changes).expect("a few"), Ordering::Relaxed);
        });
        let tenant = open_undisturbed(config);
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
    fn columns(&self) -> impl Iterator<Item = Disturbance> {
        Disturbance::all(|name| {
            let mut strikes = vec![Strikes::EachRead];
            strikes.extend((0..self.changes).map(Strikes::Change));
            if TRANSIENT.contains(&name) {
                strikes.push(Strikes::EachChange);
            }
            strikes
        })
    }
}

/// What is wrong with a cell.
async fn play(
    row: &str,
    stage: &impl Stage,
    config: TenantConfig,
    disturbance: &Disturbance,
    undisturbed: &Undisturbed,
) -> Option<String> {
    let Disturbance { name, strikes, .. } = *disturbance;
    let place = format!("{row} {disturbance}");
    let Some(cell) = TABLE.cell(row, name, strikes) else {
        return Some(format!("{place}: no cell"));
    };
    let (tenant, plan) = open(config, disturbance);
    let outcome = stage.act_through(&tenant).await;
    plan.clear();
    let fate = undisturbed.fate(&stage.state().await);
    let fired = plan.fired() > 0;
    let is_so = match (cell, &outcome) {
        (Sound | Drawn, Ok(effect)) => *effect == undisturbed.effect && fate == Done,
        (OutOfTime, Ok(effect)) => *effect == undisturbed.effect && fate == Done && fired,
        (OutOfTime, Err(error)) => {
            out_of_time(error).is_some_and(|may_have_applied| may_have_applied || fate == Undone)
        }
        (Believed(_), Ok(_)) => fate != Undone,
        (Drawn, Err(error)) => contract_failure(error).is_some_and(|(code, may_have_applied)| {
            // What is read oddly may look like somebody else's change.
            matches!(code, InvalidResponse | Conflict) && (may_have_applied || fate == Undone)
        }),
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
    if !is_so || !fired && cell != OutOfTime {
        let fired = plan.fired();
        return Some(format!(
            "{place}: {outcome:?}, {fate:?} is not {cell:?} ({fired} struck)"
        ));
    }
    let next = stage.act_through(&tenant.within(PLENTY)).await;
    let fate = undisturbed.fate(&stage.state().await);
    let ends_alike = fate == Done || matches!(cell, TakenBack(_) | Believed(_));
    (next.is_err() || !ends_alike).then(|| format!("{place}: and then {next:?}, {fate:?}"))
}

/// A write, in what it happens, and what it comes to undisturbed.
struct Row<S> {
    name: &'static str,
    scene: S,
    undisturbed: Undisturbed,
}

async fn writes() -> Vec<Row<Scene>> {
    let rows = WRITES.map(async |(name, write)| {
        let scene = Scene::set(write, Column::Fresh).await;
        let first = scene.again(connector()).await;
        let now = NOW.parse().expect("an instant");
        let undisturbed = Undisturbed::play(&first, at(first.config(), now)).await;
        Row {
            name,
            scene,
            undisturbed,
        }
    });
    join_all(rows).await
}

async fn steps(leaver: &Leaver) -> Vec<Row<(Step, Simulator)>> {
    let rows = STEPS.map(async |(origin, name)| {
        let scene = leaver.step(origin, name).await;
        let first = leaver.applying(&scene, Column::Fresh, None).await;
        let undisturbed = Undisturbed::play(&first, at(first.config(), first.now())).await;
        Row {
            name,
            scene,
            undisturbed,
        }
    });
    join_all(rows).await
}

/// All that is played.
fn cells<S>(rows: &[Row<S>]) -> impl Iterator<Item = (&Row<S>, Disturbance)> {
    rows.iter().flat_map(|row| {
        let columns = row.undisturbed.columns();
        columns.map(move |column| (row, column))
    })
}

#[test]
fn every_write_of_accounts_comes_to_what_the_table_says_whatever_the_vendor_does() {
    run(async {
        let rows = writes().await;
        let cells = cells(&rows).map(async |(row, column)| {
            let scene = row.scene.again(connector()).await;
            let config = at(scene.config(), NOW.parse().expect("an instant"));
            play(row.name, &scene, config, &column, &row.undisturbed).await
        });
        play_all("writes of accounts over the simulator", cells.collect()).await;
    });
}

#[test]
fn every_shape_of_a_step_comes_to_what_the_table_says_whatever_the_vendor_does() {
    run(async {
        let leaver = Leaver::set().await;
        let rows = steps(&leaver).await;
        let cells = cells(&rows).map(async |(row, column)| {
            let stage = leaver.applying(&row.scene, Column::Fresh, None).await;
            let config = at(stage.config(), stage.now());
            play(row.name, &stage, config, &column, &row.undisturbed).await
        });
        play_all("steps over the simulator", cells.collect()).await;
    });
}

/// Each line of the table is there for a cell that one of the tests above plays.
#[test]
fn every_line_of_the_table_of_writes_is_read() {
    run(async {
        let leaver = Leaver::set().await;
        let (writes, steps) = join(writes(), steps(&leaver)).await;
        let of_writes = cells(&writes).map(|(row, column)| (row.name, column));
        let of_steps = cells(&steps).map(|(row, column)| (row.name, column));
        let played: Vec<(&str, Disturbance)> = of_writes.chain(of_steps).collect();
        TABLE.assert_is_read(played.iter().map(|(row, column)| (*row, column)));
        for function in connector().functions() {
            let Some(name) = function.strip_prefix("provisioning.") else {
                continue;
            };
            let mut rows = writes.iter();
            assert!(rows.any(|row| row.name.starts_with(name)), "{function}");
        }
    });
}
