//! A version that is tried on live reads before it may take over: it is asked
//! what the running one was asked, and its answers are held against that one's.
//! It never changes anything.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::replay::{self, CallDiff};
use crate::{
    connector::{CallError, Connector, Tenant},
    egress::policy::Level,
    text::printable,
};

/// Calls whose differences are kept. Further ones are counted.
const MAX_KEPT: usize = 20;

/// A version in the shadow of the running one. It has passed all stages but the
/// swap. Cheap to clone; it is gone with the last clone, and with the process.
#[derive(Clone)]
pub struct Shadow {
    connector: Connector,
    seen: Arc<Mutex<ShadowReport>>,
}

/// What a version in the shadow has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShadowReport {
    /// Reads that both have answered.
    pub compared: u64,
    /// How many of them were answered otherwise.
    pub differing: u64,
    /// The first twenty of those. The vendor's data may have changed between
    /// the two answers, so that one alone need not mean anything.
    pub calls: Vec<CallDiff>,
}

impl Shadow {
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            connector,
            seen: Arc::default(),
        }
    }

    /// The version in the shadow.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// What it has shown so far.
    pub fn report(&self) -> ShadowReport {
        self.lock().clone()
    }

    /// Asks the same once more. `tenant` is the call's, on the generation that
    /// has answered it. Returns whether the two answers were compared: functions
    /// that either version does not declare as a read are not asked, and a
    /// request that would change something does not leave, whatever the tenant
    /// is granted.
    ///
    /// It takes as long as the call, and requests from the vendor's rate limit:
    /// answer the caller first, and ask for a sample only.
    pub async fn read(
        &self,
        tenant: &Tenant,
        function: &str,
        input: &Value,
        answered: &Result<Value, CallError>,
    ) -> bool {
        if !reads(tenant.connector(), function) || !reads(&self.connector, function) {
            return false;
        }
        let (theirs, crash) = match tenant.shadowed_on(&self.connector) {
            Some(Ok(shadow)) => replay::outcome(&shadow.call(function, input).await),
            Some(Err(error)) => replay::not_opened(&error),
            None => return false,
        };
        let (ours, _) = replay::outcome(answered);
        let mut diff = CallDiff {
            function: printable(function).into_owned(),
            crash,
            ..CallDiff::default()
        };
        replay::values("", &ours, &theirs, &mut diff);
        let mut seen = self.lock();
        diff.call = usize::try_from(seen.compared).unwrap_or(usize::MAX);
        seen.compared += 1;
        if !diff.is_empty() {
            seen.differing += 1;
            if seen.calls.len() < MAX_KEPT {
                seen.calls.push(diff);
            }
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ShadowReport> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reads(connector: &Connector, function: &str) -> bool {
    let declaration = connector.declaration();
    declaration
        .capability(function)
        .is_some_and(|capability| capability.level == Level::Read)
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow")
            .field("connector", &self.connector)
            .field("seen", &self.report())
            .finish()
    }
}
