//! What a run under way has read so far: each page is committed with its
//! checkpoint, so that no death can part them.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    Rows, Store, StoreError, StoredNotice, lifecycle::forget_answers, rows::Staged, tables::Table,
};

/// Notices that a run keeps. More of them are of one kind, with another name in
/// each.
const MAX_NOTICES: usize = 100;

/// A page that was read.
#[derive(Debug)]
pub(crate) struct StagedPage {
    /// Who gave it, for example `directory.list-accounts`.
    pub(crate) function: &'static str,
    /// The component that did.
    pub(crate) component_sha256: String,
    pub(crate) rows: Rows,
    /// Where to go on; none at the end.
    pub(crate) next: Option<String>,
    pub(crate) notices: Vec<StoredNotice>,
}

impl Store {
    /// Commits a page with its checkpoint, and whatever else it brought; with the
    /// count of requests that left since the last time, and of those that did not.
    /// Whether there was anything but what the run had already.
    pub(crate) fn commit_page(
        &mut self,
        run: i64,
        page: &StagedPage,
        requests: u64,
        cached: u64,
    ) -> Result<bool, StoreError> {
        self.in_transaction(|transaction| {
            let Staged { is_news, notice } = page.rows.stage(transaction, run)?;
            transaction.execute(
                "INSERT INTO checkpoints (run, function, pages, rows, next, done, component_sha256)
                 VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)
                 ON CONFLICT (run, function) DO UPDATE SET
                     pages = pages + 1, rows = rows + excluded.rows, next = excluded.next,
                     done = excluded.done, component_sha256 = excluded.component_sha256",
                params![
                    run,
                    page.function,
                    page.rows.len(),
                    page.next,
                    page.next.is_none(),
                    page.component_sha256,
                ],
            )?;
            add_notices(transaction, run, page.notices.iter().chain(&notice))?;
            count_requests(transaction, run, requests, cached)?;
            Ok(is_news)
        })
    }

    /// Forgets what a function has given, so that it begins anew; and what the
    /// vendor has answered, if that was what stood in its way.
    pub(crate) fn restart_function(
        &mut self,
        run: i64,
        function: &str,
        staged: &Table,
        asks_anew: bool,
        notice: &StoredNotice,
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            let name = staged.name;
            transaction.execute(&format!("DELETE FROM staged_{name} WHERE run = ?1"), [run])?;
            transaction.execute(
                "DELETE FROM staged_duplicates WHERE run = ?1 AND of = ?2",
                params![run, name],
            )?;
            transaction.execute(
                "DELETE FROM checkpoints WHERE run = ?1 AND function = ?2",
                params![run, function],
            )?;
            if asks_anew {
                forget_answers(transaction, run)?;
            }
            add_notices(transaction, run, [notice])
        })
    }

    /// Puts down which accounts are to be looked at one by one: those that the
    /// queries, which put them into `staged_suspects`, find.
    pub(crate) fn stage_suspects(
        &mut self,
        find: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| find(transaction))
    }

    /// The next accounts of a run behind `after`, by id.
    pub(crate) fn staged_accounts(
        &self,
        run: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.staged_ids("staged_accounts", run, after, limit)
    }

    /// The next accounts to look at behind `after`, by id.
    pub(crate) fn staged_suspects(
        &self,
        run: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.staged_ids("staged_suspects", run, after, limit)
    }

    fn staged_ids(
        &self,
        table: &str,
        run: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT id FROM {table} WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
            ))?;
            let rows = statement
                .query_map(params![run, after.unwrap_or_default(), limit], |row| {
                    row.get(0)
                })?;
            rows.collect()
        })
    }

    pub(super) fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let committed = (|| {
            // At once, since it is going to write: later another writer could be
            // in between.
            let transaction = self
                .connection_mut()
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = work(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })();
        committed.map_err(|error| self.failed(&error))
    }
}

pub(super) fn count_requests(
    transaction: &Transaction<'_>,
    run: i64,
    requests: u64,
    cached: u64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE runs SET requests = requests + ?2, cached = cached + ?3 WHERE id = ?1",
        )?
        .execute(params![run, requests, cached])?;
    Ok(())
}

/// Pages repeat what is left out of each of them.
pub(super) fn add_notices<'n>(
    transaction: &Transaction<'_>,
    run: i64,
    notices: impl IntoIterator<Item = &'n StoredNotice>,
) -> rusqlite::Result<()> {
    let mut notices = notices.into_iter().peekable();
    if notices.peek().is_none() {
        return Ok(());
    }
    let known: String =
        transaction.query_row("SELECT notices FROM runs WHERE id = ?1", [run], |row| {
            row.get(0)
        })?;
    let mut known: Vec<StoredNotice> = serde_json::from_str(&known).unwrap_or_default();
    for notice in notices {
        // There is room for one of each kind, however many there are of another.
        let is_first = !known.iter().any(|known| known.code == notice.code);
        if is_first || (known.len() < MAX_NOTICES && !known.contains(notice)) {
            known.push(notice.clone());
        }
    }
    transaction.execute(
        "UPDATE runs SET notices = ?2 WHERE id = ?1",
        params![run, serde_json::to_string(&known).expect("texts are JSON")],
    )?;
    Ok(())
}
