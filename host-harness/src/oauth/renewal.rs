//! The renewal of a sign-in: one at a time, and nothing lost that the vendor
//! burns meanwhile.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Client, CredentialStore, Flow, OauthCredential, OauthError, ProfileKey, StoreError, StoreLock,
    StoredCredential, error,
};
use crate::egress::{Credential, Issued, Redactor, SignInError};

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

/// A sign-in with its tokens, and what it takes to renew them.
pub(super) struct Renewal {
    pub(super) client: Client,
    pub(super) key: ProfileKey,
    pub(super) store: Arc<dyn CredentialStore>,
    /// Knows all secrets in use, also those to come.
    pub(super) redactor: Redactor,
    /// Held by the one that renews.
    turn: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

/// The tokens in use.
pub(super) struct Held {
    pub(super) credential: OauthCredential,
    /// Counts the credentials.
    pub(super) issue: u64,
    /// Not in the store yet.
    pub(super) unsaved: bool,
    /// Came by a refusal, and has not been accepted since: if it is refused as
    /// well, the next one would be too.
    pub(super) on_trial: bool,
    /// Counts the attempts to renew.
    pub(super) attempts: u64,
    /// How the latest attempt failed, if it did.
    failure: Option<SignInError>,
    /// No attempt ahead of expiry before.
    patient_until: Option<Instant>,
    /// The vendor has refused to renew it for good.
    dead: Option<SignInError>,
    /// The tokens before these, since an answer under way may repeat them.
    pub(super) before: Vec<Credential>,
}

/// Why a token is renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// It has expired, or will have soon.
    Expiry,
    /// The vendor refused that issue.
    Refusal(u64),
}

/// How far an access token is from its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Age {
    Fresh,
    /// Still good, and time to renew it.
    Due,
    Expired,
}

impl Held {
    pub(super) fn issued(&self) -> Issued {
        self.credential.issue(self.issue)
    }

    pub(super) fn age(&self) -> Age {
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

    /// Whether it can be used without another thought.
    pub(super) fn is_settled(&self) -> bool {
        let waits = || {
            self.patient_until
                .is_some_and(|until| Instant::now() < until)
        };
        !self.unsaved
            && match self.age() {
                Age::Fresh => true,
                Age::Due => waits(),
                Age::Expired => false,
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

impl Renewal {
    pub(super) fn new(
        client: Client,
        key: ProfileKey,
        store: Arc<dyn CredentialStore>,
        credential: OauthCredential,
    ) -> Self {
        Self {
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
        }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One at a time: who waited finds it done, or failed, by the one before.
    pub(super) async fn renewed(&self, cause: Cause, seen: u64) -> Result<Issued, SignInError> {
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

    pub(super) async fn lock(&self) -> Result<StoreLock, StoreError> {
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

    pub(super) async fn save(&self, credential: OauthCredential) -> Result<(), StoreError> {
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

/// Files and databases block.
pub(super) async fn blocking<T: Send + 'static>(
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
