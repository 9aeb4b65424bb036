//! Tenants that are open. Calls with the same credential and the same settings
//! share one, and with it connections and the vendor's rate limit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Shared,
    envelope::{Envelope, GivenKind},
    error::{WireCode, WireError},
    profiles::{Profiles, SignIn, StoredProfiles, stays_at_home},
    reach::Reach,
};
use crate::{
    Budget, Connector, Tenant, TenantConfig,
    egress::{RateLimitState, cassette::hex},
    oauth::ProfileKey,
};

/// How many tenants are kept open, and how much each may do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TenantLimits {
    /// Open tenants; the one that was used least lately makes room. One that
    /// has a call under way does not.
    pub open: usize,
    /// A tenant that nobody uses is closed after this.
    pub idle: Duration,
    /// Calls of a tenant at the same time; further ones wait.
    pub concurrent: usize,
    /// Calls of a tenant that may wait; further ones are refused. Each takes
    /// one of the places that all tenants share.
    pub waiting: usize,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            // Each holds a TLS configuration and a few connections.
            open: 512,
            // A page of a sync follows within minutes.
            idle: Duration::from_mins(15),
            // With the six requests at once that a connector makes, as much as
            // PagerDuty answers within its limit of 960 a minute.
            concurrent: 8,
            // With those under way a quarter of the server's own limit.
            waiting: 24,
        }
    }
}

/// All open tenants.
#[derive(Debug)]
pub(super) struct Tenants {
    limits: TenantLimits,
    reach: Reach,
    profiles: Profiles,
    /// So that neither a memory dump nor a log could be searched for the digest
    /// of a guessed credential.
    key: [u8; 32],
    open: Mutex<HashMap<[u8; 32], OpenTenant>>,
}

#[derive(Clone, Debug)]
struct OpenTenant {
    tenant: Tenant,
    profile: Option<String>,
    /// For those under way and those that wait.
    places: Arc<Semaphore>,
    /// For those under way.
    permits: Arc<Semaphore>,
    used: Instant,
}

impl OpenTenant {
    /// Whether a call has a place, or is about to take one. To close it would
    /// let the same tenant in once more, with all its places.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.places) > 1
    }
}

/// Closes tenants that nobody uses, until the server is gone.
pub(super) async fn close_idle(shared: Weak<Shared>) {
    loop {
        let Some(idle) = shared.upgrade().map(|shared| shared.tenants.limits.idle) else {
            return;
        };
        // Often enough that few stay much longer.
        let pause = (idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(30));
        tokio::time::sleep(pause).await;
        if let Some(shared) = shared.upgrade() {
            shared.tenants.close_unused(idle);
        }
    }
}

/// A tenant for one call.
#[derive(Debug)]
pub(super) struct Borrowed {
    pub(super) tenant: Tenant,
    /// The digest by which it is found; says nothing to others.
    pub(super) digest: [u8; 32],
    /// Of a profile, so that it can be forgotten once it has ended.
    pub(super) profile: Option<String>,
    _place: OwnedSemaphorePermit,
    _permit: OwnedSemaphorePermit,
}

impl Borrowed {
    /// Names the tenant to people.
    pub(super) fn label(&self) -> String {
        label(&self.digest, self.profile.as_deref())
    }
}

/// What the operator sees of a tenant.
#[derive(Debug)]
pub(super) struct TenantStatus {
    pub(super) label: String,
    pub(super) connector: String,
    /// Calls.
    pub(super) under_way: usize,
    /// How many there may be.
    pub(super) concurrent: usize,
    /// Since the last call began.
    pub(super) idle: Duration,
    pub(super) rate_limit: Option<RateLimitState>,
}

/// A profile's name, or what says nothing to others but is the same each time
/// while this process runs.
fn label(digest: &[u8; 32], profile: Option<&str>) -> String {
    match profile {
        Some(profile) => format!("profile {profile}"),
        None => hex(&digest[..4]),
    }
}

impl Tenants {
    pub(super) fn new(limits: TenantLimits, reach: Reach, stored: StoredProfiles) -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system has random numbers");
        Self {
            limits,
            reach,
            profiles: Profiles::new(stored),
            key,
            open: Mutex::default(),
        }
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// How many are open now.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The tenant that a request is about, once it is its turn.
    /// It is opened on the call's own version of the connector, and kept if that
    /// is `current`.
    pub(super) async fn borrow(
        &self,
        connector: &Connector,
        current: impl Fn() -> bool,
        envelope: &Envelope,
        wait: Duration,
    ) -> Result<Borrowed, WireError> {
        let given = envelope.credential(connector)?;
        let (sign_in, profile) = match &given.kind {
            GivenKind::Token(credential)
            | GivenKind::Bearer(credential)
            | GivenKind::Basic(credential) => {
                let scheme = given.scheme(connector)?;
                (SignIn::Fixed(credential.clone(), Some(scheme)), None)
            }
            GivenKind::Stored => {
                stays_at_home(&envelope.settings)?;
                let name = given.id.as_deref().unwrap_or_default();
                let sign_in = self.profiles.find(connector, name, &self.reach).await?;
                (sign_in, Some(name.to_owned()))
            }
        };
        let mut settings = self.reach.settings.clone();
        if let SignIn::Oauth(session) = &sign_in {
            settings.extend(session.settings());
        }
        settings.extend(envelope.settings.clone());
        let digest = self.digest(connector, &sign_in, profile.as_deref(), &settings);
        let found = self.touch(&digest);
        let open = match found {
            Some(open) if open.tenant.connector().sha256() == connector.sha256() => open,
            // Opened on another version: it goes on where that one has been.
            Some(open) => {
                let grant = self.reach.grant(connector);
                let tenant = open.tenant.reopened_on(connector, grant)?;
                let open = OpenTenant { tenant, ..open };
                if current() {
                    self.replace(&digest, &open.tenant);
                }
                open
            }
            // Two calls may open it at the same time: the second one is kept
            // by nobody but its own call.
            None => {
                let tenant = self.open(connector, sign_in, settings)?;
                self.keep(digest, profile.as_deref(), tenant)
            }
        };
        // A version that was replaced meanwhile is not to be kept in memory.
        if !current() {
            self.forget_version(&digest, connector);
        }
        let crowded = |what: &str| {
            let limit = self.limits.concurrent;
            WireError::new(
                WireCode::BudgetExhausted,
                format!("{limit} calls of this tenant are under way, and {what}"),
            )
            .hint("ask again later, or less at the same time")
            .retry_after(1)
        };
        let place = Arc::clone(&open.places).try_acquire_owned();
        let place = place.map_err(|_| crowded("as many wait as may"))?;
        let permit = tokio::time::timeout(wait, Arc::clone(&open.permits).acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => Ok(Borrowed {
                tenant: open.tenant,
                digest,
                profile,
                _place: place,
                _permit: permit,
            }),
            // Never closed; what remains is the time-out.
            Ok(Err(_)) | Err(_) => Err(crowded("none of them ended in time")),
        }
    }

    /// Forgets a sign-in that the vendor has ended, so that one that somebody
    /// makes anew is found.
    pub(super) async fn forget(&self, borrowed: &Borrowed) {
        if let Some(name) = &borrowed.profile {
            let app = &borrowed.tenant.connector().descriptor().app_id;
            if let Ok(key) = ProfileKey::new(app, name) {
                self.profiles.forget(&key).await;
            }
            self.lock().remove(&borrowed.digest);
        }
    }

    fn open(
        &self,
        connector: &Connector,
        sign_in: SignIn,
        settings: BTreeMap<String, String>,
    ) -> Result<Tenant, WireError> {
        let mut config = TenantConfig::new(self.reach.grant(connector))
            .network(self.reach.network.clone())
            .budget(Budget::clone(&self.reach.budget));
        config = match sign_in {
            SignIn::Fixed(credential, scheme) => {
                let config = config.credential(credential);
                match scheme {
                    Some(scheme) => config.scheme(scheme),
                    None => config,
                }
            }
            SignIn::Oauth(session) => config.oauth(session),
        };
        for (name, value) in settings {
            config = config.setting(name, value);
        }
        Ok(connector.open(config)?)
    }

    /// Opens all tenants of connectors that have another version by now on that
    /// one, so that nothing keeps the earlier one in memory. `current` names the
    /// version that serves, by the id of its application.
    pub(super) fn follow(&self, current: impl Fn(&str) -> Option<Connector>) {
        let all: Vec<([u8; 32], Tenant)> = {
            let open = self.lock();
            let tenants = open.iter();
            tenants
                .map(|(digest, open)| (*digest, open.tenant.clone()))
                .collect()
        };
        for (digest, tenant) in all {
            let before = tenant.connector();
            let now = current(&before.descriptor().app_id);
            if now
                .as_ref()
                .is_some_and(|now| now.sha256() == before.sha256())
            {
                continue;
            }
            let reopened = now.map(|now| tenant.reopened_on(&now, self.reach.grant(&now)));
            match reopened {
                Some(Ok(reopened)) => self.replace(&digest, &reopened),
                // The next call says why.
                Some(Err(_)) | None => self.forget_version(&digest, before),
            }
        }
    }

    /// What the operator sees of them, the latest used first.
    pub(super) fn list(&self) -> Vec<TenantStatus> {
        let open = self.lock();
        let mut tenants: Vec<TenantStatus> = open
            .iter()
            .map(|(digest, open)| TenantStatus {
                label: label(digest, open.profile.as_deref()),
                connector: open.tenant.connector().descriptor().app_id.clone(),
                under_way: self.limits.concurrent.max(1) - open.permits.available_permits(),
                concurrent: self.limits.concurrent.max(1),
                idle: open.used.elapsed(),
                rate_limit: open.tenant.rate_limit(),
            })
            .collect();
        tenants.sort_by(|a, b| (a.idle, &a.label).cmp(&(b.idle, &b.label)));
        tenants
    }

    fn replace(&self, digest: &[u8; 32], tenant: &Tenant) {
        if let Some(open) = self.lock().get_mut(digest) {
            open.tenant = tenant.clone();
        }
    }

    fn forget_version(&self, digest: &[u8; 32], version: &Connector) {
        let mut open = self.lock();
        let of_version = open
            .get(digest)
            .is_some_and(|open| open.tenant.connector().sha256() == version.sha256());
        if of_version {
            open.remove(digest);
        }
    }

    fn touch(&self, digest: &[u8; 32]) -> Option<OpenTenant> {
        let mut open = self.lock();
        let found = open.get_mut(digest)?;
        found.used = Instant::now();
        Some(found.clone())
    }

    fn keep(&self, digest: [u8; 32], profile: Option<&str>, tenant: Tenant) -> OpenTenant {
        let mut open = self.lock();
        let now = Instant::now();
        while open.len() >= self.limits.open.max(1) {
            let unused = open.iter().filter(|(_, tenant)| !tenant.is_in_use());
            let oldest = unused.min_by_key(|(_, tenant)| tenant.used);
            // There are no more of the others than calls under way.
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            open.remove(&oldest);
        }
        let concurrent = self.limits.concurrent.max(1);
        open.entry(digest)
            .or_insert_with(|| OpenTenant {
                tenant,
                profile: profile.map(str::to_owned),
                places: Arc::new(Semaphore::new(concurrent + self.limits.waiting)),
                permits: Arc::new(Semaphore::new(concurrent)),
                used: now,
            })
            .clone()
    }

    fn close_unused(&self, since: Duration) {
        let now = Instant::now();
        self.lock().retain(|_, tenant| {
            tenant.is_in_use() || now.saturating_duration_since(tenant.used) < since
        });
    }

    /// Names a tenant without telling its credential.
    fn digest(
        &self,
        connector: &Connector,
        sign_in: &SignIn,
        profile: Option<&str>,
        settings: &BTreeMap<String, String>,
    ) -> [u8; 32] {
        let mut parts = vec![connector.descriptor().app_id.as_str()];
        match sign_in {
            SignIn::Fixed(credential, scheme) => {
                parts.extend([
                    "fixed",
                    scheme.as_deref().unwrap_or(""),
                    credential.expose(),
                ]);
            }
            SignIn::Oauth(_) => parts.extend(["oauth", profile.unwrap_or("")]),
        }
        for (name, value) in settings {
            parts.extend([name.as_str(), value.as_str()]);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        for part in parts {
            // With their lengths, so that no two lists look the same.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], OpenTenant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
