//! What a call costs, layer by layer: `cargo bench`. `benches/README.md` explains
//! the table.
//!
//! Both sides of a ratio do the same work with the same component, in this
//! process, one after the other.

mod bare;
mod bench_bindings;
mod calls;
mod egress;
mod facade;
mod recording;
mod store;
mod table;

#[path = "../../tests/suite/components.rs"]
#[expect(
    dead_code,
    reason = "the tests also change components, benches only build them"
)]
mod components;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use criterion::Criterion;
use host_harness::{Connector, Engine, EngineConfig, ReplaysOn};

fn main() -> Result<()> {
    // `cargo test --benches` wants to know whether it runs, not how fast.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion");
    let mut criterion = Criterion::default()
        .configure_from_args()
        .output_directory(&folder);
    // One thread: what is measured is work, not how threads are woken.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // As the command has it: code is compiled once.
    let cache = etcetera::base_strategy::choose_base_strategy()
        .ok()
        .map(|places| etcetera::BaseStrategy::cache_dir(&places).join("iga-harness/compiled"));
    let mut config = EngineConfig::default();
    config.cache = cache;
    config.replays = ReplaysOn::CallersThread;
    let engine = Engine::new(config)?;
    let small = components::build("mutant-connector", &[]);
    let bench = Bench {
        small: runtime.block_on(Connector::load(&engine, &small))?,
        pagerduty: runtime.block_on(Connector::bundled(&engine))?,
        small_bytes: small,
        several: tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?,
        runtime,
    };
    calls::bench(&mut criterion, &bench).context("calls")?;
    egress::bench(&mut criterion, &bench).context("egress")?;
    store::bench(&mut criterion, &bench).context("store")?;
    facade::bench(&mut criterion, &bench).context("facade")?;
    criterion.final_summary();
    if measured {
        table::print(&folder);
    }
    Ok(())
}

/// What all layers are measured with.
struct Bench {
    /// A small connector, in which little else than the host takes time.
    small: Connector,
    small_bytes: Vec<u8>,
    pagerduty: Connector,
    runtime: tokio::runtime::Runtime,
    /// For replays on the caller's thread, as the command has it.
    several: tokio::runtime::Runtime,
}
