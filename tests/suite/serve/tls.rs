//! TLS on both listeners, and both versions of HTTP.

use std::sync::Arc;

use host_harness::server::{Access, LoadedConnectors, Reach, Running, Server, ServerConfig, Tls};
use http::{Method, Request, StatusCode, Version};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::platform::{Platform, TOKEN};
use crate::support::{connector, run};

/// A certificate authority, and what it signs.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate and its key.
    pub fn issue(&self, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// How a client connects that trusts it, and is perhaps known by a
    /// certificate.
    pub fn client(&self, identity: Option<(String, String)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM");
        roots.add(root).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder
                    .with_client_auth_cert(vec![chain], key)
                    .expect("they fit")
            }
        }
    }
}

async fn serve(access: Access, tls: Tls) -> Running {
    let local = ([127, 0, 0, 1], 0).into();
    let mut config = ServerConfig::new(local, access, Reach::default());
    config.admin = Some(local);
    config.tls = Some(tls);
    let connectors = LoadedConnectors::new([connector().clone()]).expect("one");
    let running = Server::start(config, Arc::new(connectors)).await;
    running.expect("free ports")
}

/// What the operator or a platform asks first.
fn questions(running: &Running) -> [(u16, Method, &'static str); 2] {
    let admin = running.admin_addr().expect("it listens").port();
    [
        (running.addr().port(), Method::POST, "/pagerduty/info"),
        (admin, Method::GET, "/metrics"),
    ]
}

/// The status and the version; `None` if there is no connection.
async fn ask(
    config: &ClientConfig,
    version: Version,
    question: &(u16, Method, &'static str),
    token: Option<&str>,
) -> Option<(StatusCode, Version)> {
    let (port, method, path) = question;
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(config.clone())
        .https_only();
    // Where the client knows both, TLS decides.
    let connector = if version == Version::HTTP_2 {
        builder.enable_all_versions().build()
    } else {
        builder.enable_http1().build()
    };
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://localhost:{port}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::<bytes::Bytes>::default());
    let reply = client.request(request.expect("a request")).await.ok()?;
    Some((reply.status(), reply.version()))
}

#[test]
fn on_both_listeners_a_certificate_is_enough_and_without_one_there_is_no_connection() {
    run(async {
        let authority = Authority::new();
        let (chain, key) = authority.issue(ExtendedKeyUsagePurpose::ServerAuth);
        let clients = Some(authority.pem.as_bytes());
        let tls = Tls::new(chain.as_bytes(), key.as_bytes(), clients).expect("they fit");
        let running = serve(Access::by_certificate(), tls).await;
        let stranger = Authority::new().issue(ExtendedKeyUsagePurpose::ClientAuth);
        let known = authority.client(Some(authority.issue(ExtendedKeyUsagePurpose::ClientAuth)));
        let unknown = authority.client(Some(stranger));
        let nobody = authority.client(None);
        for question in questions(&running) {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                let reply = ask(&known, version, &question, None).await;
                assert_eq!(reply, Some((StatusCode::OK, version)), "{question:?}");
                for config in [&unknown, &nobody] {
                    let reply = ask(config, version, &question, Some(TOKEN)).await;
                    assert_eq!(reply, None, "{question:?}");
                }
            }
        }
        running.stop().await;
    });
}

#[test]
fn with_tls_alone_the_token_decides_on_both_listeners() {
    run(async {
        let authority = Authority::new();
        let (chain, key) = authority.issue(ExtendedKeyUsagePurpose::ServerAuth);
        let tls = Tls::new(chain.as_bytes(), key.as_bytes(), None).expect("they fit");
        let running = serve(Access::token(TOKEN).expect("a token"), tls).await;
        let client = authority.client(None);
        for question in questions(&running) {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                for (token, status) in [
                    (Some(TOKEN), StatusCode::OK),
                    (None, StatusCode::UNAUTHORIZED),
                ] {
                    let reply = ask(&client, version, &question, token).await;
                    assert_eq!(reply, Some((status, version)), "{question:?}");
                }
            }
        }
        running.stop().await;
    });
}

#[test]
fn calls_share_a_connection_of_http_2_also_without_tls() {
    run(async {
        let platform = Platform::with(5, |config| config.limits.connections = 2).await;
        let port = platform.running.addr().port();
        // One place is taken by the platform's own connection: there is one
        // left for all of these.
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let calls = (0..20).map(|_| {
            let request = Request::post(format!("http://127.0.0.1:{port}/pagerduty/info"))
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(Full::<bytes::Bytes>::default());
            client.request(request.expect("a request"))
        });
        for reply in futures_util::future::join_all(calls).await {
            let reply = reply.expect("an answer");
            assert_eq!(reply.status(), StatusCode::OK);
            assert_eq!(reply.version(), Version::HTTP_2);
        }
    });
}
