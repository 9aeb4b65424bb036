//! Page tokens: all that is left of a list between two pages.

use std::time::Duration;

use super::super::{
    ground::{DEADLINE, Ground, Scene},
    listing::{End, Listed, Walk},
    outcome::{Outcome, Verdict, contract_code, expect_code, fail, none_of, skip},
    survey::{Small, small},
};
use crate::{
    Connector, Tenant,
    contract::types::{Account, Entitlement, ErrorCode, Grant, PageRequest, Resource},
};

/// What nobody gives as a token.
const NONSENSE: &[&str] = &[
    "",
    "not-a-token",
    "0",
    "-1",
    "null",
    "{}",
    "../../users",
    "🦀",
    "\u{0}",
];

/// So many pages a list is cut into, at most.
const PAGES: usize = 8;

fn page(token: Option<&str>, size: u32) -> PageRequest {
    PageRequest {
        token: token.map(str::to_owned),
        size: Some(size),
    }
}

pub(super) async fn page_token(ground: &Ground<'_>) -> Verdict {
    let tenant = &ground.scene()?.tenant;
    let (mut wrong, mut count) = (Vec::new(), 0);
    count += nonsense::<Account>(ground, tenant, &mut wrong).await;
    count += nonsense::<Resource>(ground, tenant, &mut wrong).await;
    count += nonsense::<Entitlement>(ground, tenant, &mut wrong).await;
    count += nonsense::<Grant>(ground, tenant, &mut wrong).await;
    none_of(
        &wrong,
        "a platform that gets a page for it would take the beginning of the list for its end",
    )?;
    if count == 0 {
        return Err(skip("it declares no list"));
    }
    Ok(format!("{count} lists, {} texts each", NONSENSE.len()))
}

async fn nonsense<T: Listed>(
    ground: &Ground<'_>,
    tenant: &Tenant,
    wrong: &mut Vec<String>,
) -> usize {
    if !ground.declares(T::FUNCTION) {
        return 0;
    }
    let long = "A".repeat(10_000);
    for token in NONSENSE.iter().copied().chain([long.as_str()]) {
        let outcome = T::page(tenant, page(Some(token), 1)).await;
        let shown: String = token.chars().take(20).collect();
        expect_code(
            &outcome,
            &[ErrorCode::InvalidPageToken],
            &format!("`{}` with the token `{shown}`", T::FUNCTION),
            wrong,
        );
    }
    1
}

pub(super) async fn page_token_of_another(ground: &Ground<'_>) -> Verdict {
    let tenant = &ground.scene()?.tenant;
    let mut tokens = Vec::new();
    first_token::<Account>(ground, tenant, &mut tokens).await;
    first_token::<Resource>(ground, tenant, &mut tokens).await;
    first_token::<Entitlement>(ground, tenant, &mut tokens).await;
    first_token::<Grant>(ground, tenant, &mut tokens).await;
    if tokens.is_empty() {
        return Err(skip("no list has a second page, so there is no token"));
    }
    let (mut wrong, mut count) = (Vec::new(), 0);
    count += foreign::<Account>(ground, tenant, &tokens, &mut wrong).await;
    count += foreign::<Resource>(ground, tenant, &tokens, &mut wrong).await;
    count += foreign::<Entitlement>(ground, tenant, &tokens, &mut wrong).await;
    count += foreign::<Grant>(ground, tenant, &tokens, &mut wrong).await;
    none_of(&wrong, "let a token say which function it belongs to")?;
    if count == 0 {
        return Err(skip("there is no other list to try a token on"));
    }
    Ok(format!("{count} tokens of other lists"))
}

/// The token of a list's second page.
async fn first_token<T: Listed>(
    ground: &Ground<'_>,
    tenant: &Tenant,
    tokens: &mut Vec<(&'static str, String)>,
) {
    if ground.declares(T::FUNCTION)
        && let Ok(first) = T::page(tenant, page(None, 1)).await
        && let Some(next) = first.next
    {
        tokens.push((T::FUNCTION, next));
    }
}

async fn foreign<T: Listed>(
    ground: &Ground<'_>,
    tenant: &Tenant,
    tokens: &[(&'static str, String)],
    wrong: &mut Vec<String>,
) -> usize {
    let mut count = 0;
    for (function, token) in tokens {
        if *function == T::FUNCTION || !ground.declares(T::FUNCTION) {
            continue;
        }
        count += 1;
        let outcome = T::page(tenant, page(Some(token), 1)).await;
        expect_code(
            &outcome,
            &[ErrorCode::InvalidPageToken],
            &format!("`{}` with a token of `{function}`", T::FUNCTION),
            wrong,
        );
    }
    count
}

pub(super) async fn resume(ground: &Ground<'_>) -> Verdict {
    let scene = ground.scene()?;
    let survey = ground.survey().await?;
    let small = ground.small_pages().await?;
    paged(&survey.accounts, &small.accounts)?;
    paged(&survey.resources, &small.resources)?;
    paged(&survey.entitlements, &small.entitlements)?;
    paged(&survey.grants, &small.grants)?;
    let mut wrong = Vec::new();
    let mut pages = 0;
    pages += cut(scene, &survey.accounts, &mut wrong).await?;
    pages += cut(scene, &survey.resources, &mut wrong).await?;
    pages += cut(scene, &survey.entitlements, &mut wrong).await?;
    pages += cut(scene, &survey.grants, &mut wrong).await?;
    none_of(
        &wrong,
        "all that outlives a call is in the token: it may be used twice, later, by another process",
    )?;
    if pages == 0 {
        return Err(skip("no list has a second page"));
    }
    Ok(format!("cut {pages} times"))
}

/// Skips a check that can't be done on a list that fails when it is paged.
fn paged<T: Listed>(large: &Walk<T>, small: &Small<T>) -> Result<(), Outcome> {
    match &small.walk.end {
        End::Failed(error) if large.whole().is_ok() => Err(skip(format!(
            "`{}` fails in small pages ({error}): see the check `page-sizes`",
            T::FUNCTION
        ))),
        _ => Ok(()),
    }
}

/// Reads a list in one go, and once more with a cut after each page: the page
/// is asked for, dropped, and asked for again by a tenant that was opened anew,
/// with another deadline. Returns how often it was cut.
async fn cut<T: Listed>(
    scene: &Scene,
    known: &Walk<T>,
    wrong: &mut Vec<String>,
) -> Result<usize, Outcome> {
    let Ok(items) = known.whole() else {
        return Ok(0);
    };
    let size = small(items.len()).max(u32::try_from(items.len().div_ceil(PAGES)).unwrap_or(1));
    let uncut = Walk::<T>::of(&scene.tenant, Some(size)).await;
    if let End::Failed(error) = &uncut.end {
        wrong.push(format!("`{}` fails by {size}: {error}", T::FUNCTION));
    }
    if uncut.whole().is_err() {
        return Ok(0);
    }
    let elsewhere = |number: usize| {
        let seconds = u64::try_from(number).unwrap_or_default() + 1;
        let later = DEADLINE + Duration::from_secs(seconds);
        scene
            .reopened(|config| config)
            .map(|tenant| tenant.within(later))
    };
    // The first attempt at each page, whose answer nobody keeps.
    let mut token = None;
    for number in 0..uncut.pages.len() {
        let dropped = T::page(&elsewhere(number)?, page(token.as_deref(), size)).await;
        dropped.ok();
        token = uncut.tokens.get(number).cloned();
    }
    let resumed = Walk::<T>::each(Some(size), elsewhere).await?;
    match resumed.whole() {
        Err(_) => wrong.push(format!(
            "`{}` can't be resumed: {:?}",
            T::FUNCTION,
            resumed.end
        )),
        Ok(_) if resumed.keys() != uncut.keys() => wrong.push(format!(
            "`{}` has {} items, and {} if it is cut after each page",
            T::FUNCTION,
            uncut.items.len(),
            resumed.items.len()
        )),
        Ok(_) => {}
    }
    Ok(resumed.pages.len().saturating_sub(1))
}

pub(super) async fn swap(ground: &Ground<'_>) -> Verdict {
    let scene = ground.scene()?;
    let survey = ground.survey().await?;
    let new = ground.connector();
    let Some(old) = &ground.subject.against else {
        return Err(skip("there is no other version"));
    };
    let old_tenant = scene.reopened_by(old, |config| config)?;
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for (before, to, way) in [(&old_tenant, new, "forward"), (&scene.tenant, old, "back")] {
        let tenants = Swapped { before, to, way };
        tenants
            .list(&survey.accounts, &mut wrong, &mut seen)
            .await?;
        tenants
            .list(&survey.resources, &mut wrong, &mut seen)
            .await?;
        tenants
            .list(&survey.entitlements, &mut wrong, &mut seen)
            .await?;
        tenants.list(&survey.grants, &mut wrong, &mut seen).await?;
    }
    none_of(
        &wrong,
        "a version that can't read a token says `invalid-page-token`; then the list begins anew",
    )?;
    if seen.is_empty() {
        return Err(skip("no list has a second page"));
    }
    Ok(seen.join(", "))
}

/// A tenant that goes on with another version of its connector.
struct Swapped<'t> {
    before: &'t Tenant,
    to: &'t Connector,
    way: &'static str,
}

impl Swapped<'_> {
    /// Begins a list on the one version and goes on with the other.
    async fn list<T: Listed>(
        &self,
        known: &Walk<T>,
        wrong: &mut Vec<String>,
        seen: &mut Vec<String>,
    ) -> Result<(), Outcome> {
        let Ok(items) = known.whole() else {
            return Ok(());
        };
        let (function, way) = (T::FUNCTION, self.way);
        let size = small(items.len());
        let whole = Walk::<T>::of(self.before, Some(size)).await;
        if let End::Failed(error) = &whole.end {
            wrong.push(format!("`{function}` {way} fails before the swap: {error}"));
        }
        if whole.whole().is_err() || whole.pages.len() < 2 {
            return Ok(());
        }
        let grant = self.before.grant().clone();
        let after = self.before.reopened_on(self.to, grant).map_err(|error| {
            fail(
                format!("the tenant does not open on the other version ({way}): {error}"),
                "a setting or a way to sign in that was there must stay",
            )
        })?;
        let crossing = Walk::<T>::each(Some(size), |number| {
            Ok(if number == 0 {
                self.before.clone()
            } else {
                after.clone()
            })
        })
        .await?;
        match &crossing.end {
            End::Failed(error) if contract_code(error) == Some(ErrorCode::InvalidPageToken) => {
                seen.push(format!("`{function}` {way}: turned away"));
            }
            _ => match crossing.whole() {
                Err(_) => wrong.push(format!("`{function}` {way}: {:?}", crossing.end)),
                Ok(_) if crossing.keys() != whole.keys() => wrong.push(format!(
                    "`{function}` {way}: {} items, and {} across the swap",
                    whole.items.len(),
                    crossing.items.len()
                )),
                Ok(_) => seen.push(format!("`{function}` {way}: taken")),
            },
        }
        Ok(())
    }
}
