//! `harness plan` and `harness apply`.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{
    args::{ApplyArgs, ConnectArgs, PlanCommand},
    changes::show_withheld,
    confirm,
    connect::{self, Access, Session},
    failure::Failure,
    leavers::resolve,
    output,
    queries::unwrap,
};
use crate::{
    Tenant, WithheldChange,
    contract::offboarding::Step,
    offboarding::{
        self, Applied, ApplyError, Journal, Patience, PlanDocument, PlanKind, PlannedStep,
        Progress, StepState,
    },
    text::printable,
};

pub(super) async fn plan(command: &PlanCommand) -> Result<(), Failure> {
    match command {
        PlanCommand::Transfer {
            account,
            to,
            connect,
        } => {
            let session = connect::session(connect).await?;
            let to = resolve(&session.tenant, to).await?;
            make(session, connect, account, PlanKind::Transfer { to }).await
        }
        PlanCommand::Removal { account, connect } => {
            let session = connect::session(connect).await?;
            make(session, connect, account, PlanKind::Removal).await
        }
    }
}

async fn make(
    session: Session,
    args: &ConnectArgs,
    account: &str,
    kind: PlanKind,
) -> Result<(), Failure> {
    let account = resolve(&session.tenant, account).await?;
    let outcome = PlanDocument::make(&session.tenant, &account, kind).await;
    let finished = session.finish();
    let plan = unwrap(outcome, args.json)?;
    finished?;
    if args.json {
        return output::raw(plan.to_json().as_bytes());
    }
    show(&plan)
}

/// A plan for somebody who is to say yes to it.
pub(super) fn show(plan: &PlanDocument) -> Result<(), Failure> {
    if plan.steps.is_empty() {
        output::line("nothing to do")?;
    }
    let width = plan.steps.len().to_string().len();
    for (at, step) in plan.steps.iter().enumerate() {
        output::line(&format!("{:>width$}. {}", at + 1, printable(&step.summary)))?;
    }
    for warning in &plan.warnings {
        talk!("warning: {}", printable(warning));
    }
    talk!("{}", output::counted(plan.steps.len(), "step", "steps"));
    Ok(())
}

pub(super) async fn apply(args: &ApplyArgs) -> Result<(), Failure> {
    let text = std::fs::read(&args.plan).map_err(|error| {
        Failure::usage(
            format!("`{}` can't be read: {error}", args.plan.display()),
            "make a plan with `harness plan transfer ACCOUNT --to HEIR --json > plan.json`",
        )
    })?;
    let plan = PlanDocument::parse(&text).map_err(|error| {
        Failure::usage(format!("`{}`: {error}", args.plan.display()), error.hint())
    })?;
    if !args.change.dry_run {
        confirm::can_ask(args.yes)?;
    }
    let access = Access::to_change(args.change.dry_run);
    let session = connect::session_to(access, &args.change.connect).await?;
    let as_json = args.change.connect.json;
    let identity = unwrap(session.tenant.validate().await, as_json)?;
    plan.check(&session.tenant, &identity.id)
        .map_err(|error| Failure::usage(&error, error.hint()))?;
    let journal = args.journal.clone().unwrap_or_else(|| {
        let mut path = args.plan.clone().into_os_string();
        path.push(".journal");
        PathBuf::from(path)
    });
    let outcome = if args.undo {
        take_back(&session.tenant, &plan, journal, args).await
    } else if args.change.dry_run {
        // A journal is not begun for it.
        let journal = match journal.exists() {
            true => Some(Journal::open(&journal, &plan)?),
            false => None,
        };
        rehearse(&session.tenant, &plan, journal.as_ref(), as_json).await
    } else {
        carry_out(&session.tenant, &plan, journal, args).await
    };
    let finished = session.finish();
    outcome?;
    finished
}

async fn carry_out(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: PathBuf,
    args: &ApplyArgs,
) -> Result<(), Failure> {
    let mut journal = Journal::open(&journal, plan)?;
    let done = journal.done(plan);
    if done < plan.steps.len() {
        show_to_ask(plan, &journal, args.yes)?;
        let left = output::counted(plan.steps.len() - done, "step", "steps");
        if !confirm::ask(&format!("Apply {left}?"), args.yes)? {
            return Err(Failure::call("nothing was changed", None));
        }
    }
    let applied = run(tenant, plan, &mut journal).await?;
    report(applied, &journal, args.change.connect.json)
}

async fn take_back(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: PathBuf,
    args: &ApplyArgs,
) -> Result<(), Failure> {
    if !journal.exists() {
        return Err(Failure::usage(
            format!(
                "there is no journal `{}`, so nothing was done",
                journal.display()
            ),
            "name it with `--journal`",
        ));
    }
    let mut journal = Journal::open(&journal, plan)?;
    let undoable = journal.undoable();
    for (id, inverse) in &undoable {
        let text = match inverse {
            Some(step) => printable(&step.summary).into_owned(),
            None => format!("(can't be taken back: {})", printable(summary_of(plan, id))),
        };
        output::line(&text)?;
    }
    let possible = undoable.iter().filter(|(_, inverse)| inverse.is_some());
    let possible = possible.count();
    if possible == 0 {
        talk!("there is nothing to take back");
        return Ok(());
    }
    if args.change.dry_run {
        let first = undoable.iter().find_map(|(_, inverse)| inverse.as_ref());
        return match first {
            Some(step) => rehearse_step(tenant, step, args.change.connect.json).await,
            None => Ok(()),
        };
    }
    let steps = output::counted(possible, "step", "steps");
    if !confirm::ask(&format!("Take back {steps}?"), args.yes)? {
        return Err(Failure::call("nothing was changed", None));
    }
    let mut progress = StepProgress::new();
    let outcome = offboarding::undo(tenant, &mut journal, Patience::default(), &mut |event| {
        progress.tell(&event);
    })
    .await;
    progress.end();
    report(outcome?, &journal, args.change.connect.json)
}

fn summary_of<'p>(plan: &'p PlanDocument, id: &'p str) -> &'p str {
    let step = plan.steps.iter().find(|step| step.id == id);
    step.map_or(id, |step| step.summary.as_str())
}

/// Gets as far as the first change of the first step that is left to do.
pub(super) async fn rehearse(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: Option<&Journal>,
    as_json: bool,
) -> Result<(), Failure> {
    let is_done = |step: &PlannedStep| {
        let state = journal.and_then(|journal| journal.state(&step.id));
        matches!(state, Some(StepState::Done { .. }))
    };
    for step in plan.steps.iter().filter(|step| !is_done(step)) {
        if let Some(change) = first_change(tenant, step, as_json).await? {
            talk!("dry run of the step: {}", printable(&step.summary));
            return show_withheld(&change, as_json);
        }
        talk!("nothing to change: {}", printable(&step.summary));
    }
    talk!("dry run: there is nothing to change");
    if as_json {
        return output::json(&json!({ "withheld": null }));
    }
    Ok(())
}

async fn rehearse_step(tenant: &Tenant, step: &PlannedStep, as_json: bool) -> Result<(), Failure> {
    match first_change(tenant, step, as_json).await? {
        Some(change) => show_withheld(&change, as_json),
        None => {
            talk!("dry run: there is nothing to change");
            Ok(())
        }
    }
}

async fn first_change(
    tenant: &Tenant,
    step: &PlannedStep,
    as_json: bool,
) -> Result<Option<WithheldChange>, Failure> {
    match tenant.apply(Step::from(step)).await {
        Err(error) if error.withheld().is_some() => Ok(error.withheld().cloned()),
        outcome => unwrap(outcome, as_json).map(|_| None),
    }
}

fn show_to_ask(plan: &PlanDocument, journal: &Journal, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let done = journal.done(plan);
    show(plan)?;
    if done > 0 {
        talk!(
            "{} done by an earlier run",
            output::counted(done, "step was", "steps were")
        );
    }
    Ok(())
}

/// Applies with progress on stderr; Ctrl-C ends it, and loses nothing.
pub(super) async fn run(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: &mut Journal,
) -> Result<Applied, Failure> {
    let mut progress = StepProgress::new();
    let outcome = {
        let mut tell = |event: Progress<'_>| progress.tell(&event);
        let applying = offboarding::apply(tenant, plan, journal, Patience::default(), &mut tell);
        tokio::select! {
            outcome = applying => Some(outcome),
            _ = tokio::signal::ctrl_c() => None,
        }
    };
    progress.end();
    match outcome {
        Some(outcome) => Ok(outcome?),
        None => Err(Failure::call(
            "interrupted; what is done is in the journal",
            Some("run the same command again to go on".to_owned()),
        )),
    }
}

/// Applies without a word.
pub(super) async fn run_quietly(
    tenant: &Tenant,
    plan: &PlanDocument,
    journal: &mut Journal,
) -> Result<Applied, Failure> {
    let patience = Patience::default();
    Ok(offboarding::apply(tenant, plan, journal, patience, &mut |_| {}).await?)
}

fn report(applied: Applied, journal: &Journal, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&json!({
            "changed": applied.changed,
            "unchanged": applied.unchanged,
            "done_before": applied.skipped,
            "journal": journal.path(),
        }));
    }
    output::fields(&[
        ("changed", output::counted(applied.changed, "step", "steps")),
        (
            "nothing to do",
            output::counted(applied.unchanged, "step", "steps"),
        ),
        (
            "done before",
            output::counted(applied.skipped, "step", "steps"),
        ),
        ("journal", journal.path().display().to_string()),
    ])
}

/// Steps as lines; on a terminal, the one under way moves.
pub(super) struct StepProgress {
    bar: ProgressBar,
}

impl StepProgress {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    pub(super) fn tell(&mut self, event: &Progress<'_>) {
        match event {
            Progress::Begins { .. } => self.bar.set_message(event.to_string()),
            _ => self.bar.suspend(|| talk!("{event}")),
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let hint = match &error {
            ApplyError::Step { .. } => Some(format!(
                "{}; run the same command again to go on with this step",
                error
                    .hint()
                    .unwrap_or_else(|| "look into the cause".to_owned())
            )),
            ApplyError::Journal(_) => error.hint(),
        };
        Self::call(&error, hint)
    }
}

impl From<offboarding::JournalError> for Failure {
    fn from(error: offboarding::JournalError) -> Self {
        Self::usage(&error, error.hint())
    }
}
