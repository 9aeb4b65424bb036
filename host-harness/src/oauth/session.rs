//! A sign-in in use: hands out the access token, and sees to it that it is
//! renewed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tracing::Instrument as _;
use url::Url;

use super::{
    Client, CredentialStore, OauthCredential, OauthError, ProfileKey, StoredCredential,
    renewal::{Age, Cause, Renewal, blocking},
};
use crate::egress::{Credential, CredentialSource, Issued, Network, Redactor, SignInError};

/// A sign-in in use. Clones are the same sign-in, and belong into all tenants
/// that use it: calls at the same time share one renewal.
///
/// The refresh token that comes with a renewal is stored before the access
/// token is used: the vendor has burned the one before. Where the store fails,
/// nothing is renewed in the first place, since the store is tried before; if
/// it fails just then, the tokens stay in memory, calls fail, and each further
/// call tries to store them again.
#[derive(Clone)]
pub struct Session {
    renewal: Arc<Renewal>,
}

impl Session {
    /// Takes a sign-in into use and stores it.
    pub async fn start(
        client: Client,
        credential: OauthCredential,
        store: Arc<dyn CredentialStore>,
        key: ProfileKey,
    ) -> Result<Self, OauthError> {
        let session = Self::new(client, credential.clone(), store, key);
        // A process that renews what this replaces would store over it.
        let _lock = session.renewal.lock().await?;
        session.renewal.save(credential).await?;
        Ok(session)
    }

    /// Takes a stored sign-in into use.
    pub async fn open(
        store: Arc<dyn CredentialStore>,
        key: ProfileKey,
        network: &Network,
    ) -> Result<Self, OauthError> {
        let (stored, known) = blocking(&store, {
            let key = key.clone();
            move |store| Ok((store.load(&key)?, store.profiles(key.app())))
        })
        .await?;
        let credential = match stored {
            Some(StoredCredential::Oauth(credential)) => *credential,
            Some(_) => return Err(OauthError::NotOauth(key.profile().to_owned())),
            None => {
                return Err(OauthError::NoProfile {
                    profile: key.profile().to_owned(),
                    known,
                });
            }
        };
        let token_url = credential.token_url.clone();
        let client = Client::at(
            &credential.scheme,
            // A session asks nobody for consent.
            token_url.clone(),
            token_url,
            credential.moved,
            credential.registration.clone(),
            network,
        )?;
        Ok(Self::new(client, credential, store, key))
    }

    fn new(
        client: Client,
        credential: OauthCredential,
        store: Arc<dyn CredentialStore>,
        key: ProfileKey,
    ) -> Self {
        Self {
            renewal: Arc::new(Renewal::new(client, key, store, credential)),
        }
    }

    /// Whose sign-in it is.
    pub fn key(&self) -> &ProfileKey {
        &self.renewal.key
    }

    /// By which of the connector's schemes.
    pub fn scheme(&self) -> String {
        self.renewal.held().credential.scheme.clone()
    }

    /// What was granted.
    pub fn scopes(&self) -> Vec<String> {
        self.renewal.held().credential.tokens.scopes.clone()
    }

    /// When the present access token expires, if the vendor said.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.renewal.held().credential.tokens.expires_at
    }

    /// The settings that belong to the account that was signed in to.
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.renewal.held().credential.settings.clone()
    }

    /// The sign-in as it stands, with its latest tokens.
    pub fn credential(&self) -> OauthCredential {
        self.renewal.held().credential.clone()
    }

    /// Renews the access token now, whatever its age, as a platform may ask.
    pub async fn renew(&self) -> Result<(), SignInError> {
        let issue = self.renewal.held().issue;
        self.renewed(Cause::Refusal(issue)).await.map(drop)
    }

    /// All secrets in use, for a scan of what is about to be published.
    pub fn secrets(&self) -> Vec<Credential> {
        let held = self.renewal.held();
        held.credential
            .secrets()
            .chain(&held.before)
            .cloned()
            .collect()
    }

    /// Knows all secrets in use, also those to come.
    pub(crate) fn redactor(&self) -> Redactor {
        self.renewal.redactor.clone()
    }

    /// Where its tokens come from, and whether the operator said so instead of
    /// the connector.
    pub(crate) fn endpoint(&self) -> (Url, bool) {
        let client = &self.renewal.client;
        (client.token_url().clone(), client.is_moved())
    }

    /// Renews, or waits for whoever does.
    async fn renewed(&self, cause: Cause) -> Result<Issued, SignInError> {
        let seen = self.renewal.held().attempts;
        let renewal = Arc::clone(&self.renewal);
        // A task of its own: a call that is given up meanwhile must not take
        // the answer with it, for the refresh token is burned by then.
        let renewed = async move { renewal.renewed(cause, seen).await };
        tokio::spawn(renewed.in_current_span())
            .await
            .unwrap_or_else(|error| {
                Err(SignInError::NotRenewed {
                    why: error.to_string(),
                })
            })
    }
}

impl CredentialSource for Session {
    fn current(&self) -> BoxFuture<'_, Result<Issued, SignInError>> {
        Box::pin(async move {
            let (issued, age, settled) = {
                let held = self.renewal.held();
                (held.issued(), held.age(), held.is_settled())
            };
            if settled {
                return Ok(issued);
            }
            match self.renewed(Cause::Expiry).await {
                // There is time left to try again.
                Err(error) if age == Age::Due && !self.renewal.held().unsaved => {
                    tracing::warn!(
                        target: "harness::sign_in",
                        profile = self.renewal.key.profile(),
                        %error,
                        "the access token could not be renewed ahead of its expiry"
                    );
                    Ok(issued)
                }
                outcome => outcome,
            }
        })
    }

    fn after_refusal(&self, issue: u64) -> BoxFuture<'_, Result<Option<Issued>, SignInError>> {
        Box::pin(async move {
            {
                let held = self.renewal.held();
                if held.issue == issue && held.on_trial {
                    return Ok(None);
                }
            }
            self.renewed(Cause::Refusal(issue)).await.map(Some)
        })
    }

    fn accepted(&self, issue: u64) {
        let mut held = self.renewal.held();
        if held.issue == issue {
            held.on_trial = false;
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.renewal.key)
            .field("store", &self.renewal.store)
            .finish_non_exhaustive()
    }
}
