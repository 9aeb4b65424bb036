//! Many clients, and generations that change under them: no call fails, and none
//! mixes generations.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use host_harness::{
    CallReport, Tenant, TenantConfig,
    connector::BUNDLED,
    registry::{Registry, audit::AuditEvent},
};

use pagerduty_simulator::Simulator;

use super::{config, events, load, open, second_version};
use crate::support::{Bench, Opening, page, run};

/// Somebody who calls, in a way of its own.
pub trait Client: Send + 'static {
    /// Makes a call, which has to succeed. Returns the versions of the connector
    /// of which it has seen a trace: in the answer, in the requests.
    fn call(&mut self) -> impl Future<Output = BTreeSet<String>> + Send;
}

/// How it storms.
pub struct Storm {
    pub swaps: u64,
    /// A generation serves at least so long, and at least one call.
    pub pace: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Tally {
    /// Calls by the version that answered them.
    pub calls: BTreeMap<String, u64>,
    pub elapsed: Duration,
    /// Bytes of memory in use, where the system tells: when both versions had
    /// served, and when all was over.
    pub resident: Option<(u64, u64)>,
}

/// Swaps the bundled connector and its second version, which differs in names and
/// requests, while the clients call. The former has to serve already.
pub async fn storm<C: Client>(registry: &Registry, storm: &Storm, clients: Vec<C>) -> Tally {
    let versions = [BUNDLED.to_owned(), second_version("names requests")];
    let began = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let calls: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let clients: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (over, calls) = (Arc::clone(&over), Arc::clone(&calls));
            tokio::spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    let mut versions = client.call().await.into_iter();
                    let version = versions.next().expect("it has seen one");
                    assert_eq!(versions.next(), None, "a call mixes generations: {version}");
                    *calls.lock().expect("no panic").entry(version).or_default() += 1;
                }
            })
        })
        .collect();
    let served = |version: &str| {
        let calls = calls.lock().expect("no panic");
        calls.get(version).copied().unwrap_or_default()
    };
    let mut resident_before = None;
    for swap in 1..=storm.swaps {
        let serves = ["0.1.0", "0.2.0"][usize::from(swap % 2 == 0)];
        let before = served(serves);
        tokio::time::sleep(storm.pace).await;
        while served(serves) == before {
            assert!(
                clients.iter().all(|client| !client.is_finished()),
                "a client has given up"
            );
            tokio::task::yield_now().await;
        }
        if swap == storm.swaps.min(10) {
            resident_before = resident();
        }
        let next = &versions[usize::from(swap % 2 == 1)];
        let report = registry.load(load(next)).await.expect("it is sound");
        assert!(report.replaced.is_some() && !report.unchanged);
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("no call failed");
    }
    // The one that serves and the one to return to; no other is in memory.
    while registry.in_memory() > 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let swaps = events(registry)
        .into_iter()
        .filter(|event| *event == AuditEvent::Swap);
    assert_eq!(swaps.count() as u64, storm.swaps + 1);
    Tally {
        calls: calls.lock().expect("no panic").clone(),
        elapsed: began.elapsed(),
        resident: resident_before.zip(resident()),
    }
}

impl Tally {
    /// A leak of a version each, and there were hundreds, would show in a multiple
    /// of that.
    pub fn assert_memory_is_back(&self) {
        if let Some((before, after)) = self.resident {
            assert!(after < before + before / 2, "{self}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: u64 = self.calls.values().sum();
        write!(f, "{calls} calls in {:?}", self.elapsed)?;
        if let Some((before, after)) = self.resident {
            let (before, after) = (before >> 20, after >> 20);
            write!(
                f,
                "; resident: {before} MiB after ten swaps, {after} MiB in the end"
            )?;
        }
        Ok(())
    }
}

/// Memory of this process, as Linux tells.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Calls the library, and takes its tenant along from generation to generation.
struct InProcess {
    registry: Registry,
    config: TenantConfig,
    tenant: Option<(u64, Tenant)>,
    /// Of a page; a small one takes a few requests, the default a dozen.
    size: Option<u32>,
    reports: Arc<Mutex<Vec<CallReport>>>,
}

impl InProcess {
    fn new(registry: &Registry, bench: &Bench, size: Option<u32>) -> Self {
        let reports: Arc<Mutex<Vec<CallReport>>> = Arc::default();
        let seen = Arc::clone(&reports);
        Self {
            registry: registry.clone(),
            config: bench.config.clone().observe(move |report| {
                seen.lock().expect("no panic").push(report.clone());
            }),
            tenant: None,
            size,
            reports,
        }
    }
}

impl Client for InProcess {
    async fn call(&mut self) -> BTreeSet<String> {
        let pinned = self.registry.current("pagerduty").expect("one serves");
        let generation = pinned.generation();
        let tenant = match self.tenant.take() {
            None => pinned.open(self.config.clone()).expect("it opens"),
            Some((known, tenant)) if known == generation => tenant,
            Some((_, tenant)) => {
                let grant = tenant.grant().clone();
                tenant.reopened_on(&pinned, grant).expect("it opens")
            }
        };
        let outcome = tenant.list_entitlements(page(self.size)).await;
        pinned.report(&outcome);
        self.tenant = Some((generation, tenant));
        let answer = outcome.unwrap_or_else(|error| panic!("a call failed: {error}"));

        let mut versions = BTreeSet::from([pinned.descriptor().version.clone()]);
        for entitlement in &answer.items {
            match entitlement.label.as_str() {
                "Responder" if entitlement.ref_.id == "limited_user" => {
                    versions.insert("0.1.0".to_owned());
                }
                "Responder of 0.2.0" => {
                    versions.insert("0.2.0".to_owned());
                }
                _ => {}
            }
        }
        let reports = std::mem::take(&mut *self.reports.lock().expect("no panic"));
        let requests = reports.iter().flat_map(|report| &report.requests);
        versions.extend(requests.map(|request| version_of(&request.uri).to_owned()));
        versions
    }
}

/// Whose request it is.
fn version_of(uri: &str) -> &'static str {
    if uri.contains("client_version=0.2.0") {
        "0.2.0"
    } else {
        "0.1.0"
    }
}

#[test]
fn calls_through_many_swaps_all_succeed_and_none_mixes_generations() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        bench.simulator.keep_exchanges(true);
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let clients = (0..8).map(|_| InProcess::new(&registry, &bench, None));
        let clients = clients.collect();
        let plan = Storm {
            swaps: 40,
            pace: Duration::ZERO,
        };
        let tally = storm(&registry, &plan, clients).await;
        assert!(tally.calls.values().all(|calls| *calls >= 20), "{tally:?}");
        // What arrived says the same as what was reported.
        assert_each_request_is_of_one_version(&bench.simulator);
    });
}

/// The two versions differ in a header and in a parameter of each request.
pub fn assert_each_request_is_of_one_version(simulator: &Simulator) {
    let exchanges = simulator.exchanges();
    assert!(exchanges.len() > 100);
    for exchange in exchanges {
        let headers = exchange.request_headers.iter();
        let mut agents = headers.filter(|(name, _)| name == "user-agent");
        let agent = agents.next().map(|(_, value)| value.as_str());
        let parameters = exchange.query.iter();
        let query: String = parameters
            .map(|(name, value)| format!("{name}={value}&"))
            .collect();
        let expected = format!("pagerduty-connector/{}", version_of(&query));
        assert_eq!(agent, Some(expected.as_str()));
    }
}

#[test]
#[ignore = "takes half a minute and more: `cargo test storm -- --ignored --nocapture`"]
fn sixty_four_clients_call_through_two_hundred_swaps() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = open(config(folder.path())).await;
        registry.load(load(BUNDLED)).await.expect("it is sound");
        let clients = (0..64).map(|_| InProcess::new(&registry, &bench, Some(10)));
        let clients = clients.collect();
        let plan = Storm {
            swaps: 200,
            pace: Duration::from_millis(150),
        };
        let tally = storm(&registry, &plan, clients).await;
        println!("{tally}");
        tally.assert_memory_is_back();
    });
}
