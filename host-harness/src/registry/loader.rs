//! The one task that all loads go through, and the stages of a load.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{
    Command, LoadFailure, ReplayDiff, Shadow, Shared, SignatureError, Stage,
    audit::{AuditEvent, Entry, Facts},
    compatibility::{self, Incompatibility},
    generation::Generation,
    replay,
    signature::Seal,
    state::{GenerationRecord, Loading},
};
use crate::{connector::Connector, contract, egress::cassette::hex, text::printable};

/// A component that is to take over.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    source: Source,
    by: String,
    app_id: Option<String>,
    accept: bool,
    /// What is kept already is left alone.
    new_only: bool,
    shadow: Option<Shadow>,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Bytes {
        name: String,
        bytes: Arc<[u8]>,
        signature: Option<String>,
    },
}

impl LoadRequest {
    /// A file, with its signature beside it as `NAME.minisig`. `by` is who wants
    /// it, for the audit log.
    pub fn file(path: impl Into<PathBuf>, by: &str) -> Self {
        Self::new(Source::File(path.into()), by)
    }

    /// A component that is in memory; `name` is for the audit log.
    pub fn bytes(name: &str, bytes: &[u8], by: &str) -> Self {
        let source = Source::Bytes {
            name: name.to_owned(),
            bytes: bytes.into(),
            signature: None,
        };
        Self::new(source, by)
    }

    /// The signature of a component that is in memory.
    #[must_use]
    pub fn signature(mut self, text: &str) -> Self {
        if let Source::Bytes { signature, .. } = &mut self.source {
            *signature = Some(text.to_owned());
        }
        self
    }

    /// Which connector it must be; any if not said.
    #[must_use]
    pub fn app_id(mut self, app_id: &str) -> Self {
        self.app_id = Some(app_id.to_owned());
        self
    }

    /// Lets it take over although it lacks what the running generation has, or
    /// does other things on the recordings. Crashes, a bad signature and
    /// quarantine are never accepted.
    #[must_use]
    pub fn accept(mut self, accept: bool) -> Self {
        self.accept = accept;
        self
    }

    /// Holds it to what it has shown on live reads: without any, or with a
    /// difference, it does not take over, unless that is accepted.
    #[must_use]
    pub fn shadowed(mut self, shadow: &Shadow) -> Self {
        self.shadow = Some(shadow.clone());
        self
    }

    /// Leaves alone what is kept already, so that a rollback stays one.
    pub fn new_only(mut self) -> Self {
        self.new_only = true;
        self
    }

    fn new(source: Source, by: &str) -> Self {
        Self {
            source,
            by: by.to_owned(),
            app_id: None,
            accept: false,
            new_only: false,
            shadow: None,
        }
    }

    fn name(&self) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Bytes { name, .. } => name.clone(),
        }
    }
}

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
    /// Nothing was done, since this digest serves already.
    pub unchanged: bool,
    /// What the policy on signatures warns about.
    pub warning: Option<String>,
    /// What it lacks, which was accepted.
    pub accepted: Vec<Incompatibility>,
    /// What it does otherwise on the recordings, which was accepted; how many
    /// were played.
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

/// Works until nobody holds the registry.
pub(super) async fn work(shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Command>) {
    // Whoever does not wait for the answer has gone, and is not missed.
    while let Some(command) = commands.recv().await {
        match command {
            Command::Load(request, reply) => {
                let _ = reply.send(shared.load(*request).await);
            }
            Command::Shadow(request, reply) => {
                let _ = reply.send(shared.shadow(*request).await);
            }
            Command::Rollback {
                app_id,
                to,
                by,
                reason,
                reply,
            } => {
                let _ = reply.send(shared.return_to(&app_id, to, &by, &reason).await);
            }
            Command::Quarantine {
                sha256,
                by,
                reason,
                reply,
            } => {
                let _ = reply.send(shared.withdraw(&sha256, &by, &reason).await);
            }
            Command::Close(reply) => {
                let _ = reply.send(shared.book().folder.close());
                return;
            }
        }
    }
}

/// What became of a component before anything was changed.
enum Examined {
    Unchanged(Box<LoadReport>),
    Candidate(Box<Candidate>),
}

/// A component that may take over.
struct Candidate {
    bytes: Arc<[u8]>,
    connector: Connector,
    seal: Seal,
    /// The generation that it was held against.
    running: Option<u64>,
    accepted: Vec<Incompatibility>,
    diff: ReplayDiff,
}

/// A load on its way.
struct Progress<'a> {
    shared: &'a Shared,
    request: &'a LoadRequest,
    facts: Facts,
    stages: Vec<StageReport>,
    began: Option<(Stage, Instant)>,
}

impl Progress<'_> {
    /// Writes down that a stage begins.
    fn enter(&mut self, stage: Stage) -> Result<(), LoadFailure> {
        self.leave();
        self.began = Some((stage, Instant::now()));
        {
            let mut book = self.shared.book();
            let mut state = book.folder.state.clone();
            state.loading = Some(Loading {
                stage,
                source: self.request.name(),
                by: self.request.by.clone(),
                component: self.facts.clone(),
            });
            book.folder.save(state)?;
        }
        if let Some(observer) = &self.shared.config.on_stage {
            observer(stage);
        }
        Ok(())
    }

    fn leave(&mut self) {
        if let Some((stage, began)) = self.began.take() {
            self.stages.push(StageReport {
                stage,
                elapsed: began.elapsed(),
            });
        }
    }
}

impl Shared {
    async fn load(self: &Arc<Self>, request: LoadRequest) -> Result<LoadReport, LoadFailure> {
        let mut progress = Progress {
            shared: self,
            request: &request,
            facts: Facts::default(),
            stages: Vec::new(),
            began: None,
        };
        let outcome = match self.examine(&mut progress).await {
            Ok(Examined::Unchanged(report)) => Ok(*report),
            Ok(Examined::Candidate(candidate)) => self.swap(&mut progress, *candidate),
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

    /// As a load, up to the recordings.
    async fn shadow(self: &Arc<Self>, request: LoadRequest) -> Result<Shadow, LoadFailure> {
        let mut progress = Progress {
            shared: self,
            request: &request,
            facts: Facts::default(),
            stages: Vec::new(),
            began: None,
        };
        let outcome = match self.examine(&mut progress).await {
            Ok(Examined::Unchanged(_)) => Err(LoadFailure::Serving),
            Ok(Examined::Candidate(candidate)) => Ok(candidate.connector),
            Err(failure) => Err(failure),
        };
        let facts = progress.facts;
        match outcome {
            Ok(connector) => {
                let entry = Entry::new(AuditEvent::Shadowed, &request.by, facts);
                let mut book = self.book();
                let mut state = book.folder.state.clone();
                state.loading = None;
                book.folder.commit(entry, state)?;
                Ok(Shadow::new(connector))
            }
            Err(failure) => {
                self.refuse(&request, facts, &failure)?;
                Err(failure)
            }
        }
    }

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

    /// All stages before anything is changed.
    async fn examine(
        self: &Arc<Self>,
        progress: &mut Progress<'_>,
    ) -> Result<Examined, LoadFailure> {
        let request = progress.request;
        progress.enter(Stage::Read)?;
        let (bytes, signature) = read(&request.source).await?;
        let sha256 = hex(&Sha256::digest(&bytes));
        progress.facts = self.book().folder.state.facts(&sha256);
        if let Some(report) = self.unchanged(request, &sha256) {
            return Ok(Examined::Unchanged(Box::new(report)));
        }
        progress.facts.sha256 = Some(sha256.clone());

        progress.enter(Stage::Quarantine)?;
        if let Some(record) = self.book().folder.state.quarantine.get(&sha256) {
            return Err(LoadFailure::Quarantined {
                reason: record.reason.clone(),
                sha256,
            });
        }

        progress.enter(Stage::Signature)?;
        let seal = self.config.signatures.check(&bytes, signature.as_deref())?;
        progress.facts.signer.clone_from(&seal.signer);

        progress.enter(Stage::Verify)?;
        let connector = Connector::load(&self.engine, &bytes).await?;
        let descriptor = connector.descriptor();
        let app_id = descriptor.app_id.clone();
        progress.facts.app_id = Some(printable(&app_id).into_owned());
        progress.facts.version = Some(printable(&descriptor.version).into_owned());
        progress.facts.contract = Some(contract_of(&connector));
        if !fits_an_address(&app_id) {
            return Err(LoadFailure::AppId(app_id));
        }

        // What serves may change while the new one is looked at: a rollback does
        // not wait. Then it is held against that one as well.
        let (running, accepted, diff) = loop {
            let running = self.serving(&app_id);
            progress.enter(Stage::Compatibility)?;
            if let Some(expected) = request.app_id.as_ref().filter(|id| **id != app_id) {
                return Err(LoadFailure::OtherApp {
                    expected: expected.clone(),
                    found: app_id,
                });
            }
            let running_connector = running.as_ref().map(|running| &running.connector);
            let missing = running_connector.map_or_else(Vec::new, |running| {
                compatibility::compare(running, &connector)
            });
            if !missing.is_empty() && !request.accept {
                return Err(LoadFailure::Incompatible(missing));
            }
            progress.enter(Stage::Replay)?;
            let diff = match &self.config.fixtures {
                None => ReplayDiff::default(),
                Some(folder) => {
                    let fixtures = replay::fixtures(folder, &app_id)?;
                    replay::compare(running_connector, &connector, &fixtures).await?
                }
            };
            if diff.crashed() {
                return Err(LoadFailure::Crashes(Box::new(diff)));
            }
            if !diff.is_empty() && !request.accept {
                return Err(LoadFailure::Differs(Box::new(diff)));
            }
            let now = self.serving(&app_id);
            if now.map(|now| now.record.id) == running.as_ref().map(|running| running.record.id) {
                break (running, missing, diff);
            }
        };

        if let Some(shadow) = &request.shadow {
            progress.enter(Stage::Shadow)?;
            if shadow.connector().sha256() != sha256 {
                return Err(LoadFailure::OtherShadow);
            }
            let seen = shadow.report();
            if (seen.compared == 0 || seen.differing > 0) && !request.accept {
                return Err(LoadFailure::Shadow(Box::new(seen)));
            }
        }
        Ok(Examined::Candidate(Box::new(Candidate {
            bytes,
            connector,
            seal,
            running: running.map(|running| running.record.id),
            accepted,
            diff,
        })))
    }

    /// The stages that change something.
    fn swap(
        self: &Arc<Self>,
        progress: &mut Progress<'_>,
        candidate: Candidate,
    ) -> Result<LoadReport, LoadFailure> {
        let request = progress.request;
        let Candidate {
            bytes,
            connector,
            seal,
            running,
            accepted,
            diff,
        } = candidate;
        let sha256 = connector.sha256().to_owned();
        let app_id = connector.descriptor().app_id.clone();
        progress.enter(Stage::Store)?;
        let id = {
            let book = self.book();
            book.folder.keep(&sha256, &bytes)?;
            book.folder.state.next_generation
        };
        let record = GenerationRecord {
            id,
            sha256: sha256.clone(),
            version: printable(&connector.descriptor().version).into_owned(),
            contract: contract_of(&connector),
            signer: seal.signer.clone(),
            source: request.name(),
            loaded_at: jiff::Timestamp::now(),
            confirmed: self.config.probation.is_zero(),
        };
        let version = record.version.clone();

        progress.enter(Stage::Swap)?;
        progress.leave();
        let warning = seal.warning.as_ref().map(SignatureError::to_string);
        let detail = json!({
            "source": request.name(),
            "replaced": running,
            "warning": warning,
            "accepted": accepted,
            "diff": diff,
            "shadow": request.shadow.as_ref().map(Shadow::report),
            "stages_ms": progress.stages.iter().map(|stage| {
                json!([stage.stage, u64::try_from(stage.elapsed.as_millis()).unwrap_or(u64::MAX)])
            }).collect::<Vec<_>>(),
        });
        let entry = Entry::new(AuditEvent::Swap, &request.by, progress.facts.clone())
            .generation(id)
            .detail(detail);
        let generation = Arc::new(Generation::new(app_id.clone(), record, connector));
        let replaced = self.take_over(generation, entry)?;
        Ok(LoadReport {
            app_id,
            generation: id,
            replaced,
            sha256,
            version,
            signer: seal.signer,
            unchanged: false,
            warning,
            accepted,
            diff,
            stages: std::mem::take(&mut progress.stages),
        })
    }

    /// The report of a load that has nothing to do.
    fn unchanged(&self, request: &LoadRequest, sha256: &str) -> Option<LoadReport> {
        let book = self.book();
        let state = &book.folder.state;
        let (app_id, record) = state.connectors.iter().find_map(|(app_id, connector)| {
            let known = |record: &&GenerationRecord| record.sha256 == sha256;
            let record = connector.generations.iter().find(known)?;
            let serves = connector.current == Some(record.id) && self.serving(app_id).is_some();
            (serves || request.new_only).then_some((app_id, record))
        })?;
        let expected = request.app_id.as_ref();
        if expected.is_some_and(|expected| expected != app_id) {
            return None;
        }
        Some(LoadReport {
            app_id: app_id.clone(),
            generation: state.connectors.get(app_id)?.current.unwrap_or(record.id),
            replaced: None,
            sha256: sha256.to_owned(),
            version: record.version.clone(),
            signer: record.signer.clone(),
            unchanged: true,
            warning: None,
            accepted: Vec::new(),
            diff: ReplayDiff::default(),
            stages: Vec::new(),
        })
    }

    fn end_of_loading(&self) -> Result<(), LoadFailure> {
        let mut book = self.book();
        let mut state = book.folder.state.clone();
        state.loading = None;
        Ok(book.folder.save(state)?)
    }
}

async fn read(source: &Source) -> Result<(Arc<[u8]>, Option<String>), LoadFailure> {
    match source {
        Source::Bytes {
            bytes, signature, ..
        } => Ok((Arc::clone(bytes), signature.clone())),
        Source::File(path) => {
            let path = path.clone();
            let failed_path = path.clone();
            tokio::task::spawn_blocking(move || {
                let bytes = fs::read(&path).map_err(|cause| failed(&path, cause))?;
                Ok((bytes.into(), read_signature(&path)?))
            })
            .await
            .unwrap_or_else(|error| Err(failed(&failed_path, io::Error::other(error))))
        }
    }
}

fn read_signature(component: &Path) -> Result<Option<String>, LoadFailure> {
    let mut name = component.as_os_str().to_owned();
    name.push(".minisig");
    let path = PathBuf::from(name);
    match fs::read(&path) {
        // What is no text is no signature either, and is refused as one.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(&path, cause)),
    }
}

fn failed(path: &Path, cause: io::Error) -> LoadFailure {
    LoadFailure::Read {
        path: path.to_owned(),
        cause,
    }
}

/// It becomes part of addresses.
fn fits_an_address(app_id: &str) -> bool {
    (1..=64).contains(&app_id.len())
        && app_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !app_id.starts_with('.')
}

/// The versions of the contract that its interfaces have; mostly one.
pub(super) fn contract_of(connector: &Connector) -> String {
    let mut versions: Vec<String> = connector.interfaces().into_values().collect();
    versions.sort();
    versions.dedup();
    format!("{}@{}", contract::PACKAGE, versions.join("+"))
}
