//! A connector's candidate: a component that has passed the stages and waits to
//! take over.

use std::{num::NonZeroU32, sync::Arc};

use serde_json::json;

use super::{
    CandidateError, LoadFailure, LoadReport, LoadRequest, RegistryError, ShadowReport, Stage,
    audit::{AuditEvent, Entry},
    examine::{Passed, Progress, contract_of},
    load,
    shared::{Book, ITSELF, Shared},
    state::{CandidateRecord, Sampling},
};
use crate::{connector::Connector, text::printable};

/// A longer signature is not kept: the comments that are signed have at most
/// 8 KiB in minisign's format.
const MAX_SIGNATURE: usize = 16 << 10;

impl Shared {
    /// Lets a component wait.
    pub(super) fn keep_candidate(
        &self,
        progress: &mut Progress<'_>,
        passed: &Passed,
    ) -> Result<LoadReport, LoadFailure> {
        let request = progress.request;
        progress.enter(Stage::Store)?;
        let sha256 = passed.connector.sha256();
        self.book().folder.keep(sha256, &passed.bytes)?;
        let stages = progress.stages();
        let record = CandidateRecord {
            sha256: sha256.to_owned(),
            version: printable(&passed.connector.descriptor().version).into_owned(),
            contract: contract_of(&passed.connector),
            signer: passed.seal.signer.clone(),
            source: request.name(),
            by: request.by.clone(),
            since: jiff::Timestamp::now(),
            signature: passed
                .signature
                .clone()
                .filter(|text| text.len() <= MAX_SIGNATURE),
            shadow: None,
        };
        let entry = Entry::new(AuditEvent::Staged, &request.by, progress.facts.clone());
        let entry = entry.detail(load::detail(request, passed, &stages));
        let mut report = passed.report(passed.running.unwrap_or_default(), stages);
        report.staged = true;
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        state.loading = None;
        let connector = state.connectors.entry(report.app_id.clone()).or_default();
        connector.candidate = Some(record);
        book.folder.commit(entry, state)?;
        self.end_trials(&book);
        book.folder.sweep();
        drop(book);
        self.changed();
        Ok(report)
    }

    /// What loads the candidate.
    pub(super) fn candidate_request(
        &self,
        app_id: &str,
        by: &str,
    ) -> Result<LoadRequest, LoadFailure> {
        let book = self.book();
        let candidate = book.folder.state.candidate(app_id);
        let candidate = candidate.ok_or_else(|| LoadFailure::NoCandidate(app_id.to_owned()))?;
        Ok(LoadRequest::candidate(candidate.clone(), app_id, by))
    }

    pub(super) fn discard(&self, app_id: &str, by: &str) -> Result<(), CandidateError> {
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        let connector = state.connectors.get_mut(app_id);
        let candidate = connector.and_then(|connector| connector.candidate.take());
        let candidate = candidate.ok_or_else(|| CandidateError::None(app_id.to_owned()))?;
        let entry = Entry::new(AuditEvent::Discarded, by, candidate.facts(app_id));
        book.folder.commit(entry, state)?;
        self.end_trials(&book);
        book.folder.sweep();
        drop(book);
        self.changed();
        Ok(())
    }

    /// Begins to try the candidate on live reads.
    pub(super) async fn begin_trial(
        &self,
        app_id: &str,
        every: NonZeroU32,
        by: &str,
    ) -> Result<(), CandidateError> {
        let none = || CandidateError::None(app_id.to_owned());
        let candidate = {
            let book = self.book();
            let candidate = book.folder.state.candidate(app_id).ok_or_else(none)?;
            candidate.clone()
        };
        let connector = self.load_candidate(app_id, &candidate).await;
        let connector = connector.map_err(CandidateError::Unloadable)?;
        let sha256 = candidate.sha256;
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        // It may have come into quarantine meanwhile.
        let candidate = state.candidate_mut(app_id);
        let candidate = candidate.filter(|candidate| candidate.sha256 == sha256);
        let candidate = candidate.ok_or_else(none)?;
        candidate.shadow = Some(Sampling {
            every,
            ended: false,
        });
        let entry = Entry::new(AuditEvent::Shadowed, by, candidate.facts(app_id));
        let entry = entry.detail(json!({ "every": every }));
        book.folder.commit(entry, state)?;
        self.slot(app_id).begin_trial(every, Some(connector));
        drop(book);
        self.changed();
        Ok(())
    }

    /// Goes on to try it, or to hold it to that, after a restart.
    pub(super) async fn resume_trial(&self, app_id: &str) -> Result<(), RegistryError> {
        let candidate = self.book().folder.state.candidate(app_id).cloned();
        let Some((candidate, sampling)) =
            candidate.and_then(|candidate| candidate.shadow.map(|shadow| (candidate, shadow)))
        else {
            return Ok(());
        };
        let mut connector = None;
        if !sampling.ended {
            match self.load_candidate(app_id, &candidate).await {
                Ok(loaded) => connector = Some(loaded),
                Err(problem) => {
                    let mut book = self.book();
                    self.write_end(&mut book, app_id, ITSELF, Some(&problem))?;
                }
            }
        }
        self.slot(app_id).begin_trial(sampling.every, connector);
        Ok(())
    }

    /// Its signature is looked at by the keys of today: it is to see what tenants
    /// have.
    async fn load_candidate(
        &self,
        app_id: &str,
        candidate: &CandidateRecord,
    ) -> Result<Connector, String> {
        let bytes = self.book().folder.kept(&candidate.sha256);
        let bytes = bytes.map_err(|error| error.to_string())?;
        self.config
            .signatures
            .check(&bytes, candidate.signature.as_deref())
            .map_err(|error| error.to_string())?;
        self.load_kept(app_id, &bytes).await
    }

    /// Tries it on no more reads.
    pub(super) fn end_trial(&self, app_id: &str, by: &str) -> Result<(), CandidateError> {
        let mut book = self.book();
        let candidate = book.folder.state.candidate(app_id);
        let candidate = candidate.ok_or_else(|| CandidateError::None(app_id.to_owned()))?;
        if candidate.shadow.is_none_or(|sampling| sampling.ended) {
            return Err(CandidateError::NotShadowing(app_id.to_owned()));
        }
        self.write_end(&mut book, app_id, by, None)?;
        let slot = self.slot(app_id);
        if let Some(trial) = slot.trial.load_full() {
            slot.trial.store(Some(Arc::new(trial.ended())));
        }
        drop(book);
        self.changed();
        Ok(())
    }

    fn write_end(
        &self,
        book: &mut Book,
        app_id: &str,
        by: &str,
        problem: Option<&str>,
    ) -> Result<(), RegistryError> {
        let mut state = book.folder.state.clone();
        let Some(candidate) = state.candidate_mut(app_id) else {
            return Ok(());
        };
        if let Some(sampling) = &mut candidate.shadow {
            sampling.ended = true;
        }
        let seen = self.slot(app_id).trial.load().as_ref().map(|trial| {
            let seen = trial.report();
            json!({ "compared": seen.compared, "differing": seen.differing })
        });
        let mut entry = Entry::new(AuditEvent::ShadowEnded, by, candidate.facts(app_id));
        if let Some(problem) = problem {
            entry = entry.reason(problem);
        }
        book.folder.commit(entry.detail(json!(seen)), state)
    }

    /// Ends the trials of those that are no candidates any more. For after a
    /// change of the state.
    pub(super) fn end_trials(&self, book: &Book) {
        for (app_id, slot) in self.slots.load().iter() {
            let candidate = book.folder.state.candidate(app_id);
            if candidate.is_none_or(|candidate| candidate.shadow.is_none()) {
                slot.trial.store(None);
            }
        }
    }

    /// What that candidate has shown on live reads, if it was tried on some.
    pub(super) fn trial_of(&self, app_id: &str, sha256: &str) -> Option<ShadowReport> {
        let book = self.book();
        let candidate = book.folder.state.candidate(app_id)?;
        if candidate.sha256 != sha256 {
            return None;
        }
        let slots = self.slots.load();
        let trial = slots.get(app_id)?.trial.load();
        trial.as_ref().map(|trial| trial.report())
    }
}
