//! Everything that leaves the sandbox passes here, in this order:
//!
//! 1. [`policy`]: declared by the connector and granted by the operator;
//! 2. [`budget`](Budget): deadline, requests, bytes, the vendor's rate limit;
//!    in a sync, the answers that the run has had already;
//! 3. [`cassette`]: a replay answers here, a recording looks on;
//! 4. credentials: added to the request, which nobody but the network sees
//!    after; renewed where they expire, and once when the vendor answers 401;
//! 5. [`faults`], where there is a plan for them: what goes wrong on purpose,
//!    in place of the vendor, or of a replay's answer;
//! 6. pool: a checked connection.
//!
//! A recording therefore can't hold a credential, and a replay is under the
//! same policy as the network. On its way back an answer is capped, and the
//! credential is taken out of it should the vendor repeat it.

mod address;
mod budget;
pub mod cassette;
mod credential_source;
mod credentials;
pub mod faults;
mod origin;
pub mod policy;
mod pool;
mod rate_limit;
mod refusal;
mod run_cache;
mod secret_forms;
mod trace;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as WasiHttpError, ForbiddenHeaderFilter, RequestOptions,
    WasiBody, WasiHttpHooks,
};

pub use budget::{Budget, Exhausted};
pub use credential_source::SignInError;
pub(crate) use credential_source::{Authentication, CredentialSource, Issued};
pub use credentials::{Credential, CredentialError, HeaderScheme};
pub(crate) use credentials::{Presented, REDACTED, Redactor};
pub use origin::{Origin, OriginError, Scheme};
pub(crate) use pool::Pool;
pub use pool::{Network, Resolve, SystemResolver, TransportError, TrustError};
pub use rate_limit::RateLimitState;
pub use refusal::Refusal;
pub(crate) use run_cache::{AnswerCache, KeptAnswer, RequestKey};
pub(crate) use trace::RequestWatch;
pub use trace::{RequestTrace, TraceOutcome, WithheldChange};

use budget::Spending;
use cassette::{Played, Player, Recorder};
use faults::{FaultPlan, Pieces, Strike, Struck};
use policy::{Denial, Level, Policy, RequestLine};
use rate_limit::RateLimits;
use tracing::Instrument as _;

use crate::{spans::Work, text::printable};

/// Longest wait for an answer's first byte where the connector sets none.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// Longest silence within an answer where the connector sets none.
const BETWEEN_BYTES: Duration = Duration::from_secs(60);

/// Requests of one call that the host stood against, as many as are told apart.
/// Enough to see what a connector is after; a guest that makes them in a loop
/// fills neither the memory nor the log.
const MAX_REFUSED: usize = 100;

/// What belongs to one tenant and outlives its calls.
#[derive(Debug)]
pub(crate) struct TenantEgress {
    pub(crate) policy: Policy,
    authentication: Authentication,
    pub(crate) redactor: Redactor,
    /// Reads go out, changes do not.
    dry_run: bool,
    faults: Option<FaultPlan>,
    pool: Pool,
    rate_limits: Arc<RateLimits>,
}

impl TenantEgress {
    pub(crate) fn new(
        policy: Policy,
        network: &Network,
        authentication: Authentication,
        redactor: Redactor,
    ) -> Self {
        Self {
            pool: Pool::new(network, policy.grant()),
            policy,
            authentication,
            redactor,
            dry_run: false,
            faults: None,
            rate_limits: Arc::default(),
        }
    }

    /// The same tenant's, for another version of its connector: they share what
    /// the vendor has said about its rate limit, and connections if both are
    /// granted the same places.
    pub(crate) fn beside(
        &self,
        policy: Policy,
        network: &Network,
        authentication: Authentication,
        redactor: Redactor,
    ) -> Self {
        // The pool goes by its grant when it connects.
        let pool = if policy.grant().reaches_as(self.policy.grant()) {
            self.pool.clone()
        } else {
            Pool::new(network, policy.grant())
        };
        Self {
            policy,
            authentication,
            redactor,
            dry_run: false,
            faults: None,
            pool,
            rate_limits: Arc::clone(&self.rate_limits),
        }
    }

    /// Withholds every request that changes something.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// What goes wrong on purpose.
    pub(crate) fn faults(mut self, faults: Option<FaultPlan>) -> Self {
        self.faults = faults;
        self
    }

    pub(crate) fn rate_limit(&self) -> Option<RateLimitState> {
        self.rate_limits.latest()
    }
}

/// Where the answers of a call come from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Source {
    /// The network.
    #[default]
    Network,
    /// The network, and a recording is made.
    Recorded(Arc<Recorder>),
    /// A recording.
    Replayed(Arc<Player>),
    /// Nowhere: every request is refused. For `metadata.describe`.
    Nothing,
}

/// What belongs to one call.
#[derive(Debug)]
pub(crate) struct CallEgress {
    tenant: Arc<TenantEgress>,
    capability: String,
    source: Source,
    spending: Spending,
    /// What its requests are part of.
    span: tracing::Span,
    asked: AtomicUsize,
    /// By their place among the requests that were asked for.
    traces: Mutex<BTreeMap<usize, RequestTrace>>,
    refused: Mutex<Refused>,
    began: Instant,
    watch: Option<Arc<dyn RequestWatch>>,
    cache: Option<Arc<dyn AnswerCache>>,
}

/// What is known of a request when it ends, however it ends.
#[derive(Debug, Default)]
struct Passage {
    /// The declared rule that let it out.
    rule: Option<String>,
    /// Whether its answer is one that the run has had already.
    cached: bool,
}

/// What the host itself stood against in one call.
#[derive(Debug, Default)]
struct Refused {
    count: usize,
    first: Option<Refusal>,
    denials: Vec<Denial>,
}

impl CallEgress {
    pub(crate) fn new(
        tenant: Arc<TenantEgress>,
        capability: &str,
        source: Source,
        budget: Budget,
    ) -> Self {
        Self {
            tenant,
            capability: capability.to_owned(),
            source,
            spending: Spending::new(budget),
            span: tracing::Span::none(),
            asked: AtomicUsize::new(0),
            traces: Mutex::default(),
            refused: Mutex::default(),
            began: Instant::now(),
            watch: None,
            cache: None,
        }
    }

    /// Answers a repeated read as it was answered before.
    pub(crate) fn remembering(mut self, cache: Option<Arc<dyn AnswerCache>>) -> Self {
        self.cache = cache;
        self
    }

    /// Lets somebody look on.
    pub(crate) fn watched(mut self, watch: Arc<dyn RequestWatch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Its requests are part of that span. A guest makes them in tasks of their
    /// own, which have no current one.
    pub(crate) fn within(mut self, span: &tracing::Span) -> Self {
        self.span = span.clone();
        self
    }

    /// The requests in the order in which they were made. Of those that the
    /// host stood against the first [`MAX_REFUSED`].
    pub(crate) fn traces(&self) -> Vec<RequestTrace> {
        lock(&self.traces).values().cloned().collect()
    }

    /// The first thing that the host itself stood against, if any for good: else
    /// the first one that failed.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        lock(&self.refused).first.clone()
    }

    /// What policy has denied, at most [`MAX_REFUSED`].
    pub(crate) fn denials(&self) -> Vec<Denial> {
        lock(&self.refused).denials.clone()
    }

    /// Remembers a refusal, and tells of a denial whoever watches the log.
    /// False if there were too many already.
    fn refuse(&self, refusal: Refusal, request: Option<&RequestTrace>) -> bool {
        let mut refused = lock(&self.refused);
        refused.count += 1;
        let told = refused.count <= MAX_REFUSED;
        if let (Refusal::Denied(denial), true) = (&refusal, told) {
            tracing::warn!(
                target: "harness::egress",
                capability = self.capability,
                method = request.map(|request| request.method.as_str()),
                uri = request.map(|request| request.uri.as_str()),
                rule = denial.rule(),
                denial = %printable(&denial.to_string()),
                "request denied"
            );
            if refused.count == MAX_REFUSED {
                tracing::warn!(
                    target: "harness::egress",
                    capability = self.capability,
                    "what else of this call is denied is not told"
                );
            }
            refused.denials.push(denial.clone());
        }
        // What passes, and is tried again, must not hide what fails the call.
        match &refused.first {
            Some(first) if first.is_final() || !refusal.is_final() => {}
            _ => refused.first = Some(refusal),
        }
        told
    }

    /// The guest has tried to set a header that is not its own to set.
    fn deny_header(&self, name: &HeaderName) {
        let denial = Denial::Header {
            capability: self.capability.clone(),
            name: name.as_str().to_owned(),
        };
        self.refuse(denial.into(), None);
    }

    async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, WasiHttpError> {
        let place = self.asked.fetch_add(1, Ordering::Relaxed);
        let method = request.method().as_str().to_owned();
        let uri = self.tenant.redactor.text(&request.uri().to_string());
        let uri = printable(&uri).into_owned();
        if let Some(watch) = &self.watch {
            watch.asked(place, &method, &uri);
        }
        let started = Instant::now();
        let mut passage = Passage::default();
        let work = Work::request(&self.span, request.method());
        let outcome = self.pass(request, options, &mut passage, &work).await;
        match &outcome {
            Ok((parts, body)) => work.answered(parts.status.as_u16(), body.len()),
            Err(refusal) => work.refused(refusal.code(), refusal.rule()),
        }
        let live = !matches!(self.source, Source::Replayed(_));
        let (began, elapsed) = if live {
            (started.duration_since(self.began), started.elapsed())
        } else {
            (Duration::ZERO, Duration::ZERO)
        };
        let trace = RequestTrace {
            method,
            uri,
            rule: passage.rule,
            cached: passage.cached,
            outcome: match &outcome {
                Ok((parts, _)) => TraceOutcome::Status(parts.status.as_u16()),
                Err(refusal) => TraceOutcome::Failed(refusal.code().to_owned()),
            },
            bytes: outcome.as_ref().map_or(0, |(_, body)| body.len()),
            started: began,
            elapsed,
        };
        if let Some(watch) = &self.watch {
            watch.answered(place, &trace);
        }
        tracing::debug!(
            target: "harness::egress",
            capability = self.capability,
            method = trace.method,
            uri = trace.uri,
            outcome = ?trace.outcome,
            cached = trace.cached,
            bytes = trace.bytes,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        match outcome {
            Ok((mut parts, body)) => {
                lock(&self.traces).insert(place, trace);
                // What a guest can't set it does not get to see. `wasi:http`
                // would look after that with the filter that tells us what a
                // guest tries to set.
                let hidden: Vec<HeaderName> = parts.headers.keys().cloned().collect();
                for name in hidden.iter().filter(|name| is_forbidden(name)) {
                    parts.headers.remove(name);
                }
                Ok(Response::from_parts(
                    parts,
                    Full::new(body)
                        .map_err(|never| match never {})
                        .boxed_unsync(),
                ))
            }
            Err(refusal) => {
                let answer = refusal.to_wasi();
                if self.refuse(refusal, Some(&trace)) {
                    lock(&self.traces).insert(place, trace);
                }
                Err(answer)
            }
        }
    }

    /// The stages.
    async fn pass(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
        passage: &mut Passage,
        work: &Work,
    ) -> Result<(http::response::Parts, Bytes), Refusal> {
        // Whoever answers must have read the request first: a guest that is
        // still sending would see its stream closed instead of the answer.
        let limit = self.spending.budget().request_body;
        let (parts, body) = request.into_parts();
        let left = self.spending.remaining()?;
        let body = tokio::time::timeout(left, Limited::new(body, limit).collect())
            .await
            .map_err(|_| Exhausted::Deadline(self.spending.budget().deadline))?
            .map_err(|_| Exhausted::RequestBody(limit))?
            .to_bytes();

        // 1 policy
        let origin = request_origin(&parts.uri)?;
        let rule = self.tenant.policy.decide(RequestLine {
            capability: &self.capability,
            method: parts.method.as_str(),
            origin: &origin,
            path: parts.uri.path(),
        })?;
        let level = rule.level;
        let changes = level == Level::Write;
        work.allowed(origin.place(), &rule.method, &rule.path.to_string());
        let rule = format!("{} {}", rule.method, rule.path);
        passage.rule = Some(rule.clone());
        if changes && self.tenant.dry_run {
            return Err(Refusal::Withheld(Box::new(WithheldChange {
                method: parts.method.as_str().to_owned(),
                uri: self.tenant.redactor.text(&parts.uri.to_string()),
                rule,
                body: serde_json::from_slice(&body).unwrap_or_default(),
            })));
        }
        if matches!(self.source, Source::Nothing) {
            return Err(Denial::Capability(self.capability.clone()).into());
        }

        // 2 budget
        let _turn = self.spending.begin().await?;

        // What the run has had already. In front of the cassette: a recording of
        // a run has each answer once, as the vendor gave it.
        let key = match &self.cache {
            Some(cache) if !changes => {
                let key = RequestKey::of(&parts.method, &parts.uri, &parts.headers, &body);
                let kept = match &key {
                    Some(key) => cache.find(key).await,
                    None => None,
                };
                if let Some((parts, body)) = kept.and_then(KeptAnswer::into_parts) {
                    self.spending.received(body.len())?;
                    passage.cached = true;
                    return Ok((parts, body));
                }
                cache.passed_on();
                key
            }
            Some(cache) => {
                cache.passed_on();
                None
            }
            None => None,
        };

        // 3 cassette
        let tap = match &self.source {
            Source::Replayed(player) => {
                let struck = Struck {
                    method: &parts.method,
                    uri: &parts.uri,
                    body: &body,
                    level,
                };
                let outcome = self.replay(player, struck, options).await;
                self.remember(key, &outcome).await;
                return outcome;
            }
            Source::Recorded(recorder) => Some((
                recorder,
                recorder.request(
                    &self.capability,
                    parts.method.as_str(),
                    &parts.uri.to_string(),
                    &parts.headers,
                    &body,
                ),
            )),
            Source::Network | Source::Nothing => None,
        };

        let started = Instant::now();
        let outcome = async {
            let left = self.spending.remaining()?;
            let _place = self.tenant.rate_limits.turn(&rule, left).await?;
            let (parts, body) = self
                .authenticated(&rule, level, parts, body, options, work)
                .await?;
            Ok::<_, Refusal>(self.clean(parts, body))
        }
        .await;
        if let Some((recorder, pending)) = tap {
            match &outcome {
                Ok((parts, body)) => recorder.response(
                    pending,
                    parts.status,
                    &parts.headers,
                    body,
                    started.elapsed(),
                ),
                Err(refusal) => recorder.failure(pending, refusal.code(), started.elapsed()),
            }
        }
        self.remember(key, &outcome).await;
        outcome
    }

    /// Keeps an answer for the next time that it is asked for.
    async fn remember(
        &self,
        key: Option<RequestKey>,
        outcome: &Result<(http::response::Parts, Bytes), Refusal>,
    ) {
        if let (Some(cache), Some(key), Ok((parts, body))) = (&self.cache, key, outcome)
            && let Some(answer) = KeptAnswer::of(parts.status, &parts.headers, body)
        {
            cache.keep(&key, answer).await;
        }
    }

    async fn replay(
        &self,
        player: &Player,
        request: Struck<'_>,
        options: RequestOptions,
    ) -> Result<(http::response::Parts, Bytes), Refusal> {
        let strike = self.strike(request);
        if let Some(answer) = strike.as_ref().and_then(Strike::instead) {
            return self.receive(answer?, options).await;
        }
        let method = request.method.as_str();
        let uri = request.uri.to_string();
        let (parts, body) = match player.answer(method, &uri, request.body) {
            Ok(Played::Answer {
                status,
                headers,
                body,
            }) => {
                let mut parts = Response::new(()).into_parts().0;
                parts.status = status;
                parts.headers = headers;
                (parts, body)
            }
            Ok(Played::Failure(code)) => return Err(replayed_failure(&code).into()),
            Err(mismatch) => return Err(Refusal::Unmatched(Box::new(mismatch))),
        };
        let outcome = match &strike {
            None => return Ok(self.answered(request, parts, body)),
            Some(strike) if self.spending.remaining()? < strike.drips_for(body.len()) => {
                Err(Exhausted::Deadline(self.spending.budget().deadline).into())
            }
            Some(strike) => match strike.spoil(parts, body) {
                Ok(spoilt) => self.receive(spoilt.map(Pieces::at_once), options).await,
                Err(lost) => Err(lost.into()),
            },
        };
        if outcome.is_err() {
            // It was lost. Who asks again gets it; there is no second one.
            player.put_back(method, &uri, request.body);
        }
        outcome
    }

    /// What goes wrong with this request on purpose.
    fn strike(&self, request: Struck<'_>) -> Option<Strike> {
        self.tenant.faults.as_ref()?.strike(request)
    }

    /// Nothing went wrong.
    fn answered(
        &self,
        request: Struck<'_>,
        parts: http::response::Parts,
        body: Bytes,
    ) -> (http::response::Parts, Bytes) {
        if let Some(faults) = &self.tenant.faults {
            faults.seen(request, &body);
        }
        (parts, body)
    }

    /// The last stages, from the credentials on. All once again where the vendor
    /// refuses a credential that can be renewed.
    async fn authenticated(
        &self,
        rule: &str,
        level: Level,
        parts: http::request::Parts,
        body: Bytes,
        options: RequestOptions,
        work: &Work,
    ) -> Result<(http::response::Parts, Bytes), Refusal> {
        let authentication = &self.tenant.authentication;
        // A renewal is part of the request that needs it.
        let span = work.span();
        let mut presented = self
            .in_time(authentication.present().instrument(span.clone()))
            .await?;
        let mut repeated = false;
        loop {
            let mut request = Request::from_parts(parts.clone(), Full::new(body.clone()));
            if let Some(presented) = &presented {
                presented.apply(request.headers_mut());
            }
            let struck = Struck {
                method: &parts.method,
                uri: &parts.uri,
                body: &body,
                level,
            };
            let answer = self.exchange(request, struck, options).await?;
            self.tenant
                .rate_limits
                .observe(rule, answer.0.status, &answer.0.headers);
            let Some(sent) = &presented else {
                return Ok(answer);
            };
            if answer.0.status != http::StatusCode::UNAUTHORIZED {
                authentication.accepted(sent);
                return Ok(answer);
            }
            if repeated {
                return Ok(answer);
            }
            let renewed = authentication.after_refusal(sent).instrument(span.clone());
            match self.in_time(renewed).await? {
                Some(next) => presented = Some(next),
                None => return Ok(answer),
            }
            repeated = true;
        }
    }

    /// Waits for a credential no longer than the call may take. A renewal that
    /// is under way goes on without us.
    async fn in_time<T>(
        &self,
        credential: impl Future<Output = Result<T, SignInError>>,
    ) -> Result<T, Refusal> {
        let left = self.spending.remaining()?;
        let credential = tokio::time::timeout(left, credential)
            .await
            .map_err(|_| Exhausted::Deadline(self.spending.budget().deadline))?;
        Ok(credential?)
    }

    /// Sends and receives within the time-outs and the caps.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        struck: Struck<'_>,
        options: RequestOptions,
    ) -> Result<(http::response::Parts, Bytes), Refusal> {
        // 5 faults
        let strike = self.strike(struck);
        if let Some(answer) = strike.as_ref().and_then(Strike::instead) {
            return self.receive(answer?, options).await;
        }

        // 6 pool
        // Whatever the guest would like: a compressed answer can't be searched
        // for the credential.
        let identity = HeaderValue::from_static("identity");
        request
            .headers_mut()
            .insert(header::ACCEPT_ENCODING, identity);
        let first = self.limit(options.first_byte_timeout, FIRST_BYTE)?;
        let response = tokio::time::timeout(first, self.tenant.pool.send(request))
            .await
            .map_err(|_| self.late(first))??;
        let (parts, body) = self.receive(response, options).await?;
        match strike {
            None => Ok(self.answered(struck, parts, body)),
            Some(strike) => self.receive(strike.spoil(parts, body)?, options).await,
        }
    }

    /// Takes an answer in.
    async fn receive<B>(
        &self,
        response: Response<B>,
        options: RequestOptions,
    ) -> Result<(http::response::Parts, Bytes), Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        let (parts, mut incoming) = response.into_parts();
        if let Some(coding) = parts.headers.get(header::CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let coding = String::from_utf8_lossy(coding.as_bytes());
            return Err(TransportError::Encoded(printable(&coding).into_owned()).into());
        }
        let cap = self.spending.budget().response_body;
        let mut body = BytesMut::new();
        loop {
            let between = self.limit(options.between_bytes_timeout, BETWEEN_BYTES)?;
            let frame = tokio::time::timeout(between, incoming.frame())
                .await
                .map_err(|_| self.late(between))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| TransportError::Broken(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                if body.len() + data.len() > cap {
                    return Err(TransportError::TooLarge(cap).into());
                }
                self.spending.received(data.len())?;
                body.extend_from_slice(&data);
            }
        }
        Ok((parts, body.freeze()))
    }

    /// Nothing came for so long. If the call's own time is over, another attempt
    /// would help nobody.
    fn late(&self, waited: Duration) -> Refusal {
        match self.spending.remaining() {
            Ok(_) => TransportError::Timeout(waited).into(),
            Err(over) => over.into(),
        }
    }

    /// How long to wait: as the guest wishes, but not beyond the deadline.
    fn limit(&self, wanted: Option<Duration>, default: Duration) -> Result<Duration, Exhausted> {
        let left = self.spending.remaining()?;
        let wanted = wanted.unwrap_or(default);
        Ok(wanted.max(Duration::from_millis(1)).min(left))
    }

    /// Takes out of an answer what is not for the guest.
    fn clean(
        &self,
        mut parts: http::response::Parts,
        body: Bytes,
    ) -> (http::response::Parts, Bytes) {
        for name in [
            header::SET_COOKIE,
            HeaderName::from_static("set-cookie2"),
            header::AUTHORIZATION,
            // The body is complete and no longer what was on the wire.
            header::TRANSFER_ENCODING,
            header::CONTENT_LENGTH,
            header::CONNECTION,
        ] {
            parts.headers.remove(name);
        }
        let redactor = &self.tenant.redactor;
        let leaking: Vec<HeaderName> = parts
            .headers
            .iter()
            .filter(|(_, value)| redactor.finds(value.as_bytes()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &leaking {
            parts
                .headers
                .insert(name, HeaderValue::from_static(REDACTED));
        }
        let redacted = redactor.bytes(&body);
        if redacted.is_some() || !leaking.is_empty() {
            tracing::warn!(
                target: "harness::egress",
                capability = self.capability,
                "the vendor's answer repeats the credential; it was taken out"
            );
        }
        (parts, redacted.map_or(body, Bytes::from))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn request_origin(uri: &http::Uri) -> Result<Origin, Denial> {
    let origin = Origin::of(uri);
    // `user@host` in the authority would put text in front of the host that a
    // reader takes for the host.
    match uri.authority() {
        Some(authority) if !authority.as_str().contains('@') && !origin.host().is_empty() => {
            Ok(origin)
        }
        _ => Err(Denial::Origin(origin)),
    }
}

fn replayed_failure(code: &str) -> TransportError {
    match code {
        "dns-error" => TransportError::Resolve {
            host: "recorded".to_owned(),
            cause: "as recorded".to_owned(),
        },
        "connection-refused" => TransportError::Connect {
            host: "recorded".to_owned(),
            cause: "as recorded".to_owned(),
        },
        "connection-timeout" => TransportError::ConnectTimeout {
            host: "recorded".to_owned(),
            limit: Duration::ZERO,
        },
        "certificate-error" => TransportError::Certificate("as recorded".to_owned()),
        "tls-error" => TransportError::Tls("as recorded".to_owned()),
        "timeout" => TransportError::Timeout(Duration::ZERO),
        _ => TransportError::Broken("as recorded".to_owned()),
    }
}

/// The seam to `wasi:http`.
#[derive(Debug)]
pub(crate) struct Hooks {
    pub(crate) call: Arc<CallEgress>,
}

/// Headers that a guest can't set: what the protocol needs, whatever could
/// carry a credential of its own, whatever makes a vendor take one method for
/// another, since the declared level hangs on the method, and whatever asks for
/// a slice of an answer, in which a credential would not be found.
fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || [
            header::AUTHORIZATION,
            header::COOKIE,
            header::FORWARDED,
            header::RANGE,
        ]
        .contains(name)
        || name.as_str().starts_with("proxy-")
        || name.as_str().starts_with("x-forwarded-")
        || METHOD_OVERRIDES.contains(&name.as_str())
}

/// As Rails, Django, Laravel, Express and Google's APIs know them.
const METHOD_OVERRIDES: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        let call = Arc::clone(&self.call);
        Arc::new(move |name| {
            let forbidden = is_forbidden(name);
            if forbidden {
                call.deny_header(name);
            }
            forbidden
        })
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Box<dyn Future<Output = Result<(), WasiHttpError>> + Send>,
    ) -> SendRequest {
        let call = Arc::clone(&self.call);
        Box::new(async move {
            let response = call.send(request, options.unwrap_or_default()).await?;
            let written: RequestWritten = Box::new(std::future::ready(Ok(())));
            Ok((response, written))
        })
    }
}

type RequestWritten = Box<dyn Future<Output = Result<(), WasiHttpError>> + Send>;
type SendRequest =
    Box<dyn Future<Output = Result<(Response<WasiBody>, RequestWritten), WasiHttpError>> + Send>;
