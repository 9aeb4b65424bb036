//! What there is, for an operator to look at.

use std::sync::Weak;

use jiff::Timestamp;
use serde::Serialize;

use super::{GenerationRecord, ShadowReport, Traffic, shared::Shared};

/// One connector.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ConnectorStatus {
    /// Its id.
    pub app_id: String,
    /// Its name, as the generation that serves has it; none if nobody serves.
    pub display_name: Option<String>,
    /// The generation that serves.
    pub serving: Option<u64>,
    /// Why the generation that should serve does not.
    pub problem: Option<String>,
    /// Its generations, the newest first.
    pub generations: Vec<GenerationStatus>,
    /// Who waits to take over.
    pub candidate: Option<CandidateStatus>,
}

/// A component that has passed the stages, and waits to take over.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CandidateStatus {
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
    /// Who wanted it.
    pub by: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// What it has shown on live reads, if it was tried on some.
    pub shadow: Option<ShadowReport>,
}

/// One generation.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GenerationStatus {
    /// As it is written down.
    #[serde(flatten)]
    pub record: GenerationRecord,
    /// What it does.
    pub state: GenerationState,
    /// What its calls came to; none if it is not in memory.
    pub traffic: Option<Traffic>,
}

/// What a generation does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GenerationState {
    /// It serves.
    Serving,
    /// It serves, on probation.
    Probation,
    /// It was replaced, and has calls that run on.
    Draining,
    /// It can be returned to.
    Kept,
}

impl Shared {
    pub(super) fn list(&self) -> Vec<ConnectorStatus> {
        let book = self.book();
        let alive: Vec<_> = book.alive.iter().filter_map(Weak::upgrade).collect();
        let slots = self.slots.load();
        slots
            .iter()
            .map(|(app_id, slot)| {
                let serving = slot.current.load_full();
                let status = |record: &GenerationRecord| {
                    let mut own = alive.iter();
                    let found = own.find(|alive| alive.record.id == record.id);
                    let traffic = found.map(|alive| alive.traffic());
                    let serves = serving
                        .as_ref()
                        .is_some_and(|serving| serving.record.id == record.id);
                    let confirmed = found.is_some_and(|alive| alive.confirmed());
                    let mut record = record.clone();
                    record.confirmed |= confirmed;
                    GenerationStatus {
                        state: match traffic {
                            _ if serves && confirmed => GenerationState::Serving,
                            _ if serves => GenerationState::Probation,
                            Some(traffic) if traffic.in_flight > 0 => GenerationState::Draining,
                            _ => GenerationState::Kept,
                        },
                        record,
                        traffic,
                    }
                };
                let kept = book.folder.state.connectors.get(app_id);
                let kept = kept.map_or(&[][..], |connector| &connector.generations);
                let mut generations: Vec<GenerationStatus> = kept.iter().map(status).collect();
                // Those that are forgotten, and that a call still holds.
                let held = alive.iter().filter(|alive| {
                    alive.app_id == *app_id
                        && alive.traffic().in_flight > 0
                        && kept.iter().all(|record| record.id != alive.record.id)
                });
                generations.extend(held.map(|alive| status(&alive.record)));
                generations.sort_by_key(|generation| std::cmp::Reverse(generation.record.id));
                ConnectorStatus {
                    app_id: app_id.clone(),
                    display_name: serving
                        .as_ref()
                        .map(|serving| serving.connector.descriptor().display_name.clone()),
                    serving: serving.as_ref().map(|serving| serving.record.id),
                    problem: book.problems.get(app_id).cloned(),
                    generations,
                    candidate: book.folder.state.candidate(app_id).map(|candidate| {
                        CandidateStatus {
                            sha256: candidate.sha256.clone(),
                            version: candidate.version.clone(),
                            contract: candidate.contract.clone(),
                            signer: candidate.signer.clone(),
                            source: candidate.source.clone(),
                            by: candidate.by.clone(),
                            since: candidate.since,
                            shadow: slot.trial.load().as_ref().map(|trial| trial.report()),
                        }
                    }),
                }
            })
            .collect()
    }

    pub(super) fn in_memory(&self) -> usize {
        let book = self.book();
        let loaded = book.loaded.iter();
        loaded.filter(|connector| connector.is_in_memory()).count()
    }
}
