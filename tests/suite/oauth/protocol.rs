//! What goes to the token endpoint, and what is made of its answers.

use super::*;

#[test]
fn the_token_endpoint_is_under_the_rules_of_the_network() {
    run(async {
        let bench = Bench::new().await;
        // No redirects: the secret would follow.
        bench.at_token_endpoint(
            Effect::Status {
                status: 307,
                body: None,
                headers: vec![(
                    "location".to_owned(),
                    "https://api.pagerduty.com/".to_owned(),
                )],
            },
            Some(1),
        );
        let before = bench.exchanges();
        let client = bench.client("oauth-app");
        let error = client.client_credentials(&[]).await.expect_err("no token");
        assert!(
            matches!(error, OauthError::Reply { status: 307, .. }),
            "{error:?}"
        );
        assert_eq!(bench.exchanges(), before + 1);

        // No addresses inside, whatever a name resolves to.
        let scheme = connector().oauth_scheme("oauth-app").expect("it has one");
        let inside = scheme.at(&"https://identity.example.com".parse().expect("an origin"));
        let client = Client::new(
            &inside,
            Registration::public("some-client"),
            &Network::default().resolver(crate::egress::Rebinding),
            &inside.origins(),
        )
        .expect("trusted");
        let error = client.client_credentials(&[]).await.expect_err("inside");
        assert!(error.to_string().contains("not granted"), "{error}");

        // No certificate but one that holds.
        let here = format!("https://127.0.0.1:{}", bench.port());
        let here = scheme.at(&here.parse().expect("an origin"));
        let client = Client::new(
            &here,
            Registration::public("some-client"),
            &Network::default(),
            &here.origins(),
        )
        .expect("trusted");
        let error = client.client_credentials(&[]).await.expect_err("not ours");
        assert!(error.to_string().contains("certificate"), "{error}");
    });
}

#[test]
fn a_sign_in_at_an_origin_that_is_not_trusted_is_not_begun() {
    let scheme = connector().oauth_scheme("oauth").expect("it has one");
    for trusted in [
        &[][..],
        &["https://api.pagerduty.com"],
        &["https://identity.pagerduty.com:8443"],
    ] {
        let trusted = trusted
            .iter()
            .map(|origin| origin.parse().expect("an origin"));
        let error = Client::new(
            scheme,
            Registration::public("some-client"),
            &Network::default(),
            &trusted.collect(),
        )
        .expect_err("not trusted");
        assert!(matches!(error, OauthError::NotGranted(_)), "{error:?}");
        assert!(
            error
                .hint()
                .contains("--grant https://identity.pagerduty.com")
        );
    }
}

#[test]
fn replies_that_are_no_tokens_are_refused_without_quoting_them() {
    run(async {
        let bench = Bench::new().await;
        for (body, status) in [
            ("<html>gateway</html>", 200),
            ("", 200),
            ("{}", 200),
            ("{\"access_token\":\"secret-of-somebody\"}", 200),
            ("{\"access_token\":\"a b\",\"token_type\":\"bearer\"}", 200),
            ("{\"access_token\":7,\"token_type\":\"bearer\"}", 200),
            ("<html>down</html>", 502),
            ("{\"error\":7,\"token\":\"secret-of-somebody\"}", 400),
        ] {
            bench.at_token_endpoint(
                Effect::Body {
                    content_type: "application/json".to_owned(),
                    body: body.to_owned().into(),
                    status,
                },
                Some(1),
            );
            let client = bench.client("oauth-app");
            let error = client.client_credentials(&[]).await.expect_err(body);
            let OauthError::Reply { status: said, .. } = error else {
                panic!("{body}: {error:?}");
            };
            assert_eq!(said, status, "{body}");
            assert!(!format!("{error} {error:?}").contains("somebody"), "{body}");
        }
    });
}

#[test]
fn a_grant_of_less_than_was_asked_for_is_an_error() {
    run(async {
        let bench = Bench::new().await;
        let client = bench.client("oauth");
        let scopes = vec!["read".to_owned(), "everything".to_owned()];
        let authorization = client.authorize(REDIRECT, &scopes).expect("it starts");
        let code = bench.browse(authorization.url.as_str()).await;
        let tokens = client
            .exchange(&authorization, &code)
            .await
            .expect("a code");
        let error = OauthCredential::issued_to(&client, Flow::AuthorizationCode, &scopes, tokens)
            .expect_err("not all of it");
        assert_eq!(
            error,
            OauthError::Scope {
                missing: vec!["everything".to_owned()],
                granted: vec!["openid".to_owned(), "read".to_owned()],
            }
        );
        // A code is good once.
        let error = client
            .exchange(&authorization, &code)
            .await
            .expect_err("used");
        assert!(matches!(error, OauthError::Refused { ref code, .. } if code == "invalid_grant"));
    });
}

#[test]
fn another_verifier_does_not_get_the_tokens() {
    run(async {
        let bench = Bench::new().await;
        let client = bench.client("oauth");
        let mine = client.authorize(REDIRECT, &[]).expect("it starts");
        let theirs = client.authorize(REDIRECT, &[]).expect("it starts");
        assert!(mine.answers(&mine.state) && !mine.answers(&theirs.state));
        let code = bench.browse(mine.url.as_str()).await;
        let error = client
            .exchange(&theirs, &code)
            .await
            .expect_err("not theirs");
        assert!(matches!(error, OauthError::Refused { .. }), "{error:?}");
    });
}

#[test]
fn a_sign_in_is_not_used_by_a_connector_with_other_ideas_of_where_tokens_come_from() {
    run(async {
        let bench = Bench::new().await;
        let session = bench.ending(&memory(), 3_600).await;
        let theirs = replaced("identity.pagerduty.com", "identity.attackers.com");
        let foreign = Connector::load(engine(), &theirs).await.expect("it loads");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session.clone());
        let error = foreign.open(config.clone()).expect_err("refused");
        assert!(matches!(error, OpenError::SignIn { .. }), "{error:?}");
        assert!(
            error.to_string().contains("identity.attackers.com"),
            "{error}"
        );
        connector().open(config).expect("where it came from");

        let (client, credential) = bench.consented().await;
        let other = ProfileKey::new("another-app", "acme").expect("plain names");
        let session = Session::start(client, credential, memory(), other)
            .await
            .expect("stored");
        let config = TenantConfig::new(bench.grant.clone()).oauth(session);
        assert!(matches!(
            connector().open(config).expect_err("another application's"),
            OpenError::SignIn { .. }
        ));
    });
}
