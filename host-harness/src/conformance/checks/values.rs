//! Single values, wherever they come from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{
    Outcome,
    ground::Ground,
    outcome::{Verdict, none_of, skip},
    survey::Answer,
};
use crate::text::printable;

/// What a call has answered with.
struct Given<'a> {
    function: &'a str,
    input: &'a Value,
    output: &'a Value,
}

/// The results of all calls that had one.
async fn given<'a>(ground: &'a Ground<'_>) -> Result<Vec<Given<'a>>, Outcome> {
    let answers: &[Answer] = ground.answers().await?;
    let given = answers.iter().filter_map(|answer| {
        Some(Given {
            function: &answer.function,
            input: &answer.input,
            output: answer.output.as_ref().ok()?,
        })
    });
    Ok(given.collect())
}

impl<'a> Given<'a> {
    fn items(&self) -> &'a [Value] {
        let items = match self.output {
            Value::Array(items) => Some(items),
            output => output.get("items").and_then(Value::as_array),
        };
        items.map_or(&[], Vec::as_slice)
    }

    /// The accounts in it.
    fn accounts(&self) -> Vec<&'a Value> {
        match self.function {
            "directory.list-accounts" => self.items().iter().collect(),
            "directory.get-account" => vec![self.output],
            "provisioning.create-account" => self.output.get("account").into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Fails with what is wrong, and skips where there was nothing to look at.
fn verdict(wrong: BTreeSet<String>, hint: &str, count: usize, what: &str) -> Verdict {
    let wrong: Vec<String> = wrong.into_iter().collect();
    none_of(&wrong, hint)?;
    if count == 0 {
        return Err(skip(format!("no answer has {what}")));
    }
    Ok(format!("{count} of them"))
}

pub(super) async fn identifiers(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    let mut look = |what: &str, id: &str, may_be_empty: bool| {
        count += 1;
        if id.is_empty() && !may_be_empty {
            wrong.insert(format!("{what} is empty"));
        } else if printable(id) != id || id.trim() != id {
            wrong.insert(format!(
                "{what} holds what does not show: `{}`",
                id.escape_debug()
            ));
        }
    };
    for given in given(ground).await? {
        for account in given.accounts() {
            look("the id of an account", text(account, "id"), false);
        }
        for item in given.items() {
            match given.function {
                // The empty one is the tenant.
                "directory.list-resources" => look("the id of a resource", text(item, "id"), true),
                "directory.list-entitlements" => {
                    look("the id of an entitlement", text(&item["ref"], "id"), false);
                }
                "directory.list-grants" | "directory.account-grants" => {
                    look("the account of a grant", text(item, "account"), false);
                }
                "activity.list-activity" => look("the id of an activity", text(item, "id"), false),
                _ => {}
            }
        }
    }
    verdict(
        wrong,
        "pass on ids as the vendor has them, and nothing else",
        count,
        "an id",
    )
}

pub(super) async fn attributes(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        for account in given.accounts() {
            let pairs = account.get("attributes").and_then(Value::as_array);
            let names: Vec<&str> = pairs
                .into_iter()
                .flatten()
                .map(|pair| pair.get(0).and_then(Value::as_str).unwrap_or_default())
                .collect();
            count += names.len();
            if names.iter().any(|name| name.trim().is_empty()) {
                wrong.insert(format!("`{}` has one without a name", text(account, "id")));
            }
            if !names.is_sorted() {
                wrong.insert(format!(
                    "those of `{}` are not sorted by name",
                    text(account, "id")
                ));
            }
            if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
                wrong.insert(format!("`{}` has one twice", text(account, "id")));
            }
        }
    }
    verdict(wrong, "sort attributes by name", count, "an attribute")
}

pub(super) async fn account_state(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        for account in given.accounts() {
            count += 1;
            if text(account, "status") == "deprovisioned" {
                wrong.insert(format!("`{}` is `deprovisioned`", text(account, "id")));
            }
        }
    }
    let hint = "who is gone is not listed; the host finds that by comparing syncs";
    verdict(wrong, hint, count, "an account")
}

pub(super) async fn instants(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        let fields: &[&str] = match given.function {
            "directory.list-grants" | "directory.account-grants" => &["since"],
            "activity.get-last-activity" | "activity.list-activity" => &["at"],
            "on-call.who" | "on-call.is-on-call" => &["start", "end"],
            _ => continue,
        };
        let single = std::slice::from_ref(given.output);
        let items = if given.output.get("items").is_some() || given.output.is_array() {
            given.items()
        } else {
            single
        };
        for item in items {
            for field in fields {
                let Some(instant) = item.get(*field).and_then(Value::as_str) else {
                    continue;
                };
                count += 1;
                if !instant.ends_with('Z') || instant.parse::<jiff::Timestamp>().is_err() {
                    wrong.insert(format!(
                        "`{}` gives `{instant}` as `{field}`",
                        given.function
                    ));
                }
            }
        }
    }
    verdict(wrong, "as in `2026-03-19T08:00:00Z`", count, "an instant")
}

pub(super) async fn notices(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        let notices = given.output.get("notices").and_then(Value::as_array);
        for notice in notices.into_iter().flatten() {
            count += 1;
            let (code, message) = (text(notice, "code"), text(notice, "message"));
            if !is_kebab_case(code) {
                wrong.insert(format!("`{}`: the code `{code}`", given.function));
            }
            if message.trim().is_empty() {
                wrong.insert(format!("`{}`: `{code}` has no message", given.function));
            }
        }
    }
    verdict(
        wrong,
        "a code is stable, as in `plan-lacks-teams`",
        count,
        "a notice",
    )
}

pub(super) async fn last_activity(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        if given.function != "activity.get-last-activity" {
            continue;
        }
        let asked = given.input.get("accounts").and_then(Value::as_array);
        let asked: BTreeSet<&str> = asked
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut seen = BTreeSet::new();
        for item in given.items() {
            count += 1;
            let account = text(item, "account");
            if !asked.contains(account) {
                wrong.insert(format!("nobody has asked for `{account}`"));
            }
            if !seen.insert(account) {
                wrong.insert(format!("`{account}` comes twice"));
            }
            if text(item, "source").is_empty() {
                wrong.insert(format!("nothing says where that of `{account}` comes from"));
            }
        }
    }
    verdict(
        wrong,
        "one row for each account, the latest",
        count,
        "a last activity",
    )
}

pub(super) async fn diagnostics(ground: &Ground<'_>) -> Verdict {
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for given in given(ground).await? {
        if given.function != "diagnostics.diagnose" {
            continue;
        }
        let mut seen = BTreeSet::new();
        for finding in given.items() {
            count += 1;
            let (check, verdict) = (text(finding, "check"), text(finding, "verdict"));
            if !is_kebab_case(check) {
                wrong.insert(format!("the code `{check}`"));
            }
            if !seen.insert(check) {
                wrong.insert(format!("`{check}` comes twice"));
            }
            if verdict == "fail" && text(finding, "hint").trim().is_empty() {
                wrong.insert(format!("`{check}` fails without a hint"));
            }
        }
    }
    let hint = "a finding has a stable code, as in `token-works`; one that fails says what to do";
    verdict(wrong, hint, count, "a finding")
}

pub(super) fn is_kebab_case(code: &str) -> bool {
    let mut words = code.split('-');
    words.all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}
