//! What was renewed is stored before it is used, and never lost.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use host_harness::oauth::{StoreError, StoreLock};

use super::*;

/// A store that can be made to fail, and that remembers what it saw.
#[derive(Debug)]
struct Watched {
    inner: MemoryStore,
    /// Refuses tokens that it does not hold yet.
    refuses_new: AtomicBool,
    /// Refuses all.
    refuses_all: AtomicBool,
    /// The path of the vendor's latest exchange at each save.
    saved_after: Mutex<Vec<String>>,
    simulator: Simulator,
}

impl Watched {
    fn new(bench: &Bench) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            refuses_new: AtomicBool::new(false),
            refuses_all: AtomicBool::new(false),
            saved_after: Mutex::default(),
            simulator: bench.simulator.clone(),
        })
    }
}

impl CredentialStore for Watched {
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError> {
        self.inner.load(key)
    }

    fn save(&self, key: &ProfileKey, credential: &StoredCredential) -> Result<(), StoreError> {
        let text = |credential: &StoredCredential| credential.to_text().expose_secret().to_owned();
        let known = self.inner.load(key)?.map(|stored| text(&stored));
        let is_new = known.is_some_and(|known| known != text(credential));
        if self.refuses_all.load(Ordering::SeqCst)
            || (is_new && self.refuses_new.load(Ordering::SeqCst))
        {
            return Err(StoreError::Other("the disk is full".to_owned()));
        }
        let latest = self.simulator.exchanges().last().map(|e| e.path.clone());
        self.saved_after
            .lock()
            .expect("no panic")
            .push(latest.unwrap_or_default());
        self.inner.save(key, credential)
    }

    fn remove(&self, key: &ProfileKey) -> Result<bool, StoreError> {
        self.inner.remove(key)
    }

    fn lock(&self, key: &ProfileKey) -> Result<StoreLock, StoreError> {
        self.inner.lock(key)
    }
}

/// Waits for something that is bound to happen, and not for ever.
async fn eventually(mut happened: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}

#[test]
fn a_rotated_refresh_token_is_stored_before_its_access_token_is_used() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, 3_600).await);
        bench.simulator.advance(ELEVEN_DAYS);
        watched.saved_after.lock().expect("no panic").clear();
        tenant.list_accounts(page(None)).await.expect("renewed");
        // Once to try the store, before the refresh token is given away; once
        // with what came for it, before the request is sent again.
        let saved_after = watched.saved_after.lock().expect("no panic").clone();
        assert_eq!(saved_after, ["/users", "/oauth/token"]);
    });
}

#[test]
fn a_store_that_takes_nothing_keeps_the_refresh_token_from_being_burned() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        watched.refuses_all.store(true, Ordering::SeqCst);
        let before = bench.exchanges();
        let error = tenant.validate().await.expect_err("expired");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert_eq!(bench.exchanges(), before, "the vendor was not asked");
        watched.refuses_all.store(false, Ordering::SeqCst);
        tenant
            .validate()
            .await
            .expect("what was stored is still good");
    });
}

#[test]
fn tokens_that_can_not_be_stored_are_not_used_and_not_lost() {
    run(async {
        let bench = Bench::new().await;
        let watched = Watched::new(&bench);
        let store: Arc<dyn CredentialStore> = watched.clone();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        watched.refuses_new.store(true, Ordering::SeqCst);
        let before = bench.exchanges();
        let old = stored_text(&store);
        for _ in 0..2 {
            let error = sign_in_error(tenant.validate().await);
            assert!(matches!(error, SignInError::NotStored { .. }), "{error:?}");
        }
        assert_eq!(stored_text(&store), old, "what was there is whole");
        assert_eq!(
            bench.exchanges(),
            before + 1,
            "one renewal, and no other request"
        );
        watched.refuses_new.store(false, Ordering::SeqCst);
        tenant.validate().await.expect("stored by now");
        assert_ne!(stored_text(&store), old);
        assert_eq!(
            bench.token_requests(before),
            1,
            "by the tokens that were held"
        );
    });
}

#[test]
fn a_call_that_is_given_up_does_not_take_the_renewed_tokens_with_it() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        let old = field(&store, "refresh_token");
        let asked = bench.simulator.request_count();
        bench.at_token_endpoint(Effect::Latency(Duration::from_millis(300)), Some(1));
        let call = tokio::spawn(async move { tenant.validate().await });
        eventually(|| bench.simulator.request_count() > asked).await;
        call.abort();
        assert!(call.await.expect_err("given up").is_cancelled());
        eventually(|| field(&store, "refresh_token") != old).await;
        let tenant = bench.tenant(bench.reopen(&store).await);
        tenant.validate().await.expect("the new tokens");
    });
}

#[test]
fn a_second_session_takes_over_what_the_first_has_renewed() {
    run(async {
        let bench = Bench::new().await;
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn CredentialStore> = Arc::new(FileStore::new(folder.path().join("c")));
        let first = bench.ending(&store, -5).await;
        let second = bench.reopen(&store).await;
        let before = bench.exchanges();
        let (one, other) = (bench.tenant(first), bench.tenant(second));
        let (one, other) = tokio::join!(one.validate(), other.validate());
        one.expect("renewed");
        other.expect("taken over");
        assert_eq!(bench.token_requests(before), 1);
    });
}

#[test]
fn a_sign_in_that_was_removed_ends_with_its_access_token() {
    run(async {
        let bench = Bench::new().await;
        let store = memory();
        let tenant = bench.tenant(bench.ending(&store, -5).await);
        assert!(store.remove(&key()).expect("removed"));
        let error = sign_in_error(tenant.validate().await);
        assert!(error.to_string().contains("removed"), "{error}");
    });
}
