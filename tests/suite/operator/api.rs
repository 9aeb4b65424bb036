//! The admin listener, asked by programs and by browsers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::Host;
use crate::serve::platform::TOKEN;

/// Sends a request by hand. Returns the status line and all that follows.
fn ask(host: &Host, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host.admin).expect("it listens");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\
         {headers}\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.expect("a status"), text)
}

#[test]
fn a_browser_may_look_with_the_token_as_password_and_change_nothing() {
    let host = Host::start(&[]);
    let pair = STANDARD.encode(format!("anybody:{TOKEN}"));
    let basic = format!("authorization: Basic {pair}\r\n");
    let (status, page) = ask(&host, "GET", "/", &basic, "");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"));
    let (status, answer) = ask(&host, "GET", "/", "", "");
    assert_eq!(status, 401);
    assert!(
        answer.contains("www-authenticate: Basic realm="),
        "{answer}"
    );
    let wrong = STANDARD.encode("anybody:another-token-altogether");
    for headers in [
        format!("authorization: Basic {wrong}\r\n"),
        "authorization: Basic ???\r\n".to_owned(),
        format!("authorization: Bearer {pair}\r\n"),
        format!("{basic}{basic}"),
    ] {
        assert_eq!(ask(&host, "GET", "/", &headers, "").0, 401, "{headers}");
    }

    // As a form of another site would, with what the browser keeps.
    let change = r#"{"reason": "none"}"#;
    let json = "content-type: application/json\r\nx-operator: eve\r\n";
    let path = "/api/connectors/pagerduty/rollback";
    let (status, answer) = ask(&host, "POST", path, &format!("{basic}{json}"), change);
    assert_eq!(status, 401, "{answer}");
    assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
}

#[test]
fn a_change_needs_a_name_and_a_body_of_its_form() {
    let host = Host::start(&[]);
    let bearer = format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n");
    let named = format!("{bearer}x-operator: ada\r\n");
    let path = "/api/connectors/pagerduty/rollback";
    for (headers, body, said) in [
        (
            &bearer,
            r#"{"reason": "none"}"#,
            "nothing says who changes this",
        ),
        (&named, "{", "send what is wanted as a JSON object"),
        (
            &named,
            r#"{"reason": "none", "wait": 1}"#,
            "unknown field `wait`",
        ),
    ] {
        let (status, answer) = ask(&host, "POST", path, headers, body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
    let (status, answer) = ask(&host, "POST", path, &named, r#"{"reason": "none"}"#);
    assert_eq!(status, 409, "{answer}");
    assert!(answer.contains("has no earlier generation"), "{answer}");
    let (status, _) = ask(&host, "GET", "/api/nothing", &bearer, "");
    assert_eq!(status, 404);
    assert_eq!(host.serving().1, 1);
}

#[test]
fn names_that_would_be_markup_stand_in_the_console_as_they_are() {
    let host = Host::start(&[]);
    let hostile = "<img src=x onerror=alert(1)>\u{1b}[31m";
    let output = host.connectors(&["quarantine", &"ab".repeat(32), "--reason", hostile]);
    assert!(output.status.success());
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let (_, page) = ask(&host, "GET", "/", &bearer, "");
    assert!(!page.contains("<img"), "{page}");
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;\\u{1b}[31m"),
        "{page}"
    );
}
