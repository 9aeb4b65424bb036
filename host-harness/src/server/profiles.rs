//! Profiles: sign-ins of the host's own store that callers may refer to.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    error::{WireCode, WireError},
    reach::Reach,
};
use crate::{
    Connector, Credential,
    oauth::{CredentialStore, ProfileKey, Session, StoredCredential},
};

/// The profiles of the host's own store that callers may refer to.
#[derive(Clone, Debug, Default)]
pub struct StoredProfiles {
    /// Where they are.
    pub store: Option<Arc<dyn CredentialStore>>,
    /// Their names. Any other is refused, also if it exists.
    pub names: Vec<String>,
}

/// Sign-ins of profiles: all tenants of a profile share one.
#[derive(Debug)]
pub(super) struct Profiles {
    stored: StoredProfiles,
    sessions: tokio::sync::Mutex<BTreeMap<ProfileKey, Session>>,
}

/// How a tenant signs in.
pub(super) enum SignIn {
    Fixed(Credential, Option<String>),
    Oauth(Session),
}

impl Profiles {
    pub(super) fn new(stored: StoredProfiles) -> Self {
        Self {
            stored,
            sessions: tokio::sync::Mutex::default(),
        }
    }

    /// How that one signs in.
    pub(super) async fn find(
        &self,
        connector: &Connector,
        name: &str,
        reach: &Reach,
    ) -> Result<SignIn, WireError> {
        let refused = || {
            WireError::new(
                WireCode::PermissionDenied,
                format!("this host does not serve the profile `{name}`"),
            )
            .hint("start it with `--profile NAME`, or send the credential itself")
        };
        let store = self.stored.store.as_ref().ok_or_else(refused)?;
        if !self.stored.names.iter().any(|served| served == name) {
            return Err(refused());
        }
        let key = ProfileKey::new(&connector.descriptor().app_id, name).map_err(|_| refused())?;
        let mut sessions = self.sessions.lock().await;
        if let Some(session) = sessions.get(&key) {
            return Ok(SignIn::Oauth(session.clone()));
        }
        let loaded = {
            let (store, key) = (Arc::clone(store), key.clone());
            tokio::task::spawn_blocking(move || store.load(&key)).await
        };
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(target: "harness::server", %error, profile = name, "a profile can't be read");
            WireError::new(
                WireCode::InternalError,
                format!("the profile `{name}` can't be read"),
            )
            .hint("the server's log says why")
        };
        match loaded {
            Ok(Ok(Some(StoredCredential::Token(credential)))) => {
                Ok(SignIn::Fixed(credential, None))
            }
            Ok(Ok(_)) => {
                let session = Session::open(Arc::clone(store), key.clone(), &reach.network).await?;
                sessions.insert(key, session.clone());
                Ok(SignIn::Oauth(session))
            }
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Reads it anew the next time.
    pub(super) async fn forget(&self, key: &ProfileKey) {
        self.sessions.lock().await.remove(key);
    }
}

/// Whoever refers to a profile does not have its credential, and must not say
/// where it is sent, be it to another place that the operator has granted.
pub(super) fn stays_at_home(settings: &BTreeMap<String, String>) -> Result<(), WireError> {
    match settings.iter().find(|(_, value)| value.contains("://")) {
        None => Ok(()),
        Some((name, _)) => Err(WireError::new(
            WireCode::PermissionDenied,
            format!("a request that refers to a profile can't set `{name}` to an address"),
        )
        .hint("send the credential itself, or have the operator set it for all tenants")),
    }
}
