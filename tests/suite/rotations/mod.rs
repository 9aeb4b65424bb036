//! What a hand-over does to who is on call: random rotations, before and after.

mod events;
mod layers;
mod overrides;
mod scenario;

use std::collections::BTreeSet;

use host_harness::contract::offboarding::Applied;
use jiff::Timestamp;

use crate::rota::{Turn, cut, on_call};
use crate::vendor::unchanged;
use scenario::{HEIR, LEAVER, Stage, check};

/// The same turns, each of the one's now the other's.
fn handed_over(turns: &[Turn], from: &str, to: Option<&str>) -> Vec<Turn> {
    let hand_over = |turn: &Turn| {
        let mut turn = turn.clone();
        if turn.user.as_deref() == Some(from) {
            turn.user = to.map(str::to_owned);
        }
        turn
    };
    turns.iter().map(hand_over).collect()
}

/// Whether the account's history, and nothing else, is as it was.
fn assert_same_past(stage: &Stage, before: &[Vec<Turn>; 2], after: &[Vec<Turn>; 2]) {
    for (before, after) in before.iter().zip(after) {
        let (before, after) = (cut(before, stage.rota.now).0, cut(after, stage.rota.now).0);
        assert_eq!(on_call(&before), on_call(&after), "history");
    }
}

/// What is to come of the turns.
fn to_come(stage: &Stage, turns: &[Turn]) -> Vec<Turn> {
    cut(turns, stage.rota.now).1
}

#[test]
fn a_transfer_gives_the_heir_all_turns_of_the_leaver_and_moves_nobody_elses() {
    check(24, &async |scenario| {
        let stage = scenario.stage().await;
        let (leaver, heir) = (&stage.people[LEAVER], &stage.people[HEIR]);
        let before = stage.turns().await;
        let plan = stage.rota.plan(leaver, Some(heir)).await;
        for step in &plan.steps {
            stage.rota.apply(step).await;
            let again = stage.rota.apply(step).await;
            assert_eq!(again.effect, unchanged("already-done"), "{}", step.summary);
        }
        let after = stage.turns().await;
        assert_same_past(&stage, &before, &after);
        for (before, after) in before.iter().zip(&after) {
            let expected = handed_over(&to_come(&stage, before), leaver, Some(heir));
            assert_eq!(on_call(&to_come(&stage, after)), on_call(&expected));
        }
        let left = stage.rota.plan(leaver, Some(heir)).await;
        assert!(left.steps.is_empty(), "nothing is left: {:?}", left.steps);
    });
}

#[test]
fn a_transfer_that_is_taken_back_has_not_changed_who_is_on_call() {
    check(15, &async |scenario| {
        // With shifts of the heir's own it can't be told which to give back.
        let mut scenario = scenario.clone();
        scenario.without(HEIR);
        let stage = scenario.stage().await;
        let (leaver, heir) = (&stage.people[LEAVER], &stage.people[HEIR]);
        let before = stage.turns().await;
        let applied = stage.rota.hand_over(leaver, Some(heir)).await;
        for Applied { undo, .. } in applied.iter().rev() {
            if let Some(undo) = undo {
                stage.rota.apply(undo).await;
                let again = stage.rota.apply(undo).await;
                assert_eq!(again.effect, unchanged("already-done"), "{}", undo.summary);
            }
        }
        let after = stage.turns().await;
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(on_call(after), on_call(before));
        }
    });
}

#[test]
fn a_removal_empties_only_the_shifts_of_the_leaver_and_takes_nobody_off_call() {
    check(15, &async |scenario| {
        let mut scenario = scenario.clone();
        scenario.without_cover_of_the_lonely();
        let stage = scenario.stage().await;
        let leaver = &stage.people[LEAVER];
        let before = stage.turns().await;
        for step in &stage.rota.plan(leaver, None).await.steps {
            // What is left is about the account itself.
            if step.kind.contains("schedule")
                || step.kind.contains("shift")
                || step.kind.contains("override")
            {
                stage.rota.apply(step).await;
                let again = stage.rota.apply(step).await;
                assert_eq!(again.effect, unchanged("already-done"), "{}", step.summary);
            }
        }
        let after = stage.turns().await;
        assert_same_past(&stage, &before, &after);
        let [layered, shifts] =
            [0, 1].map(|n| (to_come(&stage, &before[n]), to_come(&stage, &after[n])));
        for turn in layered.1.iter().chain(&shifts.1) {
            assert_ne!(turn.user.as_ref(), Some(leaver), "{turn:?}");
        }
        // In layers the turns move; who is on call now stays so.
        let now = |turns: &[Turn]| {
            let mut turns = turns.iter();
            turns
                .find(|turn| turn.start <= stage.rota.now)
                .and_then(|turn| turn.user.clone())
        };
        let was_on_call = now(&layered.0);
        if was_on_call.as_ref() != Some(leaver) {
            assert_eq!(now(&layered.1), was_on_call);
        }
        // In rotations nobody's do. Without an override of the leaver's whoever
        // was overridden is on call again.
        let (before, after) = (on_call(&shifts.0), on_call(&shifts.1));
        for (instant, _) in before.iter().chain(&after) {
            let (mut before, after) = (at(&before, *instant), at(&after, *instant));
            if before.remove(leaver) {
                assert!(before.is_subset(&after), "{instant}");
            } else {
                assert_eq!(before, after, "{instant}");
            }
        }
    });
}

fn at(changes: &[(Timestamp, BTreeSet<String>)], instant: Timestamp) -> BTreeSet<String> {
    let known = changes.iter().rev().find(|(from, _)| *from <= instant);
    known.map(|(_, users)| users.clone()).unwrap_or_default()
}
