//! A tenant that goes on while the generations of its connector change.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use host_harness::{
    Credential, Grant, Network, OpenError, Resolve, TenantConfig, connector::BUNDLED,
};
use pagerduty_simulator::{Config, Simulator, TOKENS};

use super::{config, hostile, load, open, version};
use crate::support::{certificate, page, run};

/// Says where the simulator is, and counts how often it was asked: once per
/// connection.
#[derive(Clone)]
struct Counting {
    asked: Arc<AtomicUsize>,
    address: SocketAddr,
}

impl Resolve for Counting {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let address = self.address;
        Box::pin(async move { Ok(vec![address]) })
    }
}

#[test]
fn a_tenant_keeps_its_connections_and_its_rate_limit_across_generations() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let simulator = Simulator::new(Config {
            limit: Some(960),
            ..Config::default()
        });
        let listening = simulator
            .listen_tls(([127, 0, 0, 1], 0).into(), certificate())
            .await
            .expect("a free port");
        let resolver = Counting {
            asked: Arc::default(),
            address: listening.addr(),
        };
        let asked = || resolver.asked.load(Ordering::SeqCst);
        let network = Network::default()
            .resolver(resolver.clone())
            .trust_pem(certificate().ca_pem().as_bytes())
            .expect("the simulator's own authority");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let first = registry.current("pagerduty").expect("one serves");
        let origin = &first.origins()[0];
        let grant = Grant::read_only().private_network(origin.clone());
        let opened = TenantConfig::new(grant.clone())
            .network(network)
            .credential(Credential::token(TOKENS.owner).expect("a token"));
        let tenant = first.open(opened).expect("it opens");
        tenant.list_accounts(page(Some(5))).await.expect("listed");
        let connections = asked();
        assert!(connections > 0);

        let next = version("0.2.0");
        registry.load(load(&next)).await.expect("it is sound");
        let second = registry.current("pagerduty").expect("one serves");
        let reopened = tenant
            .reopened_on(&second, tenant.grant().clone())
            .expect("it takes the same");
        assert_eq!(reopened.connector().descriptor().version, "0.2.0");
        assert_eq!(tenant.connector().descriptor().version, "0.1.0");
        let limit = reopened.rate_limit().expect("known from before");
        reopened.list_accounts(page(Some(5))).await.expect("listed");
        assert_eq!(asked(), connections, "no other connection");
        let less = tenant.rate_limit().expect("known").remaining;
        assert!(less < limit.remaining, "the older one knows as well");

        // One that may go elsewhere has connections of its own: they were made
        // under another grant.
        let elsewhere = grant.origin("https://example.com".parse().expect("an origin"));
        let elsewhere = tenant.reopened_on(&second, elsewhere).expect("it opens");
        elsewhere
            .list_accounts(page(Some(5)))
            .await
            .expect("listed");
        assert!(asked() > connections);
    });
}

#[test]
fn a_tenant_is_not_reopened_on_a_version_that_does_not_take_its_settings() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        registry.load(hostile("sound")).await.expect("it is sound");
        let pinned = registry.current("pagerduty").expect("one serves");
        let other = registry.current("hostile").expect("one serves");
        let tenant = pinned
            .open(TenantConfig::new(Grant::read_only()).setting("region", "eu"))
            .expect("it opens");
        let refused = tenant.reopened_on(&other, Grant::read_only());
        let error = refused.expect_err("it has no settings");
        assert!(matches!(error, OpenError::Setting(_)), "{error}");
    });
}
