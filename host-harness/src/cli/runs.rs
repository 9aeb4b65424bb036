//! `harness runs`: what a store has of which tenant.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    args::RunsArgs,
    failure::Failure,
    output,
    sync::{number, rough},
};
use crate::store::{Checkpoint, Run, Store};

pub(super) fn runs(args: &RunsArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.store)?;
    let mut runs = Vec::new();
    for run in store.runs(args.tenant.as_deref())? {
        let read = store.checkpoints(run.id)?;
        runs.push((run, read));
    }
    if let Some(tenant) = &args.tenant
        && !store.tenants()?.iter().any(|known| known.name == *tenant)
    {
        let known = store.tenants()?.into_iter().map(|tenant| tenant.name);
        return Err(Failure::usage(
            format!("the store has no tenant `{tenant}`"),
            format!("it has {}", known.collect::<Vec<_>>().join(", ")),
        ));
    }
    if args.json {
        let runs: Vec<Value> = runs
            .iter()
            .map(|(run, read)| {
                let mut json = json!(run);
                json["functions"] = json!(read);
                json
            })
            .collect();
        return output::json(&json!(runs));
    }
    let header = [
        "run",
        "tenant",
        "state",
        "began",
        "took",
        "accounts",
        "grants",
        "requests",
        "saved",
        "connector",
    ];
    output::table(&header, runs.iter().map(|(run, read)| row(run, read)))
}

fn row(run: &Run, read: &[Checkpoint]) -> Vec<String> {
    // What the snapshot has; of a run that is none, what it has listed so far.
    let rows = |of: &str, function: &str| {
        let changes = run.changes.iter().find(|changes| changes.of == of);
        if let Some(changes) = changes {
            return number(changes.total);
        }
        let checkpoint = read
            .iter()
            .find(|checkpoint| checkpoint.function == function);
        checkpoint.map_or_else(|| "-".to_owned(), |checkpoint| number(checkpoint.rows))
    };
    let state = match &run.accepted_by {
        Some(by) => format!("{}, accepted by {by}", run.state.as_str()),
        None => run.state.as_str().to_owned(),
    };
    let took = run.ended_at.map_or_else(
        || "-".to_owned(),
        |ended| {
            let seconds = ended.as_second() - run.began_at.as_second();
            rough(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
        },
    );
    vec![
        run.id.to_string(),
        run.tenant.name.clone(),
        state,
        run.began_at.to_string(),
        took,
        rows("accounts", "directory.list-accounts"),
        rows("grants", "directory.list-grants"),
        number(run.requests),
        number(run.cached),
        format!("{} {}", run.tenant.app_id, run.connector_version),
    ]
}
