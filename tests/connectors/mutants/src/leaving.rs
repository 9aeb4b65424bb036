//! Handing over and removing: teams, and the account itself.

use serde_json::json;
use wasip2::http::types::Method;

use crate::access::role_on;
use crate::accounts::{segment, user};
use crate::errors::{Result, error};
use crate::exports::iga::connector::offboarding::{Applied, Plan, Step};
use crate::iga::connector::types::{Effect, ErrorCode};
use crate::mutation;
use crate::vendor::{change, list, text};

pub fn plan_transfer(source: &str, target: &str) -> Result<Plan> {
    if source == target {
        if mutation::is("plan-refused") {
            return Ok(plan(Vec::new()));
        }
        return Err(error(ErrorCode::InvalidInput, "the two are one"));
    }
    user(target)?;
    let mut steps = Vec::new();
    for (team, name) in teams(source)? {
        let role = role_on(&team, source)?;
        if let (Some(role), None) = (role, role_on(&team, target)?) {
            let payload = format!("join {team} {target} {role}");
            steps.push(("join-team", format!("join the team {name}"), payload));
        }
    }
    Ok(plan(steps))
}

pub fn plan_removal(source: &str) -> Result<Plan> {
    let mut steps: Vec<_> = teams(source)?
        .into_iter()
        .map(|(team, name)| {
            let payload = format!("leave {team} {source}");
            ("leave-team", format!("leave the team {name}"), payload)
        })
        .collect();
    let payload = format!("delete {source}");
    steps.push(("delete-account", "delete the account".to_owned(), payload));
    Ok(plan(steps))
}

pub fn apply(step: &Step) -> Result<Applied> {
    let unchanged = |why: &str| Ok(Effect::Unchanged(why.to_owned()));
    let words: Vec<&str> = step.payload.split(' ').collect();
    let effect = match words.as_slice() {
        ["join", team, account, role] => match role_on(segment(team)?, account)? {
            Some(_) => unchanged("already-done"),
            None => {
                let path = format!("/teams/{team}/users/{}", segment(account)?);
                change(&Method::Put, &path, Some(&json!({ "role": role })), None)?;
                Ok(Effect::Created)
            }
        },
        ["leave", team, account] => match role_on(segment(team)?, account)? {
            None if !mutation::is("plan-applied") => unchanged("already-done"),
            _ => {
                let path = format!("/teams/{team}/users/{}", segment(account)?);
                change(&Method::Delete, &path, None, None)?;
                Ok(Effect::Deleted)
            }
        },
        ["delete", account] => match user(account) {
            Err(error) if error.code == ErrorCode::NotFound => unchanged("already-gone"),
            found => {
                drop(found?);
                let path = format!("/users/{}", segment(account)?);
                change(&Method::Delete, &path, None, None)?;
                Ok(Effect::Deleted)
            }
        },
        _ => Err(error(ErrorCode::InvalidInput, "that is no step of a plan")),
    };
    Ok(Applied {
        effect: effect?,
        undo: None,
    })
}

/// The teams of an account, with their names.
fn teams(account: &str) -> Result<Vec<(String, String)>> {
    let user = user(account)?;
    list(&user, "teams")?
        .iter()
        .map(|team| Ok((text(team, "id")?, text(team, "summary")?)))
        .collect()
}

/// Steps of a kind with a summary and a payload, numbered.
fn plan(steps: Vec<(&str, String, String)>) -> Plan {
    let steps = steps.into_iter().enumerate();
    Plan {
        steps: steps
            .map(|(at, (kind, summary, payload))| Step {
                id: if mutation::is("plan") {
                    "step-1".to_owned()
                } else {
                    format!("{kind}-{}", at + 1)
                },
                kind: kind.to_owned(),
                summary,
                payload,
            })
            .collect(),
        warnings: Vec::new(),
    }
}
