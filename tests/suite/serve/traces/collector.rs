//! A collector of traces, and what it was sent.

use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as AnyValue},
    trace::v1::{span::SpanKind, status::StatusCode as SpanStatus},
};
use prost::Message as _;

use crate::serve::command::Process;

pub const KEY: &str = "the-key-of-the-collector";

/// What came in.
pub type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A collector that speaks OTLP over HTTP.
pub struct Collector {
    pub addr: SocketAddr,
    pub received: Received,
}

/// A span, as it was received.
#[derive(Debug)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: SpanKind,
    pub failed: bool,
    pub took: u64,
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// That answers with a status, or never.
    pub async fn start(answer: Option<StatusCode>) -> Self {
        let received = Received::default();
        let take =
            async move |State(received): State<Received>, headers: HeaderMap, body: Bytes| {
                received.lock().expect("no panic").push((headers, body));
                match answer {
                    Some(status) => status,
                    None => pending().await,
                }
            };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&received));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { addr, received }
    }

    /// The variables that send traces there, and further ones.
    pub fn serve(&self, args: &[&str], variables: &[(&str, &str)]) -> Process {
        let endpoint = format!("http://{}", self.addr);
        let headers = format!("x-key={KEY}");
        let mut all = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ];
        all.extend(variables);
        Process::start_with(args, &all)
    }

    pub fn count(&self) -> usize {
        self.received.lock().expect("no panic").len()
    }

    /// All that it got, as text as far as it is.
    pub fn text(&self) -> String {
        let received = self.received.lock().expect("no panic");
        let bodies = received.iter().map(|(_, body)| body);
        bodies
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .collect()
    }

    pub fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let received = self.received.lock().expect("no panic");
        let bodies = received.iter().map(|(_, body)| body.clone());
        bodies
            .map(|body| ExportTraceServiceRequest::decode(body).expect("OTLP"))
            .collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let scopes = requests
            .into_iter()
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans);
        spans
            .map(|span| Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                kind: span.kind(),
                failed: span.status.as_ref().map(|status| status.code()) == Some(SpanStatus::Error),
                took: span.end_time_unix_nano - span.start_time_unix_nano,
                attributes: attributes(&span.attributes),
                name: span.name,
            })
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn attributes(given: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text.clone()),
        AnyValue::IntValue(number) => Some(number.to_string()),
        other => panic!("neither text nor number: {other:?}"),
    };
    given
        .iter()
        .map(|attribute| (attribute.key.clone(), text(attribute).unwrap_or_default()))
        .collect()
}

/// Finds spans of one name; there must be just one.
#[track_caller]
pub fn the<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        (first, _) => panic!(
            "{} of {name} in {spans:#?}",
            if first.is_some() { "several" } else { "none" }
        ),
    }
}

impl Span {
    #[track_caller]
    pub fn has(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            let found = self.attributes.get(*name).map(String::as_str);
            assert_eq!(found, Some(*value), "`{name}` of {self:#?}");
        }
    }

    pub fn children<'s>(&self, spans: &'s [Self]) -> Vec<&'s Self> {
        let of = |span: &&Self| span.parent == self.id && span.trace == self.trace;
        spans.iter().filter(of).collect()
    }
}
