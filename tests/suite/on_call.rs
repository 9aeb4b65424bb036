//! Who is on call.

use std::collections::BTreeSet;

use host_harness::contract::types::ErrorCode;

use crate::support::{Opening, all_resources, contract_error, run};

#[test]
fn each_shift_that_is_told_is_confirmed_when_asked_for_the_account() {
    run(async {
        let bench = Opening::users(200).open().await;
        let tenant = &bench.tenant;
        let shifts = tenant.who_is_on_call(&[], None).await.expect("shifts");
        assert!(
            shifts.iter().any(|shift| shift.schedule.is_none()),
            "a direct policy target"
        );
        assert!(shifts.iter().any(|shift| shift.schedule.is_some()));
        for shift in &shifts {
            let found = tenant
                .is_account_on_call(&shift.account, &[], None)
                .await
                .expect("an answer")
                .expect("they are on call");
            assert_eq!(found.account, shift.account);
            if let Some(schedule) = &shift.schedule {
                let found = tenant
                    .is_account_on_call(&shift.account, std::slice::from_ref(schedule), None)
                    .await
                    .expect("an answer")
                    .expect("they are on call on it");
                assert_eq!(found.schedule.as_ref(), Some(schedule));
            }
        }
    });
}

#[test]
fn every_schedule_can_be_asked_also_where_no_policy_uses_it() {
    run(async {
        let bench = Opening::users(300).open().await;
        let tenant = &bench.tenant;
        let schedules: Vec<String> = all_resources(tenant, None)
            .await
            .expect("resources")
            .0
            .into_iter()
            .filter(|resource| resource.resource_type == "schedule")
            .map(|resource| resource.id)
            .collect();
        let used: BTreeSet<String> = tenant
            .who_is_on_call(&[], None)
            .await
            .expect("shifts")
            .into_iter()
            .filter_map(|shift| shift.schedule)
            .collect();
        let unused: Vec<String> = schedules
            .iter()
            .filter(|schedule| !used.contains(*schedule))
            .cloned()
            .collect();
        assert!(!unused.is_empty(), "some schedules are used by no policy");
        let shifts = tenant.who_is_on_call(&unused, None).await.expect("shifts");
        assert!(!shifts.is_empty(), "somebody is on call there all the same");
        assert!(shifts.iter().all(|shift| shift.policy.is_none()));
        assert!(shifts.iter().all(|shift| {
            shift
                .schedule
                .as_ref()
                .is_some_and(|found| unused.contains(found))
        }));
    });
}

#[test]
fn an_instant_in_the_future_is_answered_for_that_instant() {
    run(async {
        let bench = Opening::users(200).open().await;
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 20);
        let at = jiff::Timestamp::from_second(at.as_second())
            .expect("in range")
            .to_string();
        let shifts = bench
            .tenant
            .who_is_on_call(&[], Some(at.clone()))
            .await
            .expect("shifts");
        assert!(!shifts.is_empty());
        for shift in shifts {
            assert!(shift.start.is_none_or(|start| start <= at));
            assert!(shift.end.is_none_or(|end| end > at));
        }
    });
}

#[test]
fn unknown_schedules_and_senseless_instants_are_refused() {
    run(async {
        let bench = Opening::users(20).open().await;
        let unknown = ["PNOPE99".to_owned()];
        let error = contract_error(bench.tenant.who_is_on_call(&unknown, None).await);
        assert_eq!(error.code, ErrorCode::NotFound);
        for at in ["now", "2999-01-01T00:00:00Z"] {
            let error = contract_error(bench.tenant.who_is_on_call(&[], Some(at.to_owned())).await);
            assert_eq!(error.code, ErrorCode::InvalidInput, "{at}");
        }
    });
}

#[test]
fn somebody_who_is_not_on_call_is_told_so() {
    run(async {
        let bench = Opening::users(20).open().await;
        let answer = bench.tenant.is_account_on_call("PNOPE99", &[], None).await;
        assert_eq!(answer.expect("an answer"), None);
    });
}
