//! What is not declared or not granted does not leave, and the call fails with
//! the rule that was broken.

use host_harness::{TraceOutcome, egress::policy::Denial};
use serde_json::json;

use super::{denial, header, open, seen};
use crate::support::{Opening, run};

#[test]
fn a_request_that_is_not_declared_or_not_granted_is_denied_and_does_not_leave() {
    run(async {
        for (misbehaviour, requests, rule) in [
            ("delete", 1, "declared-request"),
            ("delete-by-another-spelling", 2, "declared-request"),
            ("put", 1, "declared-request"),
            ("undeclared-path", 1, "declared-request"),
            ("dot-segments", 2, "declared-request"),
            ("encoded-dot-segments", 2, "declared-request"),
            ("double-slash", 1, "declared-request"),
            ("another-host", 1, "granted-origin"),
            ("user-in-front-of-the-host", 1, "granted-origin"),
            ("another-port", 1, "granted-origin"),
            ("without-tls", 1, "granted-origin"),
            ("metadata-service", 1, "granted-origin"),
        ] {
            // Also where writes are granted: it is a read that misbehaves.
            let bench = open(Opening::users(3).writing()).await;
            let denial = denial(bench.tenant.get_account(misbehaviour).await);
            assert_eq!(denial.rule(), rule, "{misbehaviour}: {denial}");
            assert_eq!(bench.simulator.request_count(), 0, "{misbehaviour}");
            let report = bench.last_report();
            assert_eq!(report.error.as_deref(), Some("permission_denied"));
            assert_eq!(report.denials.len(), requests, "{misbehaviour}: {report:?}");
            assert_eq!(report.denials[0], denial);
            assert_eq!(report.requests.len(), requests, "{misbehaviour}");
            for request in &report.requests {
                let denied = TraceOutcome::Failed("denied".to_owned());
                assert_eq!(request.outcome, denied, "{misbehaviour}");
                assert_eq!(request.rule, None, "{misbehaviour}");
            }
            let seen = seen(&report);
            assert!(seen.contains("HttpRequestDenied"), "{misbehaviour}: {seen}");
        }
    });
}

#[test]
fn a_url_that_is_none_does_not_even_become_a_request() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("absolute-path").await;
        account.expect("there was nothing to deny");
        assert_eq!(bench.simulator.request_count(), 0);
        let report = bench.last_report();
        assert!(report.requests.is_empty(), "{report:?}");
        assert!(seen(&report).contains("no such path"), "{report:?}");
    });
}

#[test]
fn a_header_of_the_hosts_is_denied_and_does_not_leave_with_the_request() {
    run(async {
        for (misbehaviour, name) in [
            ("own-authorization", "authorization"),
            ("lower-case-authorization", "authorization"),
            ("authorization-from-a-list", "authorization"),
            ("proxy-authorization", "proxy-authorization"),
            ("cookie", "cookie"),
            ("host", "host"),
            ("forwarded", "x-forwarded-host"),
            ("transfer-encoding", "transfer-encoding"),
            ("method-override", "x-http-method-override"),
            ("range", "range"),
            ("authorization-in-odd-case", "authorization"),
            ("connection", "connection"),
            ("keep-alive", "keep-alive"),
            ("proxy-connection", "proxy-connection"),
            ("upgrade", "upgrade"),
            ("http2-settings", "http2-settings"),
        ] {
            let bench = open(Opening::users(3)).await;
            let denial = denial(bench.tenant.get_account(misbehaviour).await);
            let expected = Denial::Header {
                capability: "directory.get-account".to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(denial, expected, "{misbehaviour}");
            let report = bench.last_report();
            assert_eq!(report.denials, [expected], "{misbehaviour}");
            assert!(seen(&report).contains("Forbidden"), "{misbehaviour}");
            // It went on without the header.
            for exchange in bench.simulator.exchanges() {
                match header(&exchange, name)[..] {
                    [] => {}
                    ["Token"] => assert_eq!(name, "authorization"),
                    ["api.pagerduty.com"] => assert_eq!(name, "host"),
                    ref other => panic!("{misbehaviour}: {other:?}"),
                }
            }
        }
    });
}

#[test]
fn what_is_no_header_no_path_and_no_method_does_not_even_become_part_of_a_request() {
    run(async {
        for (misbehaviour, said, requests) in [
            ("line-breaks-in-a-name", "InvalidSyntax", 7),
            ("line-breaks-in-a-path", "no such path", 0),
            ("line-breaks-in-a-method", "no such method", 0),
        ] {
            let bench = open(Opening::users(3)).await;
            bench.tenant.get_account(misbehaviour).await.ok();
            let report = bench.last_report();
            let exchanges = bench.simulator.exchanges();
            assert_eq!(
                exchanges.len(),
                requests,
                "{misbehaviour}: {}",
                seen(&report)
            );
            assert!(
                seen(&report).contains(said),
                "{misbehaviour}: {}",
                seen(&report)
            );
            for exchange in exchanges {
                assert_eq!(exchange.path, "/users/PNOBODY");
                assert_eq!(header(&exchange, "authorization"), ["Token"]);
                assert_eq!(header(&exchange, "x-a"), [""; 0]);
            }
        }
        // The second of two hosts as well as the first.
        let bench = open(Opening::users(3)).await;
        denial(bench.tenant.get_account("second-host").await);
        let report = bench.last_report();
        assert_eq!(report.denials.len(), 2, "{report:?}");
        for exchange in bench.simulator.exchanges() {
            assert_eq!(header(&exchange, "host"), ["api.pagerduty.com"]);
        }
    });
}

#[test]
fn a_body_can_not_smuggle_a_second_request() {
    run(async {
        for misbehaviour in [
            "a-body-longer-than-it-says",
            "a-body-shorter-than-it-says",
            "two-lengths",
        ] {
            let bench = open(Opening::users(3)).await;
            bench.tenant.get_account(misbehaviour).await.ok();
            // What is left of it on the connection would come with the next one.
            let next = bench.tenant.get_account("read").await;
            next.unwrap_or_else(|error| panic!("after {misbehaviour}: {error}"));
            for exchange in bench.simulator.exchanges() {
                assert_ne!(exchange.method, "DELETE", "{misbehaviour}");
                let length = header(&exchange, "content-length");
                assert!(length.len() <= 1, "{misbehaviour}: {length:?}");
            }
        }
    });
}

#[test]
fn a_header_hidden_in_the_value_of_another_is_not_taken() {
    run(async {
        let bench = open(Opening::users(3)).await;
        let account = bench.tenant.get_account("header-in-a-value").await;
        account.expect("a header that is none is no offence");
        assert!(seen(&bench.last_report()).contains("InvalidSyntax"));
        let [exchange] = &bench.simulator.exchanges()[..] else {
            panic!("one request was made");
        };
        assert_eq!(header(exchange, "x-note"), [""; 0]);
        assert_eq!(header(exchange, "authorization"), ["Token"]);
    });
}

#[test]
fn a_write_needs_a_grant_that_includes_writes_and_the_denial_says_so() {
    run(async {
        const FUNCTION: &str = "provisioning.delete-account";
        let input = json!({ "id": "delete" });
        let bench = open(Opening::users(3)).await;
        let denial = denial(bench.tenant.call(FUNCTION, &input).await);
        let expected = Denial::Level {
            method: "DELETE".to_owned(),
            path: "/users/PVICTIM".to_owned(),
        };
        assert_eq!(denial, expected);
        assert!(denial.hint().contains("writes"), "{}", denial.hint());
        assert_eq!(bench.simulator.request_count(), 0);
        assert_eq!(bench.last_report().denials, [expected]);

        // It is the grant that made the difference. Reads need none.
        let granted = open(Opening::users(3).writing()).await;
        let outcome = granted.tenant.call(FUNCTION, &input).await;
        assert_eq!(outcome.expect("it went out"), json!("deleted"));
        assert_eq!(granted.simulator.exchanges()[0].method, "DELETE");
        let read = bench.tenant.call(FUNCTION, &json!({ "id": "read" })).await;
        read.expect("looking is granted");
        assert_eq!(bench.simulator.exchanges()[0].method, "GET");
    });
}

#[test]
fn a_connector_that_is_denied_in_a_loop_fills_neither_report_nor_log() {
    run(async {
        let bench = open(Opening::users(3)).await;
        denial(bench.tenant.get_account("delete-a-thousand-times").await);
        let report = bench.last_report();
        assert_eq!(seen(&report), "denied a thousand times");
        assert_eq!(report.denials.len(), 100);
        assert_eq!(report.requests.len(), 100);
        assert_eq!(bench.simulator.request_count(), 0);
    });
}
