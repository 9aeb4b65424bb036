//! Where the credential of a request comes from: one that stays as it is, or a
//! source that renews it.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::credentials::{Credential, CredentialError, HeaderScheme, Presented};

/// Why there is no credential to send a request with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The vendor renews it no more, or it was removed: somebody has to sign
    /// in again.
    #[error("the sign-in has ended: {why}")]
    Ended {
        /// What happened.
        why: String,
        /// How to sign in again.
        hint: String,
    },
    /// The vendor's token endpoint could not be asked, or had no usable answer.
    #[error("the access token can't be renewed: {why}")]
    NotRenewed {
        /// What happened.
        why: String,
    },
    /// The store of credentials takes nothing, so the token was not renewed,
    /// or was and is held back until it can be stored.
    #[error("the renewed access token can't be stored: {why}")]
    NotStored {
        /// What happened.
        why: String,
        /// How to mend the store.
        hint: String,
    },
}

impl SignInError {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Ended { hint, .. } | Self::NotStored { hint, .. } => hint,
            Self::NotRenewed { .. } => "try again later; the sign-in itself is kept",
        }
    }
}

/// A credential that a source has issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) credential: Credential,
    /// Grows with each renewal.
    pub(crate) issue: u64,
}

/// Issues credentials that do not last. Shared by all calls of a tenant.
pub(crate) trait CredentialSource: fmt::Debug + Send + Sync {
    /// The credential for a request that is about to leave, renewed if it is
    /// about to expire.
    fn current(&self) -> BoxFuture<'_, Result<Issued, SignInError>>;

    /// The next one, after the vendor answered 401 to that issue. `None` where
    /// another would be refused as well.
    fn after_refusal(&self, issue: u64) -> BoxFuture<'_, Result<Option<Issued>, SignInError>>;

    /// The vendor took that issue.
    fn accepted(&self, issue: u64);
}

/// How a tenant's requests are authenticated.
#[derive(Clone, Debug)]
pub(crate) enum Authentication {
    /// Not at all.
    None,
    /// By a credential that stays as it is.
    Fixed(Presented),
    /// By one that is renewed.
    Renewed {
        source: Arc<dyn CredentialSource>,
        scheme: HeaderScheme,
    },
}

impl Authentication {
    /// What to put into a request now.
    pub(super) async fn present(&self) -> Result<Option<Presented>, SignInError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(presented) => Ok(Some(presented.clone())),
            Self::Renewed { source, scheme } => present(&source.current().await?, scheme).map(Some),
        }
    }

    /// What to put into the same request once more, after a 401. The vendor
    /// did not act on a request that it did not authenticate, so this is safe
    /// for changes too.
    pub(super) async fn after_refusal(
        &self,
        refused: &Presented,
    ) -> Result<Option<Presented>, SignInError> {
        let Self::Renewed { source, scheme } = self else {
            return Ok(None);
        };
        match source.after_refusal(refused.issue()).await? {
            Some(issued) => present(&issued, scheme).map(Some),
            None => Ok(None),
        }
    }

    /// The vendor took it.
    pub(super) fn accepted(&self, presented: &Presented) {
        if let Self::Renewed { source, .. } = self {
            source.accepted(presented.issue());
        }
    }
}

fn present(issued: &Issued, scheme: &HeaderScheme) -> Result<Presented, SignInError> {
    let presented =
        Presented::new(&issued.credential, scheme).map_err(|error: CredentialError| {
            SignInError::NotRenewed {
                why: error.to_string(),
            }
        })?;
    Ok(presented.of_issue(issued.issue))
}
