//! A way to sign in, as a connector declares it.

use std::collections::BTreeSet;

use url::Url;

use crate::{
    contract::metadata::{Oauth2Flow, Oauth2Scheme},
    egress::{Origin, OriginError},
};

/// An OAuth 2.0 scheme of a connector, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scheme {
    id: String,
    label: String,
    authorize_url: Url,
    token_url: Url,
    scopes: Vec<String>,
    write_scopes: Vec<String>,
    flows: Vec<Flow>,
    moved: bool,
}

/// How a token is come by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// A person consents in a browser. The access token is renewed with a
    /// refresh token, which is replaced each time.
    AuthorizationCode,
    /// The application authenticates as itself, again for each access token.
    ClientCredentials,
}

/// What a sign-in asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and changing.
    Write,
}

/// Why a declared scheme is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemeError {
    /// An endpoint is no URL, or one that a secret can't be sent to.
    #[error("the sign-in `{id}`: {cause}")]
    Endpoint {
        /// Which scheme.
        id: String,
        /// What is wrong with it.
        cause: OriginError,
    },
    /// No flow at all.
    #[error("the sign-in `{0}` has no flow")]
    Flows(String),
    /// A scope with a space, or a brace without its other half.
    #[error("the sign-in `{id}` has the malformed scope `{scope}`")]
    Scope {
        /// Which scheme.
        id: String,
        /// Which scope.
        scope: String,
    },
}

/// A scope needs a setting that was not given and has no default.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the scope `{scope}` needs the setting `{setting}`")]
pub struct MissingSetting {
    /// Which scope.
    pub scope: String,
    /// Which setting.
    pub setting: String,
}

impl Scheme {
    /// Checks what a connector declares.
    pub fn new(declared: &Oauth2Scheme) -> Result<Self, SchemeError> {
        let id = &declared.id;
        if declared.flows.is_empty() {
            return Err(SchemeError::Flows(id.clone()));
        }
        for scope in declared.scopes.iter().chain(&declared.write_scopes) {
            let plain = scope.bytes().all(|byte| byte.is_ascii_graphic());
            if scope.is_empty() || !plain || parts(scope).is_none() {
                return Err(SchemeError::Scope {
                    id: id.clone(),
                    scope: scope.clone(),
                });
            }
        }
        let endpoint = |text: &str| {
            endpoint(text).map_err(|cause| SchemeError::Endpoint {
                id: id.clone(),
                cause,
            })
        };
        Ok(Self {
            id: id.clone(),
            label: declared.label.clone(),
            authorize_url: endpoint(&declared.authorize_url)?,
            token_url: endpoint(&declared.token_url)?,
            scopes: declared.scopes.clone(),
            write_scopes: declared.write_scopes.clone(),
            flows: declared
                .flows
                .iter()
                .map(|flow| match flow {
                    Oauth2Flow::AuthorizationCode => Flow::AuthorizationCode,
                    Oauth2Flow::ClientCredentials => Flow::ClientCredentials,
                })
                .collect(),
            moved: false,
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where a person consents.
    pub fn authorize_url(&self) -> &Url {
        &self.authorize_url
    }

    /// Where tokens come from.
    pub fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// Whether the vendor takes that flow.
    pub fn offers(&self, flow: Flow) -> bool {
        self.flows.contains(&flow)
    }

    /// The origins that a person's password and the application's secrets go
    /// to. Whoever runs a connector that he does not trust must look at them.
    pub fn origins(&self) -> BTreeSet<Origin> {
        [&self.authorize_url, &self.token_url]
            .into_iter()
            .map(|url| origin(url).expect("`endpoint` has seen that it is one"))
            .collect()
    }

    /// The same at another origin, for a gateway or a test.
    #[must_use]
    pub fn at(&self, origin: &Origin) -> Self {
        let moved = |url: &Url| {
            let path = url.path();
            Url::parse(&format!("{origin}{path}")).expect("an origin and a path make a URL")
        };
        Self {
            authorize_url: moved(&self.authorize_url),
            token_url: moved(&self.token_url),
            moved: true,
            ..self.clone()
        }
    }

    /// Whether it is at another origin than the connector says.
    pub(crate) fn is_moved(&self) -> bool {
        self.moved
    }

    /// What to ask for. `setting` gives the value of a setting.
    pub fn scopes(
        &self,
        access: Access,
        setting: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<String>, MissingSetting> {
        self.templates(access)
            .map(|scope| {
                let mut filled = String::new();
                // Checked by `new`.
                for (text, name) in parts(scope).unwrap_or_default() {
                    filled.push_str(text);
                    if let Some(name) = name {
                        let value = setting(name).filter(|value| is_one_scope(value));
                        filled.push_str(&value.ok_or_else(|| MissingSetting {
                            scope: scope.to_owned(),
                            setting: name.to_owned(),
                        })?);
                    }
                }
                Ok(filled)
            })
            .collect()
    }

    /// As [`Scheme::scopes`], but with `chosen` in place of those that name no
    /// setting: scopes that do say which tenant, not how much of it.
    pub fn chosen_scopes(
        &self,
        chosen: &[String],
        setting: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<String>, MissingSetting> {
        let mut scopes = Self {
            scopes: self
                .templates(Access::Read)
                .filter(|scope| scope.contains('{'))
                .map(str::to_owned)
                .collect(),
            ..self.clone()
        }
        .scopes(Access::Read, setting)?;
        scopes.extend(
            chosen
                .iter()
                .flat_map(|scope| scope.split_whitespace())
                .map(str::to_owned),
        );
        Ok(scopes)
    }

    fn templates(&self, access: Access) -> impl Iterator<Item = &str> {
        match access {
            Access::Read => &self.scopes,
            Access::Write => &self.write_scopes,
        }
        .iter()
        .map(String::as_str)
    }
}

/// An https URL, or a plain one to this machine, without a user, query or
/// fragment.
fn endpoint(text: &str) -> Result<Url, OriginError> {
    let url = Url::parse(text).map_err(|_| OriginError::NotAUrl(text.to_owned()))?;
    let more = url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some();
    if more {
        return Err(OriginError::MoreThanAnOrigin(text.to_owned()));
    }
    origin(&url)?;
    Ok(url)
}

pub(super) fn origin(url: &Url) -> Result<Origin, OriginError> {
    url.origin().ascii_serialization().parse()
}

fn is_one_scope(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A template as texts, each followed by the name of a setting or by nothing.
/// `None` if the braces don't pair.
fn parts(template: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if text.contains('}') || name.is_empty() || name.contains('{') {
            return None;
        }
        parts.push((text, Some(name)));
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    parts.push((rest, None));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(scopes: &[&str]) -> Oauth2Scheme {
        Oauth2Scheme {
            id: "app".to_owned(),
            label: "App".to_owned(),
            authorize_url: "https://id.example.com/authorize".to_owned(),
            token_url: "https://id.example.com/token".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            write_scopes: vec!["write".to_owned()],
            pkce: true,
            flows: vec![Oauth2Flow::AuthorizationCode],
        }
    }

    #[test]
    fn scopes_take_settings_and_nothing_that_would_be_another_scope() {
        let scheme = Scheme::new(&declared(&["as-{region}.{name}", "read"])).expect("it is one");
        let with = |name: &'static str| {
            move |setting: &str| match setting {
                "region" => Some("eu".to_owned()),
                _ => Some(name.to_owned()),
            }
        };
        assert_eq!(
            scheme.scopes(Access::Read, with("acme")).expect("filled"),
            ["as-eu.acme", "read"]
        );
        for bad in ["", "acme everything"] {
            let missing = scheme.scopes(Access::Read, with(bad)).expect_err(bad);
            assert_eq!(missing.setting, "name");
        }
        assert_eq!(
            scheme
                .chosen_scopes(&["users.read  teams.read".to_owned()], with("acme"))
                .expect("filled"),
            ["as-eu.acme", "users.read", "teams.read"]
        );
    }

    #[test]
    fn a_scheme_without_flow_or_with_odd_scopes_is_refused() {
        for scope in ["", "two words", "{", "a}b", "{}", "{a{b}}", "tab\t"] {
            assert!(Scheme::new(&declared(&[scope])).is_err(), "{scope}");
        }
        let mut none = declared(&["read"]);
        none.flows.clear();
        assert!(Scheme::new(&none).is_err());
    }

    #[test]
    fn endpoints_that_a_secret_can_not_be_sent_to_are_refused() {
        for url in [
            "http://id.example.com/token",
            "https://user@id.example.com/token",
            "https://id.example.com/token?x=1",
            "ftp://id.example.com/token",
            "/token",
        ] {
            let mut scheme = declared(&["read"]);
            scheme.token_url = url.to_owned();
            assert!(Scheme::new(&scheme).is_err(), "{url}");
        }
    }
}
