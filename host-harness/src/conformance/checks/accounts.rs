//! Creating, changing and deleting accounts.

use super::super::{
    Outcome,
    ground::{Ground, Scene},
    listing::{Walk, ref_key},
    outcome::{Verdict, expect_code, fail, none_of, skip},
};
use super::requests::change_rules;
use crate::{
    CallError,
    contract::{
        provisioning::{AccountChange, CreatedAccount, NewAccount},
        types::{Account, AccountStatus, Effect, EntitlementRef, ErrorCode},
    },
};

const CREATE: &str = "provisioning.create-account";
const UPDATE: &str = "provisioning.update-account";
const DELETE: &str = "provisioning.delete-account";

/// Attributes that are tried, at most.
const ATTRIBUTES: usize = 10;

/// Entitlements of a type that are tried, at most.
const ENTITLEMENTS: usize = 10;

/// An account that is not there yet, at a domain where others are.
pub(super) async fn newcomer(ground: &Ground<'_>, name: &str) -> Result<NewAccount, Outcome> {
    let accounts = ground.survey().await?.accounts.some()?;
    let domain = accounts
        .iter()
        .filter_map(|account| account.email.as_deref()?.rsplit_once('@'))
        .map(|(_, domain)| domain)
        .next()
        .unwrap_or("example.com");
    Ok(NewAccount {
        email: format!("conformance-{name}@{domain}"),
        given_name: None,
        family_name: None,
        display_name: Some("Conformance Newcomer".to_owned()),
        entitlements: Vec::new(),
        attributes: Vec::new(),
    })
}

/// A tenant that nobody has touched, with an account that was made for the
/// check. Where that fails, other checks say so.
async fn created(ground: &Ground<'_>, name: &str) -> Result<(Scene, NewAccount, Account), Outcome> {
    ground.need(CREATE)?;
    let scene = ground.fresh().await?;
    let new = newcomer(ground, name).await?;
    let created = scene.tenant.create_account(new.clone()).await;
    match created {
        Ok(CreatedAccount { account, .. }) if !account.id.is_empty() => Ok((scene, new, account)),
        Ok(_) => Err(skip("what was created has no id: see the check `create`")),
        Err(error) => Err(skip(format!(
            "nothing can be created ({error}): see the check `create`"
        ))),
    }
}

/// Asks for a function's effect to be `unchanged` for a reason.
fn expect_unchanged(
    outcome: Result<Effect, CallError>,
    reason: &str,
    after: &str,
) -> Result<(), Outcome> {
    let hint = "each change is safe to repeat: look first, and say why there is nothing to do";
    match outcome {
        Ok(Effect::Unchanged(why)) if why == reason => Ok(()),
        Ok(effect) => Err(fail(
            format!(
                "{after}: it is {}, and not unchanged for `{reason}`",
                shown(&effect)
            ),
            hint,
        )),
        Err(error) => Err(fail(format!("{after}: {error}"), hint)),
    }
}

pub(super) fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Created => "created".to_owned(),
        Effect::Updated => "updated".to_owned(),
        Effect::Deleted => "deleted".to_owned(),
        Effect::Unchanged(why) => format!("unchanged for `{why}`"),
    }
}

fn same_email(account: &Account, email: &str) -> bool {
    account
        .email
        .as_deref()
        .is_some_and(|own| own.eq_ignore_ascii_case(email))
}

pub(super) async fn create(ground: &Ground<'_>) -> Verdict {
    ground.need(CREATE)?;
    let scene = ground.fresh().await?;
    let new = newcomer(ground, "minimal").await?;
    let hint = "an e-mail address and a name are all that an account must need";
    let created = scene.tenant.create_account(new.clone()).await;
    let created = created.map_err(|error| fail(format!("`{CREATE}`: {error}"), hint))?;
    let mut wrong = Vec::new();
    if created.effect != Effect::Created {
        wrong.push(format!("its effect is {}", shown(&created.effect)));
    }
    if !same_email(&created.account, &new.email) {
        wrong.push(format!("its e-mail address is {:?}", created.account.email));
    }
    if Some(&created.account.display_name) != new.display_name.as_ref() {
        wrong.push(format!("its name is `{}`", created.account.display_name));
    }
    if ground.declares("directory.get-account") {
        match scene.tenant.get_account(&created.account.id).await {
            Ok(account) if same_email(&account, &new.email) => {}
            Ok(account) => wrong.push(format!("by its id `{}` another one is found", account.id)),
            Err(error) => wrong.push(format!("it is not there: {error}")),
        }
    }
    none_of(&wrong, "an account is created as it was asked for")?;
    Ok(format!("`{}`", created.account.id))
}

pub(super) async fn create_again(ground: &Ground<'_>) -> Verdict {
    let (scene, new, account) = created(ground, "again").await?;
    // Another spelling of the same address is the same account.
    let (name, domain) = new.email.split_once('@').unwrap_or((&new.email, ""));
    let shouted = NewAccount {
        email: format!("{}@{domain}", name.to_uppercase()),
        ..new.clone()
    };
    for (new, after) in [(new, "the same again"), (shouted, "the same in upper case")] {
        let again = scene.tenant.create_account(new).await;
        if let Ok(again) = &again
            && again.account.id != account.id
        {
            let what = format!("{after}: it is another account, `{}`", again.account.id);
            return Err(fail(what, "find the account with that e-mail address"));
        }
        let effect = again.map(|again| again.effect);
        expect_unchanged(effect, "already-exists", after)?;
    }
    Ok(format!("`{}`, three times", account.id))
}

pub(super) async fn create_full(ground: &Ground<'_>) -> Verdict {
    ground.need(CREATE)?;
    let scene = ground.fresh().await?;
    let attributes = writable(ground, &scene).await?;
    let entitlements = holdable(ground, &scene).await?;
    if attributes.is_empty() && entitlements.is_empty() {
        return Err(skip(
            "no attribute and no entitlement can be given to a new account",
        ));
    }
    let new = NewAccount {
        attributes: attributes.clone(),
        entitlements: entitlements.clone(),
        ..newcomer(ground, "full").await?
    };
    let hint = "what an account is to have from the start, it has when the call ends";
    let created = scene.tenant.create_account(new).await;
    let created = created.map_err(|error| fail(format!("`{CREATE}`: {error}"), hint))?;
    let id = &created.account.id;
    let mut wrong = Vec::new();
    for attribute in &attributes {
        if !created.account.attributes.contains(attribute) {
            wrong.push(format!("it does not have `{}`", attribute.0));
        }
    }
    if ground.declares("directory.account-grants") {
        match scene.tenant.account_grants(id).await {
            Ok(held) => {
                for wanted in &entitlements {
                    if held.items.iter().all(|grant| grant.entitlement != *wanted) {
                        wrong.push(format!("it does not hold {}", ref_key(wanted)));
                    }
                }
            }
            Err(error) => wrong.push(format!("what it holds can't be read: {error}")),
        }
    }
    none_of(&wrong, hint)?;
    Ok(format!(
        "{} attributes, {} entitlements",
        attributes.len(),
        entitlements.len()
    ))
}

/// The attributes of listed accounts that a new one can be given, each tried on
/// an account of its own.
async fn writable(ground: &Ground<'_>, scene: &Scene) -> Result<Vec<(String, String)>, Outcome> {
    let mut known: Vec<(String, String)> = Vec::new();
    for account in ground.survey().await?.accounts.some()? {
        for (name, value) in &account.attributes {
            let is_known = known.iter().any(|(other, _)| other == name);
            if !value.is_empty() && !is_known && known.len() < ATTRIBUTES {
                known.push((name.clone(), value.clone()));
            }
        }
    }
    let mut writable = Vec::new();
    for (number, attribute) in known.into_iter().enumerate() {
        let new = NewAccount {
            attributes: vec![attribute.clone()],
            ..newcomer(ground, &format!("attribute-{number}")).await?
        };
        if scene.tenant.create_account(new).await.is_ok() {
            writable.push(attribute);
        }
    }
    Ok(writable)
}

/// An entitlement of each type that a new account can be given, each tried on
/// an account of its own together with those before it.
pub(super) async fn holdable(
    ground: &Ground<'_>,
    scene: &Scene,
) -> Result<Vec<EntitlementRef>, Outcome> {
    let descriptor = ground.connector().descriptor();
    let listed = ground.survey().await?.entitlements.whole()?;
    let mut holdable: Vec<EntitlementRef> = Vec::new();
    for kind in descriptor
        .entitlement_types
        .iter()
        .filter(|kind| kind.assignable)
    {
        let candidates = listed.iter().filter(|one| {
            one.ref_.entitlement_type == kind.id && one.assignable && one.available != Some(0)
        });
        for (number, candidate) in candidates.take(ENTITLEMENTS).enumerate() {
            let mut entitlements = holdable.clone();
            entitlements.push(candidate.ref_.clone());
            let new = NewAccount {
                entitlements: entitlements.clone(),
                ..newcomer(ground, &format!("holding-{}-{number}", kind.id)).await?
            };
            if scene.tenant.create_account(new).await.is_ok() {
                holdable = entitlements;
                break;
            }
        }
    }
    Ok(holdable)
}

pub(super) async fn create_invalid(ground: &Ground<'_>) -> Verdict {
    ground.need(CREATE)?;
    let scene = ground.fresh().await?;
    let new = newcomer(ground, "invalid").await?;
    let email = |email: &str| NewAccount {
        email: email.to_owned(),
        ..new.clone()
    };
    let attribute = NewAccount {
        attributes: vec![("conformance-no-such-attribute".to_owned(), "x".to_owned())],
        ..new.clone()
    };
    let invalid = [
        (email(""), "an empty e-mail address"),
        (email("   "), "a blank e-mail address"),
        (
            email("conformance.example.com"),
            "an e-mail address without `@`",
        ),
        (attribute, "an attribute that there is not"),
    ];
    let changes = change_rules(ground, CREATE);
    let before = there(&scene).await?;
    let mut wrong = Vec::new();
    let count = invalid.len();
    for (new, what) in invalid {
        scene.take_reports();
        let outcome = scene.tenant.create_account(new).await;
        expect_code(&outcome, &[ErrorCode::InvalidInput], what, &mut wrong);
        let reports = scene.take_reports();
        let mut requests = reports.iter().flat_map(|report| &report.requests);
        let is_change = |rule: &String| changes.contains(rule);
        if let Some(sent) = requests.find(|sent| sent.rule.as_ref().is_some_and(is_change)) {
            wrong.push(format!("{what}: it sends `{} {}`", sent.method, sent.uri));
        }
    }
    let after = there(&scene).await?;
    if before != after {
        wrong.push(format!("{before} accounts before, and {after} after"));
    }
    none_of(&wrong, "look at what was asked for before anything is sent")?;
    Ok(format!("{count} accounts that make no sense"))
}

fn renamed() -> AccountChange {
    AccountChange {
        display_name: Some("Conformance Renamed".to_owned()),
        email: None,
        attributes: Vec::new(),
    }
}

pub(super) async fn update(ground: &Ground<'_>) -> Verdict {
    ground.need(UPDATE)?;
    ground.need("directory.get-account")?;
    let (scene, _, account) = created(ground, "update").await?;
    let hint = "what is changed is as it was asked for when the call ends";
    match scene.tenant.update_account(&account.id, renamed()).await {
        Ok(Effect::Updated) => {}
        Ok(effect) => return Err(fail(format!("its effect is {}", shown(&effect)), hint)),
        Err(error) => return Err(fail(format!("`{UPDATE}`: {error}"), hint)),
    }
    let now = scene.tenant.get_account(&account.id).await;
    let now = now.map_err(|error| fail(format!("it is gone: {error}"), hint))?;
    if Some(&now.display_name) != renamed().display_name.as_ref() {
        return Err(fail(format!("its name is `{}`", now.display_name), hint));
    }
    if now.email != account.email || now.attributes != account.attributes {
        return Err(fail("something else was changed as well", hint));
    }
    Ok(format!("the name of `{}`", account.id))
}

pub(super) async fn update_again(ground: &Ground<'_>) -> Verdict {
    ground.need(UPDATE)?;
    let (scene, _, account) = created(ground, "update-again").await?;
    let first = scene.tenant.update_account(&account.id, renamed()).await;
    let now = scene.tenant.get_account(&account.id).await;
    let is_renamed = now.is_ok_and(|now| Some(now.display_name) == renamed().display_name);
    if first.is_err() || !is_renamed {
        return Err(skip("it can't be changed: see the check `update`"));
    }
    let again = scene.tenant.update_account(&account.id, renamed()).await;
    expect_unchanged(again, "same-values", "the same again")?;
    Ok(format!("`{}`, twice", account.id))
}

/// Whether a listed account is there. Some vendors go on showing those that
/// were deleted.
pub(super) fn is_there(account: &&Account) -> bool {
    account.status != AccountStatus::Deleted
}

/// How many accounts are there now.
async fn there(scene: &Scene) -> Result<usize, Outcome> {
    let accounts = Walk::<Account>::of(&scene.tenant, None).await;
    Ok(accounts.whole()?.iter().filter(is_there).count())
}

/// Whether the account is in the list now.
pub(super) async fn is_listed(scene: &Scene, account: &Account) -> Result<bool, Outcome> {
    let accounts = Walk::<Account>::of(&scene.tenant, None).await;
    let mut listed = accounts.whole()?.iter().filter(is_there);
    Ok(listed.any(|other| other.id == account.id))
}

pub(super) async fn delete(ground: &Ground<'_>) -> Verdict {
    ground.need(DELETE)?;
    let (scene, _, account) = created(ground, "delete").await?;
    let hint = "the call ends when the account is gone";
    match scene.tenant.delete_account(&account.id).await {
        Ok(Effect::Deleted) => {}
        Ok(effect) => return Err(fail(format!("its effect is {}", shown(&effect)), hint)),
        Err(error) => return Err(fail(format!("`{DELETE}`: {error}"), hint)),
    }
    if is_listed(&scene, &account).await? {
        return Err(fail(format!("`{}` is listed afterwards", account.id), hint));
    }
    Ok(format!("`{}`", account.id))
}

pub(super) async fn delete_again(ground: &Ground<'_>) -> Verdict {
    ground.need(DELETE)?;
    let (scene, _, account) = created(ground, "delete-again").await?;
    let first = scene.tenant.delete_account(&account.id).await;
    if first.is_err() || is_listed(&scene, &account).await? {
        return Err(skip("it can't be deleted: see the check `delete`"));
    }
    let again = scene.tenant.delete_account(&account.id).await;
    expect_unchanged(again, "already-gone", "the same again")?;
    Ok(format!("`{}`, twice", account.id))
}
