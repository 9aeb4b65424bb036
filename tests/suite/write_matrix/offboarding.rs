//! The same for each kind of step of a hand-over and of a removal, and for the
//! steps that take one back. A step may make several changes: what disturbs it
//! hits each of them, one at a time.

use futures_util::{StreamExt as _, stream};
use host_harness::contract::types::{Effect, ErrorCode};
use serde_json::Value;

use super::{
    COLUMNS,
    Cell::{self, Done, Fails, NotApplicable, Unchanged},
    Stage as _, count, enact,
    leaver::Leaver,
    scene::Column,
};
use crate::support::run;

/// Where a step comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    Transfer,
    Removal,
    /// It takes a step of that kind back.
    Undoing(&'static str),
}

struct Row {
    origin: Origin,
    kind: &'static str,
    cells: [Cell; COLUMNS.len()],
}

/// A row: what the step does, and what it says when its target is gone, and
/// when the plan lacks it. Once done it has nothing left to do, and disturbances
/// that pass leave no trace.
fn row(origin: Origin, kind: &'static str, effect: Effect, gone: Cell, plan: Cell) -> Row {
    let done = Done(effect);
    let repeated = match kind {
        "delete-account" => "already-gone",
        _ => "already-done",
    };
    let cells = [
        done.clone(),
        Unchanged(repeated),
        gone,
        plan,
        Fails(ErrorCode::PermissionDenied),
        done.clone(),
        done.clone(),
        done,
    ];
    Row {
        origin,
        kind,
        cells,
    }
}

fn in_every_plan() -> Cell {
    NotApplicable("incidents, escalation policies and schedules are in every plan")
}

/// What the step is about does not exist.
fn none() -> Cell {
    Unchanged("already-gone")
}

fn transfer() -> Vec<Row> {
    use Origin::Transfer;
    let changed = || Effect::Updated;
    // Nothing is left to do about incidents that are resolved.
    let resolved = || Unchanged("already-done");
    vec![
        row(
            Transfer,
            "reassign-incidents",
            changed(),
            resolved(),
            in_every_plan(),
        ),
        row(
            Transfer,
            "replace-in-policy",
            changed(),
            none(),
            in_every_plan(),
        ),
        row(
            Transfer,
            "replace-in-schedule",
            changed(),
            none(),
            in_every_plan(),
        ),
        // A plan without shift-based schedules has none.
        row(
            Transfer,
            "replace-in-shift-schedule",
            changed(),
            none(),
            none(),
        ),
        row(
            Transfer,
            "reassign-override",
            changed(),
            none(),
            in_every_plan(),
        ),
        row(
            Transfer,
            "reassign-shift-override",
            changed(),
            none(),
            none(),
        ),
        row(Transfer, "reassign-custom-shift", changed(), none(), none()),
    ]
}

fn removal() -> Vec<Row> {
    use Origin::Removal;
    let (changed, gone) = (|| Effect::Updated, || Effect::Deleted);
    let resolved = || Unchanged("already-done");
    vec![
        row(
            Removal,
            "remove-from-policy",
            changed(),
            none(),
            in_every_plan(),
        ),
        row(
            Removal,
            "remove-from-schedule",
            changed(),
            none(),
            in_every_plan(),
        ),
        row(
            Removal,
            "remove-from-shift-schedule",
            changed(),
            none(),
            none(),
        ),
        row(Removal, "remove-override", gone(), none(), in_every_plan()),
        row(Removal, "remove-shift-override", gone(), none(), none()),
        row(Removal, "remove-custom-shift", gone(), none(), none()),
        row(
            Removal,
            "reassign-incidents",
            changed(),
            resolved(),
            in_every_plan(),
        ),
        row(
            Removal,
            "leave-team",
            gone(),
            none(),
            Unchanged("left-to-deletion"),
        ),
        row(
            Removal,
            "sign-out",
            gone(),
            none(),
            Fails(ErrorCode::PlanRequired),
        ),
        // What the plan lacks is to hand incidents back.
        row(
            Removal,
            "delete-account",
            gone(),
            none(),
            Fails(ErrorCode::Conflict),
        ),
    ]
}

fn taken_back() -> Vec<Row> {
    let row = |done: &'static str, kind: &'static str, gone: Cell, plan: Cell| {
        row(Origin::Undoing(done), kind, Effect::Updated, gone, plan)
    };
    let same = |kind: &'static str, plan: Cell| row(kind, kind, none(), plan);
    let resolved = Unchanged("already-done");
    let mut rows = vec![
        row(
            "reassign-incidents",
            "return-incidents",
            resolved,
            in_every_plan(),
        ),
        row(
            "replace-in-policy",
            "restore-policy",
            none(),
            in_every_plan(),
        ),
        same("replace-in-schedule", in_every_plan()),
        same("replace-in-shift-schedule", none()),
        same("reassign-override", in_every_plan()),
        same("reassign-shift-override", none()),
        same("reassign-custom-shift", none()),
    ];
    let plan = Fails(ErrorCode::PlanRequired);
    rows.push(self::row(
        Origin::Undoing("leave-team"),
        "rejoin-team",
        Effect::Created,
        none(),
        plan,
    ));
    rows
}

/// The kinds that the contract names.
fn documented() -> Vec<&'static str> {
    let contract = include_str!("../../../wit/write.wit");
    let (_, rest) = contract
        .split_once("What it does, in kebab case.")
        .expect("kinds");
    let (kinds, _) = rest.split_once("kind: string").expect("their end");
    let quoted = kinds.split('`').skip(1).step_by(2);
    // `replace-` stands for several.
    quoted.filter(|kind| !kind.ends_with('-')).collect()
}

#[test]
fn every_step_of_offboarding_comes_to_what_the_table_says() {
    let table: Vec<Row> = [transfer(), removal(), taken_back()]
        .into_iter()
        .flatten()
        .collect();
    for kind in documented() {
        assert!(
            table.iter().any(|row| row.kind == kind),
            "no row for `{kind}`"
        );
    }
    count(table.iter().flat_map(|row| &row.cells));
    run(async {
        let leaver = Leaver::set().await;
        let rows = table.iter().map(|row| enact_row(&leaver, row));
        let wrong: Vec<Vec<String>> = stream::iter(rows).buffer_unordered(3).collect().await;
        let wrong = wrong.concat();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Plays a row. Returns what is wrong.
async fn enact_row(leaver: &Leaver, row: &Row) -> Vec<String> {
    let Row {
        origin,
        kind,
        cells,
    } = row;
    let [fresh, others @ ..] = cells;
    let mut wrong = Vec::new();
    let mut complain = |column: Column, fault: &Option<String>, complaint: String| {
        let fault = fault.as_deref().unwrap_or_default();
        wrong.push(format!(
            "{origin:?} {kind}, {column:?} {fault}: {complaint}"
        ));
    };
    let step = leaver.step(*origin, kind).await;
    let stage = leaver.applying(&step, Column::Fresh, None).await;
    stage.simulator().keep_exchanges(true);
    let undisturbed = enact(&stage, fresh, None)
        .await
        .unwrap_or_else(|complaint| {
            complain(Column::Fresh, &None, complaint);
            Value::Null
        });
    let changes = stage.changes();
    for (column, cell) in COLUMNS.into_iter().skip(1).zip(others) {
        if matches!(cell, NotApplicable(_)) {
            continue;
        }
        let faults = match column.disturbance() {
            None => vec![None],
            Some(effect) => (0..changes)
                .map(|skip| Some(format!("!GET * {effect} times=1 skip={skip}")))
                .collect(),
        };
        for fault in faults {
            let stage = leaver.applying(&step, column, fault.clone()).await;
            if column == Column::Repeated
                && let Err(error) = stage.act().await
            {
                complain(column, &fault, format!("not even once: {error:?}"));
                continue;
            }
            if let Err(complaint) = enact(&stage, cell, Some(&undisturbed)).await {
                complain(column, &fault, complaint);
            }
        }
    }
    wrong
}
