//! A connector is none the wiser about the credential, wherever it looks.

use host_harness::TraceOutcome;
use pagerduty_simulator::{Effect, Fault, Match, TOKENS};
use serde_json::json;

use super::{header, open, seen, seen_in};
use crate::{
    leaks::assert_clean,
    support::{Opening, run},
};

#[test]
fn nothing_that_a_connector_can_look_at_holds_the_credential() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let mut told = String::new();
        for misbehaviour in ["look-around", "read"] {
            let account = bench.tenant.get_account(misbehaviour).await.expect("seen");
            told += &seen_in(&account);
            told += &seen(&bench.last_report());
        }
        // It did look, and what it sent did go out with the credential.
        for expected in ["CALL_DEADLINE_MS", "sending", "status 404"] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert_clean("what the connector saw", &told);
        assert_eq!(
            header(&bench.simulator.exchanges()[0], "authorization"),
            ["Token"]
        );
    });
}

#[test]
fn a_vendor_that_repeats_the_credential_in_whatever_form_tells_the_connector_nothing() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let token = TOKENS.account;
        bench.simulator.faults().add(Fault {
            when: Match::default(),
            effect: Effect::Status {
                status: 200,
                body: Some(json!({
                    "as_it_is": token,
                    "in_a_word": format!("xx{token}xx"),
                    "base64": "c2ltdWxhdGVkLWFjY291bnQta2V5",
                    "base64_of_the_header": "VG9rZW4gdG9rZW49c2ltdWxhdGVkLWFjY291bnQta2V5",
                    "base64_behind_a_user": "dTpzaW11bGF0ZWQtYWNjb3VudC1rZXk=",
                    "hexadecimal": "73696d756c617465642d6163636f756e742d6b6579",
                    "in_capitals": "73696D756C617465642D6163636F756E742D6B6579",
                    "percent_encoded": "simulated%2Daccount%2Dkey",
                })),
                headers: [
                    ("x-echo", format!("Token token={token}")),
                    ("set-cookie", format!("session={token}")),
                    ("authorization", format!("Token token={token}")),
                    ("x-forwarded-authorization", "a proxy's own".to_owned()),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            },
        });
        let account = bench.tenant.get_account("ask-for-an-echo").await;
        let told = seen_in(&account.expect("it was answered"));
        assert!(told.contains("x-echo: [redacted]"), "{told}");
        assert_eq!(told.matches("[redacted]").count(), 9, "{told}");
        assert_clean("what the connector saw", &told);
        for hidden in ["cookie", "x-forwarded"] {
            assert!(!told.contains(hidden), "{told}");
        }
    });
}

#[test]
fn an_answer_comes_in_a_form_that_can_be_searched_or_not_at_all() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("ask-for-an-echo").await;
        account.expect("it was answered");
        let exchange = &bench.simulator.exchanges()[0];
        assert_eq!(header(exchange, "accept-encoding"), ["identity"]);

        bench.simulator.faults().add(Fault {
            when: Match::default(),
            effect: Effect::Status {
                status: 200,
                body: Some(json!({})),
                headers: vec![("content-encoding".to_owned(), "br".to_owned())],
            },
        });
        let account = bench.tenant.get_account("ask-for-an-echo").await;
        let told = seen_in(&account.expect("a connector may live with that"));
        assert!(told.contains("HttpResponseContentCoding"), "{told}");
        assert!(!told.contains("status"), "{told}");
        let outcome = &bench.last_report().requests[0].outcome;
        assert_eq!(
            *outcome,
            TraceOutcome::Failed("content-encoding".to_owned())
        );
    });
}

#[test]
fn a_credential_that_a_connector_guesses_is_not_in_the_log() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("guess-the-credential").await;
        account.expect("guesses are free");
        let log = bench.last_report().log;
        assert_eq!(log[..3], ["is it [redacted]?"; 3]);
    });
}
