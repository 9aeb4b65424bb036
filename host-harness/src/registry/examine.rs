//! The stages of a load that change nothing.

use std::{sync::Arc, time::Instant};

use sha2::{Digest, Sha256};

use super::{
    LoadFailure, LoadReport, LoadRequest, ReplayDiff, ShadowReport, Stage, StageReport,
    audit::Facts,
    built_in::BUILT_IN,
    compatibility::{self, Incompatibility},
    replay,
    shared::Shared,
    signature::Seal,
    state::Loading,
};
use crate::{connector::Connector, contract, egress::cassette::hex, text::printable};

/// A load on its way.
pub(super) struct Progress<'a> {
    shared: &'a Shared,
    pub(super) request: &'a LoadRequest,
    /// What is known of the component so far.
    pub(super) facts: Facts,
    stages: Vec<StageReport>,
    began: Option<(Stage, Instant)>,
}

/// What a look at a component has shown.
pub(super) enum Examined {
    /// There is nothing to do.
    Unchanged(Box<LoadReport>),
    Passed(Box<Passed>),
}

/// A component that may take over.
pub(super) struct Passed {
    pub(super) bytes: Arc<[u8]>,
    pub(super) signature: Option<String>,
    pub(super) connector: Connector,
    pub(super) seal: Seal,
    /// The generation that it was held against.
    pub(super) running: Option<u64>,
    pub(super) missing: Vec<Incompatibility>,
    pub(super) diff: ReplayDiff,
    pub(super) shadow: Option<ShadowReport>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(shared: &'a Shared, request: &'a LoadRequest) -> Self {
        Self {
            shared,
            request,
            facts: Facts::default(),
            stages: Vec::new(),
            began: None,
        }
    }

    /// Writes down that a stage begins.
    pub(super) fn enter(&mut self, stage: Stage) -> Result<(), LoadFailure> {
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

    /// The stages that are over.
    pub(super) fn stages(&mut self) -> Vec<StageReport> {
        self.leave();
        self.stages.clone()
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
    /// All stages up to the one that stores it.
    pub(super) async fn examine(
        self: &Arc<Self>,
        progress: &mut Progress<'_>,
    ) -> Result<Examined, LoadFailure> {
        let request = progress.request;
        progress.enter(Stage::Read)?;
        let (bytes, signature) = request.read(self).await?;
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
        // That of an earlier load says nothing about this one.
        progress.facts.signer = None;
        let seal = if request.built_in {
            Seal {
                signer: Some(BUILT_IN.to_owned()),
                warning: None,
            }
        } else {
            self.config.signatures.check(&bytes, signature.as_deref())?
        };
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
        if let Some(expected) = request.app_id.as_ref().filter(|id| **id != app_id) {
            progress.enter(Stage::Compatibility)?;
            return Err(LoadFailure::OtherApp {
                expected: expected.clone(),
                found: app_id,
            });
        }

        // What serves may change while the new one is looked at: a rollback does
        // not wait. Then it is held against that one as well.
        loop {
            let running = self.serving(&app_id);
            let against = running.as_ref().map(|running| running.record.id);
            let running = running.as_ref().map(|running| &running.connector);
            let (missing, diff) = self.compared(progress, running, &connector).await?;
            if self.serving(&app_id).map(|now| now.record.id) != against {
                continue;
            }
            let shadow = self.shown(progress, &app_id, &sha256)?;
            return Ok(Examined::Passed(Box::new(Passed {
                bytes,
                signature,
                connector,
                seal,
                running: against,
                missing,
                diff,
                shadow,
            })));
        }
    }

    /// What it lacks, and what it does otherwise, if that is no reason to refuse
    /// it: a candidate may do so, and wait.
    async fn compared(
        &self,
        progress: &mut Progress<'_>,
        running: Option<&Connector>,
        connector: &Connector,
    ) -> Result<(Vec<Incompatibility>, ReplayDiff), LoadFailure> {
        let accept = progress.request.accept || progress.request.staged;
        progress.enter(Stage::Compatibility)?;
        let missing = running.map_or_else(Vec::new, |running| {
            compatibility::compare(running, connector)
        });
        if !missing.is_empty() && !accept {
            return Err(LoadFailure::Incompatible(missing));
        }
        progress.enter(Stage::Replay)?;
        let diff = match &self.config.fixtures {
            None => ReplayDiff::default(),
            Some(folder) => {
                let fixtures = replay::fixtures(folder, &connector.descriptor().app_id)?;
                replay::compare(running, connector, &fixtures).await?
            }
        };
        if diff.crashed() {
            return Err(LoadFailure::Crashes(Box::new(diff)));
        }
        if !diff.is_empty() && !accept {
            return Err(LoadFailure::Differs(Box::new(diff)));
        }
        Ok((missing, diff))
    }

    /// What it has shown on live reads, if it was tried on some.
    fn shown(
        &self,
        progress: &mut Progress<'_>,
        app_id: &str,
        sha256: &str,
    ) -> Result<Option<ShadowReport>, LoadFailure> {
        let Some(seen) = self.trial_of(app_id, sha256) else {
            return Ok(None);
        };
        progress.enter(Stage::Shadow)?;
        if (seen.compared == 0 || seen.differing > 0) && !progress.request.accept {
            return Err(LoadFailure::Shadow(Box::new(seen)));
        }
        Ok(Some(seen))
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
