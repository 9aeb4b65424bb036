//! Handing over and removing, step by step.

use std::collections::BTreeSet;

use super::super::{
    ground::Ground,
    outcome::{Verdict, contract_code, expect_code, fail, none_of, skip},
};
use super::{
    accounts::{holdable, is_listed, newcomer, shown},
    agreement::unknown,
    values::is_kebab_case,
};
use crate::contract::{
    offboarding::Plan,
    provisioning::NewAccount,
    types::{Effect, ErrorCode},
};

const TRANSFER: &str = "offboarding.plan-transfer";
const REMOVAL: &str = "offboarding.plan-removal";
const APPLY: &str = "offboarding.apply";

/// Accounts that plans are made for, at most.
const FEW: usize = 12;

/// What is wrong with a plan by itself.
fn flaws(plan: &Plan, of: &str, wrong: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for step in &plan.steps {
        let (id, kind) = (&step.id, &step.kind);
        if !seen.insert(id) {
            wrong.push(format!("{of}: two steps are `{id}`"));
        }
        if !is_kebab_case(kind) || !is_kebab_case(id) {
            wrong.push(format!("{of}: the step `{id}` of the kind `{kind}`"));
        }
        if step.summary.trim().is_empty() {
            wrong.push(format!("{of}: nothing says what `{id}` does"));
        }
    }
}

pub(super) async fn plan(ground: &Ground<'_>) -> Verdict {
    ground.need(TRANSFER)?;
    ground.need(REMOVAL)?;
    let tenant = &ground.scene()?.tenant;
    let accounts = ground.survey().await?.accounts.some()?;
    let (mut wrong, mut plans, mut steps) = (Vec::new(), 0, 0);
    let pairs = accounts.iter().zip(accounts.iter().skip(1)).take(FEW);
    for (source, target) in pairs {
        let transfer = tenant.plan_transfer(&source.id, &target.id).await;
        let removal = tenant.plan_removal(&source.id).await;
        for (plan, function) in [(transfer, TRANSFER), (removal, REMOVAL)] {
            let of = format!("`{function}` of `{}`", source.id);
            match plan {
                Ok(plan) => {
                    plans += 1;
                    steps += plan.steps.len();
                    flaws(&plan, &of, &mut wrong);
                }
                // Not everybody can be removed, or take over.
                Err(error) if contract_code(&error) == Some(ErrorCode::Conflict) => {}
                Err(error) => wrong.push(format!("{of}: {error}")),
            }
        }
    }
    none_of(
        &wrong,
        "a person reads the steps, and a journal goes by their ids",
    )?;
    if steps == 0 {
        return Err(skip("no plan has a step"));
    }
    Ok(format!("{plans} plans, {steps} steps"))
}

pub(super) async fn plan_refused(ground: &Ground<'_>) -> Verdict {
    ground.need(TRANSFER)?;
    ground.need(REMOVAL)?;
    let tenant = &ground.scene()?.tenant;
    let accounts = ground.survey().await?.accounts.some()?;
    let (somebody, nobody) = (&accounts[accounts.len() - 1].id, unknown(accounts));
    let mut wrong = Vec::new();
    let to_oneself = tenant.plan_transfer(somebody, somebody).await;
    let invalid = [ErrorCode::InvalidInput];
    expect_code(&to_oneself, &invalid, "a transfer to oneself", &mut wrong);
    let not_found = [ErrorCode::NotFound];
    for (source, target) in [(somebody, &nobody), (&nobody, somebody)] {
        let plan = tenant.plan_transfer(source, target).await;
        let after = format!("a transfer from `{source}` to `{target}`");
        expect_code(&plan, &not_found, &after, &mut wrong);
    }
    let removal = tenant.plan_removal(&nobody).await;
    expect_code(&removal, &not_found, "the removal of nobody", &mut wrong);
    none_of(
        &wrong,
        "a plan that does nothing would be taken for one that is done",
    )?;
    Ok("4 plans that make no sense".to_owned())
}

pub(super) async fn plan_applied(ground: &Ground<'_>) -> Verdict {
    ground.need(REMOVAL)?;
    ground.need(APPLY)?;
    ground.need("provisioning.create-account")?;
    let scene = ground.fresh().await?;
    let entitlements = holdable(ground, &scene).await?;
    let new = NewAccount {
        entitlements,
        ..newcomer(ground, "leaver").await?
    };
    let tenant = &scene.tenant;
    let unusable = |error: &dyn std::fmt::Display, check: &str| {
        skip(format!("{error}: see the check `{check}`"))
    };
    let account = tenant.create_account(new).await;
    let account = account
        .map_err(|error| unusable(&error, "create-full"))?
        .account;
    let plan = tenant.plan_removal(&account.id).await;
    let plan = plan.map_err(|error| unusable(&error, "plan"))?;
    let hint = "a step looks before it changes anything; after a crash it is applied again";
    for step in &plan.steps {
        if let Err(error) = tenant.apply(step.clone()).await {
            return Err(fail(format!("`{}`: {error}", step.id), hint));
        }
        match tenant.apply(step.clone()).await {
            Ok(again) if matches!(again.effect, Effect::Unchanged(_)) => {}
            Ok(again) => {
                let effect = shown(&again.effect);
                return Err(fail(
                    format!("`{}`, the second time: {effect}", step.id),
                    hint,
                ));
            }
            Err(error) => {
                return Err(fail(
                    format!("`{}`, the second time: {error}", step.id),
                    hint,
                ));
            }
        }
    }
    if is_listed(&scene, &account).await? {
        let what = format!("`{}` is listed when all steps are done", account.id);
        return Err(fail(what, "a removal ends with the account itself"));
    }
    Ok(format!("{} steps, each twice", plan.steps.len()))
}
