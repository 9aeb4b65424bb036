//! Giving and taking entitlements.

use super::super::{
    Outcome,
    ground::{Ground, Scene},
    listing::{Walk, ref_key},
    outcome::{Verdict, contract_code, none_of, skip},
};
use super::accounts::shown;
use crate::contract::{
    metadata::EntitlementType,
    types::{Account, Effect, Entitlement, EntitlementRef, ErrorCode, Grant},
};

const ASSIGN: &str = "provisioning.assign";
const UNASSIGN: &str = "provisioning.unassign";

/// Pairs of an account and an entitlement that are tried for each type.
const TRIES: usize = 40;

/// What an account was given.
struct Given {
    account: String,
    entitlement: EntitlementRef,
    effect: Effect,
}

/// Why nothing of a type could be given, where nothing could.
enum Attempt {
    Given(Given),
    /// The vendor's state stood against all that was tried.
    Refused(String),
    Failed(String),
    /// There is nothing to give, or nobody to give it to.
    Nothing,
}

/// What there is on a tenant before anything is given.
struct Stock {
    accounts: Walk<Account>,
    entitlements: Walk<Entitlement>,
    grants: Walk<Grant>,
}

impl Stock {
    async fn of(scene: &Scene) -> Self {
        Self {
            accounts: Walk::of(&scene.tenant, None).await,
            entitlements: Walk::of(&scene.tenant, None).await,
            grants: Walk::of(&scene.tenant, None).await,
        }
    }
}

/// Pairs of an account and an entitlement of a type that it does not hold. Those
/// come last of which the account holds another one on the same resource: with
/// some vendors the one takes the other's place.
fn pairs<'s>(
    stock: &'s Stock,
    kind: &EntitlementType,
) -> Result<Vec<(&'s str, &'s EntitlementRef)>, Outcome> {
    let grants = stock.grants.whole()?;
    let entitlements: Vec<&EntitlementRef> = stock
        .entitlements
        .whole()?
        .iter()
        .filter(|one| one.assignable && one.available != Some(0))
        .map(|one| &one.ref_)
        .filter(|named| named.entitlement_type == kind.id)
        .collect();
    let (mut apart, mut sharing) = (Vec::new(), Vec::new());
    // The last ones first: the first ones are often those that own the tenant.
    for account in stock.accounts.some()?.iter().rev() {
        let own: Vec<&EntitlementRef> = grants
            .iter()
            .filter(|grant| grant.account == account.id)
            .map(|grant| &grant.entitlement)
            .filter(|held| held.entitlement_type == kind.id)
            .collect();
        for named in &entitlements {
            let shares = |held: &&EntitlementRef| held.resource == named.resource;
            if own.contains(named) {
                continue;
            }
            if kind.max != Some(1) && own.iter().any(shares) {
                sharing.push((account.id.as_str(), *named));
            } else {
                apart.push((account.id.as_str(), *named));
            }
        }
        if apart.len() >= TRIES {
            break;
        }
    }
    apart.extend(sharing);
    apart.truncate(TRIES);
    Ok(apart)
}

/// Gives an entitlement of a type to somebody who does not hold it. The vendor
/// may have reasons against one pair or another, so several are tried.
async fn give(scene: &Scene, stock: &Stock, kind: &EntitlementType) -> Result<Attempt, Outcome> {
    let mut refused = None;
    for (account, named) in pairs(stock, kind)? {
        match scene.tenant.assign(account, named.clone()).await {
            Ok(effect) => {
                return Ok(Attempt::Given(Given {
                    account: account.to_owned(),
                    entitlement: named.clone(),
                    effect,
                }));
            }
            Err(error) => match contract_code(&error) {
                Some(ErrorCode::Conflict | ErrorCode::PlanRequired | ErrorCode::Unsupported) => {
                    refused = Some(error.to_string());
                }
                _ => {
                    return Ok(Attempt::Failed(format!(
                        "{} to `{account}`: {error}",
                        ref_key(named)
                    )));
                }
            },
        }
    }
    Ok(match refused {
        Some(why) => Attempt::Refused(why),
        None => Attempt::Nothing,
    })
}

/// Whether an account holds that now.
async fn holds(scene: &Scene, given: &Given) -> Result<bool, Outcome> {
    let held = scene.tenant.account_grants(&given.account).await;
    let held = held.map_err(|error| {
        skip(format!(
            "what an account holds can't be read ({error}): see the check `account-grants`"
        ))
    })?;
    Ok(held
        .items
        .iter()
        .any(|grant| grant.entitlement == given.entitlement))
}

/// The types that an account can be given several of, and that it can be given
/// at all.
fn added<'g>(ground: &'g Ground<'_>) -> Result<Vec<&'g EntitlementType>, Outcome> {
    kinds(ground, |kind| kind.assignable && kind.max != Some(1))
}

fn kinds<'g>(
    ground: &'g Ground<'_>,
    is_meant: impl Fn(&EntitlementType) -> bool,
) -> Result<Vec<&'g EntitlementType>, Outcome> {
    ground.need(ASSIGN)?;
    ground.need("directory.account-grants")?;
    let kinds = &ground.connector().descriptor().entitlement_types;
    let kinds: Vec<&EntitlementType> = kinds.iter().filter(|kind| is_meant(kind)).collect();
    if kinds.is_empty() {
        return Err(skip("it declares no such type of entitlements"));
    }
    Ok(kinds)
}

fn conclude(seen: &[String], left_out: &[String]) -> Verdict {
    if seen.is_empty() {
        return Err(skip(format!(
            "nothing could be given: {}",
            left_out.join("; ")
        )));
    }
    let mut text = seen.join(", ");
    if !left_out.is_empty() {
        text.push_str(&format!("; not {}", left_out.join("; ")));
    }
    Ok(crate::text::printable(&text).into_owned())
}

pub(super) async fn assign(ground: &Ground<'_>) -> Verdict {
    let scene = ground.fresh().await?;
    let stock = Stock::of(&scene).await;
    let (mut wrong, mut seen, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for kind in added(ground)? {
        match give(&scene, &stock, kind).await? {
            Attempt::Given(given) => {
                let named = ref_key(&given.entitlement);
                if !matches!(given.effect, Effect::Created | Effect::Updated) {
                    wrong.push(format!("{named}: its effect is {}", shown(&given.effect)));
                } else if holds(&scene, &given).await? {
                    seen.push(format!("`{}`", kind.id));
                } else {
                    wrong.push(format!(
                        "`{}` does not hold {named} afterwards",
                        given.account
                    ));
                }
            }
            Attempt::Failed(why) => wrong.push(why),
            Attempt::Refused(why) => left_out.push(format!("`{}` ({why})", kind.id)),
            Attempt::Nothing => left_out.push(format!("`{}`, of which nothing is free", kind.id)),
        }
    }
    none_of(&wrong, "the call ends when the account holds it")?;
    conclude(&seen, &left_out)
}

pub(super) async fn assign_in_place(ground: &Ground<'_>) -> Verdict {
    let kinds = kinds(ground, |kind| kind.assignable && kind.max == Some(1))?;
    let scene = ground.fresh().await?;
    let stock = Stock::of(&scene).await;
    let (mut wrong, mut seen, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for kind in kinds {
        match give(&scene, &stock, kind).await? {
            Attempt::Given(given) => {
                let held = scene.tenant.account_grants(&given.account).await;
                let held = held.map(|held| held.items).unwrap_or_default();
                let of_kind: Vec<&EntitlementRef> = held
                    .iter()
                    .map(|grant| &grant.entitlement)
                    .filter(|named| named.entitlement_type == kind.id)
                    .collect();
                if of_kind == [&given.entitlement] {
                    seen.push(format!("`{}`", kind.id));
                } else {
                    let of_kind: Vec<String> = of_kind.into_iter().map(ref_key).collect();
                    wrong.push(format!(
                        "after {} `{}` holds {}",
                        ref_key(&given.entitlement),
                        given.account,
                        of_kind.join(" and ")
                    ));
                }
            }
            Attempt::Failed(why) => wrong.push(why),
            Attempt::Refused(why) => wrong.push(format!("`{}`: {why}", kind.id)),
            Attempt::Nothing => left_out.push(format!("`{}`, of which nothing is free", kind.id)),
        }
    }
    none_of(&wrong, "what is held is replaced, and no conflict")?;
    conclude(&seen, &left_out)
}

/// Gives one of each type, and has something done with each that is held. Where
/// that fails, `assign` says so.
async fn with_given(
    ground: &Ground<'_>,
    kinds: Vec<&EntitlementType>,
    act: impl AsyncFn(&Scene, &Given) -> Result<Result<(), String>, Outcome>,
    hint: &str,
) -> Verdict {
    let scene = ground.fresh().await?;
    let stock = Stock::of(&scene).await;
    let (mut wrong, mut seen, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for kind in kinds {
        match give(&scene, &stock, kind).await? {
            Attempt::Given(given) if holds(&scene, &given).await? => {
                match act(&scene, &given).await? {
                    Ok(()) => seen.push(format!("`{}`", kind.id)),
                    Err(what) => wrong.push(format!("{}: {what}", ref_key(&given.entitlement))),
                }
            }
            Attempt::Refused(why) => left_out.push(format!("`{}` ({why})", kind.id)),
            _ => left_out.push(format!("`{}`: see the check `assign`", kind.id)),
        }
    }
    none_of(&wrong, hint)?;
    conclude(&seen, &left_out)
}

const REPEAT: &str =
    "each change is safe to repeat: look first, and say why there is nothing to do";

pub(super) async fn assign_again(ground: &Ground<'_>) -> Verdict {
    let act = async |scene: &Scene, given: &Given| {
        let again = scene
            .tenant
            .assign(&given.account, given.entitlement.clone())
            .await;
        Ok(expect(again, |effect| {
            *effect == Effect::Unchanged("already-assigned".to_owned())
        }))
    };
    with_given(ground, added(ground)?, act, REPEAT).await
}

/// The types that can be given and taken away again.
fn removable<'g>(ground: &'g Ground<'_>) -> Result<Vec<&'g EntitlementType>, Outcome> {
    ground.need(UNASSIGN)?;
    kinds(ground, |kind| {
        kind.assignable && kind.removable && kind.max != Some(1)
    })
}

pub(super) async fn unassign(ground: &Ground<'_>) -> Verdict {
    let act = async |scene: &Scene, given: &Given| {
        let taken = scene
            .tenant
            .unassign(&given.account, given.entitlement.clone())
            .await;
        let is_change = |effect: &Effect| matches!(effect, Effect::Deleted | Effect::Updated);
        if let Err(what) = expect(taken, is_change) {
            return Ok(Err(what));
        }
        if holds(scene, given).await? {
            return Ok(Err(format!("`{}` holds it still", given.account)));
        }
        Ok(Ok(()))
    };
    with_given(
        ground,
        removable(ground)?,
        act,
        "the call ends when the account does not hold it",
    )
    .await
}

pub(super) async fn unassign_again(ground: &Ground<'_>) -> Verdict {
    let act = async |scene: &Scene, given: &Given| {
        let first = scene
            .tenant
            .unassign(&given.account, given.entitlement.clone())
            .await;
        if first.is_err() || holds(scene, given).await? {
            return Err(skip("it can't be taken away: see the check `unassign`"));
        }
        let again = scene
            .tenant
            .unassign(&given.account, given.entitlement.clone())
            .await;
        Ok(expect(again, |effect| {
            *effect == Effect::Unchanged("not-assigned".to_owned())
        }))
    };
    with_given(ground, removable(ground)?, act, REPEAT).await
}

fn expect(
    outcome: Result<Effect, crate::CallError>,
    is_right: impl Fn(&Effect) -> bool,
) -> Result<(), String> {
    match outcome {
        Ok(effect) if is_right(&effect) => Ok(()),
        Ok(effect) => Err(format!("its effect is {}", shown(&effect))),
        Err(error) => Err(error.to_string()),
    }
}
