//! `harness login` and `harness logout`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    args::{LoginArgs, LogoutArgs},
    callback::{Answer, Arrived, Callback},
    connect::{self, Reach},
    failure::Failure,
    list::dash,
    output, sign_in,
};
use crate::{
    CallError, Connector, Credential, CredentialError, Origin, TenantConfig,
    contract::{credentials::Tenant, types::ErrorCode},
    oauth::{
        Access, Client, CredentialStore, FileStore, Flow, MemoryStore, OauthCredential, OauthError,
        ProfileKey, Registration, Scheme, Session, StoredCredential, Tokens,
    },
    text::printable,
};

pub(super) async fn login(args: &LoginArgs) -> Result<(), Failure> {
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, &args.reach.connector).await?;
    let reach = connect::reach(connect::Access::Read, &connector, &args.reach)?;
    let flow = if args.client_credentials {
        Flow::ClientCredentials
    } else {
        Flow::AuthorizationCode
    };
    let scheme = scheme(&connector, args, flow)?;
    let setting = |name: &str| connector.setting(&reach.settings, name);
    let asked = if !args.scope.is_empty() {
        scheme.chosen_scopes(&args.scope, setting)
    } else if args.write {
        scheme.scopes(Access::Write, setting)
    } else {
        scheme.scopes(Access::Read, setting)
    }
    .map_err(OauthError::from)?;
    let key = ProfileKey::new(&connector.descriptor().app_id, &args.profile)?;
    let store = sign_in::store()?;
    // Better said now than after a person has consented.
    drop(store.lock(&key)?);
    let trusted = trusted(&scheme, args);
    let client = Client::new(&scheme, registration(args, flow)?, &reach.network, &trusted)?;

    let (tokens, browser) = match flow {
        Flow::ClientCredentials => (client.client_credentials(&asked).await?, None),
        Flow::AuthorizationCode => {
            let (tokens, browser) = with_consent(args, &client, &asked).await?;
            (tokens, Some(browser))
        }
    };
    let outcome = OauthCredential::issued_to(&client, flow, &asked, tokens);
    let outcome = match outcome {
        Ok(credential) => tried(&connector, args, reach, &client, credential, &key).await,
        Err(error) => Err(error.into()),
    };
    let outcome = match outcome {
        Ok((credential, tenant)) => {
            Session::start(client, credential, Arc::new(store.clone()), key)
                .await
                .map(|session| (session, tenant))
                .map_err(Failure::from)
        }
        Err(failure) => Err(failure),
    };
    if let Some(browser) = browser {
        browser.finish(outcome.is_ok()).await;
    }
    let (session, tenant) = outcome?;
    show(args, &session, &tenant, &store)
}

/// The scheme that the arguments mean.
fn scheme(connector: &Connector, args: &LoginArgs, flow: Flow) -> Result<Scheme, Failure> {
    let schemes = connector.oauth_schemes();
    let found = match &args.auth {
        Some(id) => schemes.iter().find(|scheme| scheme.id() == id),
        None => schemes.iter().find(|scheme| scheme.offers(flow)),
    };
    let scheme = found.ok_or_else(|| {
        let wanted = match &args.auth {
            Some(id) => format!("the connector has no OAuth sign-in `{id}`"),
            None => format!("the connector has no sign-in by {flow}"),
        };
        Failure::usage(wanted, "`harness info` lists the ways to sign in")
    })?;
    if !scheme.offers(flow) {
        return Err(OauthError::Flow {
            scheme: scheme.id().to_owned(),
            flow,
        }
        .into());
    }
    if let Some(url) = &args.identity_url {
        let origin: Origin = url.parse().map_err(|error: crate::OriginError| {
            Failure::usage(format!("--identity-url: {error}"), error.hint())
        })?;
        return Ok(scheme.at(&origin));
    }
    Ok(scheme.clone())
}

/// The bundled connector signs in where it says, and any connector where the
/// operator says. Otherwise another connector could name its author's own
/// server, and get the client secret and a person's password.
fn trusted(scheme: &Scheme, args: &LoginArgs) -> BTreeSet<Origin> {
    if args.reach.connector.connector.is_none() || args.identity_url.is_some() {
        return scheme.origins();
    }
    args.reach
        .grant
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect()
}

fn registration(args: &LoginArgs, flow: Flow) -> Result<Registration, Failure> {
    let bad = |from: String| {
        move |error: CredentialError| {
            Failure::usage(
                format!("the client secret in {from}: {error}"),
                "put the client secret, and nothing else, into it",
            )
        }
    };
    let client_secret = match &args.client_secret_file {
        Some(file) => {
            let bytes = connect::read(file, "client secret")?;
            let from = format!("`{}`", file.display());
            let text = String::from_utf8(bytes).unwrap_or_default();
            Some(Credential::token(text).map_err(bad(from))?)
        }
        None => match std::env::var("PAGERDUTY_CLIENT_SECRET") {
            Ok(text) if !text.trim().is_empty() => {
                let from = "`PAGERDUTY_CLIENT_SECRET`".to_owned();
                Some(Credential::token(text).map_err(bad(from))?)
            }
            _ => None,
        },
    };
    let registration = Registration {
        client_id: args.client_id.trim().to_owned(),
        client_secret,
    };
    if registration.suits(flow) {
        Ok(registration)
    } else {
        Err(Failure::usage(
            "client credentials need a client secret",
            "name a `--client-secret-file`, or set `PAGERDUTY_CLIENT_SECRET`",
        ))
    }
}

/// Asks a person, and exchanges the code as soon as it is there.
async fn with_consent(
    args: &LoginArgs,
    client: &Client,
    asked: &[String],
) -> Result<(Tokens, Arrived), Failure> {
    let callback = Callback::listen(args.redirect_port).await.map_err(|error| {
        Failure::usage(
            format!("port {} can't be listened on: {error}", args.redirect_port),
            "end what listens there, or choose a port with `--redirect-port` and register its redirect URI",
        )
    })?;
    let redirect_uri = callback.redirect_uri();
    let authorization = client.authorize(&redirect_uri, asked)?;
    talk!("open this address in a browser on this machine, and allow access:");
    output::line(authorization.url.as_str())?;
    talk!("waiting at {redirect_uri} for up to {} s", args.timeout);
    let limit = Duration::from_secs(args.timeout);
    let arrived = tokio::time::timeout(limit, callback.wait(&authorization))
        .await
        .map_err(|_| {
            Failure::call(
                format!("nobody has allowed access within {} s", args.timeout),
                Some("try again, and give it more time with `--timeout`".to_owned()),
            )
        })??;
    let outcome = match &arrived.answer {
        Answer::Code(code) => client.exchange(&authorization, code).await,
        Answer::Refused { code, description } => Err(OauthError::Refused {
            code: code.clone(),
            description: description.clone(),
        }),
    };
    match outcome {
        Ok(tokens) => Ok((tokens, arrived)),
        Err(error) => {
            arrived.finish(false).await;
            Err(error.into())
        }
    }
}

/// Tries the sign-in before it is stored. Returns it as it is then: it may
/// have been renewed meanwhile.
async fn tried(
    connector: &Connector,
    args: &LoginArgs,
    reach: Reach,
    client: &Client,
    credential: OauthCredential,
    key: &ProfileKey,
) -> Result<(OauthCredential, Tenant), Failure> {
    let mut kept = reach.settings.clone();
    // Where the API is, is for each command to say: it is a grant.
    kept.remove("base-url");
    let trial = Session::start(
        client.clone(),
        credential.settings(kept),
        Arc::new(MemoryStore::default()),
        key.clone(),
    )
    .await?;
    let mut config = TenantConfig::new(reach.grant)
        .network(reach.network)
        .oauth(trial.clone());
    for (name, value) in reach.settings {
        config = config.setting(name, value);
    }
    let tenant = match connector.open(config)?.validate().await {
        Ok(tenant) => tenant,
        // Enough for some functions, and that is what was asked for.
        Err(CallError::Connector { error, .. })
            if !args.scope.is_empty() && error.code == ErrorCode::PermissionDenied =>
        {
            talk!("warning: {}", printable(&error.message));
            Tenant {
                id: String::new(),
                acting_as: None,
                role: None,
                warnings: Vec::new(),
            }
        }
        Err(error) => return Err(error.into()),
    };
    Ok((trial.credential(), tenant))
}

fn show(
    args: &LoginArgs,
    session: &Session,
    tenant: &Tenant,
    store: &FileStore,
) -> Result<(), Failure> {
    let expires = session.expires_at().map(|instant| instant.to_string());
    let file = store.path(session.key()).display().to_string();
    for warning in &tenant.warnings {
        talk!("warning: {}", printable(warning));
    }
    if args.json {
        return output::json(&json!({
            "profile": session.key().profile(),
            "tenant": tenant.id,
            "acting_as": tenant.acting_as,
            "scopes": session.scopes(),
            "expires_at": expires,
            "file": file,
        }));
    }
    output::fields(&[
        ("profile", session.key().profile().to_owned()),
        ("tenant", dash(&tenant.id)),
        (
            "acting as",
            tenant
                .acting_as
                .clone()
                .unwrap_or_else(|| "no account (the application itself)".to_owned()),
        ),
        ("scopes", session.scopes().join(" ")),
        (
            "renewed",
            match expires {
                Some(instant) => format!("by itself, the first time shortly before {instant}"),
                None => "by itself".to_owned(),
            },
        ),
        ("kept in", file),
    ])
}

pub(super) async fn logout(args: &LogoutArgs) -> Result<(), Failure> {
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, &args.connector).await?;
    let descriptor = connector.descriptor();
    let key = ProfileKey::new(&descriptor.app_id, &args.profile)?;
    let store = sign_in::store()?;
    if !store.path(&key).exists() {
        return Err(OauthError::NoProfile {
            profile: args.profile.clone(),
            known: store.profiles(key.app()),
        }
        .into());
    }
    // A file that can't be read is removed all the same.
    let _lock = store.lock(&key)?;
    let stored = store.load(&key).ok().flatten();
    store.remove(&key)?;
    output::line(&format!("removed the profile `{}`", key.profile()))?;
    let until = match &stored {
        Some(StoredCredential::Oauth(credential)) => credential
            .expires_at()
            .map_or_else(String::new, |instant| format!(" until {instant}")),
        _ => String::new(),
    };
    talk!(
        "the vendor was not told: no way to revoke a sign-in is declared for {}. The access token \
         is good{until}, wherever a copy of it is; to end it now, withdraw the application's access \
         there.",
        printable(&descriptor.display_name)
    );
    Ok(())
}
