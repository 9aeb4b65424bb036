//! Every write × everything that can happen to it. Each cell says what comes of
//! it; where something comes of it, the vendor's state is the same as after the
//! write went through once, undisturbed, and where nothing does, as before.

pub mod leaver;
pub mod offboarding;
pub mod scene;

use futures_util::{StreamExt as _, future::join_all, stream};
use host_harness::{
    CallError, Tenant,
    contract::types::{Effect, ErrorCode},
};
use pagerduty_simulator::Simulator;
use serde_json::Value;

use self::scene::{Column, Kind, Scene, Write};
use crate::support::run;
use Cell::{Done, Fails, NotApplicable, Unchanged};
use ErrorCode::{Conflict, NotFound, PermissionDenied, PlanRequired};

const COLUMNS: [Column; 8] = [
    Column::Fresh,
    Column::Repeated,
    Column::TargetGone,
    Column::PlanLacksIt,
    Column::PermissionMissing,
    Column::RateLimited,
    Column::FailsAfterItTookEffect,
    Column::CutAfterItTookEffect,
];

#[derive(Clone, Debug)]
enum Cell {
    Done(Effect),
    Unchanged(&'static str),
    Fails(ErrorCode),
    /// Why not.
    NotApplicable(&'static str),
}

type Row = (Write, [Cell; COLUMNS.len()]);

/// A row: what the write does, what it says when repeated, when its target is
/// gone, and when the plan lacks it. Disturbances that pass leave no trace.
fn row(write: Write, effect: &Effect, repeated: &'static str, gone: Cell, plan: Cell) -> Row {
    let done = || Done(effect.clone());
    let cells = [
        done(),
        Unchanged(repeated),
        gone,
        plan,
        Fails(PermissionDenied),
        done(),
        done(),
        done(),
    ];
    (write, cells)
}

fn accounts_and_what_they_hold() -> Vec<Row> {
    use Kind::{License, Role, Team};
    use Write::{Assign, Create, Delete, Unassign, Update};
    let (made, changed, gone) = (&Effect::Created, &Effect::Updated, &Effect::Deleted);
    let in_every_plan = NotApplicable("names and e-mail addresses are part of every plan");
    let is_gone = || Unchanged("already-gone");
    vec![
        row(
            Create,
            made,
            "already-exists",
            Fails(NotFound),
            Fails(PlanRequired),
        ),
        row(
            Update,
            changed,
            "same-values",
            Fails(NotFound),
            in_every_plan,
        ),
        // What the plan lacks is to hand incidents back.
        row(Delete, gone, "already-gone", is_gone(), Fails(Conflict)),
        row(
            Assign(Role),
            changed,
            "already-assigned",
            Fails(NotFound),
            Fails(PlanRequired),
        ),
        row(
            Unassign(Role),
            changed,
            "not-assigned",
            is_gone(),
            Fails(PlanRequired),
        ),
        // PagerDuty's word for licences that can't be read is a 403.
        row(
            Assign(License),
            changed,
            "already-assigned",
            Fails(NotFound),
            Fails(PermissionDenied),
        ),
        row(
            Unassign(License),
            changed,
            "not-assigned",
            is_gone(),
            Fails(PermissionDenied),
        ),
        row(
            Assign(Team),
            made,
            "already-assigned",
            Fails(NotFound),
            Fails(PlanRequired),
        ),
        row(
            Unassign(Team),
            gone,
            "not-assigned",
            is_gone(),
            Fails(PlanRequired),
        ),
    ]
}

fn duties() -> Vec<Row> {
    use Kind::{Policy, Schedule};
    use Write::{Assign, Unassign};
    let (made, gone) = (&Effect::Created, &Effect::Deleted);
    let in_every_plan = || NotApplicable("schedules and escalation policies are in every plan");
    let is_gone = || Unchanged("already-gone");
    vec![
        row(
            Assign(Schedule),
            made,
            "already-assigned",
            Fails(NotFound),
            in_every_plan(),
        ),
        row(
            Unassign(Schedule),
            gone,
            "not-assigned",
            is_gone(),
            in_every_plan(),
        ),
        row(
            Assign(Policy),
            made,
            "already-assigned",
            Fails(NotFound),
            in_every_plan(),
        ),
        row(
            Unassign(Policy),
            gone,
            "not-assigned",
            is_gone(),
            in_every_plan(),
        ),
    ]
}

#[test]
fn every_write_of_accounts_and_what_they_hold_comes_to_what_the_table_says() {
    check(&accounts_and_what_they_hold());
}

#[test]
fn every_write_of_duties_comes_to_what_the_table_says() {
    check(&duties());
}

fn check(table: &[Row]) {
    run(async {
        count(table.iter().flat_map(|(_, row)| row));
        let rows = table.iter().map(|(write, row)| enact_row(*write, row));
        let wrong: Vec<Vec<String>> = stream::iter(rows).buffer_unordered(3).collect().await;
        let wrong = wrong.concat();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Prints how many cells there are. None is empty.
fn count<'c>(cells: impl Iterator<Item = &'c Cell>) {
    let (mut all, mut applicable) = (0, 0);
    for cell in cells {
        all += 1;
        match cell {
            NotApplicable(why) => assert!(!why.is_empty(), "a cell without a reason"),
            Unchanged(why) => assert!(!why.is_empty(), "an effect without a reason"),
            Done(_) | Fails(_) => {}
        }
        applicable += usize::from(!matches!(cell, NotApplicable(_)));
    }
    println!("{all} cells, {applicable} of them apply");
}

/// Plays a row. Returns what is wrong.
async fn enact_row(write: Write, row: &[Cell; COLUMNS.len()]) -> Vec<String> {
    let [fresh, others @ ..] = row;
    let mut wrong = Vec::new();
    let scene = Scene::set(write, Column::Fresh).await;
    let about = |column: Column, complaint: String| format!("{write:?}, {column:?}: {complaint}");
    let undisturbed = enact(&scene, fresh, None)
        .await
        .unwrap_or_else(|complaint| {
            wrong.push(about(Column::Fresh, complaint));
            Value::Null
        });
    let others = COLUMNS.into_iter().skip(1).zip(others);
    let others = others.filter(|(_, cell)| !matches!(cell, NotApplicable(_)));
    let outcomes = others.map(async |(column, cell)| {
        let scene = Scene::set(write, column).await;
        if column == Column::Repeated
            && let Err(error) = scene.act().await
        {
            return Some(format!("{write:?}: not even once: {error:?}"));
        }
        let complaint = enact(&scene, cell, Some(&undisturbed)).await.err();
        complaint.map(|complaint| about(column, complaint))
    });
    wrong.extend(join_all(outcomes).await.into_iter().flatten());
    wrong
}

/// A tenant in which something is about to happen.
pub trait Stage {
    fn simulator(&self) -> &Simulator;
    /// What is to disturb it.
    fn fault(&self) -> Option<&str>;
    /// Lets it happen.
    async fn act(&self) -> Result<Effect, CallError> {
        self.act_through(self.tenant()).await
    }
    /// The tenant, opened as ever.
    fn tenant(&self) -> &Tenant;
    /// The same, opened otherwise.
    async fn act_through(&self, tenant: &Tenant) -> Result<Effect, CallError>;
    /// Everything that it can change.
    async fn state(&self) -> Value;
}

/// Plays a cell. Returns the state that it leads to, or what is wrong.
async fn enact(
    stage: &impl Stage,
    cell: &Cell,
    undisturbed: Option<&Value>,
) -> Result<Value, String> {
    let before = stage.state().await;
    let faults = stage.simulator().faults();
    if let Some(fault) = stage.fault() {
        faults.add(fault.parse().expect("a fault"));
    }
    let outcome = stage.act().await;
    let was_disturbed = faults.fired() > 0;
    faults.clear();
    let after = stage.state().await;
    let is_said = match (&outcome, cell) {
        (Ok(Effect::Unchanged(reason)), Unchanged(wanted)) => reason == wanted,
        (Ok(effect), Done(wanted)) => effect == wanted,
        (Err(CallError::Connector { error, .. }), Fails(code)) => error.code == *code,
        _ => false,
    };
    let is_so = match (cell, undisturbed) {
        (Done(_), Some(undisturbed)) => after == *undisturbed,
        (Done(_), None) => after != before,
        _ => after == before,
    };
    match (is_said, is_so) {
        (true, true) if was_disturbed == stage.fault().is_some() => Ok(after),
        (true, true) => Err("the fault did not hit".to_owned()),
        (true, false) => Err(format!("it is said, and not so\n{before}\n{after}")),
        (false, _) => Err(format!("{outcome:?} instead of {cell:?}")),
    }
}
