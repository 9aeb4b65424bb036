//! What leaves the sandbox: policy as properties, and at the real seam.

use std::sync::Arc;

use host_harness::{
    CallError, Credential, Grant, Network, Origin, Refusal, Resolve, TenantConfig,
    egress::{
        Scheme,
        policy::{Declaration, DeclaredCapability, Denial, Level, PathTemplate, RequestLine},
    },
};
use pagerduty_simulator::{Effect, Fault, Match};
use proptest::prelude::*;

use crate::{
    fuzzing::targets::policy::{policy, reference},
    support::{Opening, connector, page, run},
};

fn origin(text: &str) -> Origin {
    text.parse().expect("an origin")
}

proptest! {
    #[test]
    fn policy_lets_out_exactly_what_the_reference_does(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "get", "HEAD"]),
        host in prop::sample::select(vec!["api.example.com", "evil.example.com", "api.example.com.evil.com", "API.example.com"]),
        port in prop::sample::select(vec![443_u16, 8443, 80]),
        path in prop::sample::select(vec![
            "/users", "/users/", "/users/P1", "/users/P1/license", "/users/..", "/users/%2e%2e",
            "/users/%2E.", "/users//license", "/users/a%2fb", "/users/a%5Cb", "/users/%252e",
            "//users", "users", "", "/", "/Users", "/users/P1/license/x", "/teams/..%00/x",
        ]),
        capability in prop::sample::select(vec!["directory.list-accounts", "directory.get-account", ""]),
        write in any::<bool>(),
    ) {
        let rules = [
            ("GET", "/users", Level::Read),
            ("GET", "/users/{id}", Level::Read),
            ("GET", "/users/{id}/license", Level::Read),
            ("PUT", "/users/{id}", Level::Write),
            ("DELETE", "/users/{id}", Level::Write),
        ];
        let granted = [origin("https://api.example.com"), origin("https://api.example.com:8443")];
        let (grant, level) = if write {
            (Grant::read_write(), Level::Write)
        } else {
            (Grant::read_only(), Level::Read)
        };
        let grant = granted.iter().cloned().fold(grant, Grant::origin);
        let asked_origin = Origin::from_parts(Scheme::Https, host, port);
        let asked = RequestLine { capability, method, origin: &asked_origin, path };
        let policy = policy(grant, &rules).expect("sound rules");
        let allowed = policy.decide(asked).is_ok();
        prop_assert_eq!(allowed, reference(&rules, &granted, level, asked), "{:?}", asked);
    }

    #[test]
    fn a_template_takes_exactly_one_harmless_segment_for_a_placeholder(
        segment in "[A-Za-z0-9_.~-]{1,12}",
    ) {
        let template = PathTemplate::parse("/users/{id}/license").expect("a template");
        let harmless = segment != "." && segment != "..";
        let alone = format!("/users/{segment}/license");
        let two = format!("/users/{segment}/x/license");
        let behind = format!("/users/{segment}/license/");
        prop_assert_eq!(template.matches(&alone), harmless);
        prop_assert!(!template.matches(&two));
        prop_assert!(!template.matches(&behind));
    }

    #[test]
    fn an_origin_reads_back_as_it_is_shown(
        host in "[a-z]{1,8}(\\.[a-z]{2,6}){1,2}",
        port in 1..u16::MAX,
    ) {
        let shown = Origin::from_parts(Scheme::Https, &host, port).to_string();
        prop_assert_eq!(origin(&shown).to_string(), shown);
    }
}

#[test]
fn a_read_can_not_be_declared_for_a_method_that_changes() {
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "get"] {
        let declared = DeclaredCapability {
            name: "directory.list-accounts".to_owned(),
            level: Level::Read,
            requests: vec![(method.to_owned(), "/users/{id}".to_owned(), Level::Read)],
        };
        assert!(Declaration::new([declared]).is_err(), "{method}");
    }
    let declared = DeclaredCapability {
        name: "directory.list-accounts".to_owned(),
        level: Level::Read,
        requests: vec![("POST".to_owned(), "/users".to_owned(), Level::Write)],
    };
    assert!(
        Declaration::new([declared]).is_err(),
        "a write in a read capability"
    );
}

#[test]
fn origins_with_anything_more_are_refused() {
    for text in [
        "https://api.example.com/v2",
        "https://api.example.com/?x",
        "https://user@api.example.com",
        "https://user:pass@api.example.com",
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://",
        "",
    ] {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
    for text in [
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost",
        "https://x.y/",
    ] {
        assert!(text.parse::<Origin>().is_ok(), "{text}");
    }
}

#[test]
fn an_origin_that_is_not_granted_is_not_reached_and_the_hint_says_how_to_grant_it() {
    run(async {
        let config = TenantConfig::new(Grant::read_only())
            .credential(Credential::token("some-secret-token").expect("a token"));
        let tenant = connector().open(config).expect("it opens");
        let error = tenant
            .list_accounts(page(None))
            .await
            .expect_err("nothing is granted");
        match &error {
            CallError::Refused(Refusal::Denied(Denial::Origin(origin))) => {
                assert_eq!(origin.to_string(), "https://api.pagerduty.com");
            }
            other => panic!("{other:?}"),
        }
        assert!(
            error
                .hint()
                .expect("a hint")
                .contains("--grant https://api.pagerduty.com")
        );
    });
}

/// Resolves every name to addresses inside.
pub struct Rebinding;

impl Resolve for Rebinding {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = std::io::Result<Vec<std::net::SocketAddr>>> + Send + 'a>,
    > {
        Box::pin(async move {
            Ok(vec![
                ([127, 0, 0, 1], port).into(),
                ([169, 254, 169, 254], port).into(),
                ([10, 0, 0, 7], port).into(),
            ])
        })
    }
}

#[test]
fn a_name_that_resolves_to_this_machine_or_to_metadata_services_is_not_reached() {
    run(async {
        let mut grant = Grant::read_only();
        for origin in connector().origins() {
            grant = grant.origin(origin.clone());
        }
        let config = TenantConfig::new(grant)
            .credential(Credential::token("some-secret-token").expect("a token"))
            .network(Network::default().resolver(Rebinding));
        let tenant = connector().open(config).expect("it opens");
        let error = tenant
            .validate()
            .await
            .expect_err("all addresses are inside");
        assert!(error.to_string().contains("not granted"), "{error}");
        let CallError::Refused(Refusal::Denied(denial)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(denial.rule(), "public-address");
    });
}

#[test]
fn the_credential_goes_out_with_every_request_and_the_guest_does_not_set_it() {
    run(async {
        let bench = Opening::users(5).open().await;
        bench.simulator.keep_exchanges(true);
        bench.tenant.validate().await.expect("the key is good");
        let exchanges = bench.simulator.exchanges();
        assert!(!exchanges.is_empty());
        for exchange in exchanges {
            let sent: Vec<&str> = exchange
                .request_headers
                .iter()
                .filter(|(name, _)| name == "authorization")
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(sent.len(), 1, "{exchange:?}");
            assert!(sent[0].starts_with("Token"), "{sent:?}");
        }
    });
}

#[test]
fn a_vendor_that_repeats_the_credential_does_not_tell_it_to_the_guest() {
    run(async {
        const TOKEN: &str = "simulated-account-key";
        let opening = Opening {
            token: TOKEN,
            ..Opening::users(3)
        };
        let bench = opening.open().await;
        bench.simulator.faults().add(Fault {
            when: Match {
                path: Some("/users/PABC123".to_owned()),
                ..Match::default()
            },
            effect: Effect::Body {
                content_type: "application/json".to_owned(),
                body: format!(
                    "{{\"error\":{{\"message\":\"bad token {TOKEN} (c2ltdWxhdGVkLWFjY291bnQta2V5)\",\"code\":2001}}}}"
                )
                .into(),
                status: 400,
            },
        });
        let error = bench
            .tenant
            .get_account("PABC123")
            .await
            .expect_err("a 400");
        let said = format!("{error:?} {error}");
        assert!(said.contains("bad token [redacted]"), "{said}");
        assert!(
            !said.contains(TOKEN) && !said.contains("c2ltdWxhdGVkLWFjY291bnQta2V5"),
            "{said}"
        );
    });
}

#[test]
fn a_credential_can_not_be_printed() {
    let credential = Credential::token("y_NbAkKc66ryYTWUXYEu").expect("a token");
    assert_eq!(format!("{credential:?}"), "Credential(..)");
    let config = TenantConfig::new(Grant::read_only()).credential(credential);
    assert!(!format!("{config:?}").contains("NbAkKc66"));
    let shared = Arc::new(config);
    assert!(!format!("{shared:#?}").contains("NbAkKc66"));
}

#[test]
fn credentials_that_can_not_be_sent_are_refused_without_quoting_them() {
    for text in [
        "",
        "   ",
        "short",
        "two words are none",
        "tok\u{7}en-with-bell",
        "tökén-tökén",
    ] {
        let error = Credential::token(text).expect_err("not a credential");
        assert!(text.trim().is_empty() || !error.to_string().contains(text.trim()));
    }
    Credential::token("  from-a-file-with-newline\n")
        .expect("white space around it is not part of it");
}
