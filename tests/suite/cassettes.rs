//! Record and replay.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use host_harness::{
    CallError, Credential, Grant, Refusal, Tenant, TenantConfig,
    contract::{
        provisioning::NewAccount,
        types::{Account, Effect as Applied},
    },
    egress::cassette::{
        Body, Cassette, CassetteError, FORMAT, Interaction, Matcher, RecordedConnector,
        RecordedFrom, RecordedOutcome, RecordedRequest, RecordedResponse, Recorder, Recording,
        RequestKey, ScrubReport, Scrubber, Severity, Status, convert, lint,
    },
};
use pagerduty_simulator::{Effect, Fault, Match};
use proptest::prelude::*;

use crate::support::{Bench, Opening, all_accounts, all_grants, connector, page, run};

pub fn scrubber() -> Scrubber {
    Scrubber::with_key(
        [0; 32],
        "pagerduty.com",
        [
            "api.pagerduty.com".to_owned(),
            "api.eu.pagerduty.com".to_owned(),
        ],
    )
}

pub fn recorder() -> Arc<Recorder> {
    let clock = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).expect("in range");
    Arc::new(Recorder::new(RecordedFrom::Simulator, clock, [3; 32]))
}

/// With writes, which reach nobody.
pub fn replay(cassette: Cassette) -> Tenant {
    let config = replay_config(cassette);
    connector().open(config).expect("it opens")
}

/// What that opens.
pub fn replay_config(cassette: Cassette) -> TenantConfig {
    let mut grant = Grant::read_write();
    for origin in connector().origins() {
        grant = grant.origin(origin.clone());
    }
    let config = TenantConfig::new(grant).replay(cassette);
    config.expect("a cassette")
}

async fn record(bench: &Bench) -> (Tenant, Arc<Recorder>) {
    let recorder = recorder();
    let config = bench.config.clone().record(Arc::clone(&recorder));
    (connector().open(config).expect("it opens"), recorder)
}

fn cassette(tenant: &Tenant, recorder: &Recorder) -> Cassette {
    recorder.cassette(&connector().recorded_by(tenant.settings()), &scrubber())
}

#[test]
fn a_replay_gives_what_was_recorded_twice_over_but_for_the_names() {
    run(async {
        let bench = Opening::users(130).open().await;
        let (live, recorder) = record(&bench).await;
        let accounts = all_accounts(&live, Some(60)).await.expect("accounts").0;
        let grants = all_grants(&live, None).await.expect("grants").0;
        let cassette = cassette(&live, &recorder);

        let replayed = replay(cassette.clone());
        let again = all_accounts(&replayed, Some(60)).await.expect("accounts").0;
        assert_eq!(all_grants(&replayed, None).await.expect("grants").0, grants);
        assert_eq!(replayed.unplayed(), Vec::<String>::new());
        let anonymous = |accounts: Vec<Account>| -> Vec<Account> {
            accounts
                .into_iter()
                .map(|mut account| {
                    account.email = None;
                    account.display_name.clear();
                    account.attributes.clear();
                    account
                })
                .collect()
        };
        assert_eq!(anonymous(again), anonymous(accounts));
    });
}

/// Same cassette, same output, same requests, same number of instructions.
#[test]
fn a_replay_is_exact_to_the_instruction() {
    run(async {
        let bench = Opening::users(150).open().await;
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/teams*".to_owned()),
                skip: 2,
                times: Some(2),
                ..Match::default()
            },
            effect: Effect::Status {
                status: 503,
                body: None,
                headers: Vec::new(),
            },
        });
        let (live, recorder) = record(&bench).await;
        all_grants(&live, None).await.expect("grants");
        let cassette = cassette(&live, &recorder);
        assert_eq!(bench.simulator.faults().fired(), 2);

        let mut runs = Vec::new();
        for _ in 0..3 {
            let reports = Arc::new(std::sync::Mutex::new(Vec::new()));
            let seen = Arc::clone(&reports);
            let mut grant = Grant::read_only();
            for origin in connector().origins() {
                grant = grant.origin(origin.clone());
            }
            let config = TenantConfig::new(grant)
                .replay(cassette.clone())
                .expect("a cassette")
                .observe(move |report| {
                    seen.lock()
                        .expect("no panic")
                        .push((report.requests.clone(), report.fuel));
                });
            let tenant = connector().open(config).expect("it opens");
            let grants = all_grants(&tenant, None).await.expect("grants").0;
            let reports = reports.lock().expect("no panic").clone();
            assert!(
                reports
                    .iter()
                    .all(|(_, fuel)| fuel.is_some_and(|fuel| fuel > 1_000))
            );
            runs.push((grants, reports));
        }
        assert_eq!(runs[0], runs[1]);
        assert_eq!(runs[1], runs[2]);
    });
}

/// A rate limit of a minute takes no time at all in a replay.
#[test]
fn waits_pass_on_virtual_time() {
    run(async {
        let bench = Opening::users(5).open().await;
        let (live, recorder) = record(&bench).await;
        live.list_accounts(page(None)).await.expect("accounts");
        let mut cassette = cassette(&live, &recorder);
        let mut limited = cassette.interactions[0].clone();
        limited.outcome = RecordedOutcome::Response(RecordedResponse {
            status: Status {
                code: 429,
                message: "Too Many Requests".to_owned(),
            },
            headers: BTreeMap::from([("ratelimit-reset".to_owned(), vec!["55".to_owned()])]),
            body: Body::None,
        });
        cassette.interactions.insert(0, limited);
        let started = std::time::Instant::now();
        let accounts = replay(cassette)
            .list_accounts(page(None))
            .await
            .expect("accounts");
        assert_eq!(accounts.items.len(), 5);
        assert!(started.elapsed().as_secs() < 30, "it did not wait for 55 s");
    });
}

#[test]
fn a_request_that_was_not_recorded_fails_and_names_the_nearest() {
    run(async {
        let bench = Opening::users(30).open().await;
        let (live, recorder) = record(&bench).await;
        live.get_account("PNOPE99").await.expect_err("unknown");
        let replayed = replay(cassette(&live, &recorder));
        let error = replayed
            .get_account("PNOPE98")
            .await
            .expect_err("not recorded");
        let CallError::Refused(Refusal::Unmatched(_)) = &error else {
            panic!("{error:?}");
        };
        let said = error.to_string();
        assert!(
            said.contains("/users/PNOPE98") && said.contains("interaction 0"),
            "{said}"
        );
        assert!(said.contains("path"), "{said}");
        assert_eq!(replayed.unplayed().len(), 1);
    });
}

#[test]
fn no_interaction_is_played_twice() {
    run(async {
        let bench = Opening::users(5).open().await;
        let (live, recorder) = record(&bench).await;
        live.list_accounts(page(None)).await.expect("accounts");
        let replayed = replay(cassette(&live, &recorder));
        replayed
            .list_accounts(page(None))
            .await
            .expect("recorded once");
        let error = replayed
            .list_accounts(page(None))
            .await
            .expect_err("not twice");
        assert!(error.to_string().contains("recorded 1 times"), "{error}");
    });
}

#[test]
fn failures_on_the_way_are_recorded_and_replayed() {
    run(async {
        let bench = Opening::users(5).open().await;
        bench.simulator.faults().add(Fault {
            when: Match {
                times: Some(2),
                ..Match::default()
            },
            effect: Effect::Reset,
        });
        let (live, recorder) = record(&bench).await;
        let accounts = live
            .list_accounts(page(None))
            .await
            .expect("after two retries");
        let cassette = cassette(&live, &recorder);
        let failures = cassette
            .interactions
            .iter()
            .filter(|interaction| matches!(interaction.outcome, RecordedOutcome::Error(_)))
            .count();
        assert_eq!(failures, 2);
        let replayed = replay(cassette)
            .list_accounts(page(None))
            .await
            .expect("accounts");
        assert_eq!(replayed.items.len(), accounts.items.len());
    });
}

#[test]
fn people_and_the_tenant_are_pseudonyms_that_keep_joins() {
    run(async {
        let mut opening = Opening::users(40);
        opening.config.subdomain = "initech".to_owned();
        let bench = opening.open().await;
        let accounts = all_accounts(&bench.tenant, None).await.expect("accounts").0;
        let (live, recorder) = record(&bench).await;
        all_accounts(&live, None).await.expect("accounts");
        all_grants(&live, None).await.expect("grants");
        let cassette = cassette(&live, &recorder);
        let text = cassette.to_text();
        for account in &accounts {
            let email = account.email.as_deref().expect("an e-mail address");
            assert!(!text.contains(email), "{email}");
            assert!(
                !text.contains(&account.display_name),
                "{}",
                account.display_name
            );
        }
        assert!(!text.contains("initech"), "the subdomain");
        assert!(
            !text.contains("secret-calendar-feed"),
            "calendar feeds are secrets"
        );
        assert!(text.contains("@example.com") && text.contains("Person "));
        assert!(cassette.harness.scrub.replaced["email"] > 0);

        let replayed = replay(cassette);
        let again = all_accounts(&replayed, None).await.expect("accounts").0;
        let aliases: std::collections::BTreeSet<_> = again
            .iter()
            .filter_map(|account| account.email.clone())
            .collect();
        assert_eq!(
            aliases.len(),
            accounts.len(),
            "different people stay different"
        );
    });
}

#[test]
fn a_recording_with_the_credential_in_it_is_not_written() {
    run(async {
        let bench = Opening::users(5).open().await;
        let (live, recorder) = record(&bench).await;
        // A caller who puts a secret where it does not belong: another one than
        // the simulator's, which must not be in the log even so.
        const SECRET: &str = "not-a-user-but-a-secret";
        live.get_account(SECRET).await.expect_err("no such account");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("leak.json");
        let error = recorder
            .save(
                &file,
                &connector().recorded_by(live.settings()),
                &scrubber(),
                Some(&Credential::token(SECRET).expect("a token")),
            )
            .expect_err("it is in the path");
        assert!(matches!(error, CassetteError::Secret(_)), "{error}");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            0
        );
    });
}

#[test]
fn names_that_a_caller_gives_are_pseudonyms_too_and_the_write_replays() {
    run(async {
        let bench = Opening::users(5).writing().open().await;
        let (live, recorder) = record(&bench).await;
        for (given, family) in [(Some("Grace"), Some("Hopper")), (Some("Madonna"), None)] {
            let account = NewAccount {
                email: format!("{}@acme.example", given.expect("one").to_lowercase()),
                given_name: given.map(str::to_owned),
                family_name: family.map(str::to_owned),
                display_name: None,
                entitlements: Vec::new(),
                attributes: Vec::new(),
            };
            let created = live.create_account(account).await.expect("it is new");
            assert_eq!(created.effect, Applied::Created);
        }
        let cassette = cassette(&live, &recorder);
        let text = cassette.to_text().to_lowercase();
        for name in ["grace", "hopper", "madonna"] {
            assert!(!text.contains(name), "{name}");
        }
        let replayed = replay(cassette.clone());
        for call in &cassette.harness.calls {
            let outcome = replayed.call(&call.function, &call.input).await;
            assert_eq!(outcome.expect("as recorded")["effect"], "created");
        }
        assert_eq!(replayed.unplayed(), Vec::<String>::new());
    });
}

#[test]
fn a_cassette_reads_back_as_written_and_survives_har() {
    run(async {
        let bench = Opening::users(20).open().await;
        let (live, recorder) = record(&bench).await;
        live.list_accounts(page(None)).await.expect("accounts");
        let cassette = cassette(&live, &recorder);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("accounts.json");
        cassette.write(&file).expect("it is written");
        assert_eq!(Cassette::read(&file).expect("it is read"), cassette);
        let har = convert::to_har(&cassette).to_string();
        let back = convert::from_har(&har, "har", &scrubber()).expect("it is read");
        assert_eq!(back, cassette);
    });
}

#[test]
fn a_cassette_of_vcr_py_is_read_and_scrubbed() {
    let vcr = "
version: 1
interactions:
- request:
    method: GET
    uri: https://api.pagerduty.com/users/me?x=1
    headers:
      Authorization: ['Token token=y_NbAkKc66ryYTWUXYEu']
      Accept: ['application/json']
    body: null
  response:
    status: {code: 200, message: OK}
    headers: {Content-Type: [application/json], Set-Cookie: [a=b]}
    body: {string: '{\"user\":{\"id\":\"P1\",\"type\":\"user\",\"name\":\"Ann Lee\",\"email\":\"ann@corp.test\"}}'}
";
    let cassette = convert::from_vcr(vcr, "vcr.yaml", &scrubber()).expect("it is read");
    let text = cassette.to_text();
    for secret in [
        "NbAkKc66",
        "Authorization",
        "authorization",
        "a=b",
        "ann@corp.test",
        "Ann Lee",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(cassette.harness.origin, RecordedFrom::Imported);
    assert_eq!(cassette.interactions.len(), 1);
}

#[test]
fn files_that_are_no_cassettes_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |text: &str| {
        let file = folder.path().join("x.json");
        std::fs::write(&file, text).expect("written");
        Cassette::read(&file).expect_err("no cassette")
    };
    assert!(matches!(
        Cassette::read(Path::new("/nowhere/x")),
        Err(CassetteError::Read { .. })
    ));
    assert!(matches!(read("{"), CassetteError::Parse { .. }));
    assert!(matches!(
        read("{\"version\":1}"),
        CassetteError::Parse { .. }
    ));
    let future = read("{\"version\":1,\"x-harness\":{\"format\":\"iga-cassette/9\"}}");
    assert!(matches!(future, CassetteError::Format { .. }), "{future}");
}

#[test]
fn lint_finds_secrets_people_and_nonsense() {
    let now = jiff::Timestamp::now();
    let mut cassette = tape(&[("GET", "https://api.pagerduty.com/users", None)]);
    assert!(
        lint(&cassette, now)
            .iter()
            .all(|finding| finding.severity < Severity::Warning)
    );
    let bad = |change: &dyn Fn(&mut Cassette)| {
        let mut changed = cassette.clone();
        change(&mut changed);
        lint(&changed, now)
            .into_iter()
            .map(|finding| finding.severity)
            .max()
            .unwrap_or(Severity::Note)
    };
    assert_eq!(bad(&|c| c.harness.seed = "zz".to_owned()), Severity::Error);
    assert_eq!(
        bad(&|c| c.harness.clock = "noon".to_owned()),
        Severity::Error
    );
    assert_eq!(
        bad(&|c| c.interactions[0].request.uri = "/users".to_owned()),
        Severity::Error
    );
    assert_eq!(
        bad(&|c| c.interactions[0].request.body = Body::Text("Token token=abc".to_owned())),
        Severity::Error
    );
    assert_eq!(
        bad(&|c| c.interactions[0].request.body = Body::Text("ann@corp.test".to_owned())),
        Severity::Warning
    );
    cassette.interactions[0]
        .request
        .headers
        .insert("cookie".to_owned(), vec!["a=b".to_owned()]);
    assert!(
        lint(&cassette, now)
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    );
}

/// A recording of requests that were all answered with `{}`.
fn tape(requests: &[(&str, &str, Option<serde_json::Value>)]) -> Cassette {
    Cassette {
        version: 1,
        harness: Recording {
            format: FORMAT.to_owned(),
            origin: RecordedFrom::HandWritten,
            clock: "2026-01-01T00:00:00Z".to_owned(),
            seed: "0".repeat(64),
            connector: RecordedConnector {
                app_id: "pagerduty".to_owned(),
                version: "0.1.0".to_owned(),
                sha256: String::new(),
            },
            contract: "iga:connector@0.1.0".to_owned(),
            settings: BTreeMap::new(),
            calls: Vec::new(),
            scrub: ScrubReport {
                policy: "none needed".to_owned(),
                replaced: BTreeMap::new(),
            },
        },
        interactions: requests
            .iter()
            .zip(0..)
            .map(|((method, uri, body), id)| Interaction {
                id,
                capability: "directory.list-accounts".to_owned(),
                elapsed_ms: 0,
                request: RecordedRequest {
                    method: (*method).to_owned(),
                    uri: (*uri).to_owned(),
                    headers: BTreeMap::new(),
                    body: body.clone().map_or(Body::None, Body::Json),
                },
                outcome: RecordedOutcome::Response(RecordedResponse {
                    status: Status {
                        code: 200,
                        message: "OK".to_owned(),
                    },
                    headers: BTreeMap::new(),
                    body: Body::Json(serde_json::json!({})),
                }),
            })
            .collect(),
    }
}

proptest! {
    /// The order of a query and of an object's fields does not matter; all
    /// else does, and equal requests are answered in recorded order, once.
    #[test]
    fn matching_ignores_order_and_nothing_else(
        pairs in prop::collection::vec(("[a-c]{1,2}(\\[\\])?", "[a-z@é ]{0,4}"), 0..5),
        other in ("[d-f]{1,2}", "[a-z]{1,4}"),
        copies in 1..4_usize,
        rotation in 0..5_usize,
    ) {
        let uri = |pairs: &[(String, String)]| {
            let mut url = url::Url::parse("https://api.pagerduty.com/users").expect("a URL");
            for (name, value) in pairs {
                url.query_pairs_mut().append_pair(name, value);
            }
            url.to_string()
        };
        let mut rotated = pairs.clone();
        rotated.rotate_left(rotation.min(pairs.len().saturating_sub(1)));
        let recorded = uri(&pairs);
        let cassette = tape(&vec![("GET", recorded.as_str(), None); copies]);
        let mut matcher = Matcher::new(&cassette.interactions);
        let asked = RequestKey::new("GET", &uri(&rotated), &Body::None).expect("a URL");
        for position in 0..copies {
            prop_assert_eq!(matcher.take(&asked).ok(), Some(position));
        }
        prop_assert!(matcher.take(&asked).is_err(), "no repeats");
        prop_assert!(matcher.unplayed().is_empty());

        let mut more = pairs;
        more.push(other);
        let key = RequestKey::new("GET", &uri(&more), &Body::None).expect("a URL");
        prop_assert!(Matcher::new(&cassette.interactions).take(&key).is_err());
        let key = RequestKey::new("POST", &recorded, &Body::None).expect("a URL");
        prop_assert!(Matcher::new(&cassette.interactions).take(&key).is_err());
    }

    #[test]
    fn bodies_match_by_value(a in any::<i64>(), b in "[a-z]{0,5}", c in any::<bool>()) {
        let uri = "https://api.pagerduty.com/analytics/raw/users";
        let forward = format!("{{\"a\":{a},\"b\":\"{b}\",\"c\":{{\"d\":{c},\"e\":null}}}}");
        let backward = format!("{{ \"c\": {{\"e\":null, \"d\":{c}}}, \"b\":\"{b}\", \"a\":{a} }}");
        let cassette = tape(&[("POST", uri, Some(serde_json::from_str(&forward).expect("JSON")))]);
        let key = RequestKey::new("POST", uri, &Body::from_bytes(backward.as_bytes())).expect("a URL");
        prop_assert_eq!(Matcher::new(&cassette.interactions).take(&key).ok(), Some(0));
        let other = format!("{{\"a\":{a},\"b\":\"{b}\",\"c\":{{\"d\":{},\"e\":null}}}}", !c);
        let key = RequestKey::new("POST", uri, &Body::from_bytes(other.as_bytes())).expect("a URL");
        prop_assert!(Matcher::new(&cassette.interactions).take(&key).is_err());
    }
}

#[test]
fn credentials_in_the_text_of_an_imported_answer_are_scrubbed() {
    let har = include_str!("../../fuzz/corpus/import/har-tokens-in-text");
    let cassette = convert::from_har(har, "tokens.har", &scrubber()).expect("it reads");
    let text = cassette.to_text();
    for secret in ["y_NbAkKc66ryYTWUXYEu", "0XBPWQQ", "eyJhbGciOi", "Bearer"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("<p>sent: [scrubbed]"), "{text}");
}

#[test]
fn fields_named_by_credentials_or_addresses_are_scrubbed_and_none_is_lost() {
    let har = include_str!("../../fuzz/corpus/import/har-credentials-as-names");
    let cassette = convert::from_har(har, "names.har", &scrubber()).expect("it reads");
    let RecordedOutcome::Response(answer) = &cassette.interactions[0].outcome else {
        panic!("{:?}", cassette.interactions[0].outcome);
    };
    let Body::Json(body) = &answer.body else {
        panic!("{:?}", answer.body);
    };
    assert_eq!(body["[scrubbed]"], 2, "{body}");
    assert_eq!(body["[scrubbed] 2"], 1, "{body}");
    let members = body["members"].as_object().expect("an object");
    let (name, member) = members.iter().next().expect("a member");
    assert_eq!(
        member["email"],
        serde_json::json!(name),
        "one person, one alias: {body}"
    );
    assert!(!name.contains("ada"), "{body}");
}
