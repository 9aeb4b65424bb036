//! All of a tenant, read once for the checks that hold its parts against each
//! other.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{
    listing::{Listed, Walk},
    script::{self, Known},
};
use crate::{
    CallError, CallReport, Tenant,
    contract::types::{Account, Entitlement, Grant, Resource},
};

/// So many pages a list is cut into, at most, where they are small on purpose.
const SMALL_PAGES: usize = 50;

/// All of a tenant.
pub(super) struct Survey {
    pub(super) accounts: Walk<Account>,
    pub(super) resources: Walk<Resource>,
    pub(super) entitlements: Walk<Entitlement>,
    pub(super) grants: Walk<Grant>,
    /// What was asked and answered, in its order, also beside the lists.
    pub(super) answers: Vec<Answer>,
    pub(super) reports: Vec<CallReport>,
}

/// What a call answered.
pub(super) struct Answer {
    /// The recording; empty for a tenant.
    pub(super) place: String,
    pub(super) function: String,
    pub(super) input: Value,
    pub(super) output: Result<Value, CallError>,
}

impl Survey {
    /// Reads everything that the connector declares as a read.
    pub(super) async fn of(tenant: &Tenant) -> Self {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let heard = Arc::clone(&answers);
        let tenant = tenant.listened(move |function, input, output| {
            let answer = Answer {
                place: String::new(),
                function: function.to_owned(),
                input: input.clone(),
                output: output.map_err(Clone::clone),
            };
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(answer);
        });
        // Lists come last: should anything before them change the tenant, they
        // are of one piece all the same.
        script::run(&tenant, &Known::default()).await;
        let accounts = Walk::of(&tenant, None).await;
        let resources = Walk::of(&tenant, None).await;
        let entitlements = Walk::of(&tenant, None).await;
        let grants = Walk::of(&tenant, None).await;
        script::run(&tenant, &Known::of(&accounts, &grants)).await;
        let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
        Self {
            accounts,
            resources,
            entitlements,
            grants,
            answers,
            reports: Vec::new(),
        }
    }
}

/// The lists in small pages.
pub(super) struct SmallPages {
    pub(super) accounts: Small<Account>,
    pub(super) resources: Small<Resource>,
    pub(super) entitlements: Small<Entitlement>,
    pub(super) grants: Small<Grant>,
}

/// A list in small pages.
pub(super) struct Small<T> {
    pub(super) size: u32,
    pub(super) walk: Walk<T>,
}

impl SmallPages {
    pub(super) async fn of(tenant: &Tenant, survey: &Survey) -> Self {
        Self {
            accounts: Small::of(tenant, &survey.accounts).await,
            resources: Small::of(tenant, &survey.resources).await,
            entitlements: Small::of(tenant, &survey.entitlements).await,
            grants: Small::of(tenant, &survey.grants).await,
        }
    }
}

impl<T: Listed> Small<T> {
    async fn of(tenant: &Tenant, known: &Walk<T>) -> Self {
        let size = small(known.items.len());
        Self {
            size,
            walk: Walk::of(tenant, Some(size)).await,
        }
    }
}

/// The smallest page size that cuts so many items into few pages.
pub(super) fn small(items: usize) -> u32 {
    u32::try_from(items.div_ceil(SMALL_PAGES).max(1)).unwrap_or(u32::MAX)
}
