//! What the checks of one run stand on: the tenant, and what several of them
//! want to know of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{
    Outcome,
    outcome::skip,
    subject::{Source, StandIn, Subject, SubjectError, Vendor},
    survey::{Answer, SmallPages, Survey},
    tape::{Recorded, Single, Tape, answers, singles},
};
use crate::{Budget, CallReport, Connector, Credential, Grant, Tenant, TenantConfig};

/// Time for one call of a check, where time is not what it is about.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// A tenant that a check may use.
pub(super) struct Scene {
    pub(super) tenant: Tenant,
    pub(super) vendor: Option<Vendor>,
    config: TenantConfig,
    reports: Arc<Mutex<Vec<CallReport>>>,
}

impl Scene {
    fn open(
        connector: &Connector,
        config: TenantConfig,
        vendor: Option<Vendor>,
    ) -> Result<Self, SubjectError> {
        let reports: Arc<Mutex<Vec<CallReport>>> = Arc::default();
        let seen = Arc::clone(&reports);
        let config = config.observe(move |report| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(report.clone());
        });
        Ok(Self {
            tenant: connector.open(config.clone())?,
            vendor,
            config,
            reports,
        })
    }

    async fn start(connector: &Connector, stand_in: &dyn StandIn) -> Result<Self, SubjectError> {
        let vendor = stand_in.start().await?;
        // It is all made up, so nothing stands against writes; what the
        // connector declares as a read is held to that all the same.
        let mut grant = Grant::read_write();
        for origin in connector.origins() {
            grant = grant.origin(origin.clone());
        }
        let mut config = TenantConfig::new(grant)
            .network(vendor.network.clone())
            .credential(vendor.credential.clone())
            .budget(Budget::with_deadline(DEADLINE));
        for (name, value) in &vendor.settings {
            config = config.setting(name, value);
        }
        Self::open(connector, config, Some(vendor))
    }

    /// The same tenant once more, opened otherwise.
    pub(super) fn reopened(
        &self,
        change: impl FnOnce(TenantConfig) -> TenantConfig,
    ) -> Result<Tenant, Outcome> {
        self.reopened_by(self.tenant.connector(), change)
    }

    /// The same tenant by another version of the connector.
    pub(super) fn reopened_by(
        &self,
        connector: &Connector,
        change: impl FnOnce(TenantConfig) -> TenantConfig,
    ) -> Result<Tenant, Outcome> {
        connector
            .open(change(self.config.clone()))
            .map_err(|error| skip(format!("the tenant can't be opened so: {error}")))
    }

    /// The same tenant with another credential.
    pub(super) fn with_credential(&self, credential: &Credential) -> Result<Tenant, Outcome> {
        self.reopened(|config| config.credential(credential.clone()))
    }

    /// What calls have done since this was asked last.
    pub(super) fn take_reports(&self) -> Vec<CallReport> {
        std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the checks of one run stand on.
pub(super) struct Ground<'s> {
    pub(super) subject: &'s Subject,
    /// None where there are recordings only.
    scene: Option<Scene>,
    survey: OnceCell<Survey>,
    small_pages: OnceCell<SmallPages>,
    recorded: OnceCell<Result<Recorded, Outcome>>,
    answers: OnceCell<Result<Vec<Answer>, Outcome>>,
    singles: OnceCell<Result<Vec<Single>, Outcome>>,
    /// Why the subject could not be had any more.
    failure: Mutex<Option<SubjectError>>,
}

impl<'s> Ground<'s> {
    pub(super) async fn new(subject: &'s Subject) -> Result<Self, SubjectError> {
        let connector = &subject.connector;
        let scene = match &subject.source {
            Source::Recordings { .. } => None,
            Source::StandIn(stand_in) => Some(Scene::start(connector, &**stand_in).await?),
            Source::Live(config) => Some(Scene::open(connector, (**config).clone(), None)?),
        };
        Ok(Self {
            subject,
            scene,
            survey: OnceCell::new(),
            small_pages: OnceCell::new(),
            recorded: OnceCell::new(),
            answers: OnceCell::new(),
            singles: OnceCell::new(),
            failure: Mutex::default(),
        })
    }

    pub(super) fn connector(&self) -> &'s Connector {
        &self.subject.connector
    }

    /// Whether the connector says that it does that.
    pub(super) fn declares(&self, function: &str) -> bool {
        let capabilities = &self.connector().descriptor().capabilities;
        capabilities
            .iter()
            .any(|capability| capability.name == function)
    }

    /// Skips a check of something that the connector does not do.
    pub(super) fn need(&self, function: &str) -> Result<(), Outcome> {
        if self.declares(function) {
            Ok(())
        } else {
            Err(skip(format!("the connector declares no `{function}`")))
        }
    }

    /// The tenant that all checks read, and none changes.
    pub(super) fn scene(&self) -> Result<&Scene, Outcome> {
        // `Check::impediment` has seen to it that there is one.
        let missing = || skip("there is no tenant: `--simulator` or `--live`");
        self.scene.as_ref().ok_or_else(missing)
    }

    /// A tenant that nobody has touched. Where it can't be had, the whole run
    /// ends, and not this check alone.
    pub(super) async fn fresh(&self) -> Result<Scene, Outcome> {
        match &self.subject.source {
            Source::StandIn(stand_in) => Scene::start(self.connector(), &**stand_in)
                .await
                .map_err(|error| self.end(error)),
            _ => Err(skip("it changes the tenant: `--simulator`")),
        }
    }

    /// Ends the run: something is in the way that is not the connector's.
    pub(super) fn end(&self, error: SubjectError) -> Outcome {
        let outcome = skip(error.to_string());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        outcome
    }

    /// Why the subject could not be had, if it was not for the connector.
    pub(super) fn take_failure(&self) -> Option<SubjectError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// All of the tenant, read once.
    pub(super) async fn survey(&self) -> Result<&Survey, Outcome> {
        let scene = self.scene()?;
        let read = || async {
            scene.take_reports();
            let mut survey = Survey::of(&scene.tenant).await;
            survey.reports = scene.take_reports();
            survey
        };
        Ok(self.survey.get_or_init(read).await)
    }

    /// The lists once more, in pages as small as is bearable.
    pub(super) async fn small_pages(&self) -> Result<&SmallPages, Outcome> {
        let survey = self.survey().await?;
        let tenant = &self.scene()?.tenant;
        let read = || SmallPages::of(tenant, survey);
        Ok(self.small_pages.get_or_init(read).await)
    }

    /// The recordings that were given; if none were, one of each read of the
    /// tenant.
    pub(super) async fn tapes(&self) -> Result<&[Tape], Outcome> {
        match &self.subject.source {
            Source::Recordings { tapes, .. } => Ok(tapes),
            _ => Ok(&self.recorded().await?.tapes),
        }
    }

    /// One recorded call of each read, for what can go wrong with it.
    pub(super) async fn singles(&self) -> Result<&[Single], Outcome> {
        let tapes = self.tapes().await?;
        let find = || singles(self.connector(), tapes);
        let singles = self.singles.get_or_init(find).await;
        singles.as_deref().map_err(Clone::clone)
    }

    /// Recordings of the tenant, and what was in its answers.
    pub(super) async fn recorded(&self) -> Result<&Recorded, Outcome> {
        let scene = self.scene()?;
        let survey = self.survey().await?;
        let record = || Recorded::of(scene, survey);
        let recorded = self.recorded.get_or_init(record).await;
        recorded.as_ref().map_err(Clone::clone)
    }

    /// All that the connector has answered to the reads of a survey, or to the
    /// calls of recordings.
    pub(super) async fn answers(&self) -> Result<&[Answer], Outcome> {
        match &self.subject.source {
            Source::Recordings { tapes, .. } => {
                let play = || answers(self.connector(), tapes);
                let answers = self.answers.get_or_init(play).await;
                answers.as_deref().map_err(Clone::clone)
            }
            _ => Ok(&self.survey().await?.answers),
        }
    }
}
