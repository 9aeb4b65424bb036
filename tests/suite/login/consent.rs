//! Signing in, with a person in front of a browser or without.

use super::*;

#[test]
fn a_person_allows_access_once_and_commands_use_the_profile_from_then_on() {
    let desk = Desk::new();
    let login = desk.start(&["--json"]);
    let asked = url::Url::parse(&login.url).expect("a URL");
    let asked: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("scope", "read"),
    ] {
        assert!(
            asked.contains(&(name.to_owned(), value.to_owned())),
            "{asked:?}"
        );
    }
    assert!(login.redirect_uri().starts_with("http://127.0.0.1:"));
    let back = browse(&login.url).location.expect("back to the terminal");
    let page = browse(&back);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Signed in"), "{}", page.body);
    let output = login.end();
    assert_ok(&output);
    let said: Value = serde_json::from_str(&stdout(&output)).expect("JSON after the address");
    assert_eq!(said["tenant"], "acme");
    assert_eq!(said["scopes"], serde_json::json!(["openid", "read"]));

    #[cfg(unix)]
    {
        assert_eq!(mode(&desk.file("default")), 0o600);
        assert_eq!(mode(&desk.credentials()), 0o700);
    }
    let before = desk.token_requests();
    let output = desk.run(&["accounts", "--json", "-v"]);
    assert_ok(&output);
    assert!(
        stderr(&output).contains("profile=\"default\""),
        "{}",
        stderr(&output)
    );
    assert_ok(&desk.run(&["validate", "--auth", "oauth"]));
    assert_ok(&desk.run(&["validate", "--profile", "default"]));
    assert_eq!(
        desk.token_requests(),
        before,
        "the access token is still good"
    );
}

#[test]
fn an_answer_with_another_state_is_turned_away_and_ends_nothing() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let callback = login.redirect_uri();
    for wrong in [
        "?code=stolen&state=wrong",
        "?code=stolen",
        "?error=access_denied&state=wrong",
        "?error=access_denied",
        "",
    ] {
        let page = browse(&format!("{callback}{wrong}"));
        assert_eq!(page.status, 400, "{wrong}");
    }
    assert_eq!(
        browse(&callback.replace("/callback", "/favicon.ico")).status,
        404
    );
    let no_code = browse(&format!("{callback}?state={}", login.state()));
    assert_eq!(no_code.status, 400);
    assert_eq!(desk.token_requests(), 0, "no code was exchanged");
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 200);
    assert_ok(&login.end());
}

#[test]
fn a_person_who_says_no_leaves_nothing_behind() {
    let desk = Desk::with(Config {
        consent: false,
        ..Config::default()
    });
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_refused(&login.end(), 1, &["access_denied", "denied the request"]);
    assert!(!desk.file("default").exists());
}

#[test]
fn what_the_vendor_says_does_not_reach_the_terminal_as_it_is() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let back = format!(
        "{}?error=%1b%5b31mred&error_description=%1b%5d0%3btitle%07&state={}",
        login.redirect_uri(),
        login.state()
    );
    assert_eq!(browse(&back).status, 400);
    let output = login.end();
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains('\u{1b}'), "{:?}", stderr(&output));
}

#[test]
fn a_scope_that_was_not_granted_is_an_error_and_nothing_is_kept() {
    let desk = Desk::new();
    let login = desk.start(&["--scope", "read", "--scope", "everything"]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_refused(
        &login.end(),
        1,
        &["did not grant `everything`", "`openid`, `read`", "--scope"],
    );
    assert!(!desk.file("default").exists());
}

#[test]
fn a_code_that_comes_too_late_is_told_apart() {
    let desk = Desk::new();
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    desk.simulator.advance(Duration::from_secs(31));
    assert_eq!(browse(&back).status, 400);
    assert_refused(&login.end(), 1, &["invalid_grant", "half a minute"]);
    assert!(!desk.file("default").exists());
}

#[test]
fn nobody_in_front_of_the_browser_ends_the_wait() {
    let desk = Desk::new();
    let output = desk.start(&["--timeout", "1"]).end();
    assert_refused(&output, 1, &["within 1 s", "--timeout"]);
}

#[test]
fn a_login_that_does_not_work_at_the_api_is_not_kept() {
    let desk = Desk::new();
    for fault in ["GET /users* status=401", "GET /abilities status=401"] {
        desk.simulator.faults().add(fault.parse().expect("a fault"));
    }
    let login = desk.start(&[]);
    let back = browse(&login.url).location.expect("back to the terminal");
    assert_eq!(browse(&back).status, 400);
    assert_eq!(login.end().status.code(), Some(1));
    assert!(!desk.file("default").exists());
}

#[test]
fn an_application_signs_in_without_a_person() {
    let desk = Desk::new();
    let settings = ["--setting", "subdomain=acme"];
    let without_secret = desk
        .login_command(&["--client-credentials"])
        .args(settings)
        .output()
        .expect("it runs");
    assert_refused(
        &without_secret,
        2,
        &["client secret", "--client-secret-file"],
    );
    let secret = desk.folder.path().join("secret");
    fs::write(&secret, "not-the-secret\n").expect("written");
    let with_file = |args: &[&str]| {
        desk.login_command(&["--client-credentials"])
            .arg("--client-secret-file")
            .arg(&secret)
            .args(args)
            .output()
            .expect("it runs")
    };
    assert_refused(&with_file(&[]), 2, &["`subdomain`", "--setting subdomain="]);
    assert_refused(
        &with_file(&settings),
        1,
        &["invalid_client", "client secret"],
    );
    fs::write(&secret, format!("{}\n", OAUTH_CLIENT.secret)).expect("written");
    assert_refused(
        &with_file(&["--setting", "subdomain=other"]),
        1,
        &["invalid_scope"],
    );
    assert_ok(&with_file(&settings));
    // The profile knows the account that it is for, and renews itself.
    assert_eq!(desk.stored("default")["settings"]["subdomain"], "acme");
    let first = desk.stored("default")["access_token"].clone();
    desk.end("default");
    assert_ok(&desk.run(&["accounts"]));
    assert_ne!(desk.stored("default")["access_token"], first);
}

#[test]
fn another_connector_gets_neither_secret_nor_password_where_it_was_not_granted() {
    let desk = Desk::new();
    let theirs = desk.folder.path().join("theirs.wasm");
    let bytes = crate::oauth::replaced("identity.pagerduty.com", "identity.attackers.com");
    fs::write(&theirs, bytes).expect("written");
    let theirs = theirs.to_str().expect("a path");
    let flows: [&[&str]; 2] = [
        &["--timeout", "5"],
        &["--client-credentials", "--setting", "subdomain=acme"],
    ];
    for flow in flows {
        let output = desk
            .command(&["login", "--connector", theirs, "--client-id", "mine"])
            .args(flow)
            .env("PAGERDUTY_CLIENT_SECRET", OAUTH_CLIENT.secret)
            .output()
            .expect("it runs");
        assert_refused(
            &output,
            2,
            &[
                "`https://identity.attackers.com`",
                "--grant https://identity.attackers.com",
            ],
        );
        assert_eq!(stdout(&output), "", "no address to open");
    }
    // A profile of the bundled one is not for it either.
    assert_ok(&desk.login(&["--profile", "mine"]));
    let mut stored = desk.stored("mine");
    stored["token_url"] = "https://identity.pagerduty.com/oauth/token".into();
    stored["moved"] = false.into();
    fs::write(desk.file("mine"), stored.to_string()).expect("written");
    let output = desk.run(&["validate", "--connector", theirs, "--profile", "mine"]);
    assert_refused(
        &output,
        2,
        &["identity.attackers.com", "not for this connector"],
    );
}

#[test]
fn no_command_tells_a_secret_even_when_it_says_everything() {
    let desk = Desk::new();
    let mut said = String::new();
    let mut note = |output: Output| {
        said.push_str(&stdout(&output));
        said.push_str(&stderr(&output));
    };
    note(desk.login(&["-vvv"]));
    note(desk.as_application(&["-vvv", "--profile", "app"]));
    note(desk.run(&["accounts", "-vvv"]));
    desk.end("default");
    note(desk.run(&["validate", "-vvv"]));
    desk.end("app");
    note(desk.run(&["validate", "-vvv", "--profile", "app"]));
    desk.simulator.faults().add(
        "POST /oauth/token truncated times=1"
            .parse()
            .expect("a fault"),
    );
    desk.end("app");
    note(desk.run(&["validate", "-vvv", "--profile", "app"]));
    desk.simulator.advance(Duration::from_secs(240 * 86_400));
    note(desk.run(&["accounts", "-vvv"]));
    note(desk.run(&["doctor", "-vvv", "--profile", "app"]));
    note(desk.start(&["-vvv", "--timeout", "1"]).end());
    assert!(said.contains("harness::sign_in"), "it says a lot");
    // All tokens begin with it, and codes have 32 characters.
    assert!(!said.contains("pdus+_") && !said.contains("pdus%2B_"));
    assert!(!said.contains(OAUTH_CLIENT.secret));
    for exchange in desk.simulator.exchanges() {
        let body = exchange.response_body.unwrap_or_default();
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = body[name].as_str() {
                let tail = &token[token.len() - 20..];
                assert!(!said.contains(tail), "{name} was told");
            }
        }
    }
}
