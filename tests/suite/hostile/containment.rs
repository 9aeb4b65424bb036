//! Whatever a connector does to the host costs the call in which it does it:
//! not the next one, and not the calls of others beside it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use host_harness::{Budget, CallError, contract::types::ErrorCode};

use super::{open, seen};
use crate::support::{Opening, all_accounts, page, run};

/// What ends a call.
#[derive(Clone, Copy, Debug)]
enum End {
    Deadline,
    Memory,
    /// With this in the message.
    Trap(&'static str),
    /// The connector is told, and lives with it. What it has seen.
    Told(&'static str),
}

use End::{Deadline, Memory, Told, Trap};

const MISBEHAVIOURS: [(&str, End); 13] = [
    ("never-end", Deadline),
    ("wait-for-ever", Deadline),
    ("ask-again-and-again-whether-time-is-over", Deadline),
    ("take-all-the-memory", Memory),
    ("recurse-for-ever", Trap("wasm trap")),
    ("open-100000-requests", Memory),
    ("open-and-drop-100000-requests", Told("100000 were opened")),
    ("set-100000-timers", Memory),
    ("take-all-the-randomness", Trap("")),
    // More than a map of headers may hold.
    ("fill-the-headers", Trap("wasm")),
    ("send-a-huge-body", Told("HttpRequestBodySize")),
    ("exit", Trap("exited with status 0")),
    ("abort", Trap("unreachable")),
];

/// With so much time.
fn within(seconds: u64) -> Opening {
    Opening {
        budget: Budget::with_deadline(Duration::from_secs(seconds)),
        ..Opening::users(3)
    }
}

#[test]
fn whatever_a_connector_takes_all_of_costs_one_call_and_not_the_next() {
    run(async {
        for (misbehaviour, end) in MISBEHAVIOURS {
            // Whoever never ends is waited for.
            let bench = open(within(if matches!(end, Deadline) { 2 } else { 180 })).await;
            let outcome = bench.tenant.get_account(misbehaviour).await;
            let report = bench.last_report();
            match (end, &outcome) {
                (Deadline, Err(CallError::Deadline(_))) | (Memory, Err(CallError::Memory(_))) => {}
                (Trap(said), Err(CallError::Trap(trap))) if trap.contains(said) => {}
                (Told(what), Ok(_)) if seen(&report).contains(what) => {}
                _ => panic!(
                    "{misbehaviour}: {outcome:?} is not {end:?}; {}",
                    seen(&report)
                ),
            }
            // The registry counts those, and rolls back.
            let is_crash = matches!(end, Memory | Trap(_));
            assert_eq!(report.crash.is_some(), is_crash, "{misbehaviour}");
            assert!(report.requests.len() <= 5_000 + 100, "{misbehaviour}");
            assert!(bench.simulator.request_count() <= 5_000, "{misbehaviour}");

            let patient = bench.tenant.within(Duration::from_secs(180));
            let next = patient.get_account("read").await;
            next.unwrap_or_else(|error| panic!("after {misbehaviour}: {error}"));
        }
    });
}

#[test]
fn calls_of_other_tenants_complete_beside_all_of_them_at_once() {
    run(async {
        let hostile = open(within(2)).await;
        let neighbours = join_all((0..3).map(|_| Opening::users(30).open())).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let calls = neighbours.iter().map(|bench| {
            let (tenant, is_over) = (bench.tenant.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut beside = 0;
                loop {
                    let accounts = all_accounts(&tenant, Some(10)).await.expect("accounts");
                    assert_eq!(accounts.0.len(), 30);
                    if is_over.load(Ordering::SeqCst) {
                        return beside;
                    }
                    beside += 1;
                }
            })
        });
        let calls: Vec<_> = calls.collect();
        // Several of each, more than the machine has processors.
        let attacks = MISBEHAVIOURS.iter().cycle().take(3 * MISBEHAVIOURS.len());
        let attacks = attacks.map(|(misbehaviour, _)| hostile.tenant.get_account(misbehaviour));
        let ended = join_all(attacks).await;
        is_over.store(true, Ordering::SeqCst);
        for (outcome, (misbehaviour, end)) in ended.iter().zip(MISBEHAVIOURS.iter().cycle()) {
            // So many at once may run out of time before they run out of the rest.
            let is_contained = matches!(outcome, Err(CallError::Deadline(_)))
                || match end {
                    Deadline => false,
                    Memory => matches!(outcome, Err(CallError::Memory(_))),
                    Trap(_) => matches!(outcome, Err(CallError::Trap(_))),
                    Told(_) => outcome.is_ok(),
                };
            assert!(is_contained, "{misbehaviour}: {outcome:?}");
        }
        for call in calls {
            let beside: u32 = call.await.expect("no panic");
            assert!(beside > 0, "one that was complete before they were over");
        }
    });
}

#[test]
fn what_a_connector_says_is_cut_or_refused_and_fit_to_be_shown() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let error = bench.tenant.get_account("a-huge-error").await;
        let error = error.expect_err("it said so");
        assert!(
            error.to_string().len() < 10_000,
            "{}",
            error.to_string().len()
        );
        assert_eq!(error.to_contract().code, ErrorCode::Internal);

        // More than may cross the border at once.
        let error = bench
            .tenant
            .get_account("an-error-larger-than-the-host-takes")
            .await;
        assert!(matches!(error, Err(CallError::Trap(_))), "{error:?}");

        let error = bench.tenant.get_account("escapes-in-an-error").await;
        let shown = error.expect_err("it said so").to_string();
        assert!(shown.contains("owned"), "{shown:?}");
        assert!(!shown.chars().any(char::is_control), "{shown:?}");

        let error = bench.tenant.get_account("the-credential-in-an-error").await;
        let error = error.expect_err("it said so");
        let said = format!("{error} {error:?}");
        assert_eq!(said.matches("[redacted]").count(), 4, "{said}");

        let account = bench.tenant.get_account("a-huge-name").await;
        assert_eq!(account.expect("a name").display_name.len(), 8 << 20);
        bench.tenant.get_account("read").await.expect("all is well");
    });
}

#[test]
fn a_redirect_is_an_answer_and_nobody_follows_it() {
    run(async {
        use pagerduty_simulator::{Effect, Fault, Match};
        let bench = open(Opening::users(3)).await;
        for location in [
            "http://169.254.169.254/latest/meta-data/",
            "https://evil.example/users",
            "/audit/records",
        ] {
            bench.simulator.faults().clear();
            bench.simulator.faults().add(Fault {
                when: Match::default(),
                effect: Effect::Status {
                    status: 307,
                    body: None,
                    headers: vec![("location".to_owned(), location.to_owned())],
                },
            });
            let before = bench.simulator.request_count();
            bench.tenant.get_account("read").await.expect("an answer");
            let report = bench.last_report();
            assert!(seen(&report).contains("status 307"), "{report:?}");
            assert_eq!(report.requests.len(), 1);
            assert_eq!(bench.simulator.request_count(), before + 1, "{location}");
        }
        // And with what the bundled connector makes of it.
        let bench = Opening::users(3).open().await;
        bench
            .simulator
            .faults()
            .add("* * status=302".parse().expect("a fault"));
        bench
            .tenant
            .list_accounts(page(None))
            .await
            .expect_err("no list");
        assert_eq!(bench.simulator.request_count(), 1);
    });
}
