//! What must survive a restart: which generation serves, which are kept, who
//! waits to take over, what is in quarantine.

use std::{collections::BTreeMap, fs, io, num::NonZeroU32, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    RegistryError, Stage,
    audit::{AuditHead, Facts},
};

/// Raised when the file changes its meaning.
const FORMAT: u32 = 1;

/// One generation, as it is written down.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GenerationRecord {
    /// Counted over all connectors of the registry, from 1.
    pub id: u64,
    /// Digest of the component, in hexadecimal.
    pub sha256: String,
    /// The version that it says it has.
    pub version: String,
    /// The contract that it speaks.
    pub contract: String,
    /// Whose signature it bears.
    pub signer: Option<String>,
    /// Where it was loaded from.
    pub source: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// Whether it has passed its probation.
    pub confirmed: bool,
}

/// A digest that is not to be loaded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QuarantineRecord {
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// Who wanted it; `registry` after an automatic rollback.
    pub by: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct State {
    format: u32,
    pub(super) next_generation: u64,
    pub(super) connectors: BTreeMap<String, ConnectorState>,
    pub(super) quarantine: BTreeMap<String, QuarantineRecord>,
    /// What is being loaded.
    pub(super) loading: Option<Loading>,
    /// Where the audit log ended when this was written.
    pub(super) audit: Option<AuditHead>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct ConnectorState {
    /// The generation that serves; none if all were put into quarantine.
    pub(super) current: Option<u64>,
    /// In the order of their ids. The current one is among them.
    pub(super) generations: Vec<GenerationRecord>,
    /// Who waits to take over.
    pub(super) candidate: Option<CandidateRecord>,
    /// The versions of all digests that have ever served, also of those that are
    /// not kept any more: who loads the same again and again leaves them alone.
    #[serde(default)]
    pub(super) served: BTreeMap<String, String>,
}

/// A component that has passed the stages, and waits to take over.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct CandidateRecord {
    pub(super) sha256: String,
    pub(super) version: String,
    pub(super) contract: String,
    pub(super) signer: Option<String>,
    pub(super) source: String,
    pub(super) by: String,
    pub(super) since: Timestamp,
    /// For the stage that looks at it once more.
    pub(super) signature: Option<String>,
    /// Once it was tried on live reads, it is held to what it has shown.
    pub(super) shadow: Option<Sampling>,
}

/// How a candidate is tried on live reads.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Sampling {
    /// Every so many reads one is asked twice.
    pub(super) every: NonZeroU32,
    pub(super) ended: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Loading {
    pub(super) stage: Stage,
    pub(super) source: String,
    pub(super) by: String,
    pub(super) component: Facts,
}

impl GenerationRecord {
    pub(super) fn facts(&self, app_id: &str) -> Facts {
        Facts {
            app_id: Some(app_id.to_owned()),
            sha256: Some(self.sha256.clone()),
            version: Some(self.version.clone()),
            contract: Some(self.contract.clone()),
            signer: self.signer.clone(),
        }
    }
}

impl CandidateRecord {
    pub(super) fn facts(&self, app_id: &str) -> Facts {
        Facts {
            app_id: Some(app_id.to_owned()),
            sha256: Some(self.sha256.clone()),
            version: Some(self.version.clone()),
            contract: Some(self.contract.clone()),
            signer: self.signer.clone(),
        }
    }
}

impl ConnectorState {
    pub(super) fn generation(&self, id: u64) -> Option<&GenerationRecord> {
        self.generations.iter().find(|record| record.id == id)
    }

    /// Forgets the oldest beyond `keep`, never the current one or `needed`.
    pub(super) fn forget(&mut self, keep: usize, needed: Option<u64>) {
        let stays = |id: u64, current: Option<u64>| Some(id) == current || Some(id) == needed;
        let current = self.current;
        let spare = |record: &&GenerationRecord| !stays(record.id, current);
        let mut excess = self
            .generations
            .iter()
            .filter(spare)
            .count()
            .saturating_sub(keep);
        self.generations.retain(|record| {
            if excess > 0 && !stays(record.id, current) {
                excess -= 1;
                false
            } else {
                true
            }
        });
    }
}

impl State {
    pub(super) fn read(path: &Path) -> Result<Self, RegistryError> {
        let unreadable = |cause: String| RegistryError::State {
            path: path.to_owned(),
            cause,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    format: FORMAT,
                    next_generation: 1,
                    connectors: BTreeMap::new(),
                    quarantine: BTreeMap::new(),
                    loading: None,
                    audit: None,
                });
            }
            Err(cause) => {
                return Err(RegistryError::File {
                    path: path.to_owned(),
                    cause,
                });
            }
        };
        let state: Self =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if state.format != FORMAT {
            return Err(unreadable(format!("it has the format {}", state.format)));
        }
        // Digests become names of files.
        for sha256 in state.digests() {
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(unreadable(format!("`{sha256}` is no digest")));
            }
        }
        Ok(state)
    }

    /// Who waits to take over from that connector.
    pub(super) fn candidate(&self, app_id: &str) -> Option<&CandidateRecord> {
        self.connectors.get(app_id)?.candidate.as_ref()
    }

    pub(super) fn candidate_mut(&mut self, app_id: &str) -> Option<&mut CandidateRecord> {
        self.connectors.get_mut(app_id)?.candidate.as_mut()
    }

    /// Of all components that are kept.
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.connectors.values().flat_map(|connector| {
            let generations = connector.generations.iter();
            let candidate = connector.candidate.iter();
            generations
                .map(|record| record.sha256.as_str())
                .chain(candidate.map(|record| record.sha256.as_str()))
        })
    }

    /// What is known of a digest.
    pub(super) fn facts(&self, sha256: &str) -> Facts {
        let known = self.connectors.iter().find_map(|(app_id, connector)| {
            let mut records = connector.generations.iter();
            let kept = records.find(|record| record.sha256 == sha256);
            let candidate = connector.candidate.as_ref();
            let candidate = candidate.filter(|candidate| candidate.sha256 == sha256);
            kept.map(|record| record.facts(app_id))
                .or_else(|| Some(candidate?.facts(app_id)))
        });
        known.unwrap_or_else(|| Facts {
            sha256: Some(sha256.to_owned()),
            ..Facts::default()
        })
    }

    pub(super) fn quarantine(&mut self, sha256: &str, by: &str, reason: &str) {
        let record = QuarantineRecord {
            reason: reason.to_owned(),
            at: Timestamp::now(),
            by: by.to_owned(),
        };
        self.quarantine.insert(sha256.to_owned(), record);
    }

    /// Earlier generations that could serve, the newest first.
    pub(super) fn earlier(&self, app_id: &str, than: u64) -> Vec<GenerationRecord> {
        let Some(connector) = self.connectors.get(app_id) else {
            return Vec::new();
        };
        let mut earlier: Vec<GenerationRecord> = connector
            .generations
            .iter()
            .filter(|record| record.id < than && !self.quarantine.contains_key(&record.sha256))
            .cloned()
            .collect();
        earlier.sort_by_key(|record| std::cmp::Reverse(record.id));
        earlier
    }

    /// Forgets what is in quarantine, but for generations that serve.
    pub(super) fn drop_quarantined(&mut self) {
        let quarantine = &self.quarantine;
        for connector in self.connectors.values_mut() {
            let current = connector.current;
            connector.generations.retain(|record| {
                Some(record.id) == current || !quarantine.contains_key(&record.sha256)
            });
            let candidate = connector.candidate.take();
            connector.candidate =
                candidate.filter(|candidate| !quarantine.contains_key(&candidate.sha256));
        }
    }
}
