//! Where a connector can't get to, whatever it calls the place, and whoever
//! answers for the name.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use host_harness::{Credential, Grant, Network, Resolve, TenantConfig};

use super::{HOSTILE, denial, open, seen};
use crate::support::{Opening, run};

#[test]
fn no_spelling_of_an_inner_address_is_a_place_that_was_granted() {
    run(async {
        let bench = open(Opening::users(3).writing()).await;
        for authority in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "017700000001",
            "0",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1%25eth0]",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[fd00:ec2::254]",
            "metadata.google.internal",
            "localhost",
            "localhost.",
            "api.pagerduty.com.evil.example",
            "api.pagerduty.com:444",
            "api.pagerduty.com\\@evil.example",
            "evil.example#api.pagerduty.com",
            "evil.example?api.pagerduty.com",
        ] {
            let outcome = bench.tenant.get_account(&format!("at:{authority}")).await;
            let report = bench.last_report();
            if report.requests.is_empty() {
                // Not even a request: `wasi:http` does not take it.
                assert!(seen(&report).contains("no such authority"), "{authority}");
            } else {
                let denial = denial(outcome);
                assert_eq!(denial.rule(), "granted-origin", "{authority}: {denial}");
            }
        }
        assert_eq!(bench.simulator.request_count(), 0);
        // Another spelling of the place that was granted leads there.
        for authority in [
            "API.PagerDuty.com",
            "api.pagerduty.com.",
            "api.pagerduty.com:443",
        ] {
            let account = bench.tenant.get_account(&format!("at:{authority}")).await;
            account.unwrap_or_else(|error| panic!("{authority}: {error}"));
        }
        assert_eq!(bench.simulator.request_count(), 3);
    });
}

/// Answers for every name with these.
struct Answers {
    addresses: Vec<IpAddr>,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Answers {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let addresses = self.addresses.iter();
        let addresses = addresses.map(|address| SocketAddr::new(*address, port));
        let addresses = addresses.collect();
        Box::pin(async move { Ok(addresses) })
    }
}

#[test]
fn a_granted_name_that_leads_inside_is_not_followed() {
    run(async {
        for addresses in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.7",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fe80::1",
            "fd00:ec2::254",
            "127.0.0.1 169.254.169.254 ::1",
        ] {
            let asked = Arc::new(AtomicUsize::new(0));
            let answers = Answers {
                addresses: addresses
                    .split(' ')
                    .map(|address| address.parse().expect("an address"))
                    .collect(),
                asked: Arc::clone(&asked),
            };
            let origin = "https://api.pagerduty.com".parse().expect("an origin");
            let config = TenantConfig::new(Grant::read_only().origin(origin))
                .credential(Credential::token("some-secret-token").expect("a token"))
                .network(Network::default().resolver(answers));
            let tenant = HOSTILE.open(config).expect("it opens");
            let denial = denial(tenant.get_account("read").await);
            assert_eq!(denial.rule(), "public-address", "{addresses}: {denial}");
            assert_eq!(asked.load(Ordering::SeqCst), 1, "one look decides");
        }
    });
}
