//! `harness diff`: what is different between two runs.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
};

use jiff::{SignedDuration, Timestamp};
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
    report::{self, Change, Deed, Fate, FieldChange, History, Kind, ReportError, Trail},
    store::{Run, Store},
};

/// How far the vendor's clock may be from ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn run(args: &DiffArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.stored.store)?;
    let history = History::of(&store, args.stored.tenant.as_deref())?;
    let (before, after) = history.pair(&args.runs)?;
    for run in [before, after] {
        output::caveats(run);
    }
    let audit = if args.who {
        Some(audit(&args.connect, &history, before, after).await?)
    } else {
        None
    };
    let difference = Difference {
        history: &history,
        before,
        after,
        audit,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = if args.connect.json {
        difference.json(&mut out)
    } else {
        difference.table(&mut out)
    };
    outcome?;
    out.flush()?;
    Ok(())
}

/// Two runs, and what the audit records of the time between say, if they were
/// asked. Changes are visited, and none is kept.
struct Difference<'d> {
    history: &'d History<'d>,
    before: &'d Run,
    after: &'d Run,
    audit: Option<Audit>,
}

/// What was read of the audit records.
struct Audit {
    trail: Trail,
    /// What they leave out.
    notices: Vec<Notice>,
}

impl Difference<'_> {
    fn each(
        &self,
        visit: impl FnMut(Change) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.history.changes(self.before, self.after, visit)
    }

    /// One document, a change a line.
    fn json(&self, out: &mut impl Write) -> Result<(), ReportError> {
        let tenant = json!(self.history.tenant().name);
        write!(out, "{{\n\"tenant\": {tenant}")?;
        for (name, run) in [("from", self.before), ("to", self.after)] {
            let told = json!({
                "run": run.id,
                "began_at": run.began_at,
                "ended_at": run.ended_at,
                "notices": run.notices,
                "findings": run.findings,
                "accepted_by": run.accepted_by,
                "accepted_at": run.accepted_at,
            });
            write!(out, ",\n\"{name}\": {told}")?;
        }
        if let Some(audit) = &self.audit {
            let notices: Vec<Value> = audit.notices.iter().map(notice).collect();
            write!(out, ",\n\"audit_notices\": {}", Value::from(notices))?;
        }
        out.write_all(b",\n\"changes\": [")?;
        let mut separator = "\n";
        self.each(|change| {
            let mut told = json!(change);
            if let Some(audit) = &self.audit {
                let by = self.by(audit, &change)?;
                told["by"] = by.map_or(Value::Null, |by| by.iter().map(Doer::json).collect());
            }
            write!(out, "{separator}{told}")?;
            separator = ",\n";
            Ok(())
        })?;
        out.write_all(b"\n]\n}\n")?;
        Ok(())
    }

    fn table(&self, out: &mut dyn Write) -> Result<(), ReportError> {
        let mut counts = BTreeMap::<(Kind, Fate), usize>::new();
        self.each(|change| {
            *counts.entry((change.kind, change.change)).or_default() += 1;
            Ok(())
        })?;
        let mut header = vec!["change", "kind", "what", "fields"];
        header.extend(self.audit.as_ref().map(|_| "by"));
        if !counts.is_empty() {
            output::visited_columns(out, &header, |visit| {
                self.each(|change| {
                    let fields: Vec<String> = change.fields.iter().map(field).collect();
                    let mut row = vec![
                        change.change.as_str().to_owned(),
                        change.kind.as_str().to_owned(),
                        change.label.clone(),
                        fields.join(", "),
                    ];
                    if let Some(audit) = &self.audit {
                        row.push(match self.by(audit, &change)? {
                            None => "unknown".to_owned(),
                            Some(by) if by.is_empty() => "-".to_owned(),
                            Some(by) => {
                                let by: Vec<String> = by.iter().map(Doer::told).collect();
                                by.join("; ")
                            }
                        });
                    }
                    visit(&row)
                })
            })?;
        }
        out.flush()?;
        talk!(
            "run {} of {} to run {} of {}: {}",
            self.before.id,
            moment(self.before),
            self.after.id,
            moment(self.after),
            summary(&counts),
        );
        Ok(())
    }

    /// Who may have made the change. Nobody is something else than that nothing is
    /// known: where records are left out, it is not known that nobody did.
    fn by(&self, audit: &Audit, change: &Change) -> Result<Option<Vec<Doer>>, ReportError> {
        let doers = doers(self.history, &audit.trail.of(change))?;
        let is_unknown = doers.is_empty() && !audit.notices.is_empty();
        Ok((!is_unknown).then_some(doers))
    }
}

fn notice(notice: &Notice) -> Value {
    json!({ "code": notice.code, "message": notice.message, "hint": notice.hint })
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
async fn audit(
    args: &ConnectArgs,
    history: &History<'_>,
    before: &Run,
    after: &Run,
) -> Result<Audit, Failure> {
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
    Ok(Audit { trail, notices })
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
    let told = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    match report::read_until(run) {
        None => told(run.began_at),
        Some(until) => format!("{} to {}", told(run.began_at), told(until)),
    }
}

/// `accounts +1 -0 ~2, grants +4 -1 ~0`.
fn summary(counts: &BTreeMap<(Kind, Fate), usize>) -> String {
    let count = |kind, fate| counts.get(&(kind, fate)).copied().unwrap_or_default();
    let kinds: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| counts.keys().any(|(of, _)| of == kind))
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
