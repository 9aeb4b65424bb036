//! Signing in by OAuth on behalf of a platform, which keeps the tokens.

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::{
    call::{Answer, Call, Outcome},
    envelope::credential_of,
    error::{WireCode, WireError},
};
use crate::{
    Credential,
    oauth::{Access, Authorization, Client, Flow, Registration, Scheme, Tokens},
};

pub(super) fn validate_credential_config(call: &Call<'_>) -> Answer {
    let given =
        call.envelope.request.get("credential").ok_or_else(|| {
            WireError::new(WireCode::BadRequest, "`request.credential` is missing")
        })?;
    let problem = credential_of(given, "credential")
        .and_then(|credential| match credential.kind {
            super::envelope::GivenKind::Stored => Ok(()),
            _ => credential.scheme(call.connector).map(drop),
        })
        .err();
    Ok(Outcome::of(match problem {
        None => json!({"valid": true}),
        Some(problem) => json!({"valid": false, "validation_errors": [problem.to_text()]}),
    }))
}

pub(super) fn get_authorization_url(call: &Call<'_>) -> Answer {
    let scheme = scheme(call, Flow::AuthorizationCode)?;
    let client = client(call, &scheme, Registration::public(call.text("client_id")?))?;
    let mut scopes = call.texts("scopes")?;
    if scopes.is_empty() {
        let access = if call.shared.tenants.reach().writes {
            Access::Write
        } else {
            Access::Read
        };
        scopes = call
            .connector
            .oauth_scopes(&scheme, access, &call.envelope.settings)
            .map_err(crate::oauth::OauthError::from)?;
    }
    let state = call.text("state")?;
    let authorization = client.authorize_as(&call.text("redirect_uri")?, &scopes, state)?;
    Ok(Outcome::of(json!({
        "authorization_url": authorization.url.as_str(),
        // Goes back to whoever exchanges the code: the platform.
        "code_verifier": secrecy::ExposeSecret::expose_secret(&authorization.verifier),
    })))
}

pub(super) async fn handle_authorization_callback(call: &Call<'_>) -> Answer {
    let scheme = scheme(call, Flow::AuthorizationCode)?;
    let client = client(call, &scheme, registration(call)?)?;
    let back: Url = call.text("redirect_uri_with_code")?.parse().map_err(|_| {
        WireError::new(
            WireCode::InvalidValue,
            "`request.redirect_uri_with_code` is no URL",
        )
    })?;
    let parameter = |name: &str| {
        back.query_pairs()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(code) = parameter("error") {
        let description = parameter("error_description");
        return Err(crate::oauth::OauthError::Refused { code, description }.into());
    }
    let state = call.optional("state")?;
    let code = parameter("code").ok_or_else(|| {
        WireError::new(
            WireCode::InvalidValue,
            "`request.redirect_uri_with_code` has no code",
        )
    })?;
    let verifier = call.optional("code_verifier")?.ok_or_else(|| {
        WireError::new(
            WireCode::IntegrationMissingParameter,
            "`request.code_verifier` is missing",
        )
        .hint("send the one that came with the authorization URL")
    })?;
    let mut redirect = back.clone();
    redirect.set_query(None);
    redirect.set_fragment(None);
    let authorization = Authorization {
        url: scheme.authorize_url().clone(),
        state: state.clone().unwrap_or_default(),
        verifier: SecretString::from(verifier),
        redirect_uri: redirect.to_string(),
        scopes: Vec::new(),
    };
    if state.is_some() && !authorization.answers(&parameter("state").unwrap_or_default()) {
        return Err(WireError::new(
            WireCode::InvalidValue,
            "the answer belongs to another request: its state is not the one that was sent",
        )
        .hint("start again with `get_authorization_url`"));
    }
    let tokens = client
        .exchange(&authorization, &SecretString::from(code))
        .await?;
    Ok(credentials(&tokens, state))
}

pub(super) async fn handle_client_credentials_request(call: &Call<'_>) -> Answer {
    let scheme = scheme(call, Flow::ClientCredentials)?;
    let client = client(call, &scheme, registration(call)?)?;
    let tokens = client.client_credentials(&call.texts("scopes")?).await?;
    Ok(credentials(&tokens, None))
}

pub(super) async fn refresh_access_token(call: &Call<'_>) -> Answer {
    let scheme = scheme(call, Flow::AuthorizationCode)?;
    let client = client(call, &scheme, registration(call)?)?;
    let refresh = secret(call, "refresh_token")?;
    let tokens = client.refresh(&refresh, &[]).await?;
    Ok(credentials(&tokens, call.optional("state")?))
}

/// The connector's scheme: the one that `credential_id` names, or the first
/// that offers the flow.
fn scheme(call: &Call<'_>, flow: Flow) -> Result<Scheme, WireError> {
    let schemes = call.connector.oauth_schemes();
    let named = call.optional("credential_id")?;
    let found = schemes
        .iter()
        .find(|scheme| named.as_deref() == Some(scheme.id()))
        .or_else(|| schemes.iter().find(|scheme| scheme.offers(flow)));
    let scheme = found.filter(|scheme| scheme.offers(flow)).ok_or_else(|| {
        WireError::new(
            WireCode::UnsupportedOperation,
            "the connector has no such way to sign in",
        )
        .hint("`info` lists the ways in `credentials_schema`")
    })?;
    Ok(match &call.shared.tenants.reach().identity {
        Some(origin) => scheme.at(origin),
        None => scheme.clone(),
    })
}

fn client(
    call: &Call<'_>,
    scheme: &Scheme,
    registration: Registration,
) -> Result<Client, WireError> {
    let reach = call.shared.tenants.reach();
    let trusted = reach.sign_in(call.connector);
    Ok(Client::new(scheme, registration, &reach.network, &trusted)?)
}

fn registration(call: &Call<'_>) -> Result<Registration, WireError> {
    let id = call.text("client_id")?;
    // A public client sends an empty one.
    match call.optional("client_secret")?.as_deref() {
        None | Some("") => Ok(Registration::public(id)),
        Some(_) => Ok(Registration::confidential(
            id,
            secret(call, "client_secret")?,
        )),
    }
}

fn secret(call: &Call<'_>, name: &str) -> Result<Credential, WireError> {
    Credential::token(call.text(name)?).map_err(|error| {
        WireError::new(WireCode::InvalidValue, format!("`request.{name}`: {error}"))
    })
}

fn credentials(tokens: &Tokens, state: Option<String>) -> Outcome {
    let mut response = json!({
        "access_token": tokens.access.expose(),
        "token_type": "bearer",
    });
    if let Some(refresh) = &tokens.refresh {
        response["refresh_token"] = json!(refresh.expose());
    }
    if let Some(state) = state {
        response["state"] = Value::String(state);
    }
    Outcome::of(response)
}
