//! Whether the parts of a tenant fit each other, and the declaration.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{
    ground::Ground,
    listing::{Listed, ref_key},
    outcome::{Verdict, none_of, skip},
};
use crate::contract::metadata::EntitlementType;

pub(super) async fn references(ground: &Ground<'_>) -> Verdict {
    let survey = ground.survey().await?;
    let accounts: BTreeSet<String> = keys(survey.accounts.whole()?);
    let resources: BTreeSet<String> = keys(survey.resources.whole()?);
    let entitlements: BTreeSet<String> = keys(survey.entitlements.whole()?);
    let mut wrong = Vec::new();
    for entitlement in survey.entitlements.whole()? {
        let on = &entitlement.ref_;
        if !resources.contains(&format!("{} {}", on.resource_type, on.resource)) {
            wrong.push(format!(
                "{} is on a resource that is not listed",
                ref_key(on)
            ));
        }
    }
    let grants = survey.grants.some()?;
    for grant in grants {
        let named = ref_key(&grant.entitlement);
        if !accounts.contains(&grant.account) {
            wrong.push(format!(
                "{named} is held by `{}`, who is not listed",
                grant.account
            ));
        }
        if !entitlements.contains(&named) {
            wrong.push(format!(
                "`{}` holds {named}, which is not listed",
                grant.account
            ));
        }
    }
    none_of(
        &wrong,
        "what a grant refers to is in the lists of the same moment",
    )?;
    Ok(format!(
        "{} grants, {} accounts, {} entitlements, {} resources",
        grants.len(),
        accounts.len(),
        entitlements.len(),
        resources.len()
    ))
}

fn keys<T: Listed>(items: &[T]) -> BTreeSet<String> {
    items.iter().map(Listed::key).collect()
}

pub(super) async fn declared_kinds(ground: &Ground<'_>) -> Verdict {
    let descriptor = ground.connector().descriptor();
    let resources: BTreeSet<&str> = descriptor
        .resource_types
        .iter()
        .map(|kind| kind.id.as_str())
        .collect();
    let entitlements: BTreeMap<&str, &str> = descriptor
        .entitlement_types
        .iter()
        .map(|kind| (kind.id.as_str(), kind.resource_type.as_str()))
        .collect();
    let text = |value: &Value, name: &str| -> String {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for answer in ground.answers().await? {
        let Ok(output) = &answer.output else { continue };
        let items = output.get("items").and_then(Value::as_array);
        for item in items.into_iter().flatten() {
            let named = match answer.function.as_str() {
                "directory.list-resources" => {
                    count += 1;
                    let kind = text(item, "resource_type");
                    if !resources.contains(kind.as_str()) {
                        wrong.insert(format!("there are resources of the type `{kind}`"));
                    }
                    continue;
                }
                "directory.list-entitlements" => item.get("ref"),
                "directory.list-grants" | "directory.account-grants" => item.get("entitlement"),
                _ => continue,
            };
            let Some(named) = named else { continue };
            count += 1;
            let (kind, on) = (
                text(named, "entitlement_type"),
                text(named, "resource_type"),
            );
            match entitlements.get(kind.as_str()) {
                None => {
                    wrong.insert(format!("there are entitlements of the type `{kind}`"));
                }
                Some(declared) if *declared != on => {
                    wrong.insert(format!(
                        "`{kind}` is on a `{on}`, and not on a `{declared}`"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    none_of(&wrong, "declare each type, with what it is granted on")?;
    if count == 0 {
        return Err(skip(
            "nothing has a type: there are no resources, entitlements or grants",
        ));
    }
    Ok(format!("{count} resources, entitlements and grants"))
}

pub(super) async fn bounds(ground: &Ground<'_>) -> Verdict {
    let descriptor = ground.connector().descriptor();
    let survey = ground.survey().await?;
    let mut held: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for grant in survey.grants.whole()? {
        let kind = grant.entitlement.entitlement_type.as_str();
        *held.entry((kind, &grant.account)).or_default() += 1;
    }
    let bounded = |kind: &&EntitlementType| kind.min > 0 || kind.max.is_some();
    let kinds: Vec<&EntitlementType> = descriptor
        .entitlement_types
        .iter()
        .filter(bounded)
        .collect();
    if kinds.is_empty() {
        return Err(skip("no type is declared with a bound"));
    }
    let accounts = survey.accounts.some()?;
    let (mut wrong, mut types) = (Vec::new(), 0);
    for kind in &kinds {
        let id = kind.id.as_str();
        // A plan may hide a type altogether; a notice says so.
        if accounts
            .iter()
            .all(|account| !held.contains_key(&(id, account.id.as_str())))
        {
            continue;
        }
        types += 1;
        for account in accounts {
            let count = held.get(&(id, account.id.as_str())).copied().unwrap_or(0);
            if count < kind.min || kind.max.is_some_and(|max| count > max) {
                wrong.push(format!("`{}` holds {count} of the type `{id}`", account.id));
            }
        }
    }
    none_of(&wrong, "list what is held, or declare other bounds")?;
    if types == 0 {
        return Err(skip("nobody holds anything of a type with a bound"));
    }
    Ok(format!("{types} types, {} accounts", accounts.len()))
}
