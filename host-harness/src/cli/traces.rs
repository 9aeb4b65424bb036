//! The traces of `harness serve`, sent to an OTLP collector.
//!
//! Configured by OpenTelemetry's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT`
//! or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` turns them on; `_HEADERS`,
//! `_TIMEOUT` and `_CERTIFICATE` say how to send them; `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and
//! `OTEL_SPAN_*` are read by the SDK. OTLP over HTTP as protobuf is all that is
//! spoken.

use std::{
    env, fs,
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::runtime::Handle;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::{
    Network, Origin,
    egress::{Pool, policy::Grant},
    spans,
    text::printable,
};

/// How long the last spans may take to be sent. Calls have ended by then, and
/// whoever stops the process waits.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// A collector answers with a few bytes.
const REPLY: usize = 64 << 10;

/// Spans on their way to a collector.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Nothing if nobody asked for them. A configuration that can't be used is
    /// said, and no reason not to serve: it is often that of a whole cluster.
    pub(super) fn from_environment(runtime: &Handle) -> Option<Self> {
        let destination = Destination::from_environment()?;
        match destination.and_then(|destination| Self::to(&destination, runtime)) {
            Ok(traces) => Some(traces),
            Err(problem) => {
                talk!("traces are off: {}", printable(&problem));
                None
            }
        }
    }

    fn to(destination: &Destination, runtime: &Handle) -> Result<Self, String> {
        let origin = Origin::of(&destination.endpoint);
        let collector = Collector {
            place: format!("{}:{}", origin.host(), origin.port()),
            // The operator named it, so it may be anywhere.
            pool: Pool::new(
                &destination.network,
                &Grant::read_only().private_network(origin),
            ),
            runtime: runtime.clone(),
            timeout: destination.timeout,
            problem: Arc::default(),
        };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(destination.endpoint.to_string())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(destination.timeout)
            .with_http_client(collector.clone())
            .build()
            .map_err(|error| error.to_string())?;
        let exporter = Watched {
            exporter,
            collector,
            failing: AtomicBool::new(false),
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// Takes our spans, and nothing of what libraries tell.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("harness"))
            // A span gets its name when policy knows what it is, so it must not
            // begin by being entered.
            .with_context_activation(false)
            .with_tracked_inactivity(false)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(Targets::new().with_target(spans::TARGET, LevelFilter::INFO))
    }

    /// Sends what is left, for no longer than [`LAST_SPANS`]. Must not be
    /// called by a task.
    pub(super) fn finish(self) {
        if self.provider.shutdown_with_timeout(LAST_SPANS).is_err() {
            tracing::error!(
                target: "harness::traces",
                "the last spans were not sent within {} s",
                LAST_SPANS.as_secs()
            );
        }
    }
}

fn resource() -> Resource {
    let named = Resource::builder();
    // The SDK makes a name up where none is given.
    let given = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| {
            all.split(',')
                .any(|one| one.trim().starts_with("service.name="))
        });
    let named = if given {
        named
    } else {
        named.with_service_name("harness")
    };
    named
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Where to, and how.
struct Destination {
    endpoint: Uri,
    timeout: Duration,
    network: Network,
}

impl Destination {
    /// `None` if nobody asked for traces.
    fn from_environment() -> Option<Result<Self, String>> {
        if env::var("OTEL_SDK_DISABLED").is_ok_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        // Other exporters are for programs on somebody's desk.
        let exporter = variable("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        if exporter.split(',').all(|one| one.trim() != "otlp") {
            return None;
        }
        let endpoint = match variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            Some(whole) => whole,
            None => {
                let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
                format!("{}/v1/traces", base.trim_end_matches('/'))
            }
        };
        Some(Self::new(&endpoint))
    }

    fn new(endpoint: &str) -> Result<Self, String> {
        if let Some(protocol) = of_traces("PROTOCOL")
            && protocol != "http/protobuf"
        {
            return Err(format!(
                "the protocol `{protocol}` is not spoken here, only `http/protobuf`"
            ));
        }
        // Not quoted: some put a key into it.
        let endpoint = Uri::from_str(endpoint).ok().filter(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        let endpoint = endpoint.ok_or("the endpoint is not an address with `http` or `https`")?;
        let timeout = match of_traces("TIMEOUT") {
            None => opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
            Some(text) => text
                .parse()
                .map(Duration::from_millis)
                .map_err(|_| format!("the time-out `{text}` is not a number of milliseconds"))?,
        };
        let mut network = Network::default();
        if let Some(file) = of_traces("CERTIFICATE").map(PathBuf::from) {
            let unusable = |why: String| format!("`{}`: {why}", file.display());
            let pem = fs::read(&file).map_err(|error| unusable(error.to_string()))?;
            network = network
                .trust_pem(&pem)
                .map_err(|error| unusable(error.to_string()))?;
        }
        Ok(Self {
            endpoint,
            timeout,
            network,
        })
    }
}

/// That of traces comes before that of all signals.
fn of_traces(name: &str) -> Option<String> {
    variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
        .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
}

/// An empty one is none.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// The collector, over our own connections.
#[derive(Clone, Debug)]
struct Collector {
    place: String,
    pool: Pool,
    runtime: Handle,
    timeout: Duration,
    /// Why the latest request had no answer. The exporter does not tell.
    problem: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl HttpClient for Collector {
    /// Runs on the exporter's own thread, which has no reactor.
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // One of them may be the collector's key.
        for value in request.headers_mut().values_mut() {
            value.set_sensitive(true);
        }
        let (pool, timeout) = (self.pool.clone(), self.timeout);
        let exchange = self.runtime.spawn(async move {
            let exchange = async {
                let (parts, body) = pool.send(request.map(Full::new)).await?.into_parts();
                let body = Limited::new(body, REPLY).collect().await?.to_bytes();
                Ok::<_, HttpError>(Response::from_parts(parts, body))
            };
            match tokio::time::timeout(timeout, exchange).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {} ms", timeout.as_millis()).into()),
            }
        });
        let outcome = exchange.await.unwrap_or_else(|error| Err(error.into()));
        let problem = outcome.as_ref().err().map(ToString::to_string);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        outcome
    }
}

/// Says that spans are lost, once until some arrive again.
#[derive(Debug)]
struct Watched {
    exporter: opentelemetry_otlp::SpanExporter,
    collector: Collector,
    failing: AtomicBool,
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        let failed = outcome.is_err();
        if self.failing.swap(failed, Ordering::Relaxed) == failed {
            return outcome;
        }
        match &outcome {
            Ok(()) => tracing::info!(target: "harness::traces", "spans arrive again"),
            Err(error) => {
                let problem = self
                    .collector
                    .problem
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                let problem = problem.unwrap_or_else(|| error.to_string());
                tracing::error!(
                    target: "harness::traces",
                    collector = self.collector.place,
                    problem = %printable(&problem),
                    spans,
                    "spans are lost; calls go on"
                );
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
