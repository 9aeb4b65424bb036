//! The one task that all loads and changes go through, one after the other.

use std::{future::Future, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::shared::Shared;

type Work = Box<dyn FnOnce(Arc<Shared>) -> BoxFuture<'static, ()> + Send>;

/// Cheap to clone. The task ends with the last clone, or with the registry.
#[derive(Clone)]
pub(super) struct Queue(mpsc::UnboundedSender<Work>);

impl Queue {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (sender, mut queue) = mpsc::unbounded_channel::<Work>();
        tokio::spawn(async move {
            while let Some(work) = queue.recv().await {
                // A task of its own, so that a panic ends it and not this one.
                let done = tokio::spawn(work(Arc::clone(&shared))).await;
                if let Err(error) = done {
                    tracing::error!(target: "harness::registry", %error, "a change was given up");
                }
                if shared.book().folder.closed() {
                    return;
                }
            }
        });
        Self(sender)
    }

    /// Waits for what was asked for earlier, and then for this. It is done also
    /// if the caller does not wait. None once the registry is closed.
    pub(super) async fn run<T, F>(
        &self,
        work: impl FnOnce(Arc<Shared>) -> F + Send + 'static,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |shared| {
            Box::pin(async move {
                // Whoever does not wait for the answer has gone, and is not missed.
                let _ = reply.send(work(shared).await);
            })
        });
        self.0.send(work).ok()?;
        answer.await.ok()
    }
}
