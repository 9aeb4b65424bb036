//! Which credential a command uses: from a file, a variable or a profile.

use std::{path::PathBuf, sync::Arc};

use etcetera::BaseStrategy;
use pagerduty_simulator::TOKENS;

use super::{
    args::ConnectArgs,
    connect::{self, Credentials},
    failure::Failure,
};
use crate::{
    Connector, Credential, Network,
    oauth::{
        CredentialStore, DEFAULT_PROFILE, EnvironmentStore, FileStore, OauthError, ProfileKey,
        Session, StoredCredential,
    },
};

/// Holds a token for scripts and containers.
const TOKEN_VARIABLE: &str = "PAGERDUTY_TOKEN";

/// What a command authenticates with.
pub(super) enum SignIn {
    Token(Credential),
    Oauth(Session),
}

impl SignIn {
    /// All secrets in use, at the time when it is asked.
    pub(super) fn secrets(&self) -> Credentials {
        match self {
            Self::Token(credential) => {
                let credential = credential.clone();
                Box::new(move || vec![credential.clone()])
            }
            Self::Oauth(session) => {
                let session = session.clone();
                Box::new(move || session.secrets())
            }
        }
    }
}

/// Where profiles are kept.
pub(super) fn store() -> Result<FileStore, Failure> {
    if let Some(folder) = std::env::var_os("HARNESS_CREDENTIALS").filter(|name| !name.is_empty()) {
        return Ok(FileStore::new(PathBuf::from(folder)));
    }
    let folders = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home folder to keep credentials in",
            "name a folder with `HARNESS_CREDENTIALS`",
        )
    })?;
    // They change with each renewal, and must not be synchronised between
    // machines as configuration often is: state, and not configuration.
    let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
    Ok(FileStore::new(
        state.join("iga-harness").join("credentials"),
    ))
}

/// The credential that the arguments mean: a file, a profile that they name,
/// the variable, the default profile.
pub(super) async fn find(
    connector: &Connector,
    args: &ConnectArgs,
    network: &Network,
) -> Result<SignIn, Failure> {
    if let Some(file) = &args.token_file {
        let text = connect::read(file, "credential")?;
        let text = String::from_utf8(text).map_err(|_| {
            Failure::usage(
                format!("`{}` is not a text file", file.display()),
                "put the token, and nothing else, into it",
            )
        })?;
        tracing::info!(target: "harness::sign_in", file = %file.display(), "credential of a file");
        return Ok(SignIn::Token(Credential::token(text)?));
    }
    let app = &connector.descriptor().app_id;
    let by_oauth = args
        .auth
        .as_deref()
        .and_then(|auth| connector.oauth_scheme(auth));
    if args.profile.is_some() || (by_oauth.is_some() && !args.simulator) {
        let name = args.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
        let sign_in = profile(&ProfileKey::new(app, name)?, network).await?;
        return match (&sign_in, by_oauth) {
            (SignIn::Oauth(session), Some(scheme)) if session.scheme() != scheme.id() => {
                Err(Failure::usage(
                    format!(
                        "the profile `{name}` is signed in by `{}`, not by `{}`",
                        session.scheme(),
                        scheme.id()
                    ),
                    format!(
                        "leave out `--auth`, or sign in with `harness login --auth {}`",
                        scheme.id()
                    ),
                ))
            }
            _ => Ok(sign_in),
        };
    }
    let variable = EnvironmentStore::new(TOKEN_VARIABLE);
    let key = ProfileKey::new(app, DEFAULT_PROFILE)?;
    if let Some(StoredCredential::Token(credential)) = variable.load(&key)? {
        tracing::info!(target: "harness::sign_in", variable = TOKEN_VARIABLE, "credential of a variable");
        return Ok(SignIn::Token(credential));
    }
    if args.simulator {
        return Ok(SignIn::Token(Credential::token(TOKENS.owner)?));
    }
    // With `--auth` the operator means a token, and not what somebody has
    // signed in with.
    if args.auth.is_none() && store().is_ok_and(|store| store.path(&key).exists()) {
        return profile(&key, network).await;
    }
    Err(Failure::usage(
        "there is no credential",
        "set `PAGERDUTY_TOKEN`, name a `--token-file`, sign in with `harness login`, or try `--simulator`",
    ))
}

async fn profile(key: &ProfileKey, network: &Network) -> Result<SignIn, Failure> {
    let store = store()?;
    tracing::info!(
        target: "harness::sign_in",
        profile = key.profile(),
        file = %store.path(key).display(),
        "credential of a profile"
    );
    if let Some(StoredCredential::Token(credential)) = store.load(key)? {
        return Ok(SignIn::Token(credential));
    }
    let session = Session::open(Arc::new(store), key.clone(), network).await;
    session
        .map(SignIn::Oauth)
        .map_err(|error: OauthError| error.into())
}
