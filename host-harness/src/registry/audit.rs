//! What was changed, when and by whom: a file that only grows, one JSON object a
//! line, each with the hash of the one before it.
//!
//! A record's hash is the SHA-256 of its JSON with sorted keys, without blanks
//! and without the field `hash`. A record that was changed, taken out, put in or
//! moved breaks the chain at that line. Records that are missing at the end
//! don't: for that the registry keeps the latest hash in its state as well, with
//! each change of it.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::egress::cassette::hex;

/// What the first record follows.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// Counted from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: AuditEvent,
    /// Who wanted it: a person, `watch`, or `registry` for what it does by itself.
    pub by: String,
    /// Which component it is about, as far as that is known.
    #[serde(flatten)]
    pub component: Facts,
    /// The generation, where there is one.
    pub generation: Option<u64>,
    /// Why, for a refusal, a rollback or a quarantine.
    pub reason: Option<String>,
    /// More about it; depends on the event.
    pub detail: Value,
    /// Hash of the record before.
    pub prev: String,
    /// Hash of this one.
    pub hash: String,
}

/// What is known of a component; a file that can't be read has not even a digest.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// The connector's id.
    pub app_id: Option<String>,
    /// Digest of the component, in hexadecimal.
    pub sha256: Option<String>,
    /// The version that it says it has.
    pub version: Option<String>,
    /// The contract that it speaks.
    pub contract: Option<String>,
    /// Whose signature it bears, by the name in the file of trusted keys.
    pub signer: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditEvent {
    /// The registry was opened, and serves this generation.
    Opened,
    /// The registry was opened, and can't serve this generation.
    Unservable,
    /// The process died while this component was being loaded.
    Interrupted,
    /// A line that was not written to its end was cut off this log.
    Torn,
    /// A component was refused.
    Refused,
    /// A component has passed the stages, and waits as a candidate.
    Staged,
    /// A candidate is tried on live reads.
    Shadowed,
    /// A candidate is tried on no more reads.
    ShadowEnded,
    /// A candidate was forgotten.
    Discarded,
    /// A generation takes over.
    Swap,
    /// An earlier generation takes over again.
    Rollback,
    /// What the record before announces could not be written down, and did not
    /// happen.
    Failed,
    /// A generation has passed its probation.
    Confirmed,
    /// The last call of a replaced generation has ended.
    Drained,
    /// Calls of a replaced generation run on beyond the deadline.
    DrainOverdue,
    /// A digest is not to be loaded again.
    Quarantined,
    /// A digest may be loaded again.
    Released,
}

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file.
    #[error("the audit log `{path}` can't be used: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Somebody has changed it.
    #[error("line {line} of the audit log `{path}` breaks the chain: {cause}")]
    Broken {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What does not fit.
        cause: String,
    },
    /// Records are missing at its end.
    #[error("the audit log `{path}` ends before record {seq}, which the registry has written")]
    Shortened {
        /// Which.
        path: PathBuf,
        /// The latest record that is known to have been there.
        seq: u64,
    },
}

impl AuditError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "the state folder must be on a disk with space, and belong to you",
            Self::Broken { .. } | Self::Shortened { .. } => {
                "somebody has changed the log: keep it for whoever looks into it, and compare it \
                 with a copy"
            }
        }
    }
}

/// Where a chain ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuditHead {
    /// Number of the last record; 0 if there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// What a check of the log has found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AuditCheck {
    /// The records, all of which fit.
    pub records: Vec<AuditRecord>,
    /// Where they end.
    pub head: AuditHead,
    /// Bytes of a last line that was not written to its end.
    pub torn: u64,
}

/// Checks a log from beginning to end.
pub fn verify(path: &Path) -> Result<AuditCheck, AuditError> {
    let bytes = std::fs::read(path).map_err(|cause| AuditError::File {
        path: path.to_owned(),
        cause,
    })?;
    check(path, &bytes)
}

impl AuditCheck {
    /// Whether that record is among them, where it was.
    pub(super) fn reaches(&self, path: &Path, known: &AuditHead) -> Result<(), AuditError> {
        let Some(at) = known.seq.checked_sub(1) else {
            return Ok(());
        };
        let there = usize::try_from(at).ok().and_then(|at| self.records.get(at));
        match there {
            None => Err(AuditError::Shortened {
                path: path.to_owned(),
                seq: known.seq,
            }),
            Some(record) if record.hash != known.hash => Err(AuditError::Broken {
                path: path.to_owned(),
                line: known.seq,
                cause: "it is not the record that the registry has written".to_owned(),
            }),
            Some(_) => Ok(()),
        }
    }
}

/// What a new record says.
pub(super) struct Entry<'a> {
    pub(super) event: AuditEvent,
    pub(super) by: &'a str,
    pub(super) component: Facts,
    pub(super) generation: Option<u64>,
    pub(super) reason: Option<String>,
    pub(super) detail: Value,
}

impl<'a> Entry<'a> {
    pub(super) fn new(event: AuditEvent, by: &'a str, component: Facts) -> Self {
        Self {
            event,
            by,
            component,
            generation: None,
            reason: None,
            detail: Value::Null,
        }
    }

    pub(super) fn generation(mut self, generation: u64) -> Self {
        self.generation = Some(generation);
        self
    }

    pub(super) fn reason(mut self, reason: impl fmt::Display) -> Self {
        self.reason = Some(reason.to_string());
        self
    }

    pub(super) fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }
}

/// The log, open for more.
#[derive(Debug)]
pub(super) struct AuditLog {
    file: File,
    path: PathBuf,
    head: AuditHead,
    /// The last record that was there when it was opened.
    found: u64,
    /// Why nothing is written any more.
    ended: Option<&'static str>,
}

impl AuditLog {
    /// Opens and checks the log, or begins it. It must reach to `known`.
    pub(super) fn open(path: &Path, known: Option<&AuditHead>) -> Result<Self, AuditError> {
        let failed = |cause| AuditError::File {
            path: path.to_owned(),
            cause,
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let found = check(path, &bytes)?;
        if let Some(known) = known {
            found.reaches(path, known)?;
        }
        if found.torn > 0 {
            let whole = bytes.len() as u64 - found.torn;
            file.set_len(whole).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
        }
        let mut log = Self {
            file,
            path: path.to_owned(),
            found: found.head.seq,
            head: found.head,
            ended: None,
        };
        if found.torn > 0 {
            let entry = Entry::new(AuditEvent::Torn, "registry", Facts::default());
            log.append(entry.detail(json!({ "bytes": found.torn })))?;
        }
        Ok(log)
    }

    pub(super) fn head(&self) -> &AuditHead {
        &self.head
    }

    /// Number of the last record that was there when it was opened.
    pub(super) fn found(&self) -> u64 {
        self.found
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing is written from now on: the file may be somebody else's.
    pub(super) fn end(&mut self) {
        self.ended = Some("the registry is closed");
    }

    /// Writes a record. It is on the disk when this returns.
    pub(super) fn append(&mut self, entry: Entry<'_>) -> Result<(), AuditError> {
        let failed = |cause| AuditError::File {
            path: self.path.clone(),
            cause,
        };
        if let Some(why) = self.ended {
            return Err(failed(io::Error::other(why)));
        }
        let mut record = AuditRecord {
            seq: self.head.seq + 1,
            at: Timestamp::now(),
            event: entry.event,
            by: entry.by.to_owned(),
            component: entry.component,
            generation: entry.generation,
            reason: entry.reason,
            detail: entry.detail,
            prev: self.head.hash.clone(),
            hash: String::new(),
        };
        let mut value = to_value(&record);
        record.hash = hash(&mut value);
        value["hash"] = Value::String(record.hash.clone());
        let mut line = value.to_string();
        line.push('\n');
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        if let Err(cause) = written {
            // The end of the file is not known.
            self.ended = Some("an earlier record was not written to its end");
            return Err(failed(cause));
        }
        self.head = AuditHead {
            seq: record.seq,
            hash: record.hash,
        };
        Ok(())
    }
}

fn check(path: &Path, bytes: &[u8]) -> Result<AuditCheck, AuditError> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let mut records: Vec<AuditRecord> = Vec::new();
    let mut head = AuditHead {
        seq: 0,
        hash: BEGINNING.to_owned(),
    };
    for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
        let line = &line[..line.len() - 1];
        let seq = head.seq + 1;
        let broken = |cause: String| AuditError::Broken {
            path: path.to_owned(),
            line: seq,
            cause,
        };
        let record: AuditRecord =
            serde_json::from_slice(line).map_err(|error| broken(error.to_string()))?;
        let mut value = to_value(&record);
        // The form is fixed, so that nothing can hide in fields that nobody
        // reads.
        if value.to_string().as_bytes() != line {
            return Err(broken("it is not written as this log writes".to_owned()));
        }
        if record.seq != seq {
            return Err(broken(format!("it has the number {}", record.seq)));
        }
        if record.prev != head.hash {
            return Err(broken("it does not follow the record before it".to_owned()));
        }
        if record.hash != hash(&mut value) {
            return Err(broken("its hash is not that of its content".to_owned()));
        }
        head = AuditHead {
            seq,
            hash: record.hash.clone(),
        };
        records.push(record);
    }
    Ok(AuditCheck {
        records,
        head,
        torn: (bytes.len() - whole) as u64,
    })
}

fn to_value(record: &AuditRecord) -> Value {
    serde_json::to_value(record).expect("a record has string keys only")
}

/// Takes `hash` out, if it is there.
fn hash(record: &mut Value) -> String {
    if let Value::Object(fields) = record {
        fields.remove("hash");
    }
    hex(&Sha256::digest(record.to_string()))
}
