//! What a request carries besides its own fields: credentials, settings, paging,
//! limits. All of it stays with the host.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::error::{WireCode, WireError};
use crate::{Connector, Credential, contract::metadata::AuthScheme};

/// A request, taken apart. Without `Debug`: `request` of the sign-in
/// capabilities holds secrets.
pub(super) struct Envelope {
    /// The capability's own fields.
    pub(super) request: Map<String, Value>,
    pub(super) credentials: Vec<GivenCredential>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) page_token: Option<String>,
    pub(super) page_size: Option<u32>,
    /// How long the caller is ready to wait.
    pub(super) longest: Option<Duration>,
}

/// One `AuthCredential`.
pub(super) struct GivenCredential {
    pub(super) id: Option<String>,
    pub(super) kind: GivenKind,
}

pub(super) enum GivenKind {
    /// `token`: presented by the connector's first scheme, or the one that the
    /// credential's id names.
    Token(Credential),
    /// `oauth`, `oauth_client_credentials`: an access token.
    Bearer(Credential),
    /// `basic`, encoded as the header takes it.
    Basic(Credential),
    /// `empty` with an id: a profile of the host's own store.
    Stored,
}

impl Envelope {
    /// Reads a body. Unknown fields are left alone: the format grows.
    pub(super) fn parse(body: &[u8]) -> Result<Self, WireError> {
        let broken = |what: String| {
            WireError::new(WireCode::BadRequest, what)
                .hint("`/openapi.json` describes the envelope")
        };
        let body = if body.is_empty() { b"{}" } else { body };
        // serde's message may quote the text, and with it a secret.
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            broken(format!(
                "the body is not JSON, at line {} column {}",
                error.line(),
                error.column()
            ))
        })?;
        let Value::Object(mut fields) = value else {
            return Err(broken("the body must be an object".to_owned()));
        };
        let request = match fields.remove("request") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(request)) => request,
            Some(_) => return Err(broken("`request` must be an object".to_owned())),
        };
        let mut credentials = Vec::new();
        match fields.remove("credentials") {
            None | Some(Value::Null) => {}
            Some(Value::Array(given)) => {
                for (at, credential) in given.iter().enumerate() {
                    credentials.push(credential_of(credential, &format!("credentials[{at}]"))?);
                }
            }
            Some(_) => return Err(broken("`credentials` must be an array".to_owned())),
        }
        if let Some(auth) = fields.remove("auth").filter(|auth| !auth.is_null()) {
            credentials.push(credential_of(&auth, "auth")?);
        }
        let settings = match fields.remove("settings") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(given)) => settings_of(given)?,
            Some(_) => return Err(broken("`settings` must be an object".to_owned())),
        };
        let (mut page_token, mut page_size) = (None, None);
        match fields.remove("page") {
            None | Some(Value::Null) => {}
            Some(Value::Object(page)) => {
                page_token = match page.get("token") {
                    None | Some(Value::Null) => None,
                    Some(Value::String(token)) if token.is_empty() => None,
                    Some(Value::String(token)) => Some(token.clone()),
                    Some(_) => {
                        return Err(WireError::new(
                            WireCode::InvalidPageToken,
                            "`page.token` must be a string",
                        )
                        .hint("send back the token of the page before, as it came"));
                    }
                };
                page_size = match page.get("size") {
                    None | Some(Value::Null) => None,
                    Some(size) => Some(
                        size.as_u64()
                            .and_then(|size| u32::try_from(size).ok())
                            .filter(|size| *size > 0)
                            .ok_or_else(|| {
                                WireError::new(
                                    WireCode::InvalidValue,
                                    "`page.size` must be a whole number from 1",
                                )
                            })?,
                    ),
                };
            }
            Some(_) => return Err(broken("`page` must be an object".to_owned())),
        }
        let longest = match fields.get("rate_limit") {
            None | Some(Value::Null) => None,
            Some(Value::Object(limits)) => match limits.get("max_execution_time") {
                None | Some(Value::Null) => None,
                Some(seconds) => Some(Duration::from_secs(
                    seconds.as_u64().filter(|seconds| *seconds > 0).ok_or_else(|| {
                        WireError::new(
                            WireCode::InvalidValue,
                            "`rate_limit.max_execution_time` must be a whole number of seconds from 1",
                        )
                    })?,
                )),
            },
            Some(_) => return Err(broken("`rate_limit` must be an object".to_owned())),
        };
        Ok(Self {
            request,
            credentials,
            settings,
            page_token,
            page_size,
            longest,
        })
    }

    /// The credential to use: the only one, or the one whose id is a scheme of
    /// the connector.
    pub(super) fn credential(&self, connector: &Connector) -> Result<&GivenCredential, WireError> {
        match self.credentials.as_slice() {
            [] => Err(WireError::new(
                WireCode::IntegrationMissingParameter,
                "the request has no credential",
            )
            .hint("send `auth` or `credentials`; to use a profile of this host, `{\"id\": \"NAME\", \"empty\": {}}`")),
            [only] => Ok(only),
            several => several
                .iter()
                .find(|given| given.id.as_deref().is_some_and(|id| is_scheme(connector, id)))
                .ok_or_else(|| {
                    WireError::new(
                        WireCode::UnknownValue,
                        "none of the credentials has the id of a way to sign in",
                    )
                    .hint("`info` lists them in `credentials_schema`")
                }),
        }
    }
}

/// One `AuthCredential`, also where it is a capability's own field.
pub(super) fn credential_of(given: &Value, place: &str) -> Result<GivenCredential, WireError> {
    const KINDS: [&str; 5] = [
        "token",
        "oauth",
        "oauth_client_credentials",
        "basic",
        "empty",
    ];
    // What may be missing is a name, never a value.
    let wrong = |what: String| WireError::new(WireCode::BadRequest, format!("`{place}` {what}"));
    let Value::Object(fields) = given else {
        return Err(wrong("must be an object".to_owned()));
    };
    let id = match fields.get("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(wrong("has an `id` that is not a string".to_owned())),
    };
    let set: Vec<&str> = fields
        .iter()
        .filter(|(name, value)| *name != "id" && !value.is_null())
        .map(|(name, _)| name.as_str())
        .collect();
    let [kind] = set.as_slice() else {
        return Err(wrong(format!("must have one of {}", KINDS.join(", "))));
    };
    let text = |name: &str| {
        fields[*kind]
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| wrong(format!("needs the text `{kind}.{name}`")))
    };
    let credential = |secret: &str| {
        Credential::token(secret)
            .map_err(|error| WireError::new(WireCode::InvalidValue, format!("`{place}`: {error}")))
    };
    let kind = match *kind {
        "token" => GivenKind::Token(credential(text("token")?)?),
        "oauth" | "oauth_client_credentials" => {
            GivenKind::Bearer(credential(text("access_token")?)?)
        }
        "basic" => {
            let pair = format!("{}:{}", text("username")?, text("password")?);
            GivenKind::Basic(credential(&STANDARD.encode(pair))?)
        }
        "empty" if id.is_some() => GivenKind::Stored,
        "empty" => {
            return Err(wrong(
                "is `empty` and has no `id` that names a profile".to_owned(),
            ));
        }
        other => {
            return Err(WireError::new(
                WireCode::UnsupportedOperation,
                format!("`{place}` is a `{other}`, which this host does not take"),
            )
            .hint(format!("it takes {}", KINDS.join(", "))));
        }
    };
    Ok(GivenCredential { id, kind })
}

impl GivenCredential {
    /// The connector's header scheme that presents it.
    pub(super) fn scheme(&self, connector: &Connector) -> Result<String, WireError> {
        let none = |what: &str| {
            WireError::new(
                WireCode::UnsupportedOperation,
                format!("the connector has no way to sign in with {what}"),
            )
            .hint("`info` lists the ways in `credentials_schema`")
        };
        if let Some(id) = &self.id
            && is_header_scheme(connector, id)
        {
            return Ok(id.clone());
        }
        let with = |template: &str| {
            header_schemes(connector)
                .find(|(_, found)| found.eq_ignore_ascii_case(template))
                .map(|(id, _)| id.to_owned())
        };
        match self.kind {
            GivenKind::Token(_) => header_schemes(connector)
                .next()
                .map(|(id, _)| id.to_owned())
                .ok_or_else(|| none("a token")),
            GivenKind::Bearer(_) => with("Bearer {secret}").ok_or_else(|| none("an access token")),
            GivenKind::Basic(_) => with("Basic {secret}").ok_or_else(|| none("name and password")),
            GivenKind::Stored => Err(none("nothing")),
        }
    }
}

fn header_schemes(connector: &Connector) -> impl Iterator<Item = (&str, &str)> {
    connector
        .descriptor()
        .auth_schemes
        .iter()
        .filter_map(|scheme| match scheme {
            AuthScheme::Header(header) => Some((header.id.as_str(), header.template.as_str())),
            AuthScheme::Oauth2(_) => None,
        })
}

fn is_header_scheme(connector: &Connector, id: &str) -> bool {
    header_schemes(connector).any(|(scheme, _)| scheme == id)
}

fn is_scheme(connector: &Connector, id: &str) -> bool {
    is_header_scheme(connector, id) || connector.oauth_scheme(id).is_some()
}

/// Settings are texts for the connector; numbers and booleans have one form.
fn settings_of(given: Map<String, Value>) -> Result<BTreeMap<String, String>, WireError> {
    let mut settings = BTreeMap::new();
    for (name, value) in given {
        let text = match value {
            // A form that was left empty.
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(WireError::new(
                    WireCode::InvalidValue,
                    format!("the setting `{name}` must be a text"),
                )
                .hint("`info` describes the settings"));
            }
        };
        settings.insert(name, text);
    }
    Ok(settings)
}
