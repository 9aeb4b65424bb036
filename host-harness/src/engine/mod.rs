//! wasmtime: one configuration for all connectors, compiled code kept on disk,
//! a fresh store with limits for each call.

mod cache;
mod call;
mod clock;
mod log;

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{
    Config, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{Component, HasSelf, Linker},
};

pub(crate) use call::{CallFailure, CallSetup, CallState, Used, run};
pub(crate) use clock::CallClock;
pub use log::GuestLog;

use cache::CompiledCache;

/// How often an instance is interrupted so that others, and time-outs, get
/// their turn. Spin and `wasmtime serve` use the same.
const EPOCH: Duration = Duration::from_millis(10);

/// What one engine offers to all its calls.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Linear memory of one call, in bytes. A Rust guest needs 16 MiB to do
    /// anything useful.
    pub memory: usize,
    /// Calls at once. Further ones wait for their turn.
    pub concurrent_calls: u32,
    /// Where compiled code is kept; none to compile anew each time. Whoever
    /// can write there runs code as this process: the folder is made for the
    /// owner alone.
    pub cache: Option<PathBuf>,
    /// Where replayed calls run.
    pub replays: ReplaysOn,
}

/// Where replayed calls run. Each has a runtime of its own in any case: with one
/// thread, on which the order in which things happen is the same every time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReplaysOn {
    /// On a thread for blocking work: right everywhere.
    #[default]
    ThreadOfItsOwn,
    /// On the thread that makes the call, by [`tokio::task::block_in_place`],
    /// where the runtime has several threads: no other has to be woken, which takes
    /// longer than a small call. Whatever else the same task does waits meanwhile,
    /// and in a [`LocalSet`](tokio::task::LocalSet) it panics.
    CallersThread,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            concurrent_calls: 64,
            cache: None,
            replays: ReplaysOn::default(),
        }
    }
}

/// The part of wasmtime that a process has once.
///
/// It holds two engines. The live one is interrupted by time; the one for
/// replays counts instructions instead, so that a replay ends at the same
/// instruction on every machine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    live: Flavour,
    replay: Flavour,
    config: EngineConfig,
    turns: Arc<Semaphore>,
    cache: CompiledCache,
}

struct Flavour {
    engine: wasmtime::Engine,
    linker: Linker<CallState>,
}

/// Which of the two engines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Interrupted by time.
    Live,
    /// Limited by instructions.
    Replay,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("wasmtime can't be set up: {0:#}")]
pub struct EngineError(wasmtime::Error);

impl Engine {
    /// Sets up wasmtime and starts the thread that interrupts calls.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let live = Flavour::new(Mode::Live, &config).map_err(EngineError)?;
        let replay = Flavour::new(Mode::Replay, &config).map_err(EngineError)?;
        tick(&live.engine);
        let shared = Shared {
            live,
            replay,
            turns: Arc::new(Semaphore::new(config.concurrent_calls as usize)),
            cache: CompiledCache::new(config.cache.clone()),
            config,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    pub(crate) fn wasmtime(&self, mode: Mode) -> &wasmtime::Engine {
        &self.shared.flavour(mode).engine
    }

    pub(crate) fn linker(&self, mode: Mode) -> &Linker<CallState> {
        &self.shared.flavour(mode).linker
    }

    /// Compiles a component, or finds it compiled.
    pub(crate) fn compile(
        &self,
        mode: Mode,
        sha256: &str,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let engine = self.wasmtime(mode);
        self.shared.cache.load_or_compile(engine, sha256, bytes)
    }

    /// Waits for a place. There are as many as the allocator has instances.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.shared.turns)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed")
    }
}

impl Shared {
    fn flavour(&self, mode: Mode) -> &Flavour {
        match mode {
            Mode::Live => &self.live,
            Mode::Replay => &self.replay,
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Flavour {
    fn new(mode: Mode, limits: &EngineConfig) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true);
        match mode {
            Mode::Live => {
                config.epoch_interruption(true);
            }
            Mode::Replay => {
                config.consume_fuel(true);
                config.cranelift_nan_canonicalization(true);
                config.relaxed_simd_deterministic(true);
            }
        }
        // The pool reserves address space, which a container may not have; it
        // only saves time.
        config.allocation_strategy(pooling(limits));
        let engine = wasmtime::Engine::new(&config).or_else(|error| {
            tracing::debug!(
                target: "harness::engine",
                %error,
                "no pooling allocator, instances are allocated on demand"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&config)
        })?;
        let linker = linker(&engine)?;
        Ok(Self { engine, linker })
    }
}

fn pooling(limits: &EngineConfig) -> InstanceAllocationStrategy {
    // A component made by `wit-component` consists of a few core instances:
    // the program, the adapter, and shims between them.
    const CORE_INSTANCES: u32 = 12;
    let calls = limits.concurrent_calls;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .total_core_instances(calls * CORE_INSTANCES)
        .total_memories(calls * 2)
        .total_tables(calls * CORE_INSTANCES)
        .total_stacks(calls)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(2)
        .max_tables_per_component(CORE_INSTANCES)
        .max_memory_size(limits.memory);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Standard WASI, but for sockets and files: what is not linked can't be used,
/// and a component that asks for it does not load.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<CallState>> {
    use wasmtime_wasi::{
        cli::WasiCli,
        p2::bindings::{cli, clocks, random},
        random::WasiRandom,
    };
    use wasmtime_wasi_http::{WasiHttp, p2::bindings::http};
    use wasmtime_wasi_io::bindings::wasi::io;

    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<CallState, call::Table>(l, CallState::table)?;
    io::poll::add_to_linker::<CallState, call::Table>(l, CallState::table)?;
    io::streams::add_to_linker::<CallState, call::Table>(l, CallState::table)?;
    clocks::wall_clock::add_to_linker::<CallState, HasSelf<CallState>>(l, |state| state)?;
    clocks::monotonic_clock::add_to_linker::<CallState, HasSelf<CallState>>(l, |state| state)?;
    random::random::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    random::insecure::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    random::insecure_seed::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    cli::environment::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::exit::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stdin::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stdout::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stderr::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_input::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_output::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stdin::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stdout::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stderr::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    http::outgoing_handler::add_to_linker::<CallState, WasiHttp>(l, CallState::http)?;
    http::types::add_to_linker::<CallState, WasiHttp>(l, &Default::default(), CallState::http)?;
    Ok(linker)
}

/// Interrupts running instances from a thread of the operating system: a guest
/// that never yields can occupy every worker of the asynchronous runtime, its
/// timer included. Ends with the engine.
fn tick(engine: &wasmtime::Engine) {
    let engine = engine.weak();
    thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(EPOCH);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })
        .expect("the operating system can start a thread");
}
