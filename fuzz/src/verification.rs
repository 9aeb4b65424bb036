//! Files that claim to be connectors.

use std::sync::LazyLock;

use host_harness::{Connector, Engine, EngineConfig};
use tokio::runtime::Runtime;

static ENGINE: LazyLock<(Runtime, Engine)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread");
    let engine = {
        let _inside = runtime.enter();
        Engine::new(EngineConfig::default()).expect("an engine")
    };
    (runtime, engine)
});

/// A file loads, or is refused with a hint, whatever is in it.
pub(super) fn files_load_or_are_refused(input: &[u8]) {
    let (runtime, engine) = &*ENGINE;
    if let Err(error) = runtime.block_on(Connector::load(engine, input)) {
        assert!(!error.to_string().is_empty());
        assert!(!error.hint().is_empty(), "{error}");
    }
}
