//! Lists: page by page, to their end.

use std::collections::HashSet;

use futures_util::future::BoxFuture;

use super::outcome::{Outcome, skip};
use crate::{
    CallError, Tenant,
    contract::types::{Account, Entitlement, EntitlementRef, Grant, PageRequest, Resource},
};

/// So many pages are no list any more.
const MOST_PAGES: usize = 100_000;

/// What a list consists of.
pub(super) trait Listed: Send + Sync + Sized + 'static {
    /// The list's function.
    const FUNCTION: &'static str;

    /// Some of it.
    fn page(tenant: &Tenant, page: PageRequest) -> BoxFuture<'_, Result<Page<Self>, CallError>>;

    /// What no two items of the list share.
    fn key(&self) -> String;
}

/// Some of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

macro_rules! listed {
    ($($item:ty: $method:ident, $function:literal, |$it:ident| $key:expr;)*) => {
        $(impl Listed for $item {
            const FUNCTION: &'static str = $function;

            fn page(tenant: &Tenant, page: PageRequest) -> BoxFuture<'_, Result<Page<Self>, CallError>> {
                Box::pin(async move {
                    let page = tenant.$method(page).await?;
                    Ok(Page { items: page.items, next: page.next })
                })
            }

            fn key(&self) -> String {
                let $it = self;
                $key
            }
        })*
    };
}

listed! {
    Account: list_accounts, "directory.list-accounts", |account| account.id.clone();
    Resource: list_resources, "directory.list-resources",
        |resource| format!("{} {}", resource.resource_type, resource.id);
    Entitlement: list_entitlements, "directory.list-entitlements",
        |entitlement| ref_key(&entitlement.ref_);
    Grant: list_grants, "directory.list-grants", |grant| grant_key(grant);
}

/// An entitlement as a text.
pub(super) fn ref_key(entitlement: &EntitlementRef) -> String {
    let EntitlementRef {
        entitlement_type,
        id,
        resource_type,
        resource,
    } = entitlement;
    format!("{entitlement_type}:{id}@{resource_type}:{resource}")
}

/// Who holds what, as a text.
pub(super) fn grant_key(grant: &Grant) -> String {
    format!("{} holds {}", grant.account, ref_key(&grant.entitlement))
}

/// A list that was read.
pub(super) struct Walk<T> {
    pub(super) items: Vec<T>,
    /// How many items each page had.
    pub(super) pages: Vec<usize>,
    /// The tokens, in their order.
    pub(super) tokens: Vec<String>,
    pub(super) end: End,
}

/// How a list ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// There is no more.
    Complete,
    /// A page was not given.
    Failed(CallError),
    /// It does not end: this token came twice, or far too many did.
    Endless(String),
    /// The connector has no such list.
    Absent,
}

impl<T: Listed> Walk<T> {
    /// Reads a list to its end.
    pub(super) async fn of(tenant: &Tenant, size: Option<u32>) -> Self {
        let never = |_| Ok(tenant.clone());
        Self::each(size, never)
            .await
            .expect("the tenant is open already")
    }

    /// Reads a list to its end, each page from the tenant that `tenant` gives
    /// for its number.
    pub(super) async fn each(
        size: Option<u32>,
        tenant: impl Fn(usize) -> Result<Tenant, Outcome> + Send,
    ) -> Result<Self, Outcome> {
        let mut walk = Self::ended(End::Complete);
        let mut seen = HashSet::new();
        let mut token = None;
        loop {
            let tenant = tenant(walk.pages.len())?;
            let capabilities = &tenant.connector().descriptor().capabilities;
            if capabilities
                .iter()
                .all(|capability| capability.name != T::FUNCTION)
            {
                walk.end = End::Absent;
                return Ok(walk);
            }
            let page = match T::page(&tenant, PageRequest { token, size }).await {
                Ok(page) => page,
                Err(error) => {
                    walk.end = End::Failed(error);
                    return Ok(walk);
                }
            };
            walk.pages.push(page.items.len());
            walk.items.extend(page.items);
            let Some(next) = page.next else {
                return Ok(walk);
            };
            if !seen.insert(next.clone()) || walk.pages.len() > MOST_PAGES {
                walk.end = End::Endless(next);
                return Ok(walk);
            }
            walk.tokens.push(next.clone());
            token = Some(next);
        }
    }

    fn ended(end: End) -> Self {
        Self {
            items: Vec::new(),
            pages: Vec::new(),
            tokens: Vec::new(),
            end,
        }
    }

    /// All items, or why a check can't go by them.
    pub(super) fn whole(&self) -> Result<&[T], Outcome> {
        let function = T::FUNCTION;
        match &self.end {
            End::Complete => Ok(&self.items),
            End::Failed(error) => Err(skip(format!(
                "`{function}` fails ({error}): see the check `reads`"
            ))),
            End::Endless(_) => Err(skip(format!(
                "`{function}` does not end: see the check `page-end`"
            ))),
            End::Absent => Err(skip(format!("the connector declares no `{function}`"))),
        }
    }

    /// All items, at least one, or why a check can't go by them.
    pub(super) fn some(&self) -> Result<&[T], Outcome> {
        match self.whole()? {
            [] => Err(skip(format!("`{}` lists nothing", T::FUNCTION))),
            items => Ok(items),
        }
    }

    /// The keys of all items, sorted.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.items.iter().map(Listed::key).collect();
        keys.sort();
        keys
    }
}
