//! The vendor's answers of a run under way.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use rusqlite::{OptionalExtension, params, types::Type};

use super::{Store, StoreError, staging::count_requests};
use crate::egress::{KeptAnswer, RequestKey};

/// An answer as it is stored.
#[derive(Debug)]
pub(crate) struct StoredAnswer {
    request: RequestKey,
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl StoredAnswer {
    pub(crate) fn new(request: &RequestKey, answer: &KeptAnswer) -> Self {
        Self {
            request: *request,
            status: answer.status,
            headers: serde_json::to_string(&answer.headers).expect("texts are JSON"),
            body: deflated(&answer.body).expect("memory takes what is written to it"),
        }
    }
}

impl Store {
    /// The answer that a request of this run has had.
    pub(crate) fn answer(
        &self,
        run: i64,
        request: &RequestKey,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let kept = "SELECT status, headers, body FROM answers WHERE run = ?1 AND request = ?2";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(kept)?;
            let answer = statement.query_row(params![run, request.0], |row| {
                let headers: String = row.get("headers")?;
                Ok(KeptAnswer {
                    status: row.get("status")?,
                    headers: serde_json::from_str(&headers).unwrap_or_default(),
                    body: inflated(&row.get::<_, Vec<u8>>("body")?).map_err(|error| {
                        let error = error.into();
                        rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error)
                    })?,
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
        answers: &[StoredAnswer],
        requests: u64,
        cached: u64,
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO answers (run, request, status, headers, body)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?;
            for StoredAnswer {
                request,
                status,
                headers,
                body,
            } in answers
            {
                insert.execute(params![run, request.0, status, headers, body])?;
            }
            count_requests(transaction, run, requests, cached)
        })
    }

    /// Which requests of the run have an answer.
    pub(crate) fn answered(&self, run: i64) -> Result<Vec<RequestKey>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT request FROM answers WHERE run = ?1")?;
            let keys = statement.query_map([run], |row| Ok(RequestKey(row.get(0)?)))?;
            keys.collect()
        })
    }

    /// Forgets answers to requests, so that these are made again.
    pub(crate) fn forget_answers(
        &mut self,
        run: i64,
        requests: &[RequestKey],
    ) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            let mut delete =
                transaction.prepare("DELETE FROM answers WHERE run = ?1 AND request = ?2")?;
            for request in requests {
                delete.execute(params![run, request.0])?;
            }
            Ok(())
        })
    }
}

fn deflated(body: &[u8]) -> io::Result<Vec<u8>> {
    // What takes longer saves little more.
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn inflated(kept: &[u8]) -> io::Result<Bytes> {
    let mut body = Vec::new();
    ZlibDecoder::new(kept).read_to_end(&mut body)?;
    Ok(body.into())
}
