//! What goes wrong on the way. Whatever passes leaves the same behind as if
//! nothing had happened; whatever does not is said.

use std::time::Duration;

use host_harness::{Budget, contract::types::ErrorCode};
use serde_json::Value;

use super::cast::{Cast, step_about};
use crate::support::{Opening, contract_error, run};
use crate::vendor;

const WRITES: [&str; 5] = [
    "PUT /incidents",
    "PUT /escalation_policies*",
    "DELETE /teams*",
    "DELETE /oauth_delegations",
    "DELETE /users*",
];

/// Hands over, removes, and tells what is left.
async fn outcome_with(faults: &[String]) -> Value {
    let mut opening = Opening::users(100);
    opening.config.now = Some("2026-11-18T12:34:56Z".parse().expect("an instant"));
    let cast = Cast::open(opening).await;
    let plan = cast.transfer().await;
    for fault in faults {
        let fault = fault.parse().expect("a fault");
        cast.bench.simulator.faults().add(fault);
    }
    for step in &plan.steps {
        cast.apply(step).await;
    }
    for step in &cast.removal().await.steps {
        cast.apply(step).await;
    }
    let fired = cast.bench.simulator.faults().fired();
    assert!(
        fired >= faults.len() as u64,
        "each of {faults:?} has struck"
    );
    cast.bench.simulator.faults().clear();
    let mut left = Vec::new();
    for incident in cast.own.iter().chain(&cast.joint) {
        left.push(cast.assignees(incident).await.into());
    }
    for policy in [&cast.shared, &cast.lonely] {
        left.push(cast.policy(policy).await);
    }
    let path = format!("/users/{}", cast.leaver);
    let (status, _) = vendor::ask(&cast.bench.simulator, "GET", &path, None).await;
    left.push(status.into());
    Value::Array(left)
}

#[test]
fn what_passes_leaves_no_trace() {
    run(async {
        let expected = outcome_with(&[]).await;
        assert_eq!(
            expected.as_array().expect("a list").last(),
            Some(&404.into())
        );
        let effects = [
            "rate-limited reset=1",
            "status=503",
            "status-after-applied=502",
            "reset",
            "reset-after-applied",
            "not-locked",
        ];
        let runs = effects.map(|effect| {
            let faults = WRITES.map(|write| format!("{write} {effect} times=1"));
            async move { (effect, outcome_with(&faults).await) }
        });
        for (effect, left) in futures_util::future::join_all(runs).await {
            assert_eq!(left, expected, "{effect}");
        }
    });
}

#[test]
fn what_does_not_pass_is_an_error_and_the_step_goes_on_later() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.removal().await;
        let faults = cast.bench.simulator.faults();
        for (fault, step) in [
            (
                "PUT /incidents status=500",
                step_about(&plan, "reassign-incidents", &cast.own[0]),
            ),
            (
                "PUT /escalation_policies* status=500",
                step_about(&plan, "remove-from-policy", &cast.shared),
            ),
            (
                "DELETE /teams* status=500",
                step_about(&plan, "leave-team", &cast.team),
            ),
        ] {
            faults.add(fault.parse().expect("a fault"));
            let error = contract_error(cast.bench.tenant.apply(step.clone()).await);
            assert_eq!(error.code, ErrorCode::Unavailable, "{fault}: {error:?}");
            assert!(error.may_have_applied, "{fault}");
            faults.clear();
        }
        assert_eq!(cast.load(&cast.leaver).await, 8);
        for step in &plan.steps {
            cast.apply(step).await;
        }
        assert_eq!(cast.load(&cast.leaver).await, 0);
    });
}

#[test]
fn a_change_whose_every_answer_was_lost_is_found_to_have_been_made() {
    run(async {
        let cast = Cast::open(Opening::users(100)).await;
        let plan = cast.transfer().await;
        let faults = cast.bench.simulator.faults();
        for fault in [
            "PUT /incidents status-after-applied=502",
            "PUT /escalation_policies* status-after-applied=502",
        ] {
            faults.add(fault.parse().expect("a fault"));
        }
        for step in &plan.steps {
            cast.apply(step).await;
        }
        faults.clear();
        assert_eq!(cast.load(&cast.heir).await, 8);
        let lonely = cast.levels(&cast.lonely).await;
        assert_eq!(lonely.last().expect("a level"), &[cast.heir.as_str()]);
    });
}

#[test]
fn a_step_that_would_take_longer_than_the_call_says_so_and_goes_on_later() {
    run(async {
        let mut opening = Opening::users(100);
        opening.budget = Budget::with_deadline(Duration::from_secs(5));
        let cast = Cast::open(opening).await;
        let plan = cast.transfer().await;
        let faults = cast.bench.simulator.faults();
        let limited = "PUT /incidents rate-limited reset=30 times=1";
        faults.add(limited.parse().expect("a fault"));
        let error = contract_error(cast.bench.tenant.apply(plan.steps[0].clone()).await);
        assert_eq!(error.code, ErrorCode::BudgetExhausted, "{error:?}");
        assert_eq!(cast.load(&cast.leaver).await, 8);
        let tenant = cast.bench.config.clone();
        let tenant = crate::support::connector().open(tenant).expect("it opens");
        tenant
            .apply(plan.steps[0].clone())
            .await
            .expect("later it goes");
        assert_eq!(cast.load(&cast.leaver).await, 0);
    });
}
