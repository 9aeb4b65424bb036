//! Sockets: accepting, TLS, and letting go of connections.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{VerifierBuilderError, WebPkiClientVerifier},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::ServerLimits;

/// How long connections get to finish what they are sending once the server
/// stops. Calls have ended by then.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
#[error("`{addr}` can't be listened on: {cause}")]
pub struct ServeError {
    /// Where.
    pub addr: SocketAddr,
    /// Why.
    pub cause: io::Error,
}

/// A server certificate, and perhaps who may connect.
#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ServerConfig>,
    asks_clients: bool,
}

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No PEM, or nothing of use in it.
    #[error("the {0} is not PEM, or has none in it")]
    Pem(&'static str),
    /// They don't fit.
    #[error("the certificate can't be used: {0}")]
    Refused(#[from] rustls::Error),
    /// The authority for clients is none.
    #[error("the clients' certificate authority can't be used: {0}")]
    Clients(#[from] VerifierBuilderError),
}

impl Tls {
    /// From PEM: the server's chain and key. With `clients`, certificate
    /// authorities: whoever has no certificate of theirs gets no connection.
    pub fn new(chain: &[u8], key: &[u8], clients: Option<&[u8]>) -> Result<Self, TlsError> {
        let chain = certificates(chain, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem("private key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(authorities, "clients' certificate authority")? {
                    roots.add(authority)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            asks_clients: clients.is_some(),
        })
    }

    /// Whether clients need a certificate.
    pub fn asks_clients(&self) -> bool {
        self.asks_clients
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("asks_clients", &self.asks_clients)
            .finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Pem(what))?;
    if found.is_empty() {
        return Err(TlsError::Pem(what));
    }
    Ok(found)
}

/// A socket that is served until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Listener {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more connections, and waits for those that are there.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It only fails when the runtime ends, which closes the socket too.
            let _ = task.await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

pub(super) async fn listen(
    addr: SocketAddr,
    router: Router,
    tls: Option<&Tls>,
    limits: ServerLimits,
) -> Result<Listener, ServeError> {
    let failed = |cause| ServeError { addr, cause };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::clone(&tls.config)));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, router, acceptor, limits, stopped));
    Ok(Listener {
        addr: bound,
        stop,
        task: Some(task),
    })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    limits: ServerLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &room) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(target: "harness::server", %error, "a connection can't be accepted");
                // Out of file descriptors, mostly: others have to end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small: without it, delayed acknowledgements cost 40 ms.
        let _ = stream.set_nodelay(true);
        let (router, acceptor, stopped) = (router.clone(), acceptor.clone(), stopped.clone());
        connections.spawn(async move {
            let _permit = permit;
            match acceptor {
                None => serve(stream, router, limits, stopped).await,
                Some(acceptor) => {
                    let shaken = tokio::time::timeout(limits.arrival, acceptor.accept(stream));
                    match shaken.await {
                        Ok(Ok(stream)) => serve(stream, router, limits, stopped).await,
                        Ok(Err(error)) => {
                            tracing::debug!(target: "harness::server", %error, "TLS failed");
                        }
                        Err(_) => {
                            tracing::debug!(target: "harness::server", "TLS took too long");
                        }
                    }
                }
            }
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is left then is idle, or does not read its answer.
    let _ = tokio::time::timeout(LAST_WORDS, all).await;
}

async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn serve<S>(
    stream: S,
    router: Router,
    limits: ServerLimits,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.arrival);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .keep_alive_interval(limits.arrival);
    // hyper's time-out for a head begins with the head: whoever sends nothing at
    // all, or a part of HTTP/2's preface, is not under it.
    let begun = AtomicBool::new(false);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        begun.store(true, Ordering::Relaxed);
        hyper::service::Service::call(&service, request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let first = async {
        tokio::time::sleep(limits.arrival).await;
        if begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = first => {
            tracing::debug!(target: "harness::server", "a connection brought no request");
            return;
        }
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(target: "harness::server", %error, "a connection ended");
    }
}
