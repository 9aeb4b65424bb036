//! Bodies that misbehave.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

/// Gives its bytes in small pieces, with a pause before each.
pub(super) struct SlowBody {
    rest: Bytes,
    chunk: usize,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl SlowBody {
    pub(super) fn new(bytes: Bytes, chunk: usize, pause: Duration) -> Self {
        Self {
            rest: bytes,
            chunk: chunk.max(1),
            pause,
            sleep: None,
        }
    }
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let pause = self.pause;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        let size = self.chunk.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }
}

/// Fails at once, where a connection cannot be dropped.
pub(super) struct FailingBody;

impl Body for FailingBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let kind = std::io::ErrorKind::ConnectionReset;
        Poll::Ready(Some(Err(std::io::Error::new(kind, "simulated reset"))))
    }
}
