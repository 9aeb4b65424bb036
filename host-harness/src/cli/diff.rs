//! `harness diff`: what is different between two runs.

use serde_json::json;

use super::{args::DiffArgs, failure::Failure, output};
use crate::{
    report::{Change, Fate, FieldChange, History, Kind},
    store::{Run, Store},
};

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.stored.store)?;
    let history = History::of(&store, args.stored.tenant.as_deref())?;
    let (before, after) = history.pair(&args.runs)?;
    let mut changes = Vec::new();
    history.changes(before, after, |change| {
        changes.push(change);
        Ok(())
    })?;
    if args.json {
        let run = |run: &Run| json!({ "run": run.id, "began_at": run.began_at, "ended_at": run.ended_at });
        return output::json(&json!({
            "tenant": history.tenant().name,
            "from": run(before),
            "to": run(after),
            "changes": changes,
        }));
    }
    let rows = changes.iter().map(|change| {
        let fields: Vec<String> = change.fields.iter().map(field).collect();
        vec![
            change.change.as_str().to_owned(),
            change.kind.as_str().to_owned(),
            change.label.clone(),
            fields.join(", "),
        ]
    });
    if !changes.is_empty() {
        output::table(&["change", "kind", "what", "fields"], rows)?;
    }
    talk!(
        "run {} of {} to run {} of {}: {}",
        before.id,
        moment(before),
        after.id,
        moment(after),
        summary(&changes),
    );
    Ok(())
}

/// `status: pending -> active`.
fn field(field: &FieldChange) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{}: {} -> {}",
        field.field,
        value(&field.before),
        value(&field.after)
    )
}

fn moment(run: &Run) -> String {
    let at = run.ended_at.unwrap_or(run.began_at);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `accounts +1 -0 ~2, grants +4 -1 ~0`.
fn summary(changes: &[Change]) -> String {
    let count = |kind, fate| {
        let same = |change: &&Change| change.kind == kind && change.change == fate;
        changes.iter().filter(same).count()
    };
    let kinds: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| changes.iter().any(|change| change.kind == *kind))
        .map(|kind| {
            format!(
                "{}s +{} -{} ~{}",
                kind.as_str(),
                count(kind, Fate::Created),
                count(kind, Fate::Removed),
                count(kind, Fate::Changed),
            )
        })
        .collect();
    if kinds.is_empty() {
        "no difference".to_owned()
    } else {
        kinds.join(", ")
    }
}
