//! How a sync is told to come to its end.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a sync to end at the next page. Clones tell the same one.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// The page that is being read is the last one.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has said so.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody says so.
    pub(super) async fn stopped(&self) {
        let mut said = self.0.subscribe();
        // The sender is held here, so it can't be gone.
        said.wait_for(|said| *said).await.ok();
    }
}
