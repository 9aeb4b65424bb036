//! A tenant: one customer's account at the vendor, seen through one connector.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use serde_json::Value;

use super::{
    CallError, CallReport, Connector, LoadError,
    listener::Listener,
    settings::{Schema, SettingError},
    watch::{Reports, Watch, Watches},
};
use crate::{
    egress::{
        AnswerCache, Authentication, Budget, Credential, CredentialError, HeaderScheme, Network,
        Presented, RateLimitState, Redactor, Source, TenantEgress,
        cassette::{Cassette, CassetteError, Player, Recorder},
        faults::FaultPlan,
        policy::{Grant, Policy},
    },
    engine::Mode,
    oauth::Session,
    text::printable,
};

/// How the contract tells a connector how long it has.
const DEADLINE_VARIABLE: &str = "CALL_DEADLINE_MS";

/// What it takes to open a tenant.
#[derive(Clone, Debug)]
pub struct TenantConfig {
    grant: Grant,
    sign_in: SignIn,
    scheme: Option<String>,
    settings: BTreeMap<String, String>,
    network: Network,
    budget: Budget,
    pub(super) source: Source,
    dry_run: bool,
    faults: Option<FaultPlan>,
    watches: Watches,
}

/// What requests are authenticated with.
#[derive(Clone, Debug)]
enum SignIn {
    Nothing,
    Credential(Credential),
    Oauth(Session),
}

impl TenantConfig {
    /// With what the operator grants, and nothing else yet.
    pub fn new(grant: Grant) -> Self {
        Self {
            grant,
            sign_in: SignIn::Nothing,
            scheme: None,
            settings: BTreeMap::new(),
            network: Network::default(),
            budget: Budget::default(),
            source: Source::default(),
            dry_run: false,
            faults: None,
            watches: Watches::default(),
        }
    }

    /// The secret that the host adds to each request. The connector never
    /// sees it.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.sign_in = SignIn::Credential(credential);
        self
    }

    /// A sign-in by OAuth, in place of a secret that stays. The connector must
    /// declare its scheme.
    #[must_use]
    pub fn oauth(mut self, session: Session) -> Self {
        self.sign_in = SignIn::Oauth(session);
        self
    }

    /// Which of the connector's header schemes presents the credential, by its
    /// id. The first one if not said. Says nothing about a sign-in by OAuth.
    #[must_use]
    pub fn scheme(mut self, id: impl Into<String>) -> Self {
        self.scheme = Some(id.into());
        self
    }

    /// Gives a setting.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// How requests reach the network.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// What each call may use.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Records what passes. Calls see the recorder's clock as the present.
    #[must_use]
    pub fn record(mut self, recorder: Arc<Recorder>) -> Self {
        self.source = Source::Recorded(recorder);
        self
    }

    /// Answers from a recording, under its clock, seed and settings; nothing
    /// reaches the network.
    pub fn replay(mut self, cassette: Cassette) -> Result<Self, CassetteError> {
        self.settings = cassette.harness.settings.clone();
        self.source = Source::Replayed(Arc::new(Player::new(cassette)?));
        Ok(self)
    }

    /// Sends reads, and withholds changes: a call that comes to one ends with
    /// [`CallError::Refused`](super::CallError::Refused), which holds it. A call
    /// that finds nothing to change ends as it always does.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Lets things go wrong, live or in a replay: for tests. `plan` can be
    /// changed while calls run, by its clones.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    /// Tells `observer` about each call, also about failed ones.
    #[must_use]
    pub fn observe(self, observer: impl Fn(&CallReport) + Send + Sync + 'static) -> Self {
        self.watch(Arc::new(Reports::new(observer)))
    }

    /// Lets somebody look on while calls run.
    #[must_use]
    pub fn watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watches.add(watch);
        self
    }
}

/// Why a tenant can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The credential is wrong.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The connector has no such scheme.
    #[error("the connector has no authentication scheme `{id}`; it has {}", .known.join(", "))]
    Scheme {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The sign-in is for another application, or the connector has other
    /// ideas of where its tokens come from.
    #[error("the sign-in of profile `{profile}` is not for this connector: {why}")]
    SignIn {
        /// Which profile.
        profile: String,
        /// What does not fit.
        why: String,
    },
    /// The cassette's clock or seed is broken.
    #[error("the cassette's {0} is not valid")]
    Cassette(&'static str),
    /// The connector does not compile for replays.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Setting(_) => "`harness info` lists the settings with their values",
            Self::Credential(_) => {
                "put the token, and nothing else, into `PAGERDUTY_TOKEN` or the file"
            }
            Self::Scheme { .. } => "`harness info` lists the schemes",
            Self::SignIn { .. } => "sign in again with `harness login`",
            Self::Cassette(_) => "`harness cassette lint` says more",
            Self::Load(error) => error.hint(),
        }
    }
}

/// An open tenant. Each call runs in a sandbox of its own, so calls may run at
/// the same time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub(super) open: Arc<Open>,
}

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) connector: Connector,
    /// What it was opened with; the budget may be another by now.
    pub(super) config: Arc<TenantConfig>,
    pub(super) egress: Arc<TenantEgress>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) budget: Budget,
    pub(super) mode: Mode,
    /// The recording's wall clock and seed, where there is a recording.
    pub(super) recorded: Option<(jiff::Timestamp, [u8; 32])>,
    pub(super) watches: Arc<Watches>,
    /// The answers of a run, while it is one.
    pub(super) cache: Option<Arc<dyn AnswerCache>>,
    /// Counted over all that share a recording.
    pub(super) calls: Arc<AtomicU64>,
    pub(super) listener: Listener,
}

impl Tenant {
    pub(super) fn open(connector: Connector, config: TenantConfig) -> Result<Self, OpenError> {
        Self::assemble(connector, config, None)
    }

    /// The same tenant on another version of its connector, with what that one
    /// is granted. It goes on with the same sign-in, with what the vendor has
    /// said about its rate limit, and with its connections, unless the grant
    /// leads to other places. Fails where that version does not take its
    /// settings, or its way to sign in.
    pub fn reopened_on(&self, connector: &Connector, grant: Grant) -> Result<Self, OpenError> {
        let config = TenantConfig {
            grant,
            budget: self.open.budget.clone(),
            ..TenantConfig::clone(&self.open.config)
        };
        Self::assemble(connector.clone(), config, Some(&self.open))
    }

    /// The same tenant on another version of its connector, to look on only:
    /// whatever it is granted, changes are withheld, and nobody is told of its
    /// calls. Its requests count for the rate limit of both. None if it is not
    /// on the network, since no two can share a recording.
    pub(crate) fn shadowed_on(&self, connector: &Connector) -> Option<Result<Self, OpenError>> {
        let open = &self.open;
        if !matches!(open.config.source, Source::Network) {
            return None;
        }
        let config = TenantConfig {
            grant: self.grant().clone().without_writes(),
            budget: open.budget.clone(),
            dry_run: true,
            watches: Watches::default(),
            ..TenantConfig::clone(&open.config)
        };
        Some(Self::assemble(connector.clone(), config, Some(open)))
    }

    /// Opens it, beside `before` if that is the same tenant on another version.
    fn assemble(
        connector: Connector,
        config: TenantConfig,
        before: Option<&Open>,
    ) -> Result<Self, OpenError> {
        let schema = Schema::parse(&connector.descriptor().settings_schema)?;
        let mut environment = schema.environment(&config.settings)?;
        environment.push((
            DEADLINE_VARIABLE.to_owned(),
            config.budget.deadline.as_millis().to_string(),
        ));
        let (authentication, redactor) =
            authentication(&connector, &config.sign_in, config.scheme.as_deref())?;
        let (mode, recorded) = match &config.source {
            Source::Replayed(player) => {
                let recording = &player.cassette().harness;
                let clock = recording
                    .clock
                    .parse()
                    .map_err(|_| OpenError::Cassette("clock"))?;
                let seed = seed(&recording.seed).ok_or(OpenError::Cassette("seed"))?;
                // Compiled here, so that a call can't fail for it.
                connector.prepared(Mode::Replay)?;
                (Mode::Replay, Some((clock, seed)))
            }
            Source::Recorded(recorder) => (Mode::Live, Some((recorder.clock(), recorder.seed()))),
            Source::Network | Source::Nothing => (Mode::Live, None),
        };
        let policy = Policy::new(connector.declaration().clone(), config.grant.clone());
        let egress = match before {
            None => TenantEgress::new(policy, &config.network, authentication, redactor),
            Some(before) => {
                let egress = &before.egress;
                egress.beside(policy, &config.network, authentication, redactor)
            }
        }
        .dry_run(config.dry_run)
        .faults(config.faults.clone());
        let watches = config.watches.clone();
        Ok(Self {
            open: Arc::new(Open {
                connector,
                egress: Arc::new(egress),
                environment,
                budget: config.budget.clone(),
                config: Arc::new(config),
                mode,
                recorded,
                watches: Arc::new(watches),
                cache: None,
                calls: before
                    .map(|before| Arc::clone(&before.calls))
                    .unwrap_or_default(),
                listener: Listener::default(),
            }),
        })
    }

    /// The connector it is seen through.
    pub fn connector(&self) -> &Connector {
        &self.open.connector
    }

    /// The same tenant, with another deadline for each call: for several calls
    /// that have to end together.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        self.with(|open| {
            for (name, value) in &mut open.environment {
                if name == DEADLINE_VARIABLE {
                    *value = deadline.as_millis().to_string();
                }
            }
            open.budget.deadline = deadline;
        })
    }

    /// The same tenant, with somebody more who looks on while its calls run.
    #[must_use]
    pub fn watched(&self, watch: Arc<dyn Watch>) -> Self {
        let mut watches = Watches::clone(&self.open.watches);
        watches.add(watch);
        self.with(|open| open.watches = Arc::new(watches))
    }

    /// The same tenant, for one run: a read that `cache` has the answer to does
    /// not leave. Policy and budget are as ever.
    pub(crate) fn remembering(&self, cache: Arc<dyn AnswerCache>) -> Self {
        self.with(|open| open.cache = Some(cache))
    }

    /// The same tenant, whose answers `listener` gets to know, with what was
    /// asked: as [`Tenant::call`] takes and gives them.
    pub(crate) fn listened(
        &self,
        listener: impl Fn(&str, &Value, Result<Value, &CallError>) + Send + Sync + 'static,
    ) -> Self {
        self.with(|open| open.listener = Listener::new(listener))
    }

    fn with(&self, change: impl FnOnce(&mut Open)) -> Self {
        let mut open = Open::clone(&self.open);
        change(&mut open);
        Self {
            open: Arc::new(open),
        }
    }

    /// What it was opened with.
    pub(crate) fn config(&self) -> &TenantConfig {
        &self.open.config
    }

    /// What must not leave it.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.open.egress.redactor
    }

    /// What it is granted.
    pub fn grant(&self) -> &Grant {
        self.open.egress.policy.grant()
    }

    /// The settings in effect.
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.open.config.settings
    }

    /// The vendor's latest word on its rate limit, if it has said one.
    pub fn rate_limit(&self) -> Option<RateLimitState> {
        self.open.egress.rate_limit()
    }

    /// In a replay, the recorded requests that nothing has asked for yet.
    pub fn unplayed(&self) -> Vec<String> {
        match &self.open.config.source {
            Source::Replayed(player) => player.unplayed(),
            _ => Vec::new(),
        }
    }
}

/// How requests are authenticated, and what must be kept out of answers and
/// logs.
fn authentication(
    connector: &Connector,
    sign_in: &SignIn,
    scheme: Option<&str>,
) -> Result<(Authentication, Redactor), OpenError> {
    match sign_in {
        SignIn::Nothing => Ok((Authentication::None, Redactor::default())),
        SignIn::Credential(credential) => {
            let schemes = connector.schemes();
            let found = match scheme {
                Some(id) => schemes.iter().find(|scheme| scheme.id == *id),
                None => schemes.first(),
            };
            let found = found.ok_or_else(|| OpenError::Scheme {
                id: scheme.unwrap_or_default().to_owned(),
                known: schemes
                    .iter()
                    .map(|scheme| format!("`{}`", scheme.id))
                    .collect(),
            })?;
            Ok((
                Authentication::Fixed(Presented::new(credential, found)?),
                Redactor::new([credential]),
            ))
        }
        SignIn::Oauth(session) => {
            suits(connector, session)?;
            let authentication = Authentication::Renewed {
                source: Arc::new(session.clone()),
                // RFC 6750, as the contract says.
                scheme: HeaderScheme::new(&session.scheme(), "authorization", "Bearer {secret}")?,
            };
            Ok((authentication, session.redactor()))
        }
    }
}

/// A connector may name any application and any endpoint: a sign-in is used
/// only where both are what they were when somebody signed in.
fn suits(connector: &Connector, session: &Session) -> Result<(), OpenError> {
    let refused = |why: String| {
        Err(OpenError::SignIn {
            profile: session.key().profile().to_owned(),
            why: printable(&why).into_owned(),
        })
    };
    let app = &connector.descriptor().app_id;
    if session.key().app() != app {
        return refused(format!(
            "it is for `{}`, and the connector for `{app}`",
            session.key().app()
        ));
    }
    let id = session.scheme();
    let Some(scheme) = connector.oauth_scheme(&id) else {
        return refused(format!("the connector has no sign-in `{id}`"));
    };
    let (endpoint, moved) = session.endpoint();
    if !moved && endpoint != *scheme.token_url() {
        return refused(format!(
            "its tokens come from `{endpoint}`, and the connector names `{}`",
            scheme.token_url()
        ));
    }
    Ok(())
}

fn seed(text: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(seed)
}
