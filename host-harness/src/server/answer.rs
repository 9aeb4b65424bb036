//! One call of a platform, from its body to its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tracing::Instrument as _;

use super::{
    Shared,
    call::{Answer, Call},
    capability::{Capability, Kind, Level},
    connectors::Served,
    envelope::Envelope,
    error::{WireCode, WireError},
    info, leaving,
    live::{Began, LiveCall, LiveCalls},
    probe, reads, sign_in,
    traces::Caller,
    writes,
};
use crate::{registry::Pinned, spans::Worker};

/// How long after its deadline a call that does not end by itself is ended.
/// The engine ends a connector's function before that, and knows more about why.
const GRACE: Duration = Duration::from_secs(4);

impl Shared {
    /// One call, from its body to its answer.
    pub(super) async fn answer(
        &self,
        connector_id: &str,
        capability: &str,
        body: &[u8],
        caller: Caller,
    ) -> Value {
        let started = Instant::now();
        let found = self.connectors.connector(connector_id);
        let known = Capability::named(capability);
        // Only names that we know: labels, spans and log fields are not for
        // callers to fill.
        let connector_label = found.as_ref().map_or("unknown", |_| connector_id);
        let capability_label = known.map_or("unknown", |known| known.name);
        let worker = Worker {
            id: connector_label,
            build: found.as_ref().map(|connector| {
                let version = connector.descriptor().version.as_str();
                (version, connector.sha256())
            }),
        };
        let work = caller.call(worker, capability_label);
        if let Some(generation) = found.as_ref().and_then(Served::generation) {
            work.generation(generation);
        }
        let outcome = match (&found, known) {
            (Some(served), Some(capability)) => {
                self.called(connector_id, served, capability, body, started)
                    .instrument(work.span().clone())
                    .await
            }
            (None, _) => Err(self.nobody(connector_id)),
            (_, None) => Err(unsupported(connector_id, capability)),
        };
        let code = code(&outcome);
        let refused = outcome.as_ref().err();
        let is_failure = refused.is_some_and(WireError::is_failure);
        work.called(refused.map(|error| error.code.name()), is_failure);
        let elapsed = started.elapsed();
        self.metrics
            .called(connector_label, capability_label, code, elapsed);
        tracing::info!(
            target: "harness::server",
            connector = connector_label,
            capability = capability_label,
            generation = found.as_ref().and_then(Served::generation),
            code,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "call"
        );
        outcome.unwrap_or_else(|error| error_json(&error, connector_id, Some(capability)))
    }

    /// Whether that version would get a call that began now.
    fn is_current(&self, connector_id: &str, served: &Served) -> bool {
        let now = self.connectors.connector(connector_id);
        now.is_some_and(|now| now.sha256() == served.sha256())
    }

    /// Why there is no such connector.
    fn nobody(&self, connector_id: &str) -> WireError {
        match self.connectors.problem(connector_id) {
            // Why is for the operator, who has it in the log and in the console.
            Some(_) => WireError::new(
                WireCode::ServiceError,
                format!("no version of `{connector_id}` can serve now"),
            )
            .hint("the operator of this host can load one"),
            None => WireError::new(
                WireCode::NotFound,
                format!("there is no connector `{connector_id}`"),
            )
            .hint("`POST /list-connector-app-ids` lists them"),
        }
    }

    async fn called(
        &self,
        connector_id: &str,
        served: &Served,
        capability: &'static Capability,
        body: &[u8],
        started: Instant,
    ) -> Result<Value, WireError> {
        if !capability.is_offered(served) {
            return Err(unsupported(connector_id, capability.name));
        }
        let seen = Seen {
            calls: &self.live,
            call: self.live.begin(Began {
                connector: connector_id.to_owned(),
                capability: capability.name,
                version: served.descriptor().version.clone(),
                generation: served.generation(),
            }),
        };
        let outcome = self
            .seen(connector_id, served, capability, body, started, &seen.call)
            .await;
        if let Some(pinned) = served.pinned() {
            pinned.ended(outcome.is_ok(), seen.call.crash().as_deref());
        }
        self.live.ended(&seen.call, code(&outcome));
        outcome
    }

    async fn seen(
        &self,
        connector_id: &str,
        served: &Served,
        capability: &'static Capability,
        body: &[u8],
        started: Instant,
        live: &Arc<LiveCall>,
    ) -> Result<Value, WireError> {
        let envelope = Envelope::parse(body)?;
        let longest = self.tenants.reach().budget.deadline;
        let deadline = envelope.longest.unwrap_or(longest).min(longest);
        let tenant = if capability.is_of_a_tenant() {
            let current = || self.is_current(connector_id, served);
            Some(
                self.tenants
                    .borrow(served, current, &envelope, deadline)
                    .await?,
            )
        } else {
            None
        };
        if let Some(tenant) = &tenant {
            live.of_tenant(tenant.label());
        }
        let shadow = match capability.level {
            Level::Read if tenant.is_some() => served.pinned().and_then(Pinned::shadow),
            _ => None,
        };
        let call = Call {
            shared: self,
            connector: served,
            connector_id,
            capability,
            envelope: &envelope,
            tenant: tenant.as_ref(),
            live,
            shadow: shadow.as_ref(),
            ends: started + deadline,
        };
        let outcome = tokio::time::timeout(call.left() + GRACE, dispatch(&call)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(call.out_of_time()));
        if let (Err(error), Some(tenant)) = (&outcome, &tenant)
            && error.code == WireCode::CredsRevoked
        {
            self.tenants.forget(tenant).await;
        }
        let answer = outcome.map(|outcome| call.to_json(outcome));
        // Nobody waits for it.
        if let Some(shadow) = shadow {
            tokio::spawn(shadow.compare());
        }
        answer
    }
}

/// A call that can be looked at; it is not under way any more once this is gone.
struct Seen<'a> {
    calls: &'a LiveCalls,
    call: Arc<LiveCall>,
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        // Whoever has asked has gone, if it has no end yet.
        self.calls.ended(&self.call, "given_up");
    }
}

fn code<T>(outcome: &Result<T, WireError>) -> &'static str {
    outcome
        .as_ref()
        .err()
        .map_or("ok", |error| error.code.name())
}

async fn dispatch(call: &Call<'_>) -> Answer {
    match call.capability.kind {
        Kind::Info => Ok(info::info(call)),
        Kind::AppInfo => Ok(info::app_info(call)),
        Kind::ValidateCredentials => reads::validate_credentials(call).await,
        Kind::ValidateCredentialConfig => sign_in::validate_credential_config(call),
        Kind::ProbeIntegration => probe::probe_integration(call).await,
        Kind::ListAccounts => reads::list_accounts(call).await,
        Kind::GetAccount => reads::get_account(call).await,
        Kind::ListUpdatedAccounts => reads::list_updated_accounts(call).await,
        Kind::ListActivityRecords => reads::list_activity_records(call).await,
        Kind::ListResources => reads::list_resources(call).await,
        Kind::ListEntitlements => reads::list_entitlements(call).await,
        Kind::FindEntitlementAssociations => reads::find_entitlement_associations(call).await,
        Kind::GetAccountEntitlementAssociations => {
            reads::get_account_entitlement_associations(call).await
        }
        Kind::GetLastActivity => reads::get_last_activity(call).await,
        Kind::AssignEntitlement => writes::assign_entitlement(call).await,
        Kind::UnassignEntitlement => writes::unassign_entitlement(call).await,
        Kind::CreateAccount => writes::create_account(call).await,
        Kind::UpdateAccount => writes::update_account(call).await,
        Kind::DeleteAccount => writes::delete_account(call).await,
        Kind::TransferData => leaving::transfer_data(call).await,
        Kind::ReleaseResources => leaving::release_resources(call).await,
        Kind::DowngradeLicense => writes::downgrade_license(call).await,
        Kind::GetAuthorizationUrl => sign_in::get_authorization_url(call),
        Kind::HandleAuthorizationCallback => sign_in::handle_authorization_callback(call).await,
        Kind::HandleClientCredentialsRequest => {
            sign_in::handle_client_credentials_request(call).await
        }
        Kind::RefreshAccessToken => sign_in::refresh_access_token(call).await,
    }
}

fn unsupported(connector_id: &str, capability: &str) -> WireError {
    WireError::new(
        WireCode::UnsupportedOperation,
        format!("`{connector_id}` has no capability `{capability}`"),
    )
    .hint("`info` lists what it has")
}

pub(super) fn error_json(error: &WireError, app_id: &str, raised_in: Option<&str>) -> Value {
    json!({"is_error": true, "error": error.to_json(app_id, raised_in)})
}
