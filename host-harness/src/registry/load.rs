//! A load, from the request to the report.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Incompatibility, LoadFailure, LoadRequest, ReplayDiff, SignatureError, Stage,
    audit::{AuditEvent, Entry, Facts},
    examine::{Examined, Passed, Progress, contract_of},
    generation::Generation,
    shared::Shared,
    state::GenerationRecord,
};
use crate::text::printable;

/// What a load came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// The connector's id.
    pub app_id: String,
    /// The generation that serves now.
    pub generation: u64,
    /// The one that it has replaced.
    pub replaced: Option<u64>,
    /// Digest of the component, in hexadecimal.
    pub sha256: String,
    /// The version that it says it has.
    pub version: String,
    /// Whose signature it bears.
    pub signer: Option<String>,
    /// It did not take over: it is the connector's candidate.
    pub staged: bool,
    /// Nothing was done, since this digest serves already, or waits already.
    pub unchanged: bool,
    /// What the policy on signatures warns about.
    pub warning: Option<String>,
    /// What it lacks, which was accepted, or will have to be if it was staged.
    pub accepted: Vec<Incompatibility>,
    /// What it does otherwise on the recordings, which was accepted, or will
    /// have to be if it was staged; how many were played.
    pub diff: ReplayDiff,
    /// How long each stage took.
    pub stages: Vec<StageReport>,
}

/// A stage that is over.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub elapsed: Duration,
}

impl Shared {
    pub(super) async fn load(
        self: &Arc<Self>,
        request: LoadRequest,
    ) -> Result<LoadReport, LoadFailure> {
        let mut progress = Progress::new(self, &request);
        let outcome = match self.examine(&mut progress).await {
            Ok(Examined::Unchanged(report)) => Ok(*report),
            Ok(Examined::Passed(passed)) if request.staged && passed.running.is_some() => {
                self.keep_candidate(&mut progress, &passed)
            }
            Ok(Examined::Passed(passed)) => self.swap(&mut progress, *passed),
            Err(failure) => Err(failure),
        };
        let facts = progress.facts;
        match outcome {
            Ok(report) => {
                tracing::info!(
                    target: "harness::registry",
                    app = report.app_id,
                    sha256 = report.sha256,
                    generation = report.generation,
                    staged = report.staged,
                    unchanged = report.unchanged,
                    "loaded"
                );
                if report.unchanged {
                    self.end_of_loading()?;
                }
                Ok(report)
            }
            Err(failure) => {
                self.refuse(&request, facts, &failure)?;
                Err(failure)
            }
        }
    }

    /// The stages that change something.
    fn swap(
        self: &Arc<Self>,
        progress: &mut Progress<'_>,
        passed: Passed,
    ) -> Result<LoadReport, LoadFailure> {
        let request = progress.request;
        let app_id = passed.connector.descriptor().app_id.clone();
        progress.enter(Stage::Store)?;
        let id = {
            let book = self.book();
            book.folder.keep(passed.connector.sha256(), &passed.bytes)?;
            book.folder.state.next_generation
        };
        let record = GenerationRecord {
            id,
            sha256: passed.connector.sha256().to_owned(),
            version: printable(&passed.connector.descriptor().version).into_owned(),
            contract: contract_of(&passed.connector),
            signer: passed.seal.signer.clone(),
            source: request.name(),
            loaded_at: jiff::Timestamp::now(),
            confirmed: self.config.probation.is_zero(),
        };

        progress.enter(Stage::Swap)?;
        let stages = progress.stages();
        let entry = Entry::new(AuditEvent::Swap, &request.by, progress.facts.clone())
            .generation(id)
            .detail(detail(request, &passed, &stages));
        let mut report = passed.report(id, stages);
        let instead_of = passed.running;
        let generation = Arc::new(Generation::new(app_id, record, passed.connector));
        report.replaced = self.take_over(&generation, instead_of, entry)?;
        Ok(report)
    }

    /// Writes a refusal down.
    fn refuse(
        &self,
        request: &LoadRequest,
        facts: Facts,
        failure: &LoadFailure,
    ) -> Result<(), LoadFailure> {
        let reason = printable(&failure.to_string()).into_owned();
        tracing::warn!(
            target: "harness::registry",
            source = request.name(),
            stage = ?failure.stage(),
            reason,
            "refused"
        );
        // A state that can't be written is why, then; the reason is in
        // the caller's hands either way.
        if !matches!(failure, LoadFailure::Record(_)) {
            let detail = json!({
                "source": request.name(),
                "stage": failure.stage(),
                "diff": failure.diff(),
            });
            let entry = Entry::new(AuditEvent::Refused, &request.by, facts)
                .reason(reason)
                .detail(detail);
            let mut book = self.book();
            let mut state = book.folder.state.clone();
            state.loading = None;
            book.folder.commit(entry, state)?;
        }
        Ok(())
    }

    /// The report of a load that has nothing to do.
    pub(super) fn unchanged(&self, request: &LoadRequest, sha256: &str) -> Option<LoadReport> {
        let book = self.book();
        let state = &book.folder.state;
        for (app_id, connector) in &state.connectors {
            let expected = request.app_id.as_ref();
            if expected.is_some_and(|expected| expected != app_id) {
                continue;
            }
            let unchanged = |version: &str, signer: &Option<String>, staged| LoadReport {
                app_id: app_id.clone(),
                generation: connector.current.unwrap_or_default(),
                replaced: None,
                sha256: sha256.to_owned(),
                version: version.to_owned(),
                signer: signer.clone(),
                staged,
                unchanged: true,
                warning: None,
                accepted: Vec::new(),
                diff: ReplayDiff::default(),
                stages: Vec::new(),
            };
            // Where nobody serves, anything that is asked for may.
            let somebody = self.serving(app_id).is_some();
            let left_alone = request.new_only && somebody;
            let mut kept = connector.generations.iter();
            if let Some(record) = kept.find(|record| record.sha256 == sha256) {
                let serves = connector.current == Some(record.id) && somebody;
                if serves || left_alone {
                    return Some(unchanged(&record.version, &record.signer, false));
                }
            }
            // Why one in quarantine does not serve is to be said.
            if let Some(version) = connector.served.get(sha256)
                && left_alone
                && !state.quarantine.contains_key(sha256)
            {
                return Some(unchanged(version, &None, false));
            }
            let candidate = connector.candidate.as_ref();
            if let Some(record) = candidate.filter(|record| record.sha256 == sha256)
                && (request.staged || request.new_only)
            {
                return Some(unchanged(&record.version, &record.signer, true));
            }
        }
        None
    }

    fn end_of_loading(&self) -> Result<(), LoadFailure> {
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        state.loading = None;
        Ok(book.folder.save(state)?)
    }
}

impl Passed {
    /// The report, with the generation that serves then.
    pub(super) fn report(&self, generation: u64, stages: Vec<StageReport>) -> LoadReport {
        LoadReport {
            app_id: self.connector.descriptor().app_id.clone(),
            generation,
            replaced: None,
            sha256: self.connector.sha256().to_owned(),
            version: printable(&self.connector.descriptor().version).into_owned(),
            signer: self.seal.signer.clone(),
            staged: false,
            unchanged: false,
            warning: self.seal.warning.as_ref().map(SignatureError::to_string),
            accepted: self.missing.clone(),
            diff: self.diff.clone(),
            stages,
        }
    }
}

/// What the audit log is told. Of live reads the numbers alone: what was read is
/// about people, and the log forgets nothing.
pub(super) fn detail(request: &LoadRequest, passed: &Passed, stages: &[StageReport]) -> Value {
    let stages: Vec<Value> = stages
        .iter()
        .map(|stage| {
            let millis = u64::try_from(stage.elapsed.as_millis()).unwrap_or(u64::MAX);
            json!([stage.stage, millis])
        })
        .collect();
    json!({
        "source": request.name(),
        "replaced": passed.running,
        "warning": passed.seal.warning.as_ref().map(SignatureError::to_string),
        "accepted": passed.missing,
        "diff": passed.diff,
        "shadow": passed.shadow.as_ref().map(|seen| json!({
            "compared": seen.compared,
            "differing": seen.differing,
            "skipped": seen.skipped,
        })),
        "stages_ms": stages,
    })
}
