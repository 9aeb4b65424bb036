//! Handing over and releasing: plans of several steps, applied within the time
//! of the request. What is done is in a journal, so that the same request, sent
//! again, goes on.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    call::{Answer, Call, Outcome},
    error::{WireCode, WireError},
};
use crate::{
    CallError,
    contract::types::{Effect, ErrorCode},
    egress::cassette::hex,
    offboarding::{
        self, Applied, ApplyError, Journal, JournalError, Patience, PlanDocument, PlanKind,
    },
    whole_file,
};

/// The step of a removal that `release_resources` leaves out.
const DELETION: &str = "delete-account";

pub(super) async fn transfer_data(call: &Call<'_>) -> Answer {
    let source = call.text("source_account_id")?;
    let to = call.text("target_account_id")?;
    run(call, &source, PlanKind::Transfer { to }).await
}

pub(super) async fn release_resources(call: &Call<'_>) -> Answer {
    let account = call.text("account_id")?;
    run(call, &account, PlanKind::Removal).await
}

async fn run(call: &Call<'_>, account: &str, kind: PlanKind) -> Answer {
    let files = Files::of(call, account, &kind).await?;
    let _alone = Alone::new(&call.shared.leaving, &files.plan)?;
    let plan = match files.stored()? {
        Some(plan) => plan,
        None => {
            let mut plan = PlanDocument::make(&call.tenant()?, account, kind).await?;
            plan.steps.retain(|step| step.kind != DELETION);
            if !plan.steps.is_empty() {
                whole_file::write_private(&files.plan, plan.to_json().as_bytes())
                    .map_err(|error| unusable(&files.plan, &error))?;
            }
            plan
        }
    };
    if plan.steps.is_empty() {
        let effect = Effect::Unchanged("nothing-to-do".to_owned());
        return Ok(Outcome::changed(json!({"success": true}), effect));
    }
    let mut journal = match Journal::open(&files.journal, &plan) {
        // What is left of an end between the removal of the two.
        Err(JournalError::OtherPlan(_)) => {
            fs::remove_file(&files.journal).map_err(|error| unusable(&files.journal, &error))?;
            Journal::open(&files.journal, &plan)?
        }
        opened => opened?,
    };
    let tenant = call.tenant()?;
    let silent = &mut |_: offboarding::Progress<'_>| {};
    let applying = offboarding::apply(&tenant, &plan, &mut journal, Patience::default(), silent);
    let outcome = tokio::time::timeout(call.left(), applying).await;
    match outcome {
        Ok(Ok(done)) => {
            drop(journal);
            files.remove();
            Ok(done_with(done, &plan))
        }
        Ok(Err(error)) => {
            // The plan does not fit what is there any more: the next request
            // makes a new one, for what is left.
            if is_outdated(&error) {
                drop(journal);
                files.remove();
            }
            Err(error.into())
        }
        Err(_) => Err(WireError::new(
            WireCode::BudgetExhausted,
            format!(
                "{} of {} steps were done in the time of the request",
                journal.done(&plan),
                plan.steps.len()
            ),
        )
        .hint("send the same request again to go on")
        .retry_after(1)),
    }
}

fn done_with(done: Applied, plan: &PlanDocument) -> Outcome {
    let effect = if done.changed + done.skipped > 0 {
        Effect::Updated
    } else {
        Effect::Unchanged("already-done".to_owned())
    };
    let mut response = json!({"success": true});
    if !plan.warnings.is_empty() {
        let warnings = crate::printable(&plan.warnings.join("; ")).into_owned();
        response["reason"] = json!(warnings);
    }
    Outcome {
        description: Some(format!(
            "{} steps changed something, {} found nothing to do, {} were done before",
            done.changed, done.unchanged, done.skipped
        )),
        ..Outcome::changed(response, effect)
    }
}

fn is_outdated(error: &ApplyError) -> bool {
    matches!(
        error,
        ApplyError::Step {
            error: CallError::Connector { error, .. },
            ..
        } if matches!(
            error.code,
            ErrorCode::Conflict | ErrorCode::InvalidInput | ErrorCode::NotFound
        )
    )
}

/// Requests that are at work, by the file of their plan: two that made a plan at
/// the same time would write over each other's.
pub(super) type AtWork = Mutex<HashSet<PathBuf>>;

/// Lets go when dropped.
struct Alone<'a> {
    at_work: &'a AtWork,
    plan: PathBuf,
}

impl<'a> Alone<'a> {
    fn new(at_work: &'a AtWork, plan: &Path) -> Result<Self, WireError> {
        let mut all = at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if all.insert(plan.to_owned()) {
            Ok(Self {
                at_work,
                plan: plan.to_owned(),
            })
        } else {
            Err(JournalError::Busy(plan.to_owned()).into())
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut all = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.plan);
    }
}

/// Where plan and journal of a request are kept until it has come to its end.
struct Files {
    plan: PathBuf,
    journal: PathBuf,
}

impl Files {
    async fn of(call: &Call<'_>, account: &str, kind: &PlanKind) -> Result<Self, WireError> {
        let folder = call.shared.state.as_deref().ok_or_else(|| {
            WireError::new(
                WireCode::UnsupportedOperation,
                "this host has no folder for journals",
            )
            .hint("start it with `--state FOLDER`")
        })?;
        let identity = call.tenant()?.validate().await?;
        let (word, heir) = match kind {
            PlanKind::Transfer { to } => ("transfer", to.as_str()),
            PlanKind::Removal => ("release", ""),
        };
        let mut hash = Sha256::new();
        // A vendor that does not tell the tenant's name: by credential then.
        let anonymous = if identity.id.is_empty() {
            hex(&call.borrowed()?.digest)
        } else {
            String::new()
        };
        for part in [
            call.connector_id,
            &identity.id,
            &anonymous,
            word,
            account,
            heir,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let name = hex(&hash.finalize());
        fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        Ok(Self {
            plan: folder.join(format!("{name}.{word}.json")),
            journal: folder.join(format!("{name}.{word}.journal")),
        })
    }

    fn stored(&self) -> Result<Option<PlanDocument>, WireError> {
        match fs::read(&self.plan) {
            Ok(bytes) => PlanDocument::parse(&bytes)
                .map(Some)
                .map_err(|error| unusable(&self.plan, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&self.plan, &error)),
        }
    }

    /// The plan first: a journal alone is begun anew, a plan alone is not.
    fn remove(&self) {
        for file in [&self.plan, &self.journal] {
            if let Err(error) = fs::remove_file(file) {
                tracing::warn!(target: "harness::server", file = %file.display(), %error, "a finished plan stays");
            }
        }
    }
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> WireError {
    tracing::error!(target: "harness::server", file = %file.display(), %error, "state can't be used");
    WireError::new(WireCode::InternalError, "the plan can't be kept")
        .hint("the server's log says why")
}
