//! A simulated tenant, opened through the host.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, LazyLock, Mutex},
};

use host_harness::{
    Budget, CallError, CallReport, Connector, Credential, Engine, EngineConfig, Grant, Network,
    Tenant, TenantConfig,
    contract::types::{self, PageRequest},
};
use pagerduty_simulator::{Certificate, Config, Listening, Simulator, TOKENS};

use crate::leaks;

/// Compiled once for all tests.
static CONNECTOR: LazyLock<(Engine, Connector)> = LazyLock::new(|| {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        runtime.block_on(async {
            let engine = Engine::new(EngineConfig::default()).expect("an engine");
            let connector = Connector::bundled(&engine).await.expect("it loads");
            (engine, connector)
        })
    })
    .join()
    .expect("it loads")
});

/// One certificate for all tests: making one takes longer than a test.
static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::generate().expect("a certificate"));

pub fn engine() -> &'static Engine {
    &CONNECTOR.0
}

pub fn connector() -> &'static Connector {
    &CONNECTOR.1
}

pub fn certificate() -> &'static Certificate {
    &CERTIFICATE
}

/// Runs a test's future on a runtime of its own. All that is logged meanwhile,
/// here and on other threads, is searched for credentials.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    leaks::watch_log();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads")
        .block_on(test)
}

/// The same on one thread, as a replay has it.
pub fn run_on_one_thread<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread")
        .block_on(test)
}

/// A simulated tenant that has been opened.
pub struct Bench {
    pub simulator: Simulator,
    pub tenant: Tenant,
    pub reports: Arc<Mutex<Vec<CallReport>>>,
    /// What the tenant was opened with, but for what keeps `reports`.
    pub config: TenantConfig,
    _listening: Listening,
}

/// How to open it, where the defaults don't do.
pub struct Opening {
    pub config: Config,
    pub token: &'static str,
    pub settings: Vec<(&'static str, &'static str)>,
    pub budget: Budget,
    /// Whether the operator grants writes.
    pub writes: bool,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            config: Config {
                users: 60,
                ..Config::default()
            },
            token: TOKENS.owner,
            settings: Vec::new(),
            budget: Budget::default(),
            writes: false,
        }
    }
}

impl Opening {
    /// The operator grants writes.
    pub fn writing(mut self) -> Self {
        self.writes = true;
        self
    }

    pub fn users(users: usize) -> Self {
        let mut opening = Self::default();
        opening.config.users = users;
        opening
    }

    pub async fn open(self) -> Bench {
        self.open_with(connector()).await
    }

    /// Opens it through another connector than the bundled one, which is
    /// granted what it asks for.
    pub async fn open_with(self, connector: &Connector) -> Bench {
        let simulator = Simulator::new(self.config.clone());
        self.open_on(simulator, connector).await
    }

    /// Opens a tenant that is there already.
    pub async fn open_on(self, simulator: Simulator, connector: &Connector) -> Bench {
        let listening = simulator
            .listen_tls(([127, 0, 0, 1], 0).into(), certificate())
            .await
            .expect("a free port");
        let mut network = Network::default()
            .trust_pem(certificate().ca_pem().as_bytes())
            .expect("the simulator's own authority");
        let mut grant = if self.writes {
            Grant::read_write()
        } else {
            Grant::read_only()
        };
        for origin in connector.origins() {
            network = network.route(origin.clone(), listening.addr());
            grant = grant.origin(origin.clone());
        }
        let mut config = TenantConfig::new(grant)
            .credential(Credential::token(self.token).expect("a token"))
            .network(network)
            .budget(self.budget);
        for (name, value) in self.settings {
            config = config.setting(name, value);
        }
        config = config.observe(leaks::watch_report);
        let reports: Arc<Mutex<Vec<CallReport>>> = Arc::default();
        let seen = Arc::clone(&reports);
        let observed = config.clone().observe(move |report| {
            leaks::watch_report(report);
            seen.lock().expect("no panic").push(report.clone());
        });
        Bench {
            simulator,
            tenant: connector.open(observed).expect("it opens"),
            reports,
            config,
            _listening: listening,
        }
    }
}

impl Bench {
    /// The report of the latest call.
    pub fn last_report(&self) -> CallReport {
        let reports = self.reports.lock().expect("no panic");
        reports.last().expect("a call was made").clone()
    }

    /// How many requests all calls together made.
    pub fn requests(&self) -> usize {
        let reports = self.reports.lock().expect("no panic");
        reports.iter().map(|report| report.requests.len()).sum()
    }
}

pub fn page(size: Option<u32>) -> PageRequest {
    PageRequest { token: None, size }
}

macro_rules! all {
    ($($name:ident: $method:ident -> $item:ty;)*) => {
        $(pub async fn $name(
            tenant: &Tenant,
            size: Option<u32>,
        ) -> Result<(Vec<$item>, BTreeSet<String>), CallError> {
            let mut items = Vec::new();
            let mut notices = BTreeSet::new();
            let mut token = None;
            loop {
                let page = tenant.$method(PageRequest { token, size }).await?;
                if let Some(size) = size {
                    assert!(page.items.len() <= size as usize, "a page may not exceed its size");
                }
                items.extend(page.items);
                notices.extend(page.notices.into_iter().map(|notice| notice.code));
                match page.next {
                    Some(next) => token = Some(next),
                    None => return Ok((items, notices)),
                }
            }
        })*
    };
}

all! {
    all_accounts: list_accounts -> types::Account;
    all_resources: list_resources -> types::Resource;
    all_entitlements: list_entitlements -> types::Entitlement;
    all_grants: list_grants -> types::Grant;
}

/// A grant as a key.
pub fn grant_key(grant: &types::Grant) -> (String, String, String, String) {
    let entitlement = &grant.entitlement;
    (
        grant.account.clone(),
        entitlement.entitlement_type.clone(),
        entitlement.id.clone(),
        entitlement.resource.clone(),
    )
}

/// The contract's error of a call that must fail with one.
#[track_caller]
pub fn contract_error<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> types::Error {
    if let Err(error) = &outcome {
        leaks::assert_clean_error(error);
    }
    match outcome {
        Err(CallError::Connector { error, .. }) => *error,
        other => panic!("expected an error of the contract, got {other:?}"),
    }
}
