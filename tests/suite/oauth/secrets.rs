//! Tokens and secrets turn up nowhere, also those that came by renewal.

use super::*;

#[test]
fn a_token_that_came_by_renewal_is_taken_out_of_answers_too() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        tenant.validate().await.expect("renewed");
        let (access, refresh) = (
            field(&store, "access_token"),
            field(&store, "refresh_token"),
        );
        let said = format!("no: {access} {refresh} {}", OAUTH_CLIENT.secret);
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/users/PABC123".to_owned()),
                ..Match::default()
            },
            effect: Effect::Status {
                status: 400,
                body: Some(serde_json::json!({"error": {"message": said, "code": 2001}})),
                headers: Vec::new(),
            },
        });
        let error = tenant.get_account("PABC123").await.expect_err("a 400");
        assert!(
            error
                .to_string()
                .contains("no: [redacted] [redacted] [redacted]"),
            "{error}"
        );
    });
}

#[test]
fn a_vendor_that_repeats_what_it_was_sent_does_not_get_it_into_an_error() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        let refresh = field(&store, "refresh_token");
        let description = format!("token {refresh} of {} is not good", OAUTH_CLIENT.secret);
        bench.at_token_endpoint(
            Effect::Status {
                status: 400,
                body: Some(serde_json::json!({
                    "error": "invalid_grant", "error_description": description,
                })),
                headers: Vec::new(),
            },
            None,
        );
        let error = tenant.validate().await.expect_err("refused");
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("token [redacted] of [redacted] is not good"),
            "{shown}"
        );
        assert!(!shown.contains(&refresh), "{shown}");
    });
}

#[test]
fn nothing_of_a_sign_in_can_be_printed() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let session = bench.ending(&store, 3_600).await;
        let stored = store.load(&key()).expect("readable").expect("stored");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session.clone());
        let (client, credential) = bench.consented().await;
        let authorization = client.authorize(REDIRECT, &[]).expect("it starts");
        let shown = format!(
            "{session:#?} {stored:#?} {config:#?} {client:#?} {credential:#?} {authorization:#?} {:#?}",
            bench.tenant(session.clone())
        );
        let verifier = authorization.verifier.expose_secret().to_owned();
        // All tokens begin with it.
        for secret in ["pdus+_", OAUTH_CLIENT.secret, &verifier] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    });
}
