//! Serving the simulator on a socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::DropConnection;
use crate::tls::Certificate;

/// A simulator that answers on a socket until it is stopped or dropped.
#[derive(Debug)]
pub struct Listening {
    addr: SocketAddr,
    tls: bool,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Listening {
    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The origin for clients: `http://127.0.0.1:PORT`, or `https://localhost:PORT` with TLS.
    #[must_use]
    pub fn origin(&self) -> String {
        let port = self.addr.port();
        if self.tls {
            format!("https://localhost:{port}")
        } else {
            let host = self.addr.ip();
            match host {
                ip if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
                std::net::IpAddr::V4(ip) => format!("http://{ip}:{port}"),
                std::net::IpAddr::V6(ip) => format!("http://[{ip}]:{port}"),
            }
        }
    }

    /// Stops and waits until the socket is free again.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It only fails when the runtime is shutting down, which frees the socket too.
            let _ = task.await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

pub(crate) async fn listen(
    addr: SocketAddr,
    router: Router,
    certificate: Option<&Certificate>,
) -> io::Result<Listening> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let acceptor = certificate.map(|c| tokio_rustls::TlsAcceptor::from(c.server()));
    let tls = acceptor.is_some();
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                _ = stopped.changed() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                        continue;
                    }
                },
            };
            // Answers are small: without this, delayed acknowledgements cost 40 ms each.
            let _ = stream.set_nodelay(true);
            let router = router.clone();
            let acceptor = acceptor.clone();
            let stopped = stopped.clone();
            tokio::spawn(async move {
                match acceptor {
                    None => serve(stream, router, stopped).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => serve(stream, router, stopped).await,
                        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                    },
                }
            });
        }
    });
    Ok(Listening {
        addr,
        tls,
        stop,
        task: Some(task),
    })
}

async fn serve<S>(stream: S, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = Arc::new(router);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let router = Arc::clone(&router);
        async move {
            let response = crate::api::call(&router, request.map(Body::new)).await;
            // An error here makes hyper drop the connection (HTTP/1) or reset
            // the stream (HTTP/2) without an answer.
            if response.extensions().get::<DropConnection>().is_some() {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "simulated reset",
                ));
            }
            Ok(response)
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended");
            }
        }
        _ = stopped.changed() => {}
    }
}
