//! The stage itself: which requests it strikes, and that the host takes what
//! it makes up for the vendor's own word.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use host_harness::{
    Budget, CallError, Refusal, RequestTrace, Tenant, TenantConfig, TraceOutcome,
    contract::types::ErrorCode,
    egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen},
};
use http::Method;

use crate::{
    cassettes::{recorder, scrubber},
    support::{Bench, Opening, all_accounts, connector, contract_error, page, run},
    vendor::{get, role, user_of_role},
};

/// The same tenant, where things go wrong.
fn with(bench: &Bench, plan: &FaultPlan) -> Tenant {
    open(bench.config.clone(), plan)
}

fn open(config: TenantConfig, plan: &FaultPlan) -> Tenant {
    connector()
        .open(config.faults(plan.clone()))
        .expect("it opens")
}

fn fault(name: &str) -> Fault {
    name.parse().expect("a fault's name")
}

fn on(path: &str) -> FaultWhen {
    FaultWhen {
        path_prefix: Some(path.to_owned()),
        ..FaultWhen::default()
    }
}

#[test]
fn a_fault_is_shown_by_the_name_it_is_read_from() {
    for name in Fault::NAMES {
        assert_eq!(fault(name).to_string(), name);
    }
    let error = "earth\u{1b}quake".parse::<Fault>().expect_err("none");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    assert!(error.to_string().contains("gzip-bomb"), "{error}");
}

#[test]
fn a_rule_strikes_the_requests_that_it_covers_as_often_as_it_says() {
    run(async {
        let bench = Opening::users(4).open().await;
        for (when, struck) in [
            (on("/users"), 4),
            (on("/teams"), 0),
            (FaultWhen::reads(), 4),
            (FaultWhen::changes(), 0),
            (
                FaultWhen {
                    method: Some(Method::POST),
                    ..FaultWhen::default()
                },
                0,
            ),
            (
                FaultWhen {
                    skip: 1,
                    times: Some(2),
                    ..FaultWhen::default()
                },
                2,
            ),
        ] {
            let rule = FaultRule::always(Fault::status(404)).when(when.clone());
            let plan = FaultPlan::new(1).rule(rule);
            let tenant = with(&bench, &plan);
            let mut failed = Vec::new();
            for id in ["PAAAAA1", "PAAAAA2", "PAAAAA3", "PAAAAA4"] {
                let before = plan.fired();
                contract_error(tenant.get_account(id).await);
                failed.push(plan.fired() - before);
            }
            assert_eq!(failed.iter().sum::<u64>(), struck, "{when:?}");
            if when.skip == 1 {
                assert_eq!(failed, [0, 1, 1, 0]);
            }
        }
    });
}

#[test]
fn chance_hangs_on_the_seed_and_not_on_what_else_is_under_way() {
    run(async {
        let bench = Opening::users(3).open().await;
        let struck = async |seed: u64, together: bool| {
            let rule = FaultRule::always(Fault::status(403)).when(FaultWhen {
                chance: Some(0.5),
                ..FaultWhen::default()
            });
            let plan = FaultPlan::new(seed).rule(rule);
            let tenant = with(&bench, &plan);
            let call = |number: u32| {
                let tenant = tenant.clone();
                async move {
                    let id = format!("PAAAA{number:02}");
                    contract_error(tenant.get_account(&id).await).code
                }
            };
            if together {
                futures_util::future::join_all((0..24).rev().map(call))
                    .await
                    .into_iter()
                    .rev()
                    .collect()
            } else {
                let mut codes = Vec::new();
                for number in 0..24 {
                    codes.push(call(number).await);
                }
                codes
            }
        };
        let first = struck(1, false).await;
        for code in [ErrorCode::PermissionDenied, ErrorCode::NotFound] {
            assert!(first.contains(&code), "{first:?}");
        }
        assert_eq!(struck(1, true).await, first);
        assert_ne!(struck(2, false).await, first);
    });
}

#[test]
fn what_timed_out_before_it_was_sent_has_changed_nothing_and_what_did_after_has() {
    run(async {
        let cases = [
            (Fault::RefusedConnection, false),
            (Fault::TimeoutBefore, false),
            (Fault::status(500), false),
            (Fault::TimeoutAfter, true),
            (Fault::Reset, true),
            (Fault::HugeBody, true),
        ];
        // Side by side, for the waits between attempts.
        let cases = cases.into_iter().map(async |(fault, applied)| {
            let bench = Opening::users(40).writing().open().await;
            let user = user_of_role(&bench.simulator, "user").await;
            let rule = FaultRule::always(fault.clone()).when(FaultWhen::changes());
            let plan = FaultPlan::new(1).rule(rule);
            let outcome = with(&bench, &plan).assign(&user, role("observer")).await;
            assert!(plan.fired() > 0, "{fault}");
            // The connector may have looked, and found it done.
            assert!(applied || outcome.is_err(), "{fault}: {outcome:?}");
            let path = format!("/users/{user}");
            let now = get(&bench.simulator, &path, "user").await;
            let expected = if applied { "observer" } else { "user" };
            assert_eq!(now["role"], expected, "{fault}: {outcome:?}");
        });
        futures_util::future::join_all(cases).await;
    });
}

#[test]
fn the_host_takes_a_made_up_answer_for_the_vendors() {
    run(async {
        let bench = Opening::users(3).open().await;
        // Its rate limit is everybody's.
        let plan = FaultPlan::new(1).rule(FaultRule::once(fault("429-with-headers")));
        let tenant = with(&bench, &plan);
        all_accounts(&tenant, None).await.expect("it was repeated");
        assert_eq!(plan.fired(), 1);
        assert!(tenant.rate_limit().is_some());

        // A place that is not granted is not looked at.
        plan.add(FaultRule::always(Fault::redirect()));
        let error = contract_error(tenant.list_accounts(page(None)).await);
        assert_eq!(error.upstream_status, Some(302));
        plan.clear();
        all_accounts(&tenant, None)
            .await
            .expect("all is well again");
    });
}

#[test]
fn a_gigabyte_is_cut_off_and_a_bomb_is_not_unpacked() {
    run(async {
        for (fault, outcome, code) in [
            (Fault::HugeBody, "too-large", ErrorCode::InvalidResponse),
            (
                Fault::GzipBomb,
                "content-encoding",
                ErrorCode::InvalidResponse,
            ),
        ] {
            let bench = Opening::users(3).open().await;
            let plan = FaultPlan::new(1).rule(FaultRule::always(fault.clone()));
            let requests: Arc<Mutex<Vec<RequestTrace>>> = Arc::default();
            let seen = Arc::clone(&requests);
            let config = bench.config.clone().observe(move |report| {
                seen.lock()
                    .expect("no panic")
                    .extend(report.requests.clone());
            });
            let tenant = open(config, &plan);
            let error = contract_error(tenant.list_accounts(page(None)).await);
            assert_eq!(error.code, code, "{fault}: {error:?}");
            for request in &*requests.lock().expect("no panic") {
                assert_eq!(request.outcome, TraceOutcome::Failed(outcome.to_owned()));
                assert_eq!(request.bytes, 0, "none of it was kept");
            }
        }
    });
}

#[test]
fn a_drip_ends_with_the_call_and_not_before() {
    run(async {
        let opening = Opening {
            budget: Budget::with_deadline(Duration::from_secs(2)),
            ..Opening::users(3)
        };
        let bench = opening.open().await;
        let plan = FaultPlan::new(1).rule(FaultRule::always(Fault::SlowDrip));
        let error = contract_error(with(&bench, &plan).list_accounts(page(None)).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
    });
}

#[test]
fn a_replays_answer_that_was_lost_can_be_asked_for_again() {
    run(async {
        let bench = Opening::users(5).open().await;
        let recorder = recorder();
        let config = bench.config.clone().record(Arc::clone(&recorder));
        let live = connector().open(config).expect("it opens");
        let accounts = all_accounts(&live, None).await.expect("accounts").0.len();
        let recorded = connector().recorded_by(live.settings());
        let cassette = recorder.cassette(&recorded, &scrubber());
        for name in ["503", "timeout-before", "timeout-after", "reset"] {
            let plan = FaultPlan::new(1).rule(FaultRule::once(fault(name)));
            let config = bench.config.clone().replay(cassette.clone());
            let tenant = open(config.expect("a cassette"), &plan);
            let again = all_accounts(&tenant, None).await.expect(name).0;
            assert_eq!(again.len(), accounts, "{name}");
            assert_eq!(plan.fired(), 1, "{name}");
            assert_eq!(tenant.unplayed(), Vec::<String>::new(), "{name}");
        }
        // No time passes in a replay, and the call ends all the same.
        let plan = FaultPlan::new(1).rule(FaultRule::always(Fault::SlowDrip));
        let tiny = Budget::with_deadline(Duration::from_secs(10));
        let config = bench.config.clone().budget(tiny).replay(cassette);
        let tenant = open(config.expect("a cassette"), &plan);
        let error = contract_error(tenant.list_accounts(page(None)).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
        assert_eq!(tenant.unplayed().len(), 1);
    });
}

#[test]
fn a_recording_holds_the_faults_that_the_connector_saw() {
    run(async {
        let bench = Opening::users(5).open().await;
        let recorder = recorder();
        let plan = FaultPlan::new(1).rule(FaultRule::once(fault("503")));
        let config = bench.config.clone().record(Arc::clone(&recorder));
        let live = open(config, &plan);
        let accounts = all_accounts(&live, None).await.expect("accounts").0.len();
        let recorded = connector().recorded_by(live.settings());
        let cassette = recorder.cassette(&recorded, &scrubber());
        assert_eq!(cassette.interactions.len(), 2);
        let replayed = crate::cassettes::replay(cassette);
        let again = all_accounts(&replayed, None).await.expect("accounts").0;
        assert_eq!(again.len(), accounts);
        assert_eq!(replayed.unplayed(), Vec::<String>::new());
    });
}

#[test]
fn items_come_in_another_order_that_hangs_on_the_seed() {
    run(async {
        let bench = Opening::users(12).open().await;
        let ids = async |tenant: &Tenant| -> Vec<String> {
            let accounts = all_accounts(tenant, None).await.expect("accounts").0;
            accounts.into_iter().map(|account| account.id).collect()
        };
        let reordered = async |seed: u64| {
            let plan = FaultPlan::new(seed).rule(FaultRule::always(Fault::ReorderedItems));
            ids(&with(&bench, &plan)).await
        };
        let sound = ids(&bench.tenant).await;
        let first = reordered(1).await;
        assert_eq!(reordered(1).await, first);
        assert_ne!(reordered(2).await, first);
        assert_ne!(first, sound);
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(first), sorted(sound));
    });
}

#[test]
fn a_failure_that_passes_does_not_hide_what_a_dry_run_withholds_or_policy_denies() {
    run(async {
        let bench = Opening::users(40).writing().open().await;
        let user = user_of_role(&bench.simulator, "user").await;
        let reset = FaultRule::once(Fault::Reset).when(FaultWhen::reads());
        let plan = FaultPlan::new(1).rule(reset.clone());
        let tenant = open(bench.config.clone().dry_run(true), &plan);
        let outcome = tenant.assign(&user, role("observer")).await;
        assert_eq!(plan.fired(), 1);
        assert!(
            matches!(outcome, Err(CallError::Refused(Refusal::Withheld(_)))),
            "{outcome:?}"
        );

        let bench = Opening::users(40).open().await;
        let plan = FaultPlan::new(1).rule(reset);
        let outcome = with(&bench, &plan).assign(&user, role("observer")).await;
        assert!(
            matches!(outcome, Err(CallError::Refused(Refusal::Denied(_)))),
            "{outcome:?}"
        );
    });
}
