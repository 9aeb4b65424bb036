//! `harness serve`: connectors for platforms, over HTTP.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use etcetera::BaseStrategy;

use super::{
    args::{ServeArgs, Signatures},
    connect,
    failure::Failure,
    output, sign_in,
    signals::Signals,
};
use crate::{
    Budget, Connector, Network, Origin,
    registry::{
        DirectoryWatch, KeyFileError, LoadFailure, LoadRequest, Registry, RegistryConfig,
        SignaturePolicy, TrustedKeys, Watching,
    },
    server::{
        Access, AccessError, Reach, ServeError, Server, ServerConfig, StoredProfiles, Tls, TlsError,
    },
    text::printable,
};

/// The registry's folder within the state folder.
pub(super) const REGISTRY: &str = "registry";

/// How often the folder of components is looked at.
const LOOK: Duration = Duration::from_secs(2);

pub(super) async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let tls = tls(args)?;
    let asks_clients = tls.as_ref().is_some_and(Tls::asks_clients);
    let access = access(args.token_file.as_deref(), asks_clients)?;
    let operators = match &args.admin_token_file {
        Some(file) => Some(self::access(Some(file), asks_clients)?),
        None => None,
    };
    for addr in [Some(args.listen), args.admin].into_iter().flatten() {
        check_exposure(addr, tls.is_some(), args.behind_proxy)?;
    }
    let state = match &args.state {
        Some(folder) => folder.clone(),
        None => state_folder()?,
    };
    let mut reach = reach(args)?;
    let engine = connect::engine()?;
    let bundled = Connector::bundled(&engine).await?;
    reach.trust(&bundled);
    let mut simulator = None;
    if args.simulator {
        let region = reach.settings.get("region").map_or("us", String::as_str);
        let (listening, certificate) = connect::start_simulator(&args.population, region).await?;
        reach.network = reach.network.trust_pem(certificate.ca_pem().as_bytes())?;
        for origin in bundled.origins() {
            reach.network = reach.network.route(origin.clone(), listening.addr());
        }
        simulator = Some(listening);
    }
    let registry = Registry::open(&engine, registry_config(args, state.join(REGISTRY))?).await?;
    let _watching = populate(&registry, &bundled, args).await?;
    let mut config = ServerConfig::new(args.listen, access, reach);
    config.admin = args.admin;
    config.operators = operators;
    config.tls = tls;
    config.state = Some(state);
    config.tenants.concurrent = args.concurrent;
    config.limits.body = args.max_body;
    config.limits.calls = args.max_calls;
    if !args.profile.is_empty() {
        config.profiles = StoredProfiles {
            store: Some(Arc::new(sign_in::store()?)),
            names: args.profile.clone(),
        };
    }
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    // Before anybody can know the address: a signal must not be missed.
    let mut signals = Signals::new()?;
    let running = Server::start(config, Arc::new(registry.clone())).await?;
    output::line(&format!("listening on {scheme}://{}", running.addr()))?;
    if let Some(addr) = running.admin_addr() {
        output::line(&format!("admin on {scheme}://{addr}"))?;
    }
    signals.next().await;
    talk!("shutting down: calls that are under way come to their end; once more ends them at once");
    let stopped = async {
        running.stop().await;
        registry.close().await
    };
    tokio::select! {
        closed = stopped => closed?,
        () = signals.next() => {
            return Err(Failure::call(
                "calls that were under way were given up",
                Some("a change among them may have been made: send it again, it is made once".to_owned()),
            ));
        }
    }
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(())
}

fn registry_config(args: &ServeArgs, folder: PathBuf) -> Result<RegistryConfig, Failure> {
    let mut config = RegistryConfig::new(folder);
    config.fixtures.clone_from(&args.recordings);
    config.keep = args.keep;
    config.drain_deadline = Duration::from_secs(args.drain);
    config.probation = Duration::from_secs(args.probation);
    config.crashes = args.crashes;
    let keys = match &args.trusted_keys {
        Some(file) => Some(TrustedKeys::read(file)?),
        None => None,
    };
    config.signatures = match (args.signatures, keys) {
        (Signatures::Require, Some(keys)) => SignaturePolicy::Require(keys),
        (Signatures::Warn, Some(keys)) => SignaturePolicy::Warn(keys),
        // clap asks for the keys of the other two.
        _ => SignaturePolicy::Off,
    };
    Ok(config)
}

/// Loads what the command line names and the registry does not know yet, and
/// watches the folder.
async fn populate(
    registry: &Registry,
    bundled: &Connector,
    args: &ServeArgs,
) -> Result<Option<Watching>, Failure> {
    for file in &args.connector {
        // A version that is there already may have been replaced on purpose.
        let request = LoadRequest::file(file, "command line").new_only();
        match registry.load(request).await {
            Ok(report) => {
                if let Some(warning) = &report.warning {
                    talk!("warning: `{}`: {}", file.display(), printable(warning));
                }
            }
            // A host that starts again after a rollback must not stay away: what
            // serves goes on to serve.
            Err(
                failure @ (LoadFailure::Quarantined { .. }
                | LoadFailure::Incompatible(_)
                | LoadFailure::Differs(_)),
            ) => talk!(
                "`{}` is not loaded: {failure}; hint: {}",
                file.display(),
                failure.hint()
            ),
            Err(failure) => return Err(failure.into()),
        }
    }
    let watching = match &args.connectors {
        None => None,
        Some(folder) => {
            let mut watch = DirectoryWatch::new(registry, folder);
            // Twice: what has come to rest looks the same then.
            for _ in 0..2 {
                let tried = watch.look().await.map_err(|error| {
                    Failure::usage(
                        format!("`{}` can't be watched: {error}", folder.display()),
                        "name a folder of components with `--connectors`",
                    )
                })?;
                for (file, outcome) in tried {
                    if let Err(failure) = outcome {
                        talk!("`{}` is not loaded: {failure}", file.display());
                    }
                }
            }
            Some(watch.every(LOOK))
        }
    };
    // The one that came with the host serves unless another one does; that of
    // an earlier build gives way to it.
    match registry.load_built_in(bundled).await {
        Ok(_) => {}
        // An earlier one goes on to serve.
        Err(failure) if registry.current(&bundled.descriptor().app_id).is_some() => {
            talk!("the connector of this build is not loaded: {failure}");
        }
        Err(LoadFailure::Quarantined { .. }) => {}
        Err(failure) => return Err(failure.into()),
    }
    for id in registry.ids() {
        if let Some(problem) = registry.problem(&id) {
            talk!("nobody serves `{id}`: {}", printable(&problem));
        }
    }
    Ok(watching)
}

fn reach(args: &ServeArgs) -> Result<Reach, Failure> {
    let mut reach = Reach {
        writes: !args.read_only,
        settings: connect::settings(&args.setting)?,
        budget: Budget::with_deadline(Duration::from_secs(args.deadline)),
        ..Reach::default()
    };
    if let Some(file) = &args.ca_file {
        reach.network = Network::default().trust_pem(&connect::read(file, "certificates")?)?;
    }
    for origin in &args.grant {
        reach.granted.push(origin_of(origin, "--grant")?);
    }
    if let Some(base_url) = &args.base_url {
        let origin = origin_of(base_url, "--base-url")?;
        reach
            .settings
            .insert("base-url".to_owned(), origin.to_string());
        reach.granted.push(origin);
    }
    if let Some(url) = &args.identity_url {
        reach.identity = Some(origin_of(url, "--identity-url")?);
    }
    Ok(reach)
}

fn origin_of(text: &str, option: &str) -> Result<Origin, Failure> {
    text.parse().map_err(|error: crate::OriginError| {
        Failure::usage(format!("{option}: {error}"), error.hint())
    })
}

fn access(token_file: Option<&Path>, asks_clients: bool) -> Result<Access, Failure> {
    let Some(file) = token_file else {
        if asks_clients {
            return Ok(Access::by_certificate());
        }
        return Err(Failure::usage(
            "nothing says who may call",
            "name a file with a token with `--token-file`, or ask for certificates with `--client-ca`",
        ));
    };
    let text = String::from_utf8(connect::read(file, "token")?)
        .map_err(|_| Failure::usage(format!("`{}` is not a text file", file.display()), TOKEN))?;
    Access::token(&text).map_err(|error: AccessError| {
        Failure::usage(format!("`{}`: {error}", file.display()), TOKEN)
    })
}

const TOKEN: &str = "put a random token, and nothing else, into it: `openssl rand -hex 32`";

fn tls(args: &ServeArgs) -> Result<Option<Tls>, Failure> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    let chain = connect::read(chain, "certificate chain")?;
    let key = connect::read(key, "private key")?;
    let clients = match &args.client_ca {
        Some(file) => Some(connect::read(file, "clients' certificate authority")?),
        None => None,
    };
    let tls = Tls::new(&chain, &key, clients.as_deref())
        .map_err(|error: TlsError| Failure::usage(error, "name PEM files that belong together"))?;
    Ok(Some(tls))
}

/// Requests carry credentials, so they don't leave the machine in the clear.
fn check_exposure(addr: SocketAddr, tls: bool, behind_proxy: bool) -> Result<(), Failure> {
    if tls || behind_proxy || addr.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("`{addr}` can be reached from other machines, and requests carry credentials"),
        "give `--tls-cert` and `--tls-key`, or say `--behind-proxy` if a proxy does TLS",
    ))
}

pub(super) fn state_folder() -> Result<PathBuf, Failure> {
    if let Some(folder) = std::env::var_os("HARNESS_STATE") {
        return Ok(PathBuf::from(folder).join("serve"));
    }
    let folders = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home folder to keep plans and journals in",
            "name a folder with `--state`",
        )
    })?;
    let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Ok(state.join("iga-harness").join("serve"))
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::usage(&error, "choose a free port; port 0 takes any")
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        Self::usage(&error, error.hint())
    }
}

impl From<LoadFailure> for Failure {
    fn from(failure: LoadFailure) -> Self {
        let detail = failure.diff().map(ToString::to_string);
        let usage = Self::usage(&failure, failure.hint());
        match detail {
            Some(detail) => usage.with_detail(detail),
            None => usage,
        }
    }
}
