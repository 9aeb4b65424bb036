//! `harness accounts`, `resources`, `entitlements`, `grants`: all pages.

use std::{collections::BTreeSet, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    args::ListArgs,
    connect::{self, Session},
    failure::Failure,
    output,
};
use crate::{
    CallError, Tenant,
    contract::{
        directory, to_json,
        types::{Account, Entitlement, Grant, Notice, PageRequest, Resource},
    },
};

/// Everything that a list function has, and what it left out.
pub(super) struct Listing<T> {
    pub(super) items: Vec<T>,
    pub(super) notices: Vec<Notice>,
    pub(super) pages: usize,
}

/// A page of any of the lists.
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    notices: Vec<Notice>,
}

macro_rules! pages {
    ($($page:ident of $item:ty),*) => {
        $(impl From<directory::$page> for Page<$item> {
            fn from(page: directory::$page) -> Self {
                Self { items: page.items, next: page.next, notices: page.notices }
            }
        })*
    };
}

pages!(AccountPage of Account, ResourcePage of Resource, EntitlementPage of Entitlement, GrantPage of Grant);

macro_rules! read_all {
    ($($(#[$doc:meta])* $name:ident: $method:ident of $item:ty, $what:literal;)*) => {
        $($(#[$doc])*
        pub(super) async fn $name(
            tenant: &Tenant,
            size: Option<u32>,
        ) -> Result<Listing<$item>, CallError> {
            let progress = Progress::new($what);
            let mut listing = Listing { items: Vec::new(), notices: Vec::new(), pages: 0 };
            let mut said = BTreeSet::new();
            let mut token = None;
            loop {
                let page = tenant.$method(PageRequest { token: token.take(), size }).await?;
                let page: Page<$item> = page.into();
                listing.items.extend(page.items);
                listing.pages += 1;
                // Pages repeat what is left out of each of them.
                listing.notices.extend(
                    page.notices.into_iter().filter(|notice| said.insert(notice.code.clone())),
                );
                progress.advance(listing.items.len(), listing.pages);
                match page.next {
                    Some(next) => token = Some(next),
                    None => return Ok(listing),
                }
            }
        })*
    };
}

read_all! {
    /// All accounts.
    all_accounts: list_accounts of Account, "accounts";
    /// All resources.
    all_resources: list_resources of Resource, "resources";
    /// All entitlements.
    all_entitlements: list_entitlements of Entitlement, "entitlements";
    /// All grants.
    all_grants: list_grants of Grant, "grants";
}

/// How far it has got, on a terminal. Gone when it is done.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::new_spinner().with_prefix(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    fn advance(&self, items: usize, pages: usize) {
        self.bar.set_message(format!(
            "{} in {}",
            output::count(items),
            output::counted(pages, "page", "pages")
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

pub(super) async fn accounts(args: &ListArgs) -> Result<(), Failure> {
    let session = connect::session(&args.connect).await?;
    let outcome = all_accounts(&session.tenant, args.page_size).await;
    show(
        session,
        args,
        outcome,
        "account",
        "accounts",
        &["id", "status", "e-mail", "name"],
        |account| {
            vec![
                account.id.clone(),
                name(&account.status),
                account.email.clone().unwrap_or_default(),
                account.display_name.clone(),
            ]
        },
    )
}

pub(super) async fn resources(args: &ListArgs) -> Result<(), Failure> {
    let session = connect::session(&args.connect).await?;
    let outcome = all_resources(&session.tenant, args.page_size).await;
    show(
        session,
        args,
        outcome,
        "resource",
        "resources",
        &["id", "type", "label"],
        |resource| {
            vec![
                dash(&resource.id),
                resource.resource_type.clone(),
                resource.label.clone(),
            ]
        },
    )
}

pub(super) async fn entitlements(args: &ListArgs) -> Result<(), Failure> {
    let session = connect::session(&args.connect).await?;
    let outcome = all_entitlements(&session.tenant, args.page_size).await;
    let header = ["type", "id", "resource", "assignable", "label"];
    show(
        session,
        args,
        outcome,
        "entitlement",
        "entitlements",
        &header,
        |entitlement| {
            vec![
                entitlement.ref_.entitlement_type.clone(),
                entitlement.ref_.id.clone(),
                dash(&entitlement.ref_.resource),
                if entitlement.assignable { "yes" } else { "no" }.to_owned(),
                entitlement.label.clone(),
            ]
        },
    )
}

pub(super) async fn grants(args: &ListArgs) -> Result<(), Failure> {
    let session = connect::session(&args.connect).await?;
    let outcome = all_grants(&session.tenant, args.page_size).await;
    let header = ["account", "type", "entitlement", "resource", "since"];
    show(
        session,
        args,
        outcome,
        "grant",
        "grants",
        &header,
        |grant| {
            vec![
                grant.account.clone(),
                grant.entitlement.entitlement_type.clone(),
                grant.entitlement.id.clone(),
                dash(&grant.entitlement.resource),
                dash(grant.since.as_deref().unwrap_or_default()),
            ]
        },
    )
}

fn show<T: serde::Serialize>(
    session: Session,
    args: &ListArgs,
    outcome: Result<Listing<T>, CallError>,
    one: &str,
    many: &str,
    header: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    let finished = session.finish();
    let listing = super::queries::unwrap(outcome, args.connect.json)?;
    finished?;
    output::notices(&listing.notices);
    if args.connect.json {
        let items: Vec<Value> = listing.items.iter().map(to_json).collect();
        let notices: Vec<Value> = listing.notices.iter().map(to_json).collect();
        return output::json(&json!({ "items": items, "next": null, "notices": notices }));
    }
    output::table(header, listing.items.iter().map(row))?;
    talk!(
        "{} in {}",
        output::counted(listing.items.len(), one, many),
        output::counted(listing.pages, "call", "calls")
    );
    Ok(())
}

/// An enum case by its contract name.
pub(super) fn name<T: serde::Serialize>(case: &T) -> String {
    to_json(case).as_str().unwrap_or_default().to_owned()
}

pub(super) fn dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}
