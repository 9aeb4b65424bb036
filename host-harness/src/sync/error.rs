//! Why a sync does not come to an end.

use crate::{CallError, store::StoreError, text::printable};

/// Why a sync does not come to an end. What is committed stays, and the next
/// sync goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call of the connector.
    #[error("`{function}` failed: {error}")]
    Call {
        /// Of which function.
        function: &'static str,
        /// Why.
        error: Box<CallError>,
    },
    /// The vendor does not say whose the credential is, and nobody else does.
    #[error("the vendor does not say which tenant the credential is for")]
    Unnamed,
    /// The credential is for another tenant than the store has under that name.
    #[error(
        "the credential is for `{}`, and the tenant `{name}` of the store is `{}`",
        printable(.found),
        printable(.known)
    )]
    OtherTenant {
        /// The operator's name.
        name: String,
        /// What the vendor calls the one in the store.
        known: String,
        /// What it calls this one; empty if it does not say.
        found: String,
    },
    /// The tenant was read by a connector for something else.
    #[error(
        "the connector is for `{found}`, and the tenant `{name}` of the store is one of `{known}`"
    )]
    OtherApplication {
        /// The operator's name.
        name: String,
        /// The application in the store.
        known: String,
        /// The connector's.
        found: String,
    },
    /// A function's pages lead back to where they came from, or never to anything
    /// new.
    #[error("`{function}` does not get on: its pages lead in circles")]
    Stuck {
        /// Which one.
        function: &'static str,
    },
    /// The store knows the tenant by several names.
    #[error("the store has several tenants which the vendor calls `{}`", printable(.found))]
    Ambiguous {
        /// What the vendor calls them.
        found: String,
    },
    /// There is no refused run.
    #[error("the latest run of `{tenant}` is not one that waits to be accepted")]
    NothingToAccept {
        /// Of which tenant.
        tenant: String,
    },
}

impl SyncError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint().to_owned(),
            Self::Call { error, .. } => {
                let on = "`harness sync` goes on where this one ended, and with `--restart` it begins anew";
                match error.hint() {
                    Some(hint) => format!("{hint}; {on}"),
                    None => on.to_owned(),
                }
            }
            Self::Ambiguous { .. } => "say which one with `--tenant`".to_owned(),
            Self::Unnamed => "give the tenant a name with `--tenant`".to_owned(),
            Self::OtherTenant { .. } | Self::OtherApplication { .. } => {
                "give this one a name of its own with `--tenant`, or use the credential of the \
                 other; nothing was changed"
                    .to_owned()
            }
            Self::Stuck { .. } => "this is a defect of the connector".to_owned(),
            Self::NothingToAccept { .. } => {
                "`harness runs` shows the runs; without `--accept` the sync reads anew".to_owned()
            }
        }
    }
}
