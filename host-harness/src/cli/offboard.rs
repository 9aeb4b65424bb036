//! `harness offboard`: hand over, then remove, for one leaver or a file of them.
//!
//! Each leaver has a folder with both plans and their journals. Whoever runs the
//! command again finds there how far it got, so a run may end anywhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use serde_json::{Value, json};

use super::{
    args::OffboardArgs,
    confirm,
    connect::{self, Access},
    failure::Failure,
    leavers::{self, Leaver},
    output, plans,
    queries::unwrap,
};
use crate::{
    CallError, Tenant,
    contract::types::ErrorCode,
    offboarding::{Applied, Journal, PlanDocument, PlanKind},
    text::printable,
    whole_file,
};

pub(super) async fn run(args: &OffboardArgs) -> Result<(), Failure> {
    let dry_run = args.change.dry_run;
    let as_json = args.change.connect.json;
    if !dry_run {
        confirm::can_ask(args.yes)?;
    }
    let session = connect::session_to(Access::to_change(dry_run), &args.change.connect).await?;
    let outcome = run_all(&session.tenant, args, as_json).await;
    let finished = session.finish();
    outcome?;
    finished
}

async fn run_all(tenant: &Tenant, args: &OffboardArgs, as_json: bool) -> Result<(), Failure> {
    let identity = unwrap(tenant.validate().await, as_json)?;
    let leavers = match (&args.accounts, &args.account, &args.to) {
        (Some(file), _, _) => leavers::read(tenant, file).await?,
        (None, Some(account), Some(heir)) => vec![Leaver {
            account: leavers::resolve(tenant, account).await?,
            heir: leavers::resolve(tenant, heir).await?,
        }],
        _ => {
            return Err(Failure::usage(
                "nobody is named",
                "say `harness offboard ACCOUNT --to HEIR`, or name a file with `--accounts`",
            ));
        }
    };
    if args.change.dry_run {
        for leaver in &leavers {
            rehearse(tenant, leaver, as_json).await?;
        }
        return Ok(());
    }
    let folder = match &args.journals {
        Some(folder) => folder.clone(),
        None => state_folder()?,
    };
    let app_id = &tenant.connector().descriptor().app_id;
    let folder = folder.join(file_name(app_id)).join(file_name(&identity.id));
    let many = leavers.len() > 1;
    let mut results = Vec::new();
    for (at, leaver) in leavers.iter().enumerate() {
        if many {
            talk!(
                "leaver {} of {}: {}",
                at + 1,
                leavers.len(),
                printable(&leaver.account)
            );
        }
        let folder = folder.join(file_name(&leaver.account));
        let outcome = Offboarding {
            tenant,
            leaver,
            folder: &folder,
            yes: args.yes,
        }
        .run()
        .await;
        if many && let Err(failure) = &outcome {
            talk!("error: {}: {failure}", printable(&leaver.account));
        }
        results.push((leaver, folder, outcome));
    }
    report(results, as_json)
}

/// One leaver's way out.
struct Offboarding<'a> {
    tenant: &'a Tenant,
    leaver: &'a Leaver,
    folder: &'a Path,
    yes: bool,
}

/// What came of one leaver.
#[derive(Clone, Copy)]
enum Outcome {
    Gone {
        transfer: Applied,
        removal: Applied,
    },
    /// Nothing was left to do.
    AlreadyGone,
}

impl Offboarding<'_> {
    async fn run(&self) -> Result<Outcome, Failure> {
        fs::create_dir_all(self.folder).map_err(|error| folder_failure(self.folder, &error))?;
        self.set_aside_if_over()?;
        if !self.file("transfer.json").exists() && self.is_gone().await? {
            talk!("{} is gone already", printable(&self.leaver.account));
            return Ok(Outcome::AlreadyGone);
        }
        let heir = PlanKind::Transfer {
            to: self.leaver.heir.clone(),
        };
        let transfer = self.stage("transfer", heir, "Hand over").await?;
        let removal = self
            .stage("removal", PlanKind::Removal, "Remove and delete")
            .await?;
        Ok(Outcome::Gone { transfer, removal })
    }

    /// Makes a plan, or takes the one that an earlier run began, and applies it.
    async fn stage(&self, name: &str, kind: PlanKind, verb: &str) -> Result<Applied, Failure> {
        let file = self.file(&format!("{name}.json"));
        let plan = match fs::read(&file) {
            Ok(bytes) => {
                let plan = PlanDocument::parse(&bytes).map_err(|error| {
                    Failure::usage(format!("`{}`: {error}", file.display()), error.hint())
                })?;
                self.check(&plan, &kind, &file)?;
                talk!("going on with the {name} of `{}`", file.display());
                plan
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = PlanDocument::make(self.tenant, &self.leaver.account, kind).await;
                let plan = unwrap(made, false)?;
                whole_file::write(&file, plan.to_json().as_bytes())
                    .map_err(|error| folder_failure(&file, &error))?;
                plan
            }
            Err(error) => return Err(folder_failure(&file, &error)),
        };
        let journal_file = self.file(&format!("{name}.journal"));
        let mut journal = Journal::open(&journal_file, &plan)?;
        let left = plan.steps.len() - journal.done(&plan);
        if left > 0 && !self.yes {
            plans::show(&plan)?;
            let question = format!(
                "{verb} {}: {}?",
                printable(&self.leaver.account),
                output::counted(left, "step", "steps")
            );
            if !confirm::ask(&question, self.yes)? {
                // The world will have moved on by the next time.
                if journal.done(&plan) == 0 {
                    drop(journal);
                    fs::remove_file(&journal_file).ok();
                    fs::remove_file(&file).ok();
                }
                return Err(Failure::call(format!("the {name} was not applied"), None));
            }
        } else {
            for warning in &plan.warnings {
                talk!("warning: {}", printable(warning));
            }
        }
        plans::run(self.tenant, &plan, &mut journal).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Plans of an offboarding that came to its end are history, and must not
    /// pass for today's.
    fn set_aside_if_over(&self) -> Result<(), Failure> {
        let over = |name: &str| -> Result<bool, Failure> {
            let Ok(bytes) = fs::read(self.file(&format!("{name}.json"))) else {
                return Ok(false);
            };
            let Ok(plan) = PlanDocument::parse(&bytes) else {
                return Ok(false);
            };
            let journal = Journal::open(&self.file(&format!("{name}.journal")), &plan)?;
            Ok(journal.done(&plan) == plan.steps.len())
        };
        if !over("transfer")? || !over("removal")? {
            return Ok(());
        }
        let mut aside = self.folder.as_os_str().to_owned();
        aside.push(format!(".done-{}", jiff::Timestamp::now().as_second()));
        fs::rename(self.folder, &aside)
            .and_then(|()| fs::create_dir_all(self.folder))
            .map_err(|error| folder_failure(self.folder, &error))
    }

    fn check(&self, plan: &PlanDocument, kind: &PlanKind, file: &Path) -> Result<(), Failure> {
        let begun = plan.origin.as_ref().map(|origin| &origin.kind);
        if begun == Some(kind) {
            return Ok(());
        }
        let to = match begun {
            Some(PlanKind::Transfer { to }) => format!(" to `{}`", printable(to)),
            _ => String::new(),
        };
        Err(Failure::usage(
            format!("a hand-over{to} was begun and is not at its end"),
            format!(
                "finish it with that heir, or take it back with `harness apply {} --journal {} \
                 --undo` and delete the folder",
                file.display(),
                self.file("transfer.journal").display()
            ),
        ))
    }

    async fn is_gone(&self) -> Result<bool, Failure> {
        match self.tenant.get_account(&self.leaver.account).await {
            Err(CallError::Connector { error, .. }) if error.code == ErrorCode::NotFound => {
                Ok(true)
            }
            outcome => unwrap(outcome, false).map(|_| false),
        }
    }
}

async fn rehearse(tenant: &Tenant, leaver: &Leaver, as_json: bool) -> Result<(), Failure> {
    let kind = PlanKind::Transfer {
        to: leaver.heir.clone(),
    };
    let transfer = unwrap(
        PlanDocument::make(tenant, &leaver.account, kind).await,
        as_json,
    )?;
    let removal = PlanDocument::make(tenant, &leaver.account, PlanKind::Removal).await;
    let removal = unwrap(removal, as_json)?;
    if !as_json {
        output::line("Hand over")?;
        plans::show(&transfer)?;
        output::line("\nRemove and delete, as it would be without the hand-over")?;
        plans::show(&removal)?;
        output::line("\nFirst change")?;
    }
    let first = if transfer.steps.is_empty() {
        &removal
    } else {
        &transfer
    };
    plans::rehearse(tenant, first, None, as_json).await
}

fn report(
    results: Vec<(&Leaver, PathBuf, Result<Outcome, Failure>)>,
    as_json: bool,
) -> Result<(), Failure> {
    let failed = results
        .iter()
        .filter(|(_, _, outcome)| outcome.is_err())
        .count();
    let count = results.len();
    let mut rows = Vec::new();
    let mut objects: Vec<Value> = Vec::new();
    let mut only = None;
    for (leaver, folder, outcome) in results {
        let (word, changed, error) = match &outcome {
            Ok(Outcome::Gone { transfer, removal }) => {
                ("offboarded", transfer.changed + removal.changed, None)
            }
            Ok(Outcome::AlreadyGone) => ("already gone", 0, None),
            Err(failure) => ("failed", 0, Some(failure.to_string())),
        };
        objects.push(json!({
            "account": leaver.account,
            "heir": leaver.heir,
            "outcome": word.replace(' ', "_"),
            "changed": changed,
            "error": error,
            "journals": folder,
        }));
        rows.push(vec![
            leaver.account.clone(),
            leaver.heir.clone(),
            word.to_owned(),
            changed.to_string(),
            folder.display().to_string(),
        ]);
        if count == 1 {
            only = outcome.err();
        }
    }
    if as_json {
        output::json(&Value::Array(objects))?;
    } else if failed < count || count > 1 {
        output::table(
            &["leaver", "heir", "outcome", "changes", "plans and journals"],
            rows,
        )?;
    }
    match only {
        Some(failure) => Err(failure),
        None if failed > 0 => Err(Failure::call(
            format!(
                "{failed} of {} failed",
                output::counted(count, "leaver", "leavers")
            ),
            Some("run the same command again to go on where each of them ended".to_owned()),
        )),
        None => Ok(()),
    }
}

fn state_folder() -> Result<PathBuf, Failure> {
    let own = std::env::var_os("HARNESS_STATE").map(PathBuf::from);
    let users = || {
        let folders = etcetera::choose_base_strategy().ok()?;
        let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Some(folder.join("iga-harness"))
    };
    own.or_else(users)
        .map(|folder| folder.join("offboarding"))
        .ok_or_else(|| {
            Failure::usage(
                "there is no home folder to keep journals in",
                "name a folder with `--journals`",
            )
        })
}

/// A stranger's identifier as the name of a file.
fn file_name(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let name: String = id
        .bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        })
        .collect();
    if name.is_empty() {
        "-".to_owned()
    } else {
        name
    }
}

fn folder_failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("`{}` can't be written: {error}", path.display()),
        "name a folder that you can write to with `--journals`",
    )
}
