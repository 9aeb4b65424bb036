//! `harness serve`: connectors for platforms, over HTTP.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use etcetera::BaseStrategy;

use super::{args::ServeArgs, connect, failure::Failure, output, sign_in};
use crate::{
    Budget, Connector, Engine, Network, Origin,
    server::{
        Access, AccessError, LoadedConnectors, Reach, ServeError, Server, ServerConfig,
        StoredProfiles, Tls, TlsError,
    },
};

pub(super) async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let tls = tls(args)?;
    let access = access(args, tls.as_ref())?;
    for addr in [Some(args.listen), args.admin].into_iter().flatten() {
        check_exposure(addr, tls.is_some(), args.behind_proxy)?;
    }
    let engine = connect::engine()?;
    let (connectors, bundled) = connectors(&engine, args).await?;
    let mut reach = reach(args)?;
    let mut simulator = None;
    if let Some(bundled) = &bundled {
        reach.trusted.insert(bundled.sha256().to_owned());
        if args.simulator {
            let region = reach.settings.get("region").map_or("us", String::as_str);
            let (listening, certificate) =
                connect::start_simulator(&args.population, region).await?;
            reach.network = reach.network.trust_pem(certificate.ca_pem().as_bytes())?;
            for origin in bundled.origins() {
                reach.network = reach.network.route(origin.clone(), listening.addr());
            }
            simulator = Some(listening);
        }
    }
    let mut config = ServerConfig::new(args.listen, access, reach);
    config.admin = args.admin;
    config.tls = tls;
    config.state = Some(match &args.state {
        Some(folder) => folder.clone(),
        None => state_folder()?,
    });
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
    let ended = ended()?;
    let running = Server::start(config, Arc::new(connectors)).await?;
    output::line(&format!("listening on {scheme}://{}", running.addr()))?;
    if let Some(addr) = running.admin_addr() {
        output::line(&format!("admin on {scheme}://{addr}"))?;
    }
    ended.await;
    talk!("shutting down: calls that are under way come to their end");
    running.stop().await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(())
}

/// Waits until somebody wants it to end.
fn ended() -> Result<impl Future<Output = ()>, Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        tokio::signal::ctrl_c().await.ok();
    })
}

/// The connectors of the files, and the bundled one unless a file is for the
/// same application.
async fn connectors(
    engine: &Engine,
    args: &ServeArgs,
) -> Result<(LoadedConnectors, Option<Connector>), Failure> {
    let bundled = Connector::bundled(engine).await?;
    let mut all = Vec::new();
    for file in &args.connector {
        all.push(connect::connector_file(engine, file).await?);
    }
    let app = &bundled.descriptor().app_id;
    let replaced = all.iter().any(|other| other.descriptor().app_id == *app);
    let bundled = (!replaced).then_some(bundled);
    all.extend(bundled.clone());
    let loaded = LoadedConnectors::new(all).map_err(|error| {
        Failure::usage(
            error,
            "name one file for each application with `--connector`",
        )
    })?;
    Ok((loaded, bundled))
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

fn access(args: &ServeArgs, tls: Option<&Tls>) -> Result<Access, Failure> {
    let Some(file) = &args.token_file else {
        if tls.is_some_and(Tls::asks_clients) {
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

fn state_folder() -> Result<PathBuf, Failure> {
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
