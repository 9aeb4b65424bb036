//! One call: a store of its own, with its limits, clocks, random numbers and
//! way out. A trap poisons the whole store, so none is used twice.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng};
use wasmtime::{
    ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder, Trap,
    component::{HasData, ResourceTable},
};
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    cli::{WasiCliCtxView, WasiCliView},
    random::WasiRandomCtx,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{CallClock, Engine, GuestLog, Mode};
use crate::egress::{CallEgress, Hooks};

/// Added to the deadline that the guest knows: a guest that keeps it gets to
/// say so itself.
const GRACE: Duration = Duration::from_secs(2);

/// Instructions of a replayed call, about. A page of a thousand grants takes
/// some fifty million.
const REPLAY_FUEL: u64 = 50_000_000_000;

/// How many handles a guest may hold: requests, bodies, streams, timers. Each
/// request takes about eight.
const MAX_HANDLES: usize = 4_096;

/// Bytes that a guest may pass to the host in one go: a result page of a
/// thousand items takes less than 1 MiB.
const HOSTCALL_FUEL: usize = 32 << 20;

/// Bytes of one header map.
const MAX_HEADERS: usize = 64 << 10;

/// What a call is made of.
pub(crate) struct CallSetup {
    pub(crate) mode: Mode,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) clock: CallClock,
    pub(crate) seed: [u8; 32],
    pub(crate) egress: Arc<CallEgress>,
    pub(crate) log: GuestLog,
    pub(crate) deadline: Duration,
}

/// The data of a store.
pub(crate) struct CallState {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    clock: CallClock,
    limits: Metered,
}

/// The limits of a store, and what it has grown to.
struct Metered {
    limits: StoreLimits,
    memory: usize,
}

impl ResourceLimiter for Metered {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grows = self.limits.memory_growing(current, desired, maximum)?;
        if grows {
            self.memory += desired.saturating_sub(current);
        }
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.limits.memory_grow_failed(error)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.limits.table_grow_failed(error)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}

/// What a call has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Instructions, in a replay.
    pub(crate) fuel: Option<u64>,
    /// Bytes of memory. A guest never gives any back.
    pub(crate) memory: usize,
    /// How long it has waited, in a replay, where that takes no time.
    pub(crate) waited: Option<Duration>,
}

/// Why a call did not return.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CallFailure {
    /// Out of time.
    Deadline,
    /// Out of instructions, in a replay.
    Fuel,
    /// Out of memory, tables or handles.
    Memory,
    /// Anything else that ends a guest.
    Trap(String),
}

impl CallState {
    pub(super) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(super) fn clock(&self) -> &CallClock {
        &self.clock
    }

    pub(super) fn random(&mut self) -> &mut WasiRandomCtx {
        self.wasi.random()
    }

    pub(super) fn cli(&mut self) -> WasiCliCtxView<'_> {
        WasiCliView::cli(self)
    }

    pub(super) fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpView::http(self)
    }
}

/// Marks the resource table in the linker.
pub(super) struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

fn store(engine: &Engine, setup: CallSetup) -> wasmtime::Result<Store<CallState>> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(MAX_HEADERS);
    let mut wasi = WasiCtx::builder();
    wasi.stdout(setup.log.clone())
        .stderr(setup.log)
        .envs(&setup.environment)
        .max_random_size(1 << 20);
    let mut seed = setup.seed;
    wasi.secure_random(ChaCha12Rng::from_seed(seed));
    seed[0] ^= 1;
    wasi.insecure_random(ChaCha12Rng::from_seed(seed));
    // The guest's hash maps are seeded by it, and with them their order.
    wasi.insecure_random_seed(u128::from_le_bytes([
        seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7], seed[8], seed[9],
        seed[10], seed[11], seed[12], seed[13], seed[14], seed[15],
    ]));
    let limits = StoreLimitsBuilder::new()
        .memory_size(engine.config().memory)
        .table_elements(20_000)
        .instances(24)
        .memories(4)
        .tables(24)
        .trap_on_grow_failure(true)
        .build();
    let state = CallState {
        table,
        wasi: wasi.build(),
        http,
        hooks: Hooks { call: setup.egress },
        clock: setup.clock,
        limits: Metered { limits, memory: 0 },
    };
    let mut store = Store::new(engine.wasmtime(setup.mode), state);
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    match setup.mode {
        Mode::Live => {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
        Mode::Replay => {
            store.set_fuel(REPLAY_FUEL)?;
            // So that the time-out is looked at; does not change the outcome.
            store.fuel_async_yield_interval(Some(10_000_000))?;
        }
    }
    Ok(store)
}

/// Runs `call` in a fresh store, with `context` to work from. Returns what it
/// returned, and what it has used.
pub(crate) async fn run<C, R>(
    engine: &Engine,
    setup: CallSetup,
    context: &C,
    call: impl for<'a> FnOnce(&'a mut Store<CallState>, &'a C) -> BoxFuture<'a, wasmtime::Result<R>>,
) -> (Result<R, CallFailure>, Used) {
    let _turn = engine.turn().await;
    let deadline = setup.deadline;
    let mode = setup.mode;
    let mut store = match store(engine, setup) {
        Ok(store) => store,
        Err(error) => return (Err(failure(&error)), Used::default()),
    };
    let outcome = tokio::time::timeout(deadline + GRACE, call(&mut store, context)).await;
    let used = Used {
        fuel: match mode {
            Mode::Live => None,
            Mode::Replay => store.get_fuel().ok().map(|left| REPLAY_FUEL - left),
        },
        memory: store.data().limits.memory,
        waited: store.data().clock.waited(),
    };
    let outcome = match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(CallFailure::Deadline),
    };
    (outcome, used)
}

fn failure(error: &wasmtime::Error) -> CallFailure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return CallFailure::Fuel,
        Some(Trap::Interrupt) => return CallFailure::Deadline,
        Some(trap) => return CallFailure::Trap(trap.to_string()),
        None => {}
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return CallFailure::Trap(format!("the connector exited with status {}", exit.0));
    }
    let text = format!("{error:#}");
    // wasmtime has no type for a limiter's refusal.
    if text.contains("forcing trap when growing") || text.contains("resource table") {
        return CallFailure::Memory;
    }
    CallFailure::Trap(text)
}
