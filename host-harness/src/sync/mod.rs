//! Reads a tenant into a [store](crate::store), so that nothing is lost and
//! nothing is believed too easily.
//!
//! A run reads accounts, resources, entitlements, grants and last activity, page
//! by page. Each page is committed with the place at which the next one goes on,
//! so a run that was cut off, by whatever, is resumed by the next sync of the same
//! tenant, and ends as if it had not been. Within a run the same request gets the
//! same answer. When all is read it is held against itself and against the run
//! before; only what is plausible becomes the tenant's snapshot, in one
//! transaction, and only then an account that is not there any more counts as
//! gone.
//!
//! ```no_run
//! use host_harness::{Store, Tenant, sync::{self, Outcome, SyncOptions}};
//!
//! # async fn example(tenant: Tenant) -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("tenants.db".as_ref())?;
//! let options = SyncOptions::default();
//! match sync::run(&tenant, store, &options, &|_| {}).await? {
//!     Outcome::Complete(summary) => println!("run {}: {:?}", summary.run.id, summary.changes),
//!     Outcome::Refused(run) => println!("not plausible: {:?}", run.findings),
//!     Outcome::Stopped(run) => println!("run {} goes on with the next sync", run.id),
//!     Outcome::NotBegun => println!("stopped before there was a run"),
//! }
//! # Ok(()) }
//! ```

mod cache;
mod error;
mod integrity;
mod lookups;
mod progress;
mod reading;
mod shared;
mod stop;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use error::SyncError;
pub use progress::{Event, Observer, Progress};
pub use stop::Stop;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use cache::RunCache;
use integrity::Expected;
use reading::{Function, Read, Reading, pause, wait_before};
use shared::SharedStore;

use crate::{
    CallError, Connector, Tenant,
    contract::credentials::Tenant as Identity,
    store::{
        Changes, Finding, Run, RunBy, RunState, Severity, Store, StoreError, StoredNotice,
        StoredTenant,
    },
};

/// How a sync goes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SyncOptions {
    /// The operator's name for the tenant; what the vendor calls it if not said.
    pub tenant: Option<String>,
    /// Items of a page; as many as suit the connector if not said.
    pub page_size: Option<u32>,
    /// So many percent of the accounts, or of the grants of a type, may be gone
    /// since the last complete run.
    pub max_shrink: u8,
    /// Begin anew, even if a run was cut off.
    pub restart: bool,
    /// Go on with a run that was cut off only if it began no longer ago than that:
    /// what it has read is not read again.
    pub resume_within: Duration,
    /// Who accepts whatever is found, if somebody does.
    pub accept: Option<String>,
    /// Tells it to end at the next page.
    pub stop: Stop,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            tenant: None,
            page_size: None,
            // People leave and teams are dissolved, but not so many in a night.
            max_shrink: 30,
            restart: false,
            resume_within: Duration::from_secs(24 * 60 * 60),
            accept: None,
            stop: Stop::default(),
        }
    }
}

/// How a sync ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// What it read is the tenant's snapshot.
    Complete(Summary),
    /// What it read is not plausible: see the findings. Nothing is replaced. It
    /// can be accepted ([`accept`]) until the tenant is synced again.
    Refused(Run),
    /// It was told to stop. The next sync goes on.
    Stopped(Run),
    /// It was told to stop before there was a run.
    NotBegun,
}

/// What a complete run comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The run.
    pub run: Run,
    /// What has become different, by kind.
    pub changes: Vec<Changes>,
}

/// Syncs a tenant into a store. Goes on with a run that was cut off.
///
/// `observer` is told what happens, within the sync. Whoever drops the future ends
/// the sync as if it had been killed; what was read until then is still written, and
/// so long nobody else can sync the tenant.
pub async fn run(
    tenant: &Tenant,
    store: Store,
    options: &SyncOptions,
    observer: &Observer<'_>,
) -> Result<Outcome, SyncError> {
    let reader = Store::open_to_read(store.path())?.with_small_cache()?;
    let (reader, readers_thread) = SharedStore::new(reader)?;
    let (store, thread) = SharedStore::new(store)?;
    let outcome = run_into(store.clone(), reader, tenant, options, observer).await;
    readers_thread.closed().await;
    // Who goes last copies the log into the file, which a reader can't.
    drop(store);
    thread.closed().await;
    outcome
}

async fn run_into(
    store: SharedStore,
    reader: SharedStore,
    tenant: &Tenant,
    options: &SyncOptions,
    observer: &Observer<'_>,
) -> Result<Outcome, SyncError> {
    let began = Instant::now();
    let cache = Arc::new(RunCache::new(store.clone(), reader));
    let tenant = tenant.remembering(Arc::clone(&cache) as Arc<_>);
    // Whose is the credential? Asked each time, also by who goes on.
    let Some(identity) = whose_credential(&tenant, options, observer).await? else {
        return Ok(Outcome::NotBegun);
    };
    let connector = tenant.connector();
    let read_as = read_as(&tenant, &identity);
    let limits = identity.warnings.into_iter().map(|warning| StoredNotice {
        code: "credential-warning".to_owned(),
        message: warning,
        hint: None,
    });
    let limits: Vec<StoredNotice> = limits.collect();
    let stored = identified(&store, options, connector, identity.id).await?;
    store.lock(&stored).await?;
    let (run, resumed) = begin(&store, &stored, options, connector, read_as, limits).await?;
    cache.begin(run.id).await?;
    (observer)(Event::Began { run: &run, resumed });
    let previous = latest_complete(&store, &stored).await?;
    let expected = Arc::new(Expected {
        run: run.id,
        tenant: stored.id,
        previous: previous.as_ref().map(|run| run.id),
        types: connector.descriptor().entitlement_types.clone(),
        max_shrink: options.max_shrink,
    });
    let reading = Reading {
        tenant: &tenant,
        store: store.clone(),
        cache: Arc::clone(&cache),
        expected: Arc::clone(&expected),
        options,
        observer,
        requests_before: (run.requests, run.cached),
        requests_expected: previous.map(|run| run.requests),
        began,
    };
    for function in Function::ALL {
        match reading.read(function).await {
            Ok(Read::Through) => {}
            Ok(Read::Stopped) => {
                let run = store.with(move |store| current(store, &stored)).await?;
                return Ok(Outcome::Stopped(run));
            }
            Err(error) => {
                cache.count().await;
                return Err(error);
            }
        }
    }
    let accept = options.accept.clone();
    store
        .with(move |store| end(store, &expected, &stored, accept.as_deref()))
        .await
        .map_err(SyncError::from)
}

/// Accepts a refused run of a tenant, by its name: what was read then becomes the
/// snapshot, without asking the vendor. `by` says who.
pub async fn accept(store: Store, tenant: &str, by: &str) -> Result<Outcome, SyncError> {
    let nothing = || SyncError::NothingToAccept {
        tenant: tenant.to_owned(),
    };
    let stored = store.tenant(tenant)?.ok_or_else(nothing)?;
    let _lock = store.lock(&stored)?;
    let run = store
        .latest_run(&stored)?
        .filter(|run| run.state == RunState::Refused)
        .ok_or_else(nothing)?;
    let previous = store.latest_complete(&stored)?.map(|run| run.id);
    let by = by.to_owned();
    let (store, thread) = SharedStore::new(store)?;
    let summary = store
        .with(move |store| complete(store, &stored, run.id, previous, &run.findings, Some(&by)))
        .await;
    drop(store);
    thread.closed().await;
    Ok(Outcome::Complete(summary?))
}

/// The tenant in the store that a credential is for, if it is there: by what the
/// vendor calls it.
pub async fn whose(tenant: &Tenant, store: &Store) -> Result<Option<StoredTenant>, SyncError> {
    let identity = tenant
        .validate()
        .await
        .map_err(call("credentials.validate"))?;
    let app = &tenant.connector().descriptor().app_id;
    let mut known = store.tenants()?.into_iter().filter(|stored| {
        !identity.id.is_empty() && stored.vendor_id == identity.id && stored.app_id == *app
    });
    match (known.next(), known.next()) {
        (Some(_), Some(_)) => Err(SyncError::Ambiguous { found: identity.id }),
        (found, _) => Ok(found),
    }
}

/// Asked each time, also by who goes on. None if the sync is stopped meanwhile.
async fn whose_credential(
    tenant: &Tenant,
    options: &SyncOptions,
    observer: &Observer<'_>,
) -> Result<Option<Identity>, SyncError> {
    const FUNCTION: &str = "credentials.validate";
    let mut failures = 0;
    loop {
        let error = match tenant.validate().await {
            Ok(identity) => return Ok(Some(identity)),
            Err(error) => error,
        };
        failures += 1;
        match wait_before(&error, failures) {
            None => return Err(call(FUNCTION)(error)),
            Some(wait) => {
                if pause(options, observer, FUNCTION, &error, wait).await == Read::Stopped {
                    return Ok(None);
                }
            }
        }
    }
}

fn call(function: &'static str) -> impl Fn(CallError) -> SyncError {
    move |error| SyncError::Call {
        function,
        error: Box::new(error),
    }
}

/// Digest of all that decides what a run can see: whose credential it is, and
/// where the connector is sent with which settings. No secret is in it.
fn read_as(tenant: &Tenant, identity: &Identity) -> String {
    let origins: Vec<String> = tenant.grant().origins().map(ToString::to_string).collect();
    let text = serde_json::json!([
        identity.acting_as,
        identity.role,
        tenant.settings(),
        origins
    ]);
    let digest = Sha256::digest(text.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tenant in the store that the credential is for.
async fn identified(
    store: &SharedStore,
    options: &SyncOptions,
    connector: &Connector,
    vendor_id: String,
) -> Result<StoredTenant, SyncError> {
    let name = match &options.tenant {
        Some(name) => name.clone(),
        None if vendor_id.is_empty() => return Err(SyncError::Unnamed),
        None => vendor_id.clone(),
    };
    let app = &connector.descriptor().app_id;
    let entered = {
        let (name, app, vendor_id) = (name.clone(), app.clone(), vendor_id.clone());
        store.with(move |store| store.enter_tenant(&name, &app, &vendor_id))
    };
    let stored = entered.await?;
    if stored.app_id != *app {
        return Err(SyncError::OtherApplication {
            name,
            known: stored.app_id,
            found: app.clone(),
        });
    }
    if stored.vendor_id != vendor_id {
        return Err(SyncError::OtherTenant {
            name,
            known: stored.vendor_id,
            found: vendor_id,
        });
    }
    Ok(stored)
}

async fn latest_complete(
    store: &SharedStore,
    tenant: &StoredTenant,
) -> Result<Option<Run>, StoreError> {
    let tenant = tenant.clone();
    let latest = store.with(move |store| store.latest_complete(&tenant));
    latest.await
}

/// The run to read, and how many pages it has if it goes on.
async fn begin(
    store: &SharedStore,
    stored: &StoredTenant,
    options: &SyncOptions,
    connector: &Connector,
    read_as: String,
    mut notices: Vec<StoredNotice>,
) -> Result<(Run, Option<u64>), SyncError> {
    let (stored, options, connector) = (stored.clone(), options.clone(), connector.clone());
    let begun = store.with(move |store| {
        let by = RunBy {
            version: &connector.descriptor().version,
            sha256: connector.sha256(),
            read_as: &read_as,
        };
        let cut_off = store
            .latest_run(&stored)?
            .filter(|run| run.state == RunState::Running && !options.restart);
        if let Some(run) = cut_off {
            match left_behind(&run, &read_as, options.resume_within) {
                None => {
                    store.resume_run(run.id, by)?;
                    let checkpoints = store.checkpoints(run.id)?;
                    let pages = checkpoints.iter().map(|checkpoint| checkpoint.pages).sum();
                    return Ok((current(store, &stored)?, Some(pages)));
                }
                Some(why) => notices.push(StoredNotice {
                    code: "begun-anew".to_owned(),
                    message: format!("run {} was cut off and is not gone on with: {why}", run.id),
                    hint: None,
                }),
            }
        }
        store.begin_run(&stored, by, &notices)?;
        Ok((current(store, &stored)?, None))
    });
    Ok(begun.await?)
}

/// Why a run that was cut off is not gone on with, if it is not: half of what it
/// would show would be of another time, or seen by somebody else.
fn left_behind(run: &Run, read_as: &str, resume_within: Duration) -> Option<String> {
    let age = Timestamp::now().duration_since(run.began_at);
    if run.read_as != read_as {
        return Some("it was begun with another credential, or with other settings".to_owned());
    }
    let is_old = age > SignedDuration::try_from(resume_within).unwrap_or(SignedDuration::MAX);
    is_old.then(|| format!("it began at {}", run.began_at))
}

/// All is read: is it plausible, or accepted?
fn end(
    store: &mut Store,
    expected: &Expected,
    tenant: &StoredTenant,
    accept: Option<&str>,
) -> Result<Outcome, StoreError> {
    let began = Instant::now();
    let findings = store.read(|connection| expected.findings(connection))?;
    tracing::debug!(target: "harness::sync", elapsed = ?began.elapsed(), "checked");
    let is_refused = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    if is_refused && accept.is_none() {
        store.refuse(expected.run, &findings)?;
        return Ok(Outcome::Refused(current(store, tenant)?));
    }
    let by = accept.filter(|_| is_refused);
    let summary = complete(
        store,
        tenant,
        expected.run,
        expected.previous,
        &findings,
        by,
    )?;
    Ok(Outcome::Complete(summary))
}

fn complete(
    store: &mut Store,
    tenant: &StoredTenant,
    run: i64,
    previous: Option<i64>,
    findings: &[Finding],
    by: Option<&str>,
) -> Result<Summary, StoreError> {
    let began = Instant::now();
    let changes = store.complete(run, tenant.id, previous, findings, by)?;
    tracing::debug!(target: "harness::sync", elapsed = ?began.elapsed(), "swapped in");
    Ok(Summary {
        run: current(store, tenant)?,
        changes,
    })
}

/// The latest run of a tenant that has one.
fn current(store: &Store, tenant: &StoredTenant) -> Result<Run, StoreError> {
    let run = store.latest_run(tenant)?;
    run.ok_or_else(|| StoreError::Database {
        path: store.path().to_owned(),
        cause: format!("the tenant `{}` has lost its run", tenant.name),
    })
}
