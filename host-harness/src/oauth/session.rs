//! A sign-in in use: hands out the access token, and renews it ahead of its
//! expiry, or when the vendor refuses it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{
    Client, CredentialStore, Flow, OauthCredential, OauthError, ProfileKey, StoreError, StoreLock,
    StoredCredential, error,
};
use crate::egress::{Credential, CredentialSource, Issued, Network, Redactor, SignInError};

/// Renewed so long before it expires. Covers a request that is under way for
/// its 60 s and a clock that is off by some minutes, which is what Kerberos and
/// most validators of tokens put up with.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A token that lives for minutes is renewed in its last fifth: with the full
/// margin each request would renew it.
const MARGIN_OF_LIFE: i32 = 5;

/// After a renewal ahead of expiry has failed, the present token is used for so
/// long before the next attempt.
const PATIENCE: Duration = Duration::from_secs(60);

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
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    key: ProfileKey,
    store: Arc<dyn CredentialStore>,
    redactor: Redactor,
    /// Held by the one that renews.
    turn: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

struct Held {
    credential: OauthCredential,
    /// Counts the credentials.
    issue: u64,
    /// Not in the store yet.
    unsaved: bool,
    /// Came by a refusal, and has not been accepted since: if it is refused as
    /// well, the next one would be too.
    on_trial: bool,
    /// Counts the attempts to renew.
    attempts: u64,
    /// How the latest attempt failed, if it did.
    failure: Option<SignInError>,
    /// No attempt ahead of expiry before.
    patient_until: Option<Instant>,
    /// The vendor has refused to renew it for good.
    dead: Option<SignInError>,
    /// The tokens before these, since an answer under way may repeat them.
    before: Vec<Credential>,
}

/// Why a token is renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    /// It has expired, or will have soon.
    Expiry,
    /// The vendor refused that issue.
    Refusal(u64),
}

/// How far an access token is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Age {
    Fresh,
    /// Still good, and time to renew it.
    Due,
    Expired,
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
        let _lock = session.inner.lock().await?;
        session.inner.save(credential).await?;
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
            inner: Arc::new(Inner {
                client,
                key,
                store,
                redactor: Redactor::new(credential.secrets()),
                turn: tokio::sync::Mutex::default(),
                held: Mutex::new(Held {
                    credential,
                    issue: 1,
                    unsaved: false,
                    on_trial: false,
                    attempts: 0,
                    failure: None,
                    patient_until: None,
                    dead: None,
                    before: Vec::new(),
                }),
            }),
        }
    }

    /// Whose sign-in it is.
    pub fn key(&self) -> &ProfileKey {
        &self.inner.key
    }

    /// By which of the connector's schemes.
    pub fn scheme(&self) -> String {
        self.inner.held().credential.scheme.clone()
    }

    /// What was granted.
    pub fn scopes(&self) -> Vec<String> {
        self.inner.held().credential.tokens.scopes.clone()
    }

    /// When the present access token expires, if the vendor said.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.inner.held().credential.tokens.expires_at
    }

    /// The settings that belong to the account that was signed in to.
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.inner.held().credential.settings.clone()
    }

    /// The sign-in as it stands, with its latest tokens.
    pub fn credential(&self) -> OauthCredential {
        self.inner.held().credential.clone()
    }

    /// Renews the access token now, whatever its age, as a platform may ask.
    pub async fn renew(&self) -> Result<(), SignInError> {
        let issue = self.inner.held().issue;
        self.renewed(Cause::Refusal(issue)).await.map(drop)
    }

    /// All secrets in use, for a scan of what is about to be published.
    pub fn secrets(&self) -> Vec<Credential> {
        let held = self.inner.held();
        held.credential
            .secrets()
            .chain(&held.before)
            .cloned()
            .collect()
    }

    /// Knows all secrets in use, also those to come.
    pub(crate) fn redactor(&self) -> Redactor {
        self.inner.redactor.clone()
    }

    /// Where its tokens come from, and whether the operator said so instead of
    /// the connector.
    pub(crate) fn endpoint(&self) -> (Url, bool) {
        let client = &self.inner.client;
        (client.token_url().clone(), client.is_moved())
    }

    /// Renews, or waits for whoever does.
    async fn renewed(&self, cause: Cause) -> Result<Issued, SignInError> {
        let seen = self.inner.held().attempts;
        let inner = Arc::clone(&self.inner);
        // A task of its own: a call that is given up meanwhile must not take
        // the answer with it, for the refresh token is burned by then.
        tokio::spawn(async move { inner.renewed(cause, seen).await })
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
            let (issued, age, unsaved, patient) = {
                let held = self.inner.held();
                let patient = held
                    .patient_until
                    .is_some_and(|until| Instant::now() < until);
                (held.issued(), held.age(), held.unsaved, patient)
            };
            match age {
                Age::Fresh if !unsaved => return Ok(issued),
                Age::Due if patient && !unsaved => return Ok(issued),
                _ => {}
            }
            match self.renewed(Cause::Expiry).await {
                // There is time left to try again.
                Err(error) if age == Age::Due && !self.inner.held().unsaved => {
                    tracing::warn!(
                        target: "harness::sign_in",
                        profile = self.inner.key.profile(),
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
                let held = self.inner.held();
                if held.issue == issue && held.on_trial {
                    return Ok(None);
                }
            }
            self.renewed(Cause::Refusal(issue)).await.map(Some)
        })
    }

    fn accepted(&self, issue: u64) {
        let mut held = self.inner.held();
        if held.issue == issue {
            held.on_trial = false;
        }
    }
}

impl Held {
    fn issued(&self) -> Issued {
        self.credential.issue(self.issue)
    }

    fn age(&self) -> Age {
        let tokens = &self.credential.tokens;
        let Some(expires_at) = tokens.expires_at else {
            return Age::Fresh;
        };
        let now = Timestamp::now();
        let margin = (tokens.issued_at.duration_until(expires_at) / MARGIN_OF_LIFE).min(MARGIN);
        if now >= expires_at {
            Age::Expired
        } else if now.duration_until(expires_at) <= margin {
            Age::Due
        } else {
            Age::Fresh
        }
    }

    /// Whether somebody else has done what `cause` asks for.
    fn settles(&self, cause: Cause) -> bool {
        !self.unsaved
            && match cause {
                Cause::Expiry => self.age() == Age::Fresh,
                Cause::Refusal(issue) => self.issue != issue && self.age() != Age::Expired,
            }
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One at a time: who waited finds it done, or failed, by the one before.
    async fn renewed(&self, cause: Cause, seen: u64) -> Result<Issued, SignInError> {
        let _turn = self.turn.lock().await;
        {
            let held = self.held();
            if held.settles(cause) {
                return Ok(held.issued());
            }
            if held.attempts != seen
                && let Some(failure) = &held.failure
            {
                return Err(failure.clone());
            }
        }
        let outcome = self.attempt(cause).await;
        let mut held = self.held();
        held.attempts += 1;
        held.failure = outcome.as_ref().err().cloned();
        held.patient_until = held.failure.is_some().then(|| Instant::now() + PATIENCE);
        outcome
    }

    async fn attempt(&self, cause: Cause) -> Result<Issued, SignInError> {
        // What could not be stored before comes first.
        let unsaved = {
            let held = self.held();
            held.unsaved.then(|| held.credential.clone())
        };
        if let Some(credential) = unsaved {
            self.save(credential)
                .await
                .map_err(|error| not_stored(&error))?;
            let mut held = self.held();
            held.unsaved = false;
            if held.settles(cause) {
                return Ok(held.issued());
            }
        }
        let flow = self.held().credential.flow;
        match flow {
            Flow::AuthorizationCode => self.by_refresh_token(cause).await,
            Flow::ClientCredentials => self.by_client_credentials(cause).await,
        }
    }

    async fn by_refresh_token(&self, cause: Cause) -> Result<Issued, SignInError> {
        // From here on no other process renews the same sign-in.
        let _lock = self.lock().await.map_err(|error| not_stored(&error))?;
        let stored = self.load().await?;
        let Some(stored) = stored else {
            return Err(self.ended("the profile was removed"));
        };
        if let Some(issued) = self.adopt(stored, cause)? {
            return Ok(issued);
        }
        let credential = self.living()?;
        let Some(refresh) = credential.tokens.refresh.clone() else {
            return Err(self.ended("the access token has ended, and there is no refresh token"));
        };
        // Tries the store with what it holds already, before the vendor burns
        // that.
        self.save(credential.clone())
            .await
            .map_err(|error| not_stored(&error))?;
        let tokens = self
            .client
            .registered(&credential.registration)
            .refresh(&refresh, &credential.asked)
            .await
            .map_err(|error| self.not_renewed(&error))?;
        let credential = credential.renewed(tokens);
        self.hold(credential.clone(), cause, true);
        self.save(credential)
            .await
            .map_err(|error| not_stored(&error))?;
        let mut held = self.held();
        held.unsaved = false;
        Ok(held.issued())
    }

    /// Nothing is burned and nothing can be lost: the store only saves others
    /// a request, and may as well be read-only.
    async fn by_client_credentials(&self, cause: Cause) -> Result<Issued, SignInError> {
        if let Some(stored) = self.load().await?
            && let Some(issued) = self.adopt(stored, cause)?
        {
            return Ok(issued);
        }
        let credential = self.living()?;
        let tokens = self
            .client
            .registered(&credential.registration)
            .client_credentials(&credential.asked)
            .await
            .map_err(|error| self.not_renewed(&error))?;
        let credential = credential.renewed(tokens);
        self.hold(credential.clone(), cause, false);
        if let Err(error) = self.save(credential).await {
            tracing::debug!(target: "harness::sign_in", %error, "the access token is not stored");
        }
        Ok(self.held().issued())
    }

    /// Takes over what another process has stored meanwhile. Returns it where
    /// that is what was wanted.
    fn adopt(&self, stored: OauthCredential, cause: Cause) -> Result<Option<Issued>, SignInError> {
        let same = {
            let held = self.held();
            stored.is_same(&held.credential)
        };
        if same {
            return Ok(None);
        }
        // Tokens only ever go to the endpoint that they came from.
        if stored.token_url != *self.client.token_url() {
            return Err(self.ended("the profile was signed in elsewhere"));
        }
        self.hold(stored, cause, false);
        let held = self.held();
        Ok(held.settles(cause).then(|| held.issued()))
    }

    fn hold(&self, credential: OauthCredential, cause: Cause, unsaved: bool) {
        tracing::info!(
            target: "harness::sign_in",
            profile = self.key.profile(),
            ?cause,
            expires_at = credential.tokens.expires_at.map(tracing::field::display),
            "access token renewed"
        );
        let missing = credential
            .asked
            .iter()
            .find(|scope| !credential.tokens.scopes.contains(scope));
        if let Some(scope) = missing {
            tracing::warn!(
                target: "harness::sign_in",
                profile = self.key.profile(),
                scope,
                "the vendor no longer grants a scope"
            );
        }
        let mut held = self.held();
        held.before = held.credential.secrets().cloned().collect();
        self.redactor.know(credential.secrets().chain(&held.before));
        held.credential = credential;
        held.issue += 1;
        held.unsaved = unsaved;
        held.on_trial = matches!(cause, Cause::Refusal(_));
        held.dead = None;
    }

    /// The sign-in, unless the vendor has refused to renew it for good.
    fn living(&self) -> Result<OauthCredential, SignInError> {
        let held = self.held();
        match &held.dead {
            Some(dead) => Err(dead.clone()),
            None => Ok(held.credential.clone()),
        }
    }

    async fn lock(&self) -> Result<StoreLock, StoreError> {
        let key = self.key.clone();
        blocking(&self.store, move |store| store.lock(&key)).await
    }

    async fn load(&self) -> Result<Option<OauthCredential>, SignInError> {
        let key = self.key.clone();
        let stored = blocking(&self.store, move |store| store.load(&key))
            .await
            .map_err(|error| not_stored(&error))?;
        match stored {
            Some(StoredCredential::Oauth(credential)) => Ok(Some(*credential)),
            Some(_) => Err(self.ended("the profile holds another kind of credential now")),
            None => Ok(None),
        }
    }

    async fn save(&self, credential: OauthCredential) -> Result<(), StoreError> {
        let key = self.key.clone();
        blocking(&self.store, move |store| {
            store.save(&key, &StoredCredential::Oauth(Box::new(credential)))
        })
        .await
    }

    fn ended(&self, why: &str) -> SignInError {
        SignInError::Ended {
            why: why.to_owned(),
            hint: format!("sign in again with `{}`", error::login(self.key.profile())),
        }
    }

    fn not_renewed(&self, error: &OauthError) -> SignInError {
        if !error.is_final() {
            return SignInError::NotRenewed {
                why: error.to_string(),
            };
        }
        let ended = self.ended(&error.to_string());
        self.held().dead = Some(ended.clone());
        ended
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.inner.key)
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}

/// Files and databases block.
async fn blocking<T: Send + 'static>(
    store: &Arc<dyn CredentialStore>,
    work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || work(&*store))
        .await
        .unwrap_or_else(|error| Err(StoreError::Other(error.to_string())))
}

fn not_stored(error: &StoreError) -> SignInError {
    SignInError::NotStored {
        why: error.to_string(),
        hint: error.hint(),
    }
}
