//! Asks the admin listener of a host.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;

use super::{args::AdminArgs, connect, failure::Failure};
use crate::{registry::ReplayDiff, text::printable};

/// A load compiles, and plays recordings.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of an answer. A history has a few hundred a record.
const MAX_ANSWER: usize = 64 << 20;

/// The admin listener of a host.
pub(super) struct Admin {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    token: Option<HeaderValue>,
}

/// Something to ask for.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Below `/api`.
    pub(super) path: String,
    pub(super) body: Body<'a>,
    /// Who wants a change.
    pub(super) by: Option<&'a str>,
}

pub(super) enum Body<'a> {
    Nothing,
    Json(Value),
    /// With its signature in minisign's format.
    Component(Bytes, Option<&'a str>),
}

impl Admin {
    pub(super) fn new(args: &AdminArgs) -> Result<Self, Failure> {
        let base = args.admin.trim_end_matches('/');
        let uri: Option<Uri> = base.parse().ok();
        let uri = uri.filter(|uri| uri.path() == "/" && uri.query().is_none());
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let host = uri.as_ref().and_then(Uri::host);
        let (Some(scheme @ ("http" | "https")), Some(host)) = (scheme, host) else {
            return Err(Failure::usage(
                format!(
                    "`--admin {}` is no address of a host",
                    printable(&args.admin)
                ),
                "give it as `http://127.0.0.1:8701`",
            ));
        };
        let loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());
        if scheme == "http" && !loopback {
            return Err(Failure::usage(
                format!("`{host}` is another machine, and http would show it the token in clear"),
                "ask over https",
            ));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(args)?)
            .https_or_http()
            .enable_http1()
            .build();
        let token = match &args.token_file {
            None => None,
            Some(file) => {
                let bytes = connect::read(file, "token")?;
                let text = String::from_utf8_lossy(&bytes);
                let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
                let mut value = value.map_err(|_| {
                    Failure::usage(
                        format!("`{}` holds no token", file.display()),
                        "name the file that the host has as `--admin-token-file` or `--token-file`",
                    )
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.to_owned(),
            token,
        })
    }

    /// The answer, or what the host has against it.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Value, Failure> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}/api{}", self.base, ask.path));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if let Some(by) = ask.by {
            request = request.header("x-operator", by.as_bytes());
        }
        let body = match ask.body {
            Body::Nothing => Bytes::new(),
            Body::Json(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                value.to_string().into()
            }
            Body::Component(bytes, signature) => {
                request = request.header(header::CONTENT_TYPE, "application/wasm");
                if let Some(signature) = signature {
                    use base64::{Engine as _, engine::general_purpose::STANDARD};
                    request = request.header("x-signature", STANDARD.encode(signature));
                }
                bytes
            }
        };
        let request = request.body(Full::new(body)).map_err(|error| {
            Failure::usage(
                format!("that can't be asked for: {error}"),
                "names are made of letters and digits",
            )
        })?;
        let answer = tokio::time::timeout(PATIENCE, self.answer(request));
        let (status, body) = match answer.await {
            Ok(answer) => answer?,
            Err(_) => {
                return Err(self.unreachable(&format!("no answer in {} s", PATIENCE.as_secs())));
            }
        };
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        match value {
            Some(value) if status.is_success() => Ok(value),
            Some(value) => Err(refused(status, &value)),
            None => Err(self.unreachable(&format!("it answered with {status}, and no JSON"))),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.client.request(request).await.map_err(|error| {
            let mut message = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(error) = source {
                message = format!("{message}: {error}");
                source = error.source();
            }
            self.unreachable(&message)
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let body = body
            .collect()
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, problem: &str) -> Failure {
        Failure::call(
            format!("`{}` can't be asked: {}", self.base, printable(problem)),
            Some(
                "start the host with `harness serve --admin ADDR`, and name it with `--admin`"
                    .to_owned(),
            ),
        )
    }
}

/// What the host says.
fn refused(status: StatusCode, answer: &Value) -> Failure {
    let error = &answer["error"];
    let text = |name: &str| {
        error[name]
            .as_str()
            .map(|text| printable(text).into_owned())
    };
    let mut message = text("message").unwrap_or_else(|| format!("the host answered with {status}"));
    if let Some(stage) = text("stage") {
        message = format!("refused at the stage `{stage}`: {message}");
    }
    let failure = match status {
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
            Failure::usage(message, text("hint").unwrap_or_default())
        }
        _ => Failure::call(message, text("hint")),
    };
    match serde_json::from_value::<ReplayDiff>(error["diff"].clone()) {
        Ok(diff) => failure.with_detail(diff.to_string()),
        Err(_) => failure,
    }
}

fn tls(args: &AdminArgs) -> Result<ClientConfig, Failure> {
    let unusable = |what: &str, error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("the {what} can't be used: {error}"),
            "name PEM files that belong together",
        )
    };
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = &args.ca_file {
        let pem = connect::read(file, "certificates")?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate =
                certificate.map_err(|error| unusable("certificate authority", &error))?;
            roots
                .add(certificate)
                .map_err(|error| unusable("certificate authority", &error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS set-up", &error))?
        .with_root_certificates(roots);
    let (Some(chain), Some(key)) = (&args.client_cert, &args.client_key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&connect::read(chain, "certificate chain")?)
            .collect::<Result<_, _>>()
            .map_err(|error| unusable("certificate chain", &error))?;
    let key = PrivateKeyDer::from_pem_slice(&connect::read(key, "private key")?)
        .map_err(|error| unusable("private key", &error))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable("client certificate", &error))
}
