//! Generations of connectors: what takes over, what is refused, what goes back,
//! and what a restart finds.
//!
//! The second version of the connector is built from the same source. Where many
//! digests are needed, versions are its bytes with another number; what crashes or
//! claims what it is not is the hostile connector.

mod audit;
mod candidate;
mod probation;
mod refusals;
mod restart;
mod shadow;
mod signatures;
pub mod storm;
mod swap;
mod tenant;
mod watch;

use std::{fs, path::Path, sync::LazyLock};

use host_harness::{
    CallError, Credential, Engine, EngineConfig, Grant, TenantConfig,
    connector::BUNDLED,
    contract::types::Account,
    egress::cassette::Cassette,
    registry::{
        LoadRequest, Pinned, Registry, RegistryConfig,
        audit::{AuditEvent, AuditRecord},
    },
};
use pagerduty_simulator::TOKENS;
use tempfile::TempDir;

use crate::{components, hostile};

/// With a cache: these tests load the same few components over and over.
static ENGINE: LazyLock<(Engine, TempDir)> = LazyLock::new(|| {
    let cache = tempfile::tempdir().expect("a folder");
    (engine_with_cache(cache.path()), cache)
});

fn engine() -> &'static Engine {
    &ENGINE.0
}

fn engine_with_cache(folder: &Path) -> Engine {
    let mut config = EngineConfig::default();
    config.cache = Some(folder.to_owned());
    Engine::new(config).expect("an engine")
}

/// The bundled connector with another number, as if built anew.
pub fn version(version: &str) -> Vec<u8> {
    let new = format!("{version}Reads users");
    components::with_text(BUNDLED, b"0.1.0Reads users", new.as_bytes())
}

/// The connector's second version, 0.2.0. In what it differs is said in words: see
/// `guest/src/second_version.rs`.
pub fn second_version(differences: &str) -> Vec<u8> {
    static SECOND: LazyLock<Vec<u8>> =
        LazyLock::new(|| components::build("pagerduty-connector", &["second-version"]));
    components::with_slot(&SECOND, b"the-second-version-differs-here:", differences)
}

pub fn load(bytes: &[u8]) -> LoadRequest {
    LoadRequest::bytes("a test", bytes, "ada")
}

/// Recordings of the connector, and one of another one, which is none of its
/// business.
pub fn recordings() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let of = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/");
    for name in ["entitlements.json", "account.json"] {
        fs::copy(format!("{of}{name}"), folder.path().join(name)).expect("copied");
    }
    let path = format!("{of}account.json");
    let mut other = Cassette::read(path.as_ref()).expect("a cassette");
    other.harness.connector.app_id = "other".to_owned();
    other.interactions.clear();
    let file = folder.path().join("other.json");
    other.write(&file).expect("written");
    folder
}

pub fn config(folder: &Path) -> RegistryConfig {
    RegistryConfig::new(folder)
}

pub async fn open(config: RegistryConfig) -> Registry {
    Registry::open(engine(), config).await.expect("it opens")
}

/// The version of `pagerduty` that serves, if one does.
fn serving(registry: &Registry) -> Option<String> {
    let pinned = registry.current("pagerduty")?;
    Some(pinned.descriptor().version.clone())
}

fn events(registry: &Registry) -> Vec<AuditEvent> {
    let records = registry.history(None).expect("the chain holds");
    records.into_iter().map(|record| record.event).collect()
}

/// The latest record of that kind. Others may follow by themselves: the calls of
/// a replaced generation end when they end.
fn last(registry: &Registry, event: AuditEvent) -> AuditRecord {
    let records = registry.history(None).expect("the chain holds");
    let mut found = records.into_iter().filter(|record| record.event == event);
    found.next_back().expect("a record")
}

/// Waits until the registry has said so.
async fn until(registry: &Registry, condition: impl Fn(&Registry) -> bool) {
    let mut changes = registry.changes();
    while !condition(registry) {
        // What is dropped is gone a moment after that was told.
        let change =
            tokio::time::timeout(std::time::Duration::from_millis(100), changes.changed()).await;
        change.unwrap_or(Ok(())).expect("the registry is there");
    }
}

/// A call of the hostile connector that needs no vendor.
async fn call_hostile(pinned: &Pinned) -> Result<Account, CallError> {
    let config = TenantConfig::new(Grant::read_only())
        .credential(Credential::token(TOKENS.account).expect("a token"));
    let tenant = pinned.open(config).expect("it opens");
    let outcome = tenant.get_account("nobody").await;
    pinned.report(&outcome);
    outcome
}

fn hostile(variant: &str) -> LoadRequest {
    load(&hostile::variant(variant))
}
