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

use std::{sync::Arc, time::Instant};

pub use error::SyncError;
pub use progress::{Event, Observer, Progress};
pub use stop::Stop;

use serde::Serialize;

use cache::RunCache;
use integrity::Expected;
use reading::{Function, Read, Reading};
use shared::SharedStore;

use crate::{
    Connector, Tenant,
    store::{Changes, Finding, Run, RunBy, RunState, Severity, Store, StoreError, StoredTenant},
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
/// `observer` is told what happens, within the sync.
pub async fn run(
    tenant: &Tenant,
    store: Store,
    options: &SyncOptions,
    observer: &Observer<'_>,
) -> Result<Outcome, SyncError> {
    let began = Instant::now();
    let store = SharedStore::new(store);
    let cache = Arc::new(RunCache::new(store.clone()));
    let tenant = tenant.remembering(Arc::clone(&cache) as Arc<_>);
    // Whose is the credential? Asked each time, also by who goes on.
    let identity = tenant.validate().await.map_err(|error| SyncError::Call {
        function: "credentials.validate",
        error: Box::new(error),
    })?;
    let connector = tenant.connector();
    let stored = identified(&store, options, connector, identity.id)?;
    let _lock = store.now().lock(&stored)?;
    let (run, resumed) = begin(&store, &stored, options, connector).await?;
    cache.begin(run.id)?;
    (observer)(Event::Began { run: &run, resumed });
    let previous = store.now().latest_complete(&stored)?;
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
            Ok(Read::Stopped) => return Ok(Outcome::Stopped(current(&store.now(), &stored)?)),
            Err(error) => {
                cache.count();
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
    if !store.is_staged(run.id)? {
        return Err(nothing());
    }
    let previous = store.latest_complete(&stored)?.map(|run| run.id);
    let by = by.to_owned();
    let store = SharedStore::new(store);
    let summary = store
        .with(move |store| complete(store, &stored, run.id, previous, &run.findings, Some(&by)))
        .await?;
    Ok(Outcome::Complete(summary))
}

/// The tenant in the store that the credential is for.
fn identified(
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
    let stored = store.now().enter_tenant(&name, app, &vendor_id)?;
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

/// The run to read, and how many pages it has if it goes on.
async fn begin(
    store: &SharedStore,
    stored: &StoredTenant,
    options: &SyncOptions,
    connector: &Connector,
) -> Result<(Run, Option<u64>), SyncError> {
    let (stored, restart, connector) = (stored.clone(), options.restart, connector.clone());
    let begun = store.with(move |store| {
        let by = RunBy {
            version: &connector.descriptor().version,
            sha256: connector.sha256(),
        };
        let cut_off = store
            .latest_run(&stored)?
            .filter(|run| run.state == RunState::Running && !restart);
        let resumed = match &cut_off {
            Some(run) => {
                store.resume_run(run.id, by)?;
                let checkpoints = store.checkpoints(run.id)?;
                Some(checkpoints.iter().map(|checkpoint| checkpoint.pages).sum())
            }
            None => {
                store.begin_run(&stored, by)?;
                None
            }
        };
        Ok((current(store, &stored)?, resumed))
    });
    Ok(begun.await?)
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
