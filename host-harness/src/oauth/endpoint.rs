//! The token endpoint, as the `oauth2` crate wants to see it: our own
//! connections, with a limit for time and size.

use std::{
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::{
    egress::{Origin, Pool, TransportError},
    spans::Work,
};

/// A code is good for 30 s at PagerDuty, so an exchange that takes longer is
/// lost anyway.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Tokens and an identity token take some kilobytes.
const TOKEN_REPLY: usize = 256 << 10;

/// Good for one request.
pub(super) struct Endpoint {
    pool: Pool,
    /// Of the latest answer.
    status: AtomicU16,
}

impl Endpoint {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            status: AtomicU16::new(0),
        }
    }

    /// The status of the answer; 0 if there was none.
    pub(super) fn status(&self) -> u16 {
        self.status.load(Ordering::Relaxed)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let work = Work::request(&tracing::Span::current(), request.method());
        let origin = Origin::of(request.uri());
        // The path is the connector's own, and the same for everybody.
        let method = request.method().as_str();
        work.allowed(origin.place(), method, request.uri().path());
        let outcome = self.exchange(request).await;
        match &outcome {
            Ok(reply) => work.answered(reply.status().as_u16(), reply.body().len()),
            Err(error) => work.refused(error.code(), None),
        }
        outcome
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let request = request.map(|body| Full::new(body.into()));
        tokio::time::timeout(TOKEN_TIMEOUT, async {
            let (parts, body) = self.pool.send(request).await?.into_parts();
            self.status.store(parts.status.as_u16(), Ordering::Relaxed);
            let body = Limited::new(body, TOKEN_REPLY)
                .collect()
                .await
                .map_err(|error| TransportError::Broken(error.to_string()))?;
            Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
        })
        .await
        .map_err(|_| TransportError::Timeout(TOKEN_TIMEOUT))?
    }
}

impl<'c> AsyncHttpClient<'c> for Endpoint {
    type Error = TransportError;
    type Future = BoxFuture<'c, Result<HttpResponse, TransportError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
