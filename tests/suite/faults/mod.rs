//! What goes wrong on purpose, and what becomes of it: every function of the
//! contract × every fault. Each cell says what comes of it, and an absent cell
//! is an error. Whatever it is, the next call works.

mod reads;
mod recorded;
mod stage;
mod table;
mod writes;

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use host_harness::{
    Budget, CallError, Connector, Engine, EngineConfig, Tenant, TenantConfig,
    contract::types::ErrorCode,
    egress::{
        cassette::{RecordedFrom, Recorder},
        faults::FaultPlan,
    },
};
use jiff::Timestamp;

use self::table::Disturbance;
use crate::leaks::assert_clean_error;

/// How many cells are played at the same time. Most of them wait, for the next
/// attempt at a request.
const AT_ONCE: usize = 64;

/// An engine for so many calls.
static CONNECTOR: LazyLock<(Engine, Connector)> = LazyLock::new(|| {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        runtime.block_on(async {
            let mut config = EngineConfig::default();
            config.concurrent_calls = u32::try_from(2 * AT_ONCE).expect("a few");
            let engine = Engine::new(config).expect("an engine");
            let connector = Connector::bundled(&engine).await.expect("it loads");
            (engine, connector)
        })
    })
    .join()
    .expect("it loads")
});

fn connector() -> &'static Connector {
    &CONNECTOR.1
}

/// The tenant at that time.
fn at(config: TenantConfig, now: Timestamp) -> TenantConfig {
    // A recorded call sees the recorder's clock.
    let recorder = Recorder::new(RecordedFrom::Simulator, now, [1; 32]);
    config.record(Arc::new(recorder))
}

/// A tenant in which that goes wrong.
fn open(config: TenantConfig, disturbance: &Disturbance) -> (Tenant, FaultPlan) {
    let plan = disturbance.plan();
    let budget = Budget::with_deadline(deadline(disturbance));
    let config = config.faults(plan.clone()).budget(budget);
    (connector().open(config).expect("it opens"), plan)
}

/// A tenant in which nothing goes wrong.
fn open_undisturbed(config: TenantConfig) -> Tenant {
    let config = config.budget(Budget::with_deadline(PLENTY));
    connector().open(config).expect("it opens")
}

/// More than a call needs, however slow the machine is.
const PLENTY: Duration = Duration::from_secs(180);

/// What goes on until the call's time is over gets less of it.
fn deadline(disturbance: &Disturbance) -> Duration {
    match disturbance.name {
        // Waits of 1, 2, 4, 8, 16 s: the last one is too long by far.
        "429" if disturbance.strikes.goes_on() => Duration::from_secs(30),
        "slow-drip" => Duration::from_secs(10),
        _ => PLENTY,
    }
}

/// Whether a call ended because its time did, and whether it says that something
/// may have been changed.
fn out_of_time(error: &CallError) -> Option<bool> {
    match (error, contract_failure(error)) {
        (_, Some((ErrorCode::BudgetExhausted, may_have_applied))) => Some(may_have_applied),
        // The host says nothing of that: whoever reads it must expect it.
        (CallError::Deadline(_), _) => Some(true),
        _ => None,
    }
}

/// What a call failed with, if that is an error of the contract: its code, and
/// whether something may have been changed.
fn contract_failure(error: &CallError) -> Option<(ErrorCode, bool)> {
    assert_clean_error(error);
    match error {
        CallError::Connector { error, .. } => Some((error.code, error.may_have_applied)),
        _ => None,
    }
}

/// Plays cells, each of which returns what is wrong with it.
async fn play_all<F: Future<Output = Option<String>>>(what: &str, cells: Vec<F>) {
    println!("{} cells: {what}", cells.len());
    let outcomes = stream::iter(cells).buffer_unordered(AT_ONCE);
    let wrong: BTreeSet<String> = outcomes.filter_map(std::future::ready).collect().await;
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(
        wrong.is_empty(),
        "{} cells: {}",
        wrong.len(),
        wrong.join("\n")
    );
}
