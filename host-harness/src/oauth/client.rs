//! The protocol: RFC 6749 with PKCE, by the `oauth2` crate, over our own
//! connections.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use jiff::{SignedDuration, Timestamp};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicTokenResponse},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Flow, OauthError, Scheme, endpoint::Endpoint, scheme};
use crate::egress::{
    Credential, CredentialError, Network, Origin, Pool, Redactor, TransportError, policy::Grant,
};

/// The application, as it is registered with the vendor.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The client id. Not a secret.
    pub client_id: String,
    /// The client secret; a public client has none and relies on PKCE.
    pub client_secret: Option<Credential>,
}

/// Signs in at one vendor, as one application.
#[derive(Clone)]
pub struct Client {
    scheme: String,
    authorize_url: Url,
    token_url: Url,
    moved: bool,
    registration: Registration,
    pool: Pool,
}

/// A sign-in that a person has been asked to consent to. Whoever hears of the
/// answer in another process keeps these until then.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Where to send the person's browser.
    pub url: Url,
    /// Comes back with the answer; an answer with another one is not ours.
    pub state: String,
    /// Proves that whoever exchanges the code is who asked for it.
    pub verifier: SecretString,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// What was asked for.
    pub scopes: Vec<String>,
}

/// What a vendor has issued.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Goes with each request.
    pub access: Credential,
    /// Good for one renewal.
    pub refresh: Option<Credential>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When it was issued, by our clock.
    pub issued_at: Timestamp,
    /// When the access token expires; unknown if the vendor does not say.
    pub expires_at: Option<Timestamp>,
}

type Protocol =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl Client {
    /// For a connector's scheme, where all its origins are `trusted`: a
    /// connector may name its author's own server, which would be sent the
    /// client secret. `&scheme.origins()` trusts the connector.
    ///
    /// The token endpoint is under the same rules as a connector's requests:
    /// public addresses only, unless it names a loopback host; TLS; no
    /// redirects.
    pub fn new(
        scheme: &Scheme,
        registration: Registration,
        network: &Network,
        trusted: &BTreeSet<Origin>,
    ) -> Result<Self, OauthError> {
        if let Some(origin) = scheme.origins().difference(trusted).next() {
            return Err(OauthError::NotGranted(origin.clone()));
        }
        Self::at(
            scheme.id(),
            scheme.authorize_url().clone(),
            scheme.token_url().clone(),
            scheme.is_moved(),
            registration,
            network,
        )
    }

    pub(super) fn at(
        scheme: &str,
        authorize_url: Url,
        token_url: Url,
        moved: bool,
        registration: Registration,
        network: &Network,
    ) -> Result<Self, OauthError> {
        let origin = scheme::origin(&token_url).map_err(OauthError::Endpoint)?;
        Ok(Self {
            scheme: scheme.to_owned(),
            authorize_url,
            token_url,
            moved,
            registration,
            pool: Pool::new(network, &Grant::read_only().origin(origin)),
        })
    }

    /// The same with what the application is registered with now.
    pub(super) fn registered(&self, registration: &Registration) -> Self {
        Self {
            registration: registration.clone(),
            ..self.clone()
        }
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    pub(super) fn token_url(&self) -> &Url {
        &self.token_url
    }

    pub(super) fn is_moved(&self) -> bool {
        self.moved
    }

    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Starts a sign-in with a person's consent. Always bound to a verifier,
    /// also where the vendor does not insist: RFC 9700, 2.1.1.
    pub fn authorize(
        &self,
        redirect_uri: &str,
        scopes: &[String],
    ) -> Result<Authorization, OauthError> {
        self.authorize_as(redirect_uri, scopes, CsrfToken::new_random().into_secret())
    }

    /// The same with a state of the caller's making: nobody may be able to
    /// guess it.
    pub fn authorize_as(
        &self,
        redirect_uri: &str,
        scopes: &[String],
        state: String,
    ) -> Result<Authorization, OauthError> {
        let redirect = redirect(redirect_uri)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let protocol = self.protocol();
        let (url, state) = protocol
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(redirect))
            .url();
        Ok(Authorization {
            url,
            state: state.secret().clone(),
            verifier: SecretString::from(verifier.into_secret()),
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.to_owned(),
        })
    }

    /// Turns the code that came back into tokens. To be done at once: codes
    /// live for seconds. The state is for the caller to compare, with
    /// [`Authorization::answers`], before this.
    pub async fn exchange(
        &self,
        authorization: &Authorization,
        code: &SecretString,
    ) -> Result<Tokens, OauthError> {
        let verifier = authorization.verifier.expose_secret();
        let redirect = redirect(&authorization.redirect_uri)?;
        let protocol = self.protocol();
        let request = protocol
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .set_redirect_uri(Cow::Owned(redirect));
        let endpoint = self.endpoint();
        let reply = request.request_async(&endpoint).await;
        self.tokens(reply, &endpoint, &authorization.scopes, &[code])
    }

    /// Signs in as the application itself.
    pub async fn client_credentials(&self, scopes: &[String]) -> Result<Tokens, OauthError> {
        let protocol = self.protocol();
        let request = protocol
            .exchange_client_credentials()
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        let endpoint = self.endpoint();
        let reply = request.request_async(&endpoint).await;
        self.tokens(reply, &endpoint, scopes, &[])
    }

    /// Renews tokens. The refresh token is used up, also where the answer is
    /// lost: store the one that comes back before anything else.
    pub async fn refresh(
        &self,
        refresh: &Credential,
        scopes: &[String],
    ) -> Result<Tokens, OauthError> {
        let token = oauth2::RefreshToken::new(refresh.expose().to_owned());
        let protocol = self.protocol();
        let request = protocol.exchange_refresh_token(&token);
        let endpoint = self.endpoint();
        let reply = request.request_async(&endpoint).await;
        let secret = SecretString::from(refresh.expose().to_owned());
        self.tokens(reply, &endpoint, scopes, &[&secret])
    }

    fn protocol(&self) -> Protocol {
        let protocol = BasicClient::new(ClientId::new(self.registration.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.authorize_url.clone()))
            .set_token_uri(TokenUrl::from_url(self.token_url.clone()))
            // PagerDuty documents id and secret in the body.
            .set_auth_type(AuthType::RequestBody);
        match &self.registration.client_secret {
            Some(secret) => {
                protocol.set_client_secret(ClientSecret::new(secret.expose().to_owned()))
            }
            None => protocol,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.pool.clone())
    }

    fn tokens(
        &self,
        reply: Result<BasicTokenResponse, RequestTokenError<TransportError, BasicErrorResponse>>,
        endpoint: &Endpoint,
        asked: &[String],
        sent: &[&SecretString],
    ) -> Result<Tokens, OauthError> {
        let unusable = |problem| OauthError::Reply {
            status: endpoint.status(),
            problem,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(RequestTokenError::Request(error)) => return Err(error.into()),
            Err(RequestTokenError::ServerResponse(refusal)) => {
                let secrets: Vec<Credential> = sent
                    .iter()
                    .filter_map(|secret| Credential::token(secret.expose_secret()).ok())
                    .chain(self.registration.client_secret.clone())
                    .collect();
                // Some vendors repeat what they were sent.
                let redactor = Redactor::new(&secrets);
                return Err(OauthError::Refused {
                    code: redactor.text(refusal.error().as_ref()),
                    description: refusal
                        .error_description()
                        .map(|description| redactor.text(description)),
                });
            }
            // Neither error is passed on: they may hold the reply, and with it
            // a token.
            Err(RequestTokenError::Parse(..)) => return Err(unusable("which is not OAuth's")),
            Err(RequestTokenError::Other(_)) => return Err(unusable("without a token")),
        };
        let credential = |token: &str| {
            Credential::token(token)
                .map_err(|_: CredentialError| unusable("with a token that can't be sent"))
        };
        let issued_at = Timestamp::now();
        let expires_at = reply.expires_in().and_then(|life| {
            let life = SignedDuration::try_from(life).ok()?;
            issued_at.checked_add(life).ok()
        });
        let scopes = match reply.scopes() {
            Some(scopes) => scopes.iter().map(|scope| scope.to_string()).collect(),
            // RFC 6749, 5.1: as asked, if it does not say.
            None => asked.to_owned(),
        };
        Ok(Tokens {
            access: credential(reply.access_token().secret())?,
            refresh: reply
                .refresh_token()
                .map(|token| credential(token.secret()))
                .transpose()?,
            scopes,
            issued_at,
            expires_at,
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("scheme", &self.scheme)
            .field("token_url", &self.token_url.as_str())
            .field("registration", &self.registration)
            .finish_non_exhaustive()
    }
}

impl Authorization {
    /// Whether an answer with that state belongs to it.
    pub fn answers(&self, state: &str) -> bool {
        // By digests, so that the time it takes says nothing about the state.
        Sha256::digest(state) == Sha256::digest(&self.state)
    }
}

impl Tokens {
    /// Compares what was granted with what was asked.
    pub(super) fn check(&self, asked: &[String]) -> Result<(), OauthError> {
        let missing: Vec<String> = asked
            .iter()
            .filter(|scope| !self.scopes.contains(scope))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(OauthError::Scope {
            missing,
            granted: self.scopes.clone(),
        })
    }
}

impl Registration {
    /// An application with a secret.
    pub fn confidential(client_id: impl Into<String>, secret: Credential) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: Some(secret),
        }
    }

    /// An application without one, such as a program that is handed out.
    pub fn public(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
        }
    }

    /// Checks that the flow is for such an application.
    pub fn suits(&self, flow: Flow) -> bool {
        flow == Flow::AuthorizationCode || self.client_secret.is_some()
    }
}

fn redirect(uri: &str) -> Result<RedirectUrl, OauthError> {
    RedirectUrl::new(uri.to_owned()).map_err(|_| OauthError::RedirectUri)
}
