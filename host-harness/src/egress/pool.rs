//! Connections: one pool per tenant, to checked addresses only.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::net::TcpStream;
use wasmtime_wasi_http::Error as WasiHttpError;

use super::{
    address,
    origin::Origin,
    policy::{Denial, Grant},
};

/// Below the 75 s after which nginx and the 60 s after which many load
/// balancers close an idle connection.
const IDLE: Duration = Duration::from_secs(50);

/// More parallel idle connections than the largest request window.
const IDLE_PER_HOST: usize = 32;

/// Turns a name into addresses. A platform may bring its own.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, best first, each with `port`.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// How a tenant's requests reach the network.
#[derive(Clone)]
pub struct Network {
    resolver: Arc<dyn Resolve>,
    routes: BTreeMap<Origin, SocketAddr>,
    roots: Vec<CertificateDer<'static>>,
    connect_timeout: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            routes: BTreeMap::new(),
            roots: Vec::new(),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl Network {
    /// Resolves names by `resolver` instead of the operating system.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Connects to `address` whenever a request goes to `origin`, whatever its
    /// name resolves to, like curl's `--connect-to`. TLS still checks the name.
    /// For tests, and for vendors behind a gateway.
    #[must_use]
    pub fn route(mut self, origin: Origin, address: SocketAddr) -> Self {
        self.routes.insert(origin, address);
        self
    }

    /// Trusts the certificate authorities in a PEM text, besides Mozilla's.
    pub fn trust_pem(mut self, pem: &[u8]) -> Result<Self, TrustError> {
        use rustls::pki_types::pem::PemObject;
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.roots.push(certificate.map_err(|_| TrustError::Pem)?);
        }
        if self.roots.len() == before {
            return Err(TrustError::None);
        }
        // A certificate that can't anchor anything would be a silent no-op.
        let mut store = RootCertStore::empty();
        for root in &self.roots {
            store.add(root.clone()).map_err(|_| TrustError::Anchor)?;
        }
        Ok(self)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("routes", &self.routes)
            .field("extra_roots", &self.roots.len())
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// Why certificates can't be trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Not PEM.
    #[error("the certificates are not valid PEM")]
    Pem,
    /// PEM without a certificate.
    #[error("there is no certificate in it")]
    None,
    /// Not usable as a root.
    #[error("a certificate can't be used as a root")]
    Anchor,
}

/// A tenant's connections. Never shared between tenants: neither connections
/// nor TLS session tickets cross from one to another.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    client: Client<HttpsConnector<CheckedConnector>, Full<Bytes>>,
}

impl Pool {
    pub(crate) fn new(network: &Network, grant: &Grant) -> Self {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        // `Network::trust_pem` has tried each of them.
        roots.add_parsable_certificates(network.roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring offers TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(CheckedConnector {
                network: network.clone(),
                grant: Arc::new(grant.clone()),
            });
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build(connector);
        Self { client }
    }

    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TransportError> {
        // The client sets it where the protocol wants one; beside HTTP/2's
        // `:authority` some servers reject it.
        request.headers_mut().remove(http::header::HOST);
        self.client
            .request(request)
            .await
            .map_err(|error| TransportError::from_client(&error))
    }
}

/// Why there was no answer. The text is safe to show: it holds no request data.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The name could not be resolved.
    #[error("`{host}` can't be resolved: {cause}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// Policy stands against every address of the name.
    #[error(transparent)]
    Denied(Denial),
    /// Nobody listens, or nobody lets us through.
    #[error("can't connect to `{host}`: {cause}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the operating system said.
        cause: String,
    },
    /// No connection in time.
    #[error("no connection to `{host}` within {} s", .limit.as_secs())]
    ConnectTimeout {
        /// Host and port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The other end's certificate does not hold.
    #[error("the server's certificate is not valid: {0}")]
    Certificate(String),
    /// TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The connection broke before the answer was complete.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The answer is larger than the budget allows.
    #[error("the answer exceeds {0} bytes")]
    TooLarge(usize),
    /// The answer is compressed, though it was asked not to be: a credential
    /// in it could not be recognised.
    #[error("the answer has the content encoding `{0}`, which was not asked for")]
    Encoded(String),
}

impl TransportError {
    fn from_client(error: &legacy::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut deepest = error.to_string();
        while let Some(current) = cause {
            if let Some(known) = current.downcast_ref::<Self>() {
                return known.clone();
            }
            // An `io::Error` does not show what it wraps as its source.
            let inner = current
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if let Some(known) = inner.and_then(|inner| inner.downcast_ref::<Self>()) {
                return known.clone();
            }
            let tls = current
                .downcast_ref::<rustls::Error>()
                .or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
            match tls {
                Some(rustls::Error::InvalidCertificate(why)) => {
                    return Self::Certificate(why.to_string());
                }
                Some(other) => return Self::Tls(other.to_string()),
                None => {}
            }
            deepest = current.to_string();
            cause = current.source();
        }
        Self::Broken(deepest)
    }

    /// A stable word for it, as it stands in a cassette.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "dns-error",
            Self::Denied(_) => "denied",
            Self::Connect { .. } => "connection-refused",
            Self::ConnectTimeout { .. } => "connection-timeout",
            Self::Certificate(_) => "certificate-error",
            Self::Tls(_) => "tls-error",
            Self::Broken(_) => "connection-broken",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "too-large",
            Self::Encoded(_) => "content-encoding",
        }
    }

    /// What the guest is told.
    pub(crate) fn to_wasi(&self) -> WasiHttpError {
        match self {
            Self::Resolve { .. } => WasiHttpError::DnsError {
                rcode: None,
                info_code: None,
            },
            Self::Denied(Denial::Address { .. }) => WasiHttpError::DestinationIpProhibited,
            Self::Denied(_) => WasiHttpError::HttpRequestDenied,
            Self::Connect { .. } => WasiHttpError::ConnectionRefused,
            Self::ConnectTimeout { .. } => WasiHttpError::ConnectionTimeout,
            Self::Certificate(_) => WasiHttpError::TlsCertificateError,
            Self::Tls(_) => WasiHttpError::TlsProtocolError,
            Self::Broken(_) => WasiHttpError::ConnectionTerminated,
            Self::Timeout(_) => WasiHttpError::HttpResponseTimeout,
            Self::TooLarge(limit) => WasiHttpError::HttpResponseBodySize(Some(*limit as u64)),
            Self::Encoded(coding) => WasiHttpError::HttpResponseContentCoding(Some(coding.clone())),
        }
    }
}

/// Resolves, checks, and connects to the very address that was checked: a
/// second look-up could be answered differently.
#[derive(Clone, Debug)]
struct CheckedConnector {
    network: Network,
    grant: Arc<Grant>,
}

impl CheckedConnector {
    async fn connect(self, origin: Origin) -> Result<TokioIo<TcpStream>, TransportError> {
        let limit = self.network.connect_timeout;
        let place = format!("{}:{}", origin.host(), origin.port());
        tokio::time::timeout(limit, async {
            let mut refused = TransportError::Resolve {
                host: origin.host().to_owned(),
                cause: "no address".to_owned(),
            };
            for address in self.addresses(&origin).await? {
                match TcpStream::connect(address).await {
                    Ok(stream) => {
                        // Requests are small and wait for their answers. A
                        // socket without the option works, only slower.
                        stream.set_nodelay(true).ok();
                        return Ok(TokioIo::new(stream));
                    }
                    Err(error) => {
                        refused = TransportError::Connect {
                            host: place.clone(),
                            cause: error.kind().to_string(),
                        };
                    }
                }
            }
            Err(refused)
        })
        .await
        .unwrap_or(Err(TransportError::ConnectTimeout { host: place, limit }))
    }

    async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, TransportError> {
        if let Some(address) = self.network.routes.get(origin) {
            return Ok(vec![*address]);
        }
        let found = match origin.address() {
            Some(literal) => vec![SocketAddr::new(literal, origin.port())],
            None => self
                .network
                .resolver
                .resolve(origin.host(), origin.port())
                .await
                .map_err(|error| TransportError::Resolve {
                    host: origin.host().to_owned(),
                    cause: error.to_string(),
                })?,
        };
        if self.grant.reaches_private(origin) {
            return Ok(found);
        }
        let mut denied = None;
        let mut open = Vec::with_capacity(found.len());
        for address in found {
            match address::forbidden(address.ip()) {
                None => open.push(address),
                Some(why) => {
                    denied = Some(Denial::Address {
                        host: origin.host().to_owned(),
                        address: address.ip(),
                        why,
                    });
                }
            }
        }
        match denied {
            Some(denial) if open.is_empty() => Err(TransportError::Denied(denial)),
            _ => Ok(open),
        }
    }
}

impl tower_service::Service<Uri> for CheckedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let origin = Origin::of(&uri);
        Box::pin(self.clone().connect(origin))
    }
}
