//! When an access token is renewed, and when it is not.

use super::*;

#[test]
fn a_token_is_renewed_ahead_of_its_expiry_and_not_before() {
    run(async {
        let bench = Bench::new().await;
        for (seconds, renewals) in [(3_600, 0), (310, 0), (290, 1), (-5, 1)] {
            let store = memory();
            let session = bench.ending(&store, seconds).await;
            let refresh = field(&store, "refresh_token");
            let before = bench.exchanges();
            let tenant = bench.tenant(session.clone());
            tenant.validate().await.expect("a good token");
            tenant
                .list_accounts(page(None))
                .await
                .expect("a good token");
            assert_eq!(bench.token_requests(before), renewals, "{seconds} s");
            if renewals == 1 {
                assert!(
                    is_token(&bench.simulator.exchanges()[before]),
                    "first of all"
                );
                assert_ne!(
                    field(&store, "refresh_token"),
                    refresh,
                    "the new one is kept"
                );
            }
            // Nobody was ever refused for it.
            let exchanges = bench.simulator.exchanges();
            assert!(exchanges.iter().all(|exchange| exchange.status != 401));
        }
    });
}

#[test]
fn a_token_that_lives_for_a_minute_is_not_renewed_with_every_request() {
    run(async {
        let bench = Bench::with(Config {
            access_token_life: Some(Duration::from_secs(60)),
            ..Config::default()
        })
        .await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -1).await);
        let before = bench.exchanges();
        for _ in 0..5 {
            tenant.validate().await.expect("a good token");
        }
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn eight_calls_whose_token_is_refused_share_one_renewal() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let (client, credential) = bench.consented().await;
        let session = Session::start(client, credential, Arc::clone(&store), key())
            .await
            .expect("stored");
        let tenant = bench.tenant(session);
        bench.simulator.advance(ELEVEN_DAYS);
        let before = bench.exchanges();
        let calls = (0..8).map(|_| tenant.list_accounts(page(None)));
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.expect("renewed").items.len(), 5);
        }
        assert_eq!(bench.token_requests(before), 1);
        let refused = bench.simulator.exchanges()[before..]
            .iter()
            .filter(|exchange| exchange.status == 401)
            .count();
        assert!((1..=8).contains(&refused), "{refused} were refused");
    });
}

#[test]
fn a_vendor_that_refuses_the_renewed_token_too_is_not_asked_for_another() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, 3_600).await);
        let before = bench.exchanges();
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/users*".to_owned()),
                ..Match::default()
            },
            effect: Effect::Status {
                status: 401,
                body: None,
                headers: Vec::new(),
            },
        });
        for _ in 0..3 {
            let error = contract_error(tenant.list_accounts(page(None)).await);
            assert_eq!(error.code, ErrorCode::Unauthorized);
        }
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn a_renewal_that_fails_ahead_of_time_does_not_fail_the_call() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, 60).await);
        let before = bench.exchanges();
        bench.at_token_endpoint(unavailable(), None);
        for _ in 0..3 {
            tenant.validate().await.expect("there is a minute left");
        }
        assert_eq!(bench.token_requests(before), 1, "and no storm");
    });
}

#[test]
fn a_token_endpoint_that_is_down_is_a_passing_failure() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        bench.at_token_endpoint(unavailable(), Some(1));
        let error = tenant.validate().await.expect_err("expired");
        assert_eq!(error.code(), "connection_failed");
        assert!(error.to_string().contains("503"), "{error}");
        tenant
            .validate()
            .await
            .expect("it is back, and nothing was lost");
    });
}

#[test]
fn a_refresh_token_that_is_good_no_more_says_to_sign_in_again_and_is_not_tried_twice() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        bench.simulator.advance(EIGHT_MONTHS);
        let before = bench.exchanges();
        for _ in 0..3 {
            let outcome = tenant.validate().await;
            let shown = outcome.as_ref().expect_err("ended");
            assert_eq!(shown.code(), "unauthorized");
            assert!(shown.to_string().contains("invalid_grant"), "{shown}");
            let hint = shown.hint().expect("a hint");
            assert!(hint.contains("harness login --profile acme"), "{hint}");
            assert!(matches!(sign_in_error(outcome), SignInError::Ended { .. }));
        }
        assert_eq!(bench.token_requests(before), 1);
        assert_eq!(bench.exchanges(), before + 1, "nothing else was asked");
    });
}

#[test]
fn an_application_signs_in_again_on_expiry_and_on_refusal() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let (client, credential) = bench.application().await;
        let session = Session::start(client, credential, Arc::clone(&store), key())
            .await
            .expect("stored");
        let tenant = bench.tenant(session);
        assert_eq!(tenant.validate().await.expect("good").acting_as, None);
        let before = bench.exchanges();
        bench.simulator.advance(Duration::from_secs(86_400));
        tenant
            .validate()
            .await
            .expect("refused, and signed in again");
        assert_eq!(bench.token_requests(before), 1);
        end(&store, -5);
        let tenant = bench.tenant(bench.reopen(&store).await);
        tenant
            .validate()
            .await
            .expect("expired, and signed in again");
        assert_eq!(bench.token_requests(before), 2);
        drop(tenant);
    });
}
