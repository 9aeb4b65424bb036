//! What a collector of traces gets to see of calls, and what becomes of calls
//! when it is not there.

mod collector;

use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use pagerduty_simulator::{Config, OAUTH_CLIENT, Simulator, TOKENS};
use serde_json::json;

use super::{
    command::{envelope, receive, send, send_with},
    platform::{TOKEN, code},
};
use crate::{hostile, leaks::assert_clean, support::run, vendor::text};
use collector::{Collector, KEY, Received, attributes, the};

#[test]
fn a_call_is_traced_from_the_callers_span_down_to_the_requests_and_names_nobody() {
    run(async {
        let collector = Collector::start(Some(StatusCode::OK)).await;
        let simulator = Simulator::new(Config {
            users: 20,
            ..Config::default()
        });
        simulator.keep_exchanges(true);
        let vendor = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        let vendor = vendor.expect("a free port");
        let origin = vendor.origin();
        let args = ["--base-url", &origin, "--identity-url", &origin];
        let process = collector.serve(&args, &[("OTEL_SERVICE_NAME", "identity")]);

        let account = simulator.user_ids()[1].clone();
        let stream = process.connect();
        let caller = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
                      baggage: person=somebody\r\n";
        let get = envelope(json!({"account_id": account}));
        send_with(&stream, "/pagerduty/get_account", caller, &get);
        let answer = receive(&stream).1;
        let (email, name) = (
            text(&answer["response"], "email"),
            text(&answer["response"], "username"),
        );
        assert!(email.contains('@') && !name.is_empty(), "{answer}");
        let new = json!({"email": "new.comer@acme.example", "username": "New Comer"});
        let created = process.call("create_account", &envelope(new));
        assert_eq!(created["execution_summary"]["effect"]["kind"], "created");
        let unknown = process.call("tell-about-somebody", &envelope(json!({})));
        assert_eq!(code(&unknown), "unsupported_operation");
        let nobody = envelope(json!({"account_id": "PNOBODY"}));
        let nobody = process.call("get_account_entitlement_associations", &nobody);
        assert_eq!(code(&nobody), "not_found");
        let fault = "GET /teams* body=<html>".parse().expect("a fault");
        simulator.faults().add(fault);
        let broken = process.call("list_resources", &envelope(json!({})));
        assert_eq!(code(&broken), "invalid_response");
        let client = json!({"client_id": OAUTH_CLIENT.id, "client_secret": OAUTH_CLIENT.secret,
                            "scopes": ["as_account-us.acme", "users.read"]});
        let tokens = process.call("handle_client_credentials_request", &envelope(client));
        let access = text(&tokens["response"], "access_token");
        assert!(!access.is_empty(), "{tokens}");
        // One that nobody waits for.
        let fault = "GET /users* latency=600s".parse().expect("a fault");
        simulator.faults().add(fault);
        let before = simulator.request_count();
        let stream = process.connect();
        send(&stream, "list_accounts", &envelope(json!({})));
        while simulator.request_count() == before {
            tokio::task::yield_now().await;
        }
        drop(stream);
        process.terminate();
        let log = process.ended();

        let spans = collector.spans();
        let call = the(&spans, "POST /pagerduty/get_account");
        assert_eq!(call.trace, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(call.parent, "b7ad6b7169203331");
        assert_eq!(call.kind, SpanKind::Server);
        let connector = crate::support::connector();
        call.has(&[
            ("harness.connector.id", "pagerduty"),
            ("harness.connector.version", &connector.descriptor().version),
            ("harness.connector.sha256", &connector.sha256()[..12]),
            ("harness.connector.generation", "1"),
            ("harness.capability", "get_account"),
            ("harness.outcome", "ok"),
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
        ]);
        assert!(!call.failed);
        let [function] = call.children(&spans)[..] else {
            panic!("one function: {spans:#?}");
        };
        assert_eq!(function.name, "directory.get-account");
        assert_eq!(function.kind, SpanKind::Internal);
        function.has(&[("harness.outcome", "ok"), ("harness.requests", "1")]);
        let [request] = function.children(&spans)[..] else {
            panic!("one request: {spans:#?}");
        };
        assert_eq!(request.name, "GET /users/{id}");
        assert_eq!(request.kind, SpanKind::Client);
        request.has(&[
            ("http.request.method", "GET"),
            ("url.template", "/users/{id}"),
            ("url.scheme", "http"),
            ("server.address", "127.0.0.1"),
            ("server.port", &vendor.addr().port().to_string()),
            ("http.response.status_code", "200"),
        ]);
        assert!(request.children(&spans).is_empty());
        assert!(request.took <= function.took && function.took <= call.took);

        let create = the(&spans, "POST /pagerduty/create_account");
        assert_eq!(create.parent, "", "nobody's part");
        assert_ne!(create.trace, call.trace);
        let function = create.children(&spans);
        let of_create = function[0].children(&spans);
        let names: Vec<&str> = of_create.iter().map(|span| span.name.as_str()).collect();
        assert!(names.contains(&"GET /users"), "{names:?}");
        assert!(names.contains(&"POST /users"), "{names:?}");

        let unknown = the(&spans, "POST /pagerduty/unknown");
        unknown.has(&[("harness.outcome", "unsupported_operation")]);
        assert!(!unknown.failed, "whose fault it is not");
        let nobody = the(
            &spans,
            "POST /pagerduty/get_account_entitlement_associations",
        );
        nobody.has(&[
            ("harness.outcome", "not_found"),
            ("error.type", "not_found"),
        ]);
        assert!(!nobody.failed);
        let function = nobody.children(&spans)[0];
        assert!(function.failed);
        let refused = function.children(&spans);
        let refused = refused.iter().find(|span| span.failed).expect("a 404");
        refused.has(&[("error.type", "404"), ("http.response.status_code", "404")]);

        let broken = the(&spans, "POST /pagerduty/list_resources");
        broken.has(&[("harness.outcome", "invalid_response")]);
        assert!(broken.failed);
        let sign_in = the(&spans, "POST /pagerduty/handle_client_credentials_request");
        let [token] = sign_in.children(&spans)[..] else {
            panic!("one request: {spans:#?}");
        };
        assert_eq!(token.name, "POST /oauth/token");
        assert_eq!(token.kind, SpanKind::Client);
        let given_up = the(&spans, "POST /pagerduty/list_accounts");
        given_up.has(&[("harness.outcome", "abandoned")]);
        assert!(given_up.failed);

        let told = collector.text();
        assert_clean("a trace", &told);
        for secret in [
            TOKEN,
            TOKENS.owner,
            OAUTH_CLIENT.secret,
            &access,
            KEY,
            &account,
            "PNOBODY",
            &email,
            &name,
            "new.comer",
            "New Comer",
            "somebody",
            "acme.example",
            "query=",
        ] {
            assert!(!told.contains(secret), "{secret} is in a trace");
        }
        assert!(!log.contains(KEY), "the collector's key is in the log");
        assert_clean("the log", &log);
        let (headers, _) = collector.received.lock().expect("no panic")[0].clone();
        assert_eq!(headers["x-key"], KEY);
        assert_eq!(headers["content-type"], "application/x-protobuf");
        for request in collector.requests() {
            let resource = request.resource_spans[0].resource.clone();
            let resource = attributes(&resource.expect("a resource").attributes);
            assert_eq!(resource["service.name"], "identity");
        }
        for exchange in simulator.exchanges() {
            let names = exchange.request_headers.iter().map(|(name, _)| name);
            let context = ["traceparent", "tracestate", "baggage"];
            let mut told = names.filter(|name| context.contains(&name.as_str()));
            assert_eq!(told.next(), None, "the vendor is told of no trace");
        }
    });
}

#[test]
fn a_denied_request_is_traced_by_its_rule_and_not_by_the_connectors_words() {
    run(async {
        let collector = Collector::start(Some(StatusCode::OK)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hostile.wasm");
        std::fs::write(&file, hostile::variant("sound")).expect("written");
        let file = file.to_str().expect("text");
        let args = ["--connector", file, "--grant", "https://api.pagerduty.com"];
        let process = collector.serve(&args, &[]);
        let cases = [
            ("undeclared-path", "declared-request", "GET"),
            ("delete-by-another-spelling", "declared-request", "_OTHER"),
            ("another-host", "granted-origin", "GET"),
            ("user-in-front-of-the-host", "granted-origin", "GET"),
        ];
        for (number, (misbehaviour, ..)) in (1..).zip(cases) {
            let stream = process.connect();
            let caller = format!("traceparent: 00-{number:032x}-b7ad6b7169203331-01\r\n");
            let call = envelope(json!({"account_id": misbehaviour}));
            send_with(&stream, "/hostile/get_account", &caller, &call);
            let answer = receive(&stream).1;
            assert_eq!(code(&answer), "permission_denied", "{misbehaviour}");
        }
        process.terminate();
        process.ended();
        let spans = collector.spans();
        for (number, (misbehaviour, rule, method)) in (1..).zip(cases) {
            let trace = format!("{number:032x}");
            let mut requests = spans
                .iter()
                .filter(|span| span.trace == trace && span.kind == SpanKind::Client);
            let denied = requests.next_back().expect(misbehaviour);
            denied.has(&[
                ("error.type", "denied"),
                ("harness.denial", rule),
                ("http.request.method", method),
            ]);
            assert!(denied.failed);
            assert_eq!(denied.name, method, "{misbehaviour}");
            assert_eq!(denied.attributes.len(), 3, "{denied:#?}");
        }
        let told = collector.text();
        for word in ["evil", "PVICTIM", "audit"] {
            assert!(!told.contains(word), "{word} is in a trace");
        }
    });
}

#[test]
fn a_collector_that_fails_is_said_once_and_disturbs_nothing() {
    run(async {
        let collector = Collector::start(Some(StatusCode::BAD_REQUEST)).await;
        let often = [("OTEL_BSP_SCHEDULE_DELAY", "10")];
        let process = collector.serve(&[], &often);
        // Each batch is refused; the third is sent after the second was.
        while collector.count() < 3 {
            let answer = process.call("info", &json!({}));
            assert_eq!(answer["response"]["app_id"], "pagerduty", "{answer}");
        }
        process.terminate();
        let log = process.ended();
        let said = log.lines().filter(|line| line.contains("spans are lost"));
        let said: Vec<&str> = said.collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("ERROR"), "{said:?}");
        assert!(said[0].contains("status code: 400"), "{said:?}");
        assert!(!log.contains(KEY), "the collector's key is in the log");
    });
}

#[test]
fn a_collector_that_never_answers_or_is_not_there_holds_up_neither_calls_nor_the_end() {
    run(async {
        let silent = Collector::start(None).await;
        let absent = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let addr = listener.local_addr().expect("it is bound");
            Collector {
                addr,
                received: Received::default(),
            }
        };
        for (collector, problem) in [
            (&silent, "not sent within"),
            (&absent, "connection refused"),
        ] {
            let patient = [("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")];
            let process = collector.serve(&[], &patient);
            let answer = process.call("info", &json!({}));
            assert_eq!(answer["response"]["app_id"], "pagerduty", "{answer}");
            process.terminate();
            let log = process.ended();
            assert!(log.contains(problem), "{problem}: {log}");
        }
    });
}

#[test]
fn nothing_is_sent_where_nobody_asked_or_what_was_asked_for_is_not_spoken() {
    run(async {
        let collector = Collector::start(Some(StatusCode::OK)).await;
        for (variable, value, said) in [
            ("OTEL_SDK_DISABLED", "true", None),
            ("OTEL_TRACES_EXPORTER", "none", None),
            ("OTEL_TRACES_SAMPLER", "always_off", None),
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "grpc",
                Some("traces are off: the protocol `grpc`"),
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "collector:4318",
                Some("traces are off: the endpoint"),
            ),
            (
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "/nowhere",
                Some("traces are off: `/nowhere`"),
            ),
        ] {
            let process = collector.serve(&[], &[(variable, value)]);
            let answer = process.call("info", &json!({}));
            assert_eq!(answer["response"]["app_id"], "pagerduty", "{answer}");
            process.terminate();
            let log = process.ended();
            assert_eq!(collector.count(), 0, "{variable}");
            let found = log.lines().find(|line| line.contains("traces are off"));
            match said {
                Some(said) => assert!(found.is_some_and(|line| line.contains(said)), "{found:?}"),
                None => assert_eq!(found, None, "{variable}"),
            }
        }
        // The caller's own tracing system keeps no record of the call.
        let process = collector.serve(&[], &[]);
        let stream = process.connect();
        let caller = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n";
        send_with(&stream, "/pagerduty/info", caller, &json!({}));
        assert_eq!(receive(&stream).0, 200);
        process.terminate();
        process.ended();
        assert_eq!(collector.count(), 0);
    });
}

#[test]
fn a_replay_is_no_traffic() {
    run(async {
        let collector = Collector::start(Some(StatusCode::OK)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let fixture = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/accounts.json"
        );
        std::fs::copy(fixture, folder.path().join("accounts.json")).expect("copied");
        let recordings = folder.path().to_str().expect("text");
        // The connector is tried on the recordings before it serves.
        let process = collector.serve(&["--recordings", recordings], &[]);
        process.call("info", &json!({}));
        process.terminate();
        let log = process.ended();
        assert!(log.contains("directory.list-accounts"), "{log}");
        let spans = collector.spans();
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["POST /pagerduty/info"]);
    });
}
