//! From command line arguments to an open tenant.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use etcetera::BaseStrategy;
use pagerduty_simulator::{Certificate, Listening, Region, Simulator};

use super::{
    args::{ConnectArgs, ConnectorArgs, PopulationArgs, ReachArgs},
    failure::Failure,
    sign_in::{self, SignIn},
};
use crate::{
    Budget, Connector, Credential, Engine, EngineConfig, Grant, Network, Origin, ReplaysOn, Tenant,
    TenantConfig,
    egress::cassette::{Cassette, RecordedFrom, Recorder, Scrubber},
};

/// An open tenant, and what has to live as long.
pub(super) struct Session {
    pub(super) tenant: Tenant,
    recording: Option<Recording>,
    _simulator: Option<Listening>,
}

/// The secrets in use by the end of a recording: a sign-in renews its own.
pub(super) type Credentials = Box<dyn Fn() -> Vec<Credential> + Send>;

struct Recording {
    recorder: Arc<Recorder>,
    scrubber: Scrubber,
    credentials: Credentials,
    file: PathBuf,
}

impl Session {
    /// Writes the recording, if there is one. Called after failed calls too:
    /// they are worth most.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(recording) = self.recording else {
            return Ok(());
        };
        let by = self.tenant.connector().recorded_by(self.tenant.settings());
        let cassette = recording.recorder.save(
            &recording.file,
            &by,
            &recording.scrubber,
            &(recording.credentials)(),
        )?;
        talk!(
            "recorded {} requests in `{}`",
            cassette.interactions.len(),
            recording.file.display()
        );
        Ok(())
    }
}

/// Sets up wasmtime, with compiled code kept in the user's cache folder.
pub(super) fn engine() -> Result<Engine, Failure> {
    let config = EngineConfig {
        cache: cache_folder(),
        replays: ReplaysOn::CallersThread,
        ..EngineConfig::default()
    };
    Ok(Engine::new(config)?)
}

/// Where things are kept that can be made again.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let named = std::env::var_os("HARNESS_CACHE").map(PathBuf::from);
    named.or_else(|| {
        let folders = etcetera::choose_base_strategy().ok()?;
        Some(folders.cache_dir().join("iga-harness"))
    })
}

/// Loads the connector that was asked for, or the bundled one.
pub(super) async fn connector(engine: &Engine, args: &ConnectorArgs) -> Result<Connector, Failure> {
    match &args.connector {
        Some(file) => connector_file(engine, file).await,
        None => Ok(Connector::bundled(engine).await?),
    }
}

pub(super) async fn connector_file(engine: &Engine, file: &Path) -> Result<Connector, Failure> {
    Connector::from_file(engine, file).await.map_err(|error| {
        let hint = error.hint();
        match &error {
            // Has the file's name in it already.
            crate::LoadError::Read { .. } => Failure::usage(&error, hint),
            _ => Failure::usage(format!("`{}`: {error}", file.display()), hint),
        }
    })
}

/// What a command may do to the vendor's data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// Look.
    Read,
    /// Change.
    Write,
    /// Get as far as the first change.
    DryRun,
}

impl Access {
    /// For a command that changes something.
    pub(super) fn to_change(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Write }
    }
}

/// Opens the tenant that the arguments describe, to look.
pub(super) async fn session(args: &ConnectArgs) -> Result<Session, Failure> {
    session_to(Access::Read, args).await
}

/// Opens the tenant that the arguments describe.
pub(super) async fn session_to(access: Access, args: &ConnectArgs) -> Result<Session, Failure> {
    let engine = engine()?;
    let connector = connector(&engine, &args.reach.connector).await?;
    session_through(&connector, access, args).await
}

/// Opens the tenant through a connector that is loaded already: that which the
/// arguments name.
pub(super) async fn session_through(
    connector: &Connector,
    access: Access,
    args: &ConnectArgs,
) -> Result<Session, Failure> {
    if let Some(file) = &args.replay {
        return replay(connector, file, args);
    }
    let Reach {
        mut network,
        mut grant,
        settings,
    } = reach(access, connector, &args.reach)?;
    let mut simulator = None;
    if args.simulator {
        let region = settings.get("region").map_or("us", String::as_str);
        let (listening, certificate) = start_simulator(&args.population, region).await?;
        network = network.trust_pem(certificate.ca_pem().as_bytes())?;
        // The connector talks to the vendor's own origins, over TLS: the whole
        // path is as it would be, but for where it leads.
        for origin in connector.origins() {
            network = network.route(origin.clone(), listening.addr());
            grant = grant.origin(origin.clone());
        }
        simulator = Some(listening);
    }
    let sign_in = sign_in::find(connector, args, &network).await?;
    let credentials = sign_in.secrets();
    let budget = Budget::with_deadline(Duration::from_secs(args.deadline));
    let mut config = TenantConfig::new(grant)
        .network(network)
        .budget(budget)
        .dry_run(access == Access::DryRun);
    match sign_in {
        SignIn::Token(credential) => {
            config = config.credential(credential);
            if let Some(scheme) = &args.auth {
                config = config.scheme(scheme);
            }
        }
        SignIn::Oauth(session) => {
            // Of the account that was signed in to. What the command line says
            // comes after, and counts.
            for (name, value) in session.settings() {
                config = config.setting(name, value);
            }
            config = config.oauth(session);
        }
    }
    for (name, value) in &settings {
        config = config.setting(name, value);
    }
    let recording = args
        .record
        .as_ref()
        .map(|file| recording(connector, file, credentials, args.simulator))
        .transpose()?;
    if let Some(recording) = &recording {
        config = config.record(Arc::clone(&recording.recorder));
    }
    Ok(Session {
        tenant: connector.open(config)?,
        recording,
        _simulator: simulator,
    })
}

/// Where a tenant is, and what a connector may reach.
pub(super) struct Reach {
    pub(super) network: Network,
    pub(super) grant: Grant,
    pub(super) settings: BTreeMap<String, String>,
}

pub(super) fn reach(
    access: Access,
    connector: &Connector,
    args: &ReachArgs,
) -> Result<Reach, Failure> {
    let mut settings = settings(&args.setting)?;
    let mut network = Network::default();
    if let Some(file) = &args.ca_file {
        network = network.trust_pem(&read(file, "certificates")?)?;
    }
    let mut grant = grant(access, connector, args)?;
    if let Some(base_url) = &args.base_url {
        let origin: Origin = base_url.parse().map_err(|error: crate::OriginError| {
            Failure::usage(format!("--base-url: {error}"), error.hint())
        })?;
        if settings.contains_key("base-url") {
            return Err(Failure::usage(
                "`--base-url` and `--setting base-url=...` are both given",
                "`--base-url` alone sets the setting and grants the origin",
            ));
        }
        settings.insert("base-url".to_owned(), origin.to_string());
        grant = grant.origin(origin);
    }
    Ok(Reach {
        network,
        grant,
        settings,
    })
}

fn replay(connector: &Connector, file: &Path, args: &ConnectArgs) -> Result<Session, Failure> {
    let cassette = Cassette::read(file)?;
    // Nothing leaves, whatever the level.
    let mut grant = Grant::read_write();
    for origin in connector.origins() {
        grant = grant.origin(origin.clone());
    }
    if let Some(origin) = cassette.harness.settings.get("base-url")
        && let Ok(origin) = origin.parse()
    {
        grant = grant.origin(origin);
    }
    let budget = Budget::with_deadline(Duration::from_secs(args.deadline));
    let config = TenantConfig::new(grant).budget(budget).replay(cassette)?;
    Ok(Session {
        tenant: connector.open(config)?,
        recording: None,
        _simulator: None,
    })
}

/// The bundled connector may go where it says. Another one goes where the
/// operator says: it could name its author's own server, and the credential
/// would follow.
fn grant(access: Access, connector: &Connector, args: &ReachArgs) -> Result<Grant, Failure> {
    let mut grant = match access {
        Access::Read => Grant::read_only(),
        Access::Write | Access::DryRun => Grant::read_write(),
    };
    if args.connector.connector.is_none() {
        for origin in connector.origins() {
            grant = grant.origin(origin.clone());
        }
    }
    for origin in &args.grant {
        grant = grant.origin(origin.parse().map_err(|error: crate::OriginError| {
            Failure::usage(format!("--grant: {error}"), error.hint())
        })?);
    }
    Ok(grant)
}

pub(super) fn settings(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    given
        .iter()
        .map(|setting| match setting.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failure::usage(
                format!("`--setting {setting}` has no `=`"),
                "write it as `--setting region=eu`",
            )),
        })
        .collect()
}

pub(super) fn read(file: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        Failure::usage(
            format!("`{}` can't be read: {error}", file.display()),
            format!("name a file with the {what}"),
        )
    })
}

fn recording(
    connector: &Connector,
    file: &Path,
    credentials: Credentials,
    simulated: bool,
) -> Result<Recording, Failure> {
    // Better said now than after an hour of reading.
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        return Err(Failure::usage(
            format!("there is no folder `{}` to record into", folder.display()),
            "make it first",
        ));
    }
    let shared_hosts = connector
        .origins()
        .iter()
        .map(|origin| origin.host().to_owned());
    let domain = &connector.descriptor().vendor_domain;
    let mut seed = [0; 32];
    let (origin, scrubber) = if simulated {
        let scrubber = Scrubber::with_key([0; 32], domain, shared_hosts);
        (RecordedFrom::Simulator, scrubber)
    } else {
        getrandom::fill(&mut seed).expect("the operating system has random numbers");
        (RecordedFrom::Live, Scrubber::random(domain, shared_hosts))
    };
    let now = jiff::Timestamp::now();
    // Whole seconds: what the vendor's API understands.
    let clock = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    Ok(Recording {
        recorder: Arc::new(Recorder::new(origin, clock, seed)),
        scrubber,
        credentials,
        file: file.to_owned(),
    })
}

/// Starts a simulator in this process, on a free port.
pub(super) async fn start_simulator(
    population: &PopulationArgs,
    region: &str,
) -> anyhow::Result<(Listening, Certificate)> {
    const FAILED: &str = "the simulator can't start";
    let mut config = super::simulator::config(population);
    config.region = if region == "eu" {
        Region::Eu
    } else {
        Region::Us
    };
    let certificate = Certificate::generate().context(FAILED)?;
    let listening = Simulator::new(config)
        .listen_tls(([127, 0, 0, 1], 0).into(), &certificate)
        .await
        .context(FAILED)?;
    Ok((listening, certificate))
}
