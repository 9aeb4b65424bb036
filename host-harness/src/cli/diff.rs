//! `harness diff`: what is different between two runs.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    args::{ConnectArgs, DiffArgs},
    connect,
    failure::Failure,
    output, queries,
};
use crate::{
    CallError, Tenant,
    contract::types::{Notice, PageRequest},
    report::{Change, Deed, Fate, FieldChange, History, Kind, ReportError, Trail},
    store::{Run, Store},
};

/// How far the vendor's clock may be from ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn run(args: &DiffArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.stored.store)?;
    let history = History::of(&store, args.stored.tenant.as_deref())?;
    let (before, after) = history.pair(&args.runs)?;
    let mut changes = Vec::new();
    history.changes(before, after, |change| {
        changes.push(change);
        Ok(())
    })?;
    let trail = if args.who {
        Some(trail(&args.connect, &history, before, after).await?)
    } else {
        None
    };
    let by = |change: &Change| match &trail {
        Some(trail) => doers(&history, &trail.of(change)),
        None => Ok(Vec::new()),
    };
    if args.connect.json {
        let mut told = Vec::with_capacity(changes.len());
        for change in &changes {
            let mut json = json!(change);
            if args.who {
                let by = by(change)?;
                json["by"] = by.iter().map(Doer::json).collect();
            }
            told.push(json);
        }
        let run = |run: &Run| json!({ "run": run.id, "began_at": run.began_at, "ended_at": run.ended_at });
        return output::json(&json!({
            "tenant": history.tenant().name,
            "from": run(before),
            "to": run(after),
            "changes": told,
        }));
    }
    let mut header = vec!["change", "kind", "what", "fields"];
    if args.who {
        header.push("by");
    }
    let mut rows = Vec::with_capacity(changes.len());
    for change in &changes {
        let fields: Vec<String> = change.fields.iter().map(field).collect();
        let mut row = vec![
            change.change.as_str().to_owned(),
            change.kind.as_str().to_owned(),
            change.label.clone(),
            fields.join(", "),
        ];
        if args.who {
            let by: Vec<String> = by(change)?.iter().map(Doer::told).collect();
            row.push(if by.is_empty() {
                "-".to_owned()
            } else {
                by.join("; ")
            });
        }
        rows.push(row);
    }
    if !rows.is_empty() {
        output::table(&header, rows)?;
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

/// Who may have made a change.
struct Doer {
    called: Option<String>,
    deed: Deed,
}

impl Doer {
    fn told(&self) -> String {
        let deed = &self.deed;
        let called = self.called.as_ref().or(deed.actor.as_ref());
        let who = called.map_or("nobody's account", String::as_str);
        match &deed.method {
            Some(method) => format!("{who} ({} by {method}, {})", deed.action, deed.at),
            None => format!("{who} ({}, {})", deed.action, deed.at),
        }
    }

    fn json(&self) -> Value {
        let mut json = json!(self.deed);
        json["called"] = json!(self.called);
        json
    }
}

fn doers(history: &History<'_>, deeds: &[Deed]) -> Result<Vec<Doer>, ReportError> {
    let doer = |deed: &Deed| {
        let called = match &deed.actor {
            Some(actor) => history.called(actor)?,
            None => None,
        };
        let deed = deed.clone();
        Ok(Doer { called, deed })
    };
    deeds.iter().map(doer).collect()
}

/// Asks the vendor what was done from the beginning of one run to the end of the
/// other.
async fn trail(
    args: &ConnectArgs,
    history: &History<'_>,
    before: &Run,
    after: &Run,
) -> Result<Trail, Failure> {
    let since = before.began_at.min(after.began_at) - CLOCKS;
    let ends = [before, after].map(|run| run.ended_at.unwrap_or(run.began_at));
    let session = connect::session(args).await?;
    let known = &history.tenant().vendor_id;
    let mut trail = Trail::until(ends[0].max(ends[1]) + CLOCKS);
    let outcome = read(&session.tenant, &since.to_string(), &mut trail).await;
    let finished = session.finish();
    let read = queries::unwrap(outcome, args.json)?;
    finished?;
    if read.vendor_id != *known {
        return Err(Failure::usage(
            format!(
                "the credential is for `{}`, and the tenant in the store is `{known}`",
                read.vendor_id
            ),
            "give the credential of that tenant, or name the other one with `--tenant`",
        ));
    }
    let notices: Vec<Notice> = read.notices.into_values().collect();
    output::notices(&notices);
    Ok(trail)
}

/// What was read besides records.
struct Read {
    vendor_id: String,
    notices: BTreeMap<String, Notice>,
}

async fn read(tenant: &Tenant, since: &str, trail: &mut Trail) -> Result<Read, CallError> {
    let mut read = Read {
        vendor_id: tenant.validate().await?.id,
        notices: BTreeMap::new(),
    };
    let mut token = None;
    loop {
        let page = PageRequest { token, size: None };
        let page = tenant.list_activity(since, page).await?;
        page.items.iter().for_each(|record| trail.add(record));
        // Pages repeat what is left out of each of them.
        for notice in page.notices {
            read.notices.insert(notice.code.clone(), notice);
        }
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(read),
        }
    }
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
