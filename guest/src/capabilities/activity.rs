//! `activity`: when an account was last used, and what happened.

use crate::capabilities::directory::{page_size, position};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::activity::{
    ActivityKind, ActivityPage, ActivityRecord, ActivityTarget, LastActivity, LastActivityReport,
};
use crate::ids::{ById, Ids};
use crate::iga::connector::types::{Notice, PageRequest};
use crate::instants::{DAY, Timestamp};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::analytics::{self, Presence};
use crate::pagerduty::audit::{self, Record};
use crate::pagerduty::client::{Client, Request, checked_id};
use crate::pagerduty::json::Json;
use crate::pagerduty::references::Reference;
use crate::pagerduty::sign_ins;
use std::cell::Cell;

/// Accounts in one question: without analytics, each costs a request, and a
/// minute allows 960.
const MAX_ACCOUNTS: usize = 1000;
/// Longest cursor of PagerDuty's that is put into a page token.
const MAX_CURSOR: usize = 2000;

/// When these accounts were last used.
pub fn get_last_activity(client: &Client, accounts: &[String]) -> Result<LastActivityReport> {
    if accounts.len() > MAX_ACCOUNTS {
        return Err(Error::invalid_input(format!(
            "{} accounts were asked for at once",
            accounts.len()
        ))
        .hint(format!("ask for {MAX_ACCOUNTS} or fewer")));
    }
    let mut seen = Ids::default();
    let mut asked = Vec::new();
    for account in accounts {
        if seen.insert(account) {
            asked.push(checked_id(account)?);
        }
    }
    let mut notices = Vec::new();
    let known = match presence(client, &asked) {
        Ok(known) => known,
        Err(error) if error.is_out_of_reach() || is_unusable(&error) => {
            let what = "the time of the last sign-in is taken from weaker sources";
            notices.push(error.into_notice("analytics-not-available", what));
            ById::new()
        }
        Err(error) => return Err(error),
    };
    let mut rows = ById::new();
    let mut unknown = Vec::new();
    for account in &asked {
        match known.get(account) {
            Some(Presence {
                last_sign_in: Some(at),
                ..
            }) => {
                rows.entry(account, || row(account, *at, "analytics"));
            }
            Some(Presence {
                signed_up: Some(false),
                ..
            }) => {}
            _ => unknown.push(*account),
        }
    }
    let unknown = add_delegations(client, &unknown, &mut rows, &mut notices)?;
    add_sessions(client, &unknown, &mut rows, &mut notices)?;
    Ok(LastActivityReport {
        items: asked.iter().filter_map(|id| rows.take(id)).collect(),
        notices,
    })
}

/// Analytics that answer with a 400 or in another zone are as good as none.
fn is_unusable(error: &Error) -> bool {
    matches!(
        error.code,
        ErrorCode::InvalidInput | ErrorCode::InvalidResponse
    )
}

fn presence(client: &Client, accounts: &[&str]) -> Result<ById<Presence>> {
    let mut known = ById::new();
    let chunks = accounts.chunks(analytics::MAX_USERS);
    let requests = chunks.clone().map(analytics::request);
    for (chunk, reply) in chunks.zip(client.send_all(requests)) {
        analytics::add_presence(client, chunk, reply?, &mut known)?;
    }
    Ok(known)
}

fn row(account: &str, at: Timestamp, source: &str) -> LastActivity {
    LastActivity {
        account: account.to_owned(),
        kind: ActivityKind::LastLogin,
        at: at.to_rfc3339(),
        source: source.to_owned(),
    }
}

/// The best source behind analytics. Returns those of whom it knows nothing.
fn add_delegations<'a>(
    client: &Client,
    accounts: &[&'a str],
    rows: &mut ById<LastActivity>,
    notices: &mut Vec<Notice>,
) -> Result<Vec<&'a str>> {
    let mut unknown = Vec::new();
    let is_out_of_reach = Cell::new(false);
    // Once it is known that nobody may ask, nobody else is asked about.
    let requests = (accounts.iter())
        .take_while(|_| !is_out_of_reach.get())
        .filter_map(|account| sign_ins::delegations_request(account).ok());
    let mut replies = client.send_all(requests);
    for account in accounts {
        let Some(reply) = replies.next() else {
            unknown.push(*account);
            continue;
        };
        match reply.and_then(|reply| sign_ins::last_delegation(client, account, reply)) {
            Ok(Some(at)) => {
                rows.entry(account, || row(account, at, "oauth-delegations"));
            }
            Ok(None) => {}
            // The account is unknown, or the feature is. The next source knows
            // the account's fate as well.
            Err(error) if error.code == ErrorCode::NotFound => unknown.push(*account),
            Err(error) if error.is_out_of_reach() => {
                unknown.push(*account);
                if !is_out_of_reach.replace(true) {
                    let what = "sign-ins of the web and mobile apps are not known";
                    notices.push(error.into_notice("delegations-not-available", what));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(unknown)
}

/// The last source.
fn add_sessions(
    client: &Client,
    accounts: &[&str],
    rows: &mut ById<LastActivity>,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    let is_out_of_reach = Cell::new(false);
    let requests = (accounts.iter())
        .take_while(|_| !is_out_of_reach.get())
        .filter_map(|account| sign_ins::sessions_request(account).ok());
    for (account, reply) in accounts.iter().zip(client.send_all(requests)) {
        match reply.and_then(|reply| sign_ins::last_session(&reply)) {
            Ok(Some(at)) => {
                rows.entry(account, || row(account, at, "sessions"));
            }
            Ok(None) => {}
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) if error.is_out_of_reach() => {
                if !is_out_of_reach.replace(true) {
                    let what = "sessions are not known";
                    notices.push(error.into_notice("sessions-not-available", what));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where a walk over the audit records goes on.
#[derive(Clone, Debug, Default)]
struct At {
    /// Where the first window starts, in milliseconds since 1970. Kept, as is
    /// `until`, so that all pages of a walk cut time at the same instants.
    since: i64,
    /// Where the last window ends.
    until: i64,
    /// Which window, from the oldest.
    window: u8,
    /// PagerDuty's cursor in it.
    cursor: Option<String>,
    /// Records of that page that are done.
    skip: u32,
}

/// As many as `KEPT_DAYS` make, and one for the rest of a division.
const MAX_WINDOWS: u8 = 13;
const WINDOW_MILLIS: i64 = audit::MAX_WINDOW_DAYS * DAY * 1000;

impl Cursor for At {
    fn write(&self) -> Json<'static> {
        Json::of([
            ("s", Json::Number(self.since)),
            ("n", Json::Number(self.until)),
            ("w", u32::from(self.window).into()),
            ("c", self.cursor.as_deref().into()),
            ("k", self.skip.into()),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            since: json.number("s")?,
            until: json.number("n")?,
            window: u8::try_from(json.count("w").unwrap_or(0)).ok()?,
            cursor: json.text("c"),
            skip: json.count("k").unwrap_or(0),
        })
    }

    fn is_valid(&self) -> bool {
        self.since >= 0
            && self.since <= self.until
            && self.until - self.since <= (audit::KEPT_DAYS + 1) * DAY * 1000
            && self.window < MAX_WINDOWS
            && self.skip <= 10_000
            && self.cursor.as_ref().is_none_or(|c| c.len() <= MAX_CURSOR)
    }
}

impl At {
    fn start(&self) -> Timestamp {
        Timestamp::from_millis(self.since + i64::from(self.window) * WINDOW_MILLIS)
    }

    fn end(&self) -> Timestamp {
        self.start()
            .plus(audit::MAX_WINDOW_DAYS * DAY)
            .min(Timestamp::from_millis(self.until))
    }

    fn is_last_window(&self) -> bool {
        self.end().millis() >= self.until
    }
}

/// What happened since then.
pub fn list_activity(client: &Client, since: &str, page: &PageRequest) -> Result<ActivityPage> {
    let size = page_size(client, page)?;
    let asked = Timestamp::parse(since).ok_or_else(|| {
        Error::invalid_input("`since` is not an instant").hint("for example 2026-03-19T08:00:00Z")
    })?;
    if asked > client.now() {
        return Err(Error::invalid_input("`since` lies in the future"));
    }
    let oldest = client.now().plus(-audit::KEPT_DAYS * DAY);
    let mut notices = Vec::new();
    let mut at = match page.token {
        Some(_) => position::<At>(Function::Activity, page)?,
        None => {
            if asked < oldest {
                notices.push(Notice {
                    code: "audit-history-limited".to_owned(),
                    message: format!(
                        "PagerDuty keeps audit records for twelve months: what happened before {} \
                         is left out",
                        oldest.to_rfc3339()
                    ),
                    hint: None,
                });
            }
            At {
                since: asked.max(oldest).millis(),
                until: client.now().millis(),
                ..At::default()
            }
        }
    };
    let mut items = Vec::new();
    let next = loop {
        match add_records(client, &mut at, size, &mut items) {
            Ok(true) => break None,
            Ok(false) if items.len() == size || client.time_is_mostly_used() => {
                break Some(page_token::encode(Function::Activity, &at)?);
            }
            Ok(false) => {}
            Err(error) if error.is_out_of_reach() => {
                notices
                    .push(error.into_notice("audit-not-available", "audit records are left out"));
                break None;
            }
            Err(error) => return Err(error),
        }
    };
    Ok(ActivityPage {
        items,
        next,
        notices,
    })
}

/// Adds from one of PagerDuty's pages. Returns whether it was the last one.
fn add_records(
    client: &Client,
    at: &mut At,
    size: usize,
    items: &mut Vec<ActivityRecord>,
) -> Result<bool> {
    let (start, end) = (at.start(), at.end());
    if start >= end {
        return Ok(true);
    }
    let mut request = Request::get(audit::PATH)
        .with("since", &start.to_rfc3339())
        .with("until", &end.to_rfc3339())
        .with("limit", "100");
    if let Some(cursor) = &at.cursor {
        request = request.with("cursor", cursor);
    }
    let reply = client.send(request)?;
    let answer = reply.json()?;
    let records = reply.list(&answer, "records")?;
    for record in reply
        .rows(records, |record| record.has_id(), None)?
        .iter()
        .skip(at.skip as usize)
    {
        if items.len() == size {
            return Ok(false);
        }
        at.skip += 1;
        if !record.is_object() {
            continue;
        }
        let record = Record::read(record);
        let when = record.at.ok_or_else(|| {
            Error::invalid_response("PagerDuty sent an audit record without a time")
        })?;
        // Whether `until` is part of a window is not documented: a record on
        // the border belongs to the later one.
        if when >= start && (when < end || at.is_last_window()) {
            items.push(activity(&record, when));
        }
    }
    at.skip = 0;
    match answer.text("next_cursor").filter(|next| !next.is_empty()) {
        Some(next) if next.len() > MAX_CURSOR || at.cursor.as_ref() == Some(&next) => Err(
            Error::invalid_response("PagerDuty's cursor for audit records does not lead on"),
        ),
        Some(next) => {
            at.cursor = Some(next);
            Ok(false)
        }
        None if at.is_last_window() => Ok(true),
        None => {
            at.cursor = None;
            at.window += 1;
            Ok(false)
        }
    }
}

fn activity(record: &Record, when: Timestamp) -> ActivityRecord {
    let root = record.root_resource.as_ref();
    let detail = record
        .resource
        .as_ref()
        .filter(|detail| root.is_none_or(|root| root.id != detail.id));
    ActivityRecord {
        id: record.id.clone(),
        at: when.to_rfc3339(),
        actor: record.actor.clone(),
        action: record
            .action
            .clone()
            .unwrap_or_else(|| "unknown".to_owned()),
        method: record
            .method
            .as_ref()
            .map(|method| method.replace('_', "-")),
        targets: root.into_iter().chain(detail).filter_map(target).collect(),
    }
}

fn target(reference: &Reference) -> Option<ActivityTarget> {
    (!reference.id.is_empty()).then(|| ActivityTarget {
        target_type: reference.bare_kind().unwrap_or("unknown").to_owned(),
        id: reference.id.clone(),
        label: reference.summary.clone(),
    })
}
