//! What leaves, and what must not.

use serde_json::Value;

use super::super::{
    Outcome,
    ground::{Ground, Scene},
    listing::Walk,
    outcome::{Verdict, fail, none_of, skip},
    script::{self, Known},
};
use super::accounts::newcomer;
use crate::{
    CallError, Refusal,
    contract::{
        metadata::Level,
        to_json,
        types::{Account, Entitlement, Grant, Resource},
    },
};

pub(super) async fn reads(ground: &Ground<'_>) -> Verdict {
    let survey = ground.survey().await?;
    let (mut wrong, mut lacking, mut count) = (Vec::new(), Vec::new(), 0);
    for answer in &survey.answers {
        match &answer.output {
            Ok(_) => count += 1,
            // What was denied has a check of its own.
            Err(CallError::Refused(Refusal::Denied(_))) => {}
            Err(error) => match error.code().as_str() {
                "plan_required" | "permission_denied" => {
                    lacking.push(format!("`{}` ({error})", answer.function));
                }
                _ => wrong.push(format!("`{}`: {error}", answer.function)),
            },
        }
    }
    none_of(&wrong, "a function that is not there yet is not declared")?;
    if count == 0 {
        return Err(skip("it declares no read"));
    }
    if !lacking.is_empty() {
        lacking.dedup();
        return Err(Outcome::Warn {
            what: format!(
                "{count} calls; the plan or the credential leaves out {}",
                lacking.join(", ")
            ),
        });
    }
    Ok(format!("{count} calls"))
}

pub(super) async fn declared_requests(ground: &Ground<'_>) -> Verdict {
    let survey = ground.survey().await?;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for report in &survey.reports {
        count += report.requests.len();
        wrong.extend(report.denials.iter().map(ToString::to_string));
    }
    none_of(
        &wrong,
        "the call has failed for it; declare the request if the function needs it",
    )?;
    if count == 0 {
        return Err(skip("no read has made a request"));
    }
    Ok(format!("{count} requests"))
}

/// What the four lists say, in any order.
async fn state(scene: &Scene) -> Result<Vec<String>, Outcome> {
    let tenant = &scene.tenant;
    let accounts = Walk::<Account>::of(tenant, None).await;
    let resources = Walk::<Resource>::of(tenant, None).await;
    let entitlements = Walk::<Entitlement>::of(tenant, None).await;
    let grants = Walk::<Grant>::of(tenant, None).await;
    let mut state: Vec<String> = accounts.some()?.iter().map(json).collect();
    // These may be lists that the connector does not have.
    state.extend(resources.whole().unwrap_or_default().iter().map(json));
    state.extend(entitlements.whole().unwrap_or_default().iter().map(json));
    state.extend(grants.whole().unwrap_or_default().iter().map(json));
    state.sort();
    Ok(state)
}

fn json<T: serde::Serialize>(item: &T) -> String {
    to_json(item).to_string()
}

pub(super) async fn reads_change_nothing(ground: &Ground<'_>) -> Verdict {
    let scene = ground.fresh().await?;
    let before = state(&scene).await?;
    let survey = ground.survey().await?;
    let known = Known::of(&survey.accounts, &survey.grants);
    let reads = script::reads(&scene.tenant, &known);
    for (function, input) in &reads {
        scene.tenant.call(function, input).await.ok();
    }
    let after = state(&scene).await?;
    let gone = before.iter().filter(|item| !after.contains(item));
    let new = after.iter().filter(|item| !before.contains(item));
    let wrong: Vec<String> = gone
        .map(|item| format!("before, and not after: {item}"))
        .chain(new.map(|item| format!("after, and not before: {item}")))
        .collect();
    none_of(
        &wrong,
        "a request that changes something has the level `write`; POST is a read only where the \
         vendor takes a query in the body",
    )?;
    Ok(format!("{} reads, {} items", reads.len(), before.len()))
}

/// Bytes of a secret that is looked for inside of texts too. A shorter one may
/// be an ordinary word, so a text has to be that and no more.
const LONG: usize = 16;

/// Whether an output gives that away: JSON, or a text.
fn shows(output: &str, secret: &str) -> bool {
    if secret.len() >= LONG {
        output.contains(secret)
    } else {
        output == secret || output.contains(&Value::from(secret).to_string())
    }
}

/// An output but for the token of a list's next page, which may well hold a
/// vendor's own.
fn without_next(output: &str) -> String {
    match serde_json::from_str(output) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("next");
            Value::Object(fields).to_string()
        }
        _ => output.to_owned(),
    }
}

pub(super) async fn secrets(ground: &Ground<'_>) -> Verdict {
    let recorded = ground.recorded().await?;
    let survey = ground.survey().await?;
    let redactor = ground.scene()?.tenant.redactor();
    let mut outputs: Vec<(&str, String)> = recorded.outputs.clone();
    for answer in &survey.answers {
        outputs.push((
            &answer.function,
            match &answer.output {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            },
        ));
    }
    for report in &survey.reports {
        outputs.push((&report.function, report.log.join("\n")));
    }
    let mut wrong = Vec::new();
    for (function, output) in &outputs {
        if redactor.finds(output.as_bytes()) {
            wrong.push(format!("`{function}` gives away the credential"));
        }
        let output = without_next(output);
        if recorded.secrets.iter().any(|secret| shows(&output, secret)) {
            wrong.push(format!(
                "`{function}` gives away what the vendor keeps in a field for secrets"
            ));
        }
    }
    wrong.dedup();
    none_of(
        &wrong,
        "tokens, keys and private calendar feeds stay with the vendor",
    )?;
    Ok(format!(
        "{} outputs, {} secrets in the vendor's answers",
        outputs.len(),
        recorded.secrets.len()
    ))
}

/// The requests that a function declares as changes, as reports name them.
pub(super) fn change_rules(ground: &Ground<'_>, function: &str) -> Vec<String> {
    let capabilities = ground.connector().descriptor().capabilities.iter();
    capabilities
        .filter(|capability| capability.name == function)
        .flat_map(|capability| &capability.requests)
        .filter(|rule| rule.level == Level::Write)
        .map(|rule| format!("{} {}", rule.method, rule.path))
        .collect()
}

pub(super) async fn dry_run(ground: &Ground<'_>) -> Verdict {
    const FUNCTION: &str = "provisioning.create-account";
    ground.need(FUNCTION)?;
    let hint = "what changes something is declared with the level `write`";
    let scene = ground.fresh().await?;
    let before = state(&scene).await?;
    let dry = scene.reopened(|config| config.dry_run(true))?;
    let account = newcomer(ground, "dry-run").await?;
    let outcome = dry.create_account(account.clone()).await;
    if state(&scene).await? != before {
        return Err(fail("the dry run has changed the tenant", hint));
    }
    let withheld = match &outcome {
        Ok(_) => return Err(fail("the dry run ends without a change to show", hint)),
        Err(error) => match error.withheld() {
            Some(withheld) => withheld,
            None => {
                let reason = format!("no change is reached ({error}): see the check `create`");
                return Err(skip(reason));
            }
        },
    };
    scene.take_reports();
    if let Err(error) = scene.tenant.create_account(account).await {
        let reason = format!("it can't be sent ({error}): see the check `create`");
        return Err(skip(reason));
    }
    let sent = scene.take_reports();
    let rules = change_rules(ground, FUNCTION);
    let is_change = |rule: &Option<String>| rule.as_ref().is_some_and(|rule| rules.contains(rule));
    let first = sent
        .iter()
        .flat_map(|report| &report.requests)
        .find(|request| is_change(&request.rule))
        .map(|request| (request.method.as_str(), request.uri.as_str()));
    let shown = (withheld.method.as_str(), withheld.uri.as_str());
    if first != Some(shown) {
        return Err(fail(
            format!(
                "it shows `{} {}`, and sends {}",
                shown.0,
                shown.1,
                first.map_or_else(
                    || "nothing".to_owned(),
                    |(method, uri)| format!("`{method} {uri}`")
                )
            ),
            "what a dry run shows is what somebody agrees to",
        ));
    }
    Ok(format!("`{} {}`", shown.0, shown.1))
}
