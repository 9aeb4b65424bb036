//! The vendor's answers of a run under way.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, staging::count_requests};
use crate::egress::{KeptAnswer, RequestKey};

impl Store {
    /// The answer that a request of this run has had.
    pub(crate) fn answer(
        &self,
        run: i64,
        request: &RequestKey,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let kept = "SELECT status, headers, body FROM answers WHERE run = ?1 AND request = ?2";
        self.read(|connection| {
            let answer = connection.query_row(kept, params![run, request.0], |row| {
                let headers: String = row.get("headers")?;
                Ok(KeptAnswer {
                    status: row.get("status")?,
                    headers: serde_json::from_str(&headers).unwrap_or_default(),
                    body: Bytes::from(row.get::<_, Vec<u8>>("body")?),
                })
            });
            answer.optional()
        })
    }

    /// Keeps the answers to requests, with the count of requests since the last
    /// time. Should one be there, it stays: others have seen it.
    pub(crate) fn keep_answers(
        &mut self,
        run: i64,
        answers: &[(RequestKey, KeptAnswer)],
        requests: u64,
        cached: u64,
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            let mut insert = transaction.prepare(
                "INSERT INTO answers (run, request, status, headers, body)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?;
            for (request, answer) in answers {
                let headers = serde_json::to_string(&answer.headers).expect("texts are JSON");
                insert.execute(params![
                    run,
                    request.0,
                    answer.status,
                    headers,
                    answer.body.as_ref(),
                ])?;
            }
            count_requests(transaction, run, requests, cached)
        })
    }
}
