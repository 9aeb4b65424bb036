//! Reads a tenant, function by function, page by page.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Event, Observer, Progress, SyncError, SyncOptions,
    cache::RunCache,
    integrity::Expected,
    lookups,
    progress::Pace,
    shared::{Asked, SharedStore},
};
use crate::{
    CallError, Tenant,
    contract::types::{Account, ErrorCode, Grant, Notice, PageRequest},
    store::{
        ACCOUNTS, ENTITLEMENTS, GRANTS, Lookup, RESOURCES, Rows, StagedPage, StoreError,
        StoredNotice, Table,
    },
};

/// What a sync reads, in this order: what is read later refers to what was read
/// before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    Accounts,
    Resources,
    Entitlements,
    Grants,
    Lookups,
    LastActivity,
}

impl Function {
    pub(super) const ALL: [Self; 6] = [
        Self::Accounts,
        Self::Resources,
        Self::Entitlements,
        Self::Grants,
        Self::Lookups,
        Self::LastActivity,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accounts => "directory.list-accounts",
            Self::Resources => "directory.list-resources",
            Self::Entitlements => "directory.list-entitlements",
            Self::Grants => "directory.list-grants",
            Self::Lookups => "directory.get-account",
            Self::LastActivity => "activity.get-last-activity",
        }
    }

    /// Where the rows go of a list that the connector gives tokens of.
    fn staged(self) -> Option<&'static Table> {
        match self {
            Self::Accounts => Some(&ACCOUNTS),
            Self::Resources => Some(&RESOURCES),
            Self::Entitlements => Some(&ENTITLEMENTS),
            Self::Grants => Some(&GRANTS),
            // Their tokens are the host's own.
            Self::Lookups | Self::LastActivity => None,
        }
    }
}

/// Accounts asked about at once: what a vendor takes in several requests of a
/// hundred; and if it takes one for each, still within a minute's rate limit.
const MOST_AT_ONCE: usize = 500;

/// Accounts looked up between two checkpoints.
const LOOKUPS: usize = 20;

/// How often a page is tried that fails for something passing. The connector has
/// tried each request several times by then.
const ATTEMPTS: u32 = 4;

/// Longest wait for the vendor between two of them: a window of a rate limit, and
/// then some.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Pages in a row that bring nothing which the run had not: a connector that gives
/// more of them does not get on.
const PAGES_WITHOUT_NEWS: u32 = 1_000;

/// Between two words about a page that takes long.
const TICK: Duration = Duration::from_secs(1);

/// A run that is being read.
pub(super) struct Reading<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) store: SharedStore,
    pub(super) cache: Arc<RunCache>,
    pub(super) expected: Arc<Expected>,
    pub(super) options: &'a SyncOptions,
    pub(super) observer: &'a Observer<'a>,
    /// Requests of the run before this process.
    pub(super) requests_before: (u64, u64),
    /// Requests of the tenant's run before this one.
    pub(super) requests_expected: Option<u64>,
    pub(super) began: Instant,
}

/// Whether a function came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Read {
    Through,
    Stopped,
}

/// How far a function is.
#[derive(Default)]
struct Place {
    pages: u64,
    rows: u64,
    next: Option<String>,
}

/// The page that the store is writing while the next one is asked for.
#[derive(Default)]
struct Committing {
    page: Option<Asked<Result<bool, StoreError>>>,
    /// Pages in a row that brought nothing which the run had not.
    without_news: u32,
}

impl Committing {
    fn is_done(&self) -> bool {
        self.page.as_ref().is_some_and(Asked::is_done)
    }
}

impl Reading<'_> {
    /// Reads what is left of a function.
    pub(super) async fn read(&self, function: Function) -> Result<Read, SyncError> {
        let connector = self.tenant.connector();
        if function == Function::LastActivity && !connector.exports(function.name()) {
            return Ok(Read::Through);
        }
        let Some(mut place) = self.place(function).await? else {
            return Ok(Read::Through);
        };
        let mut failures = 0;
        let mut is_restarted = false;
        // Digests of the tokens that this process was given.
        let mut known = HashSet::new();
        let mut committing = Committing::default();
        if function == Function::Lookups && place.pages == 0 {
            self.stage_suspects().await?;
        }
        loop {
            // A replay has waited for it. Whoever is told of a page may stop there.
            if committing.is_done() {
                self.committed(function, &place, &mut committing).await?;
            }
            if self.options.stop.is_stopped() {
                self.committed(function, &place, &mut committing).await?;
                return Ok(Read::Stopped);
            }
            let outcome = self.page(function, &place, &mut committing).await?;
            self.committed(function, &place, &mut committing).await?;
            let error = match outcome {
                Ok(page) => {
                    let is_known = |next: &String| {
                        Some(next) == place.next.as_ref() || !known.insert(digest(next))
                    };
                    if page.next.as_ref().is_some_and(is_known) {
                        return Err(stuck(function));
                    }
                    place.pages += 1;
                    place.rows += page.rows.len() as u64;
                    place.next.clone_from(&page.next);
                    committing.page = Some(self.cache.commit(self.expected.run, page));
                    self.cache.believe();
                    if place.next.is_none() {
                        self.committed(function, &place, &mut committing).await?;
                        return Ok(Read::Through);
                    }
                    failures = 0;
                    continue;
                }
                Err(error) => error,
            };
            // What could not be kept, the next page would see differently.
            self.cache.settle().await?;
            let code = error.to_contract().code;
            let wrong_place = match code {
                ErrorCode::InvalidPageToken => Some(WrongPlace::UnknownToken),
                ErrorCode::Conflict => Some(WrongPlace::ListMoved),
                _ => None,
            };
            if let (Some(why), Some(_), Some(staged), false) =
                (wrong_place, &place.next, function.staged(), is_restarted)
            {
                self.restart(function, staged, why).await?;
                place = Place::default();
                known.clear();
                is_restarted = true;
                continue;
            }
            if !is_passing(code) {
                self.cache.disbelieve().await?;
            }
            failures += 1;
            match wait_before(&error, failures) {
                Some(wait) => {
                    if self.wait(function, &error, wait).await == Read::Stopped {
                        return Ok(Read::Stopped);
                    }
                }
                None => {
                    return Err(SyncError::Call {
                        function: function.name(),
                        error: Box::new(error),
                    });
                }
            }
        }
    }

    /// Where a function goes on; none if it is through.
    async fn place(&self, function: Function) -> Result<Option<Place>, SyncError> {
        let run = self.expected.run;
        let checkpoints = self.store.with(move |store| store.checkpoints(run));
        let mut checkpoints = checkpoints.await?.into_iter();
        Ok(
            match checkpoints.find(|checkpoint| checkpoint.function == function.name()) {
                None => Some(Place::default()),
                Some(checkpoint) if checkpoint.done => None,
                Some(checkpoint) => Some(Place {
                    pages: checkpoint.pages,
                    rows: checkpoint.rows,
                    next: checkpoint.next,
                }),
            },
        )
    }

    /// One page, with a word now and then while it takes its time. The one before
    /// is committed meanwhile.
    async fn page(
        &self,
        function: Function,
        place: &Place,
        committing: &mut Committing,
    ) -> Result<Result<StagedPage, CallError>, SyncError> {
        let asking = self.ask(function, place.next.as_deref());
        tokio::pin!(asking);
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        let outcome = loop {
            tokio::select! {
                outcome = &mut asking => break outcome?,
                committed = self.committed(function, place, committing),
                    if committing.page.is_some() => committed?,
                _ = ticks.tick() => {
                    (self.observer)(Event::Reading(&self.progress(function, place)));
                }
            }
        };
        Ok(outcome.map(|(rows, next, notices)| StagedPage {
            function: function.name(),
            component_sha256: self.tenant.connector().sha256().to_owned(),
            rows,
            next,
            notices: notices.into_iter().map(StoredNotice::from).collect(),
        }))
    }

    /// Waits for the page that is being committed, if one is.
    async fn committed(
        &self,
        function: Function,
        place: &Place,
        committing: &mut Committing,
    ) -> Result<(), SyncError> {
        let Some(page) = &mut committing.page else {
            return Ok(());
        };
        let is_news = page.done().await;
        committing.page = None;
        committing.without_news = if is_news? {
            0
        } else {
            committing.without_news + 1
        };
        if committing.without_news >= PAGES_WITHOUT_NEWS {
            return Err(stuck(function));
        }
        (self.observer)(Event::Page(&self.progress(function, place)));
        Ok(())
    }

    async fn ask(
        &self,
        function: Function,
        token: Option<&str>,
    ) -> Result<Result<Answer, CallError>, SyncError> {
        let tenant = self.tenant;
        let page = PageRequest {
            token: token.map(str::to_owned),
            size: self.options.page_size,
        };
        Ok(match function {
            Function::Accounts => tenant
                .list_accounts(page)
                .await
                .map(|page| (Rows::Accounts(page.items), page.next, page.notices)),
            Function::Resources => tenant
                .list_resources(page)
                .await
                .map(|page| (Rows::Resources(page.items), page.next, page.notices)),
            Function::Entitlements => tenant
                .list_entitlements(page)
                .await
                .map(|page| (Rows::Entitlements(page.items), page.next, page.notices)),
            Function::Grants => tenant
                .list_grants(page)
                .await
                .map(|page| (Rows::Grants(page.items), page.next, page.notices)),
            Function::Lookups => {
                let (ids, next) = self.suspects(token).await?;
                self.look_up(ids)
                    .await
                    .map(|lookups| (Rows::Lookups(lookups), next, Vec::new()))
            }
            Function::LastActivity => {
                let (ids, next) = self.staged_accounts(token).await?;
                if ids.is_empty() {
                    return Ok(Ok((Rows::LastActivity(Vec::new(), 0), next, Vec::new())));
                }
                tenant.get_last_activity(&ids).await.map(|report| {
                    let rows = Rows::LastActivity(report.items, ids.len());
                    (rows, next, report.notices)
                })
            }
        })
    }

    /// The accounts to look up behind a token, and the next one.
    async fn suspects(
        &self,
        token: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), SyncError> {
        let (run, after) = (self.expected.run, token.map(str::to_owned));
        let ids = self
            .store
            .with(move |store| store.staged_suspects(run, after.as_deref(), LOOKUPS + 1));
        Ok(cut(ids.await?, LOOKUPS))
    }

    async fn stage_suspects(&self) -> Result<(), SyncError> {
        let expected = Arc::clone(&self.expected);
        let believes = self.options.accept.is_some();
        let staged = self.store.with(move |store| {
            store.stage_suspects(|connection| {
                lookups::stage_suspects(connection, &expected, believes)
            })
        });
        Ok(staged.await?)
    }

    async fn staged_accounts(
        &self,
        token: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), SyncError> {
        let size = self.options.page_size.map_or(MOST_AT_ONCE, |size| {
            usize::try_from(size).map_or(MOST_AT_ONCE, |size| size.clamp(1, MOST_AT_ONCE))
        });
        let (run, after) = (self.expected.run, token.map(str::to_owned));
        let ids = self
            .store
            .with(move |store| store.staged_accounts(run, after.as_deref(), size + 1));
        Ok(cut(ids.await?, size))
    }

    async fn look_up(&self, ids: Vec<String>) -> Result<Vec<Lookup>, CallError> {
        let mut lookups = Vec::with_capacity(ids.len());
        for id in ids {
            let found = match self.look_at(&id).await {
                Ok(found) => Some(found),
                // It may also go between the two questions.
                Err(error) if error.to_contract().code == ErrorCode::NotFound => None,
                Err(error) => return Err(error),
            };
            lookups.push(Lookup { id, found });
        }
        Ok(lookups)
    }

    async fn look_at(&self, id: &str) -> Result<(Account, Vec<Grant>), CallError> {
        let account = self.tenant.get_account(id).await?;
        let grants = self.tenant.account_grants(id).await?;
        Ok((account, grants.items))
    }

    async fn restart(
        &self,
        function: Function,
        staged: &'static Table,
        why: WrongPlace,
    ) -> Result<(), SyncError> {
        let run = self.expected.run;
        let because = match why {
            WrongPlace::UnknownToken => "its token was of another version of the connector",
            WrongPlace::ListMoved => "the list had moved too far to go on with it",
        };
        let notice = StoredNotice {
            code: "function-restarted".to_owned(),
            message: format!("`{}` was begun anew, since {because}", function.name()),
            hint: None,
        };
        let asks_anew = why == WrongPlace::ListMoved;
        self.store
            .with(move |store| {
                store.restart_function(run, function.name(), staged, asks_anew, &notice)
            })
            .await?;
        self.cache.believe();
        (self.observer)(Event::Restarted {
            function: function.name(),
            why: because,
        });
        Ok(())
    }

    async fn wait(&self, function: Function, error: &CallError, wait: Duration) -> Read {
        pause(self.options, self.observer, function.name(), error, wait).await
    }

    fn progress(&self, function: Function, place: &Place) -> Progress {
        let (own, own_cached) = self.cache.counted();
        let (before, before_cached) = self.requests_before;
        let limit = self.tenant.connector().descriptor().rate_limit;
        let pace = self.requests_expected.map(|expected| Pace {
            expected,
            requests: before + own,
            own,
            elapsed: self.began.elapsed(),
            limit: limit.map(|limit| {
                let per = Duration::from_secs(limit.per_seconds.into());
                (limit.requests, per)
            }),
        });
        Progress {
            run: self.expected.run,
            function: function.name(),
            pages: place.pages,
            rows: place.rows,
            requests: before + own,
            cached: before_cached + own_cached,
            rate_limit: self.tenant.rate_limit(),
            time_left: pace.and_then(Pace::time_left),
        }
    }
}

/// Rows, the token of the next page, and what is left out.
type Answer = (Rows, Option<String>, Vec<Notice>);

/// The first `size` of these, and the last of them if there are more.
fn cut(mut ids: Vec<String>, size: usize) -> (Vec<String>, Option<String>) {
    let has_more = ids.len() > size;
    ids.truncate(size);
    let next = ids.last().filter(|_| has_more).cloned();
    (ids, next)
}

/// Why a function can't go on where it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WrongPlace {
    /// This version of the connector does not know the token.
    UnknownToken,
    /// What the vendor lists is not what it was.
    ListMoved,
}

/// Gives the vendor, or the network, some time.
pub(super) async fn pause(
    options: &SyncOptions,
    observer: &Observer<'_>,
    function: &'static str,
    error: &CallError,
    wait: Duration,
) -> Read {
    let why = error.to_string();
    (observer)(Event::Waiting {
        function,
        why: &why,
        wait,
    });
    tokio::select! {
        () = tokio::time::sleep(wait) => Read::Through,
        () = options.stop.stopped() => Read::Stopped,
    }
}

fn stuck(function: Function) -> SyncError {
    SyncError::Stuck {
        function: function.name(),
    }
}

fn digest(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

/// Whether it is the vendor's, or the network's, weather.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RateLimited
            | ErrorCode::BudgetExhausted
            | ErrorCode::Unavailable
            | ErrorCode::Timeout
            | ErrorCode::ConnectionFailed
    )
}

/// How long to wait before a call is tried once more; none if that is no use.
/// What the vendor has answered by then is not asked for again, but where it makes
/// no sense.
pub(super) fn wait_before(error: &CallError, failures: u32) -> Option<Duration> {
    if failures >= ATTEMPTS {
        return None;
    }
    let error = error.to_contract();
    let is_worth_it = is_passing(error.code)
        || matches!(error.code, ErrorCode::InvalidResponse | ErrorCode::Conflict);
    let wait = match error.retry_after {
        Some(seconds) => Duration::from_secs(seconds.into()),
        None => Duration::from_secs(1 << failures),
    };
    is_worth_it.then(|| wait.min(LONGEST_WAIT))
}
