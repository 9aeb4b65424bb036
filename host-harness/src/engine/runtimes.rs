//! Where replayed calls run: each on a runtime of one thread, on which the order
//! in which tasks take their turn is the same every time.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use tokio::runtime::{Builder, Runtime};

/// Runtimes that are kept for the next call: making one costs more than a small
/// call.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    idle: Mutex<Vec<Runtime>>,
}

impl Runtimes {
    /// Runs `future` to its end on a runtime that nothing else runs on. Blocks,
    /// so it must not be called from asynchronous code.
    pub(super) fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let runtime = match self.idle().pop() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread().enable_time().build()?,
        };
        let output = runtime.block_on(future);
        // What the call had started has been cancelled with its store, and goes
        // when it is its turn. Should anything be left, the next call must not
        // share its turns.
        runtime.block_on(tokio::task::yield_now());
        if runtime.metrics().num_alive_tasks() == 0 {
            self.idle().push(runtime);
        } else {
            runtime.shutdown_background();
        }
        Ok(output)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Runtime>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Runtimes {
    /// An engine may end in asynchronous code, where a runtime can't be waited
    /// for.
    fn drop(&mut self) {
        for runtime in self.idle().drain(..) {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Runtimes;

    #[test]
    fn a_runtime_is_kept_for_the_next_call_unless_a_task_is_left_on_it() {
        let runtimes = Runtimes::default();
        let cancelled = async {
            let task = tokio::spawn(std::future::pending::<()>());
            task.abort();
        };
        runtimes.block_on(cancelled).expect("it runs");
        assert_eq!(runtimes.idle().len(), 1);
        let left = async { drop(tokio::spawn(std::future::pending::<()>())) };
        runtimes.block_on(left).expect("it runs");
        assert_eq!(runtimes.idle().len(), 0);
    }

    #[tokio::test]
    async fn runtimes_may_end_in_asynchronous_code() {
        let runtimes = std::sync::Arc::new(Runtimes::default());
        let calling = std::sync::Arc::clone(&runtimes);
        tokio::task::spawn_blocking(move || calling.block_on(std::future::ready(())))
            .await
            .expect("it does not panic")
            .expect("it runs");
        drop(runtimes);
    }
}
