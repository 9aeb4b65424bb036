//! What is asked for by itself, against what is listed.

use std::{collections::BTreeSet, ops::Bound};

use super::super::{
    ground::Ground,
    listing::grant_key,
    outcome::{Verdict, expect_code, none_of, skip},
};
use crate::contract::types::{Account, ErrorCode};

/// Accounts that are looked at one by one, at most.
const FEW: usize = 25;

/// Turns after which an id that is nobody's has come up, or none does.
const TURNS: usize = 1000;

/// Ids that lead elsewhere when they are put into an address as they are.
const AWKWARD: &[&str] = &[
    "",
    " ",
    ".",
    "..",
    "../teams",
    "a/b",
    "a?limit=1",
    "a#b",
    "a%2Fb",
    "%2e%2e",
    "a&b=c",
    "Zoë",
    "a\r\nb: c",
    "\u{0}",
];

/// Some of them, from all over the list.
fn some(accounts: &[Account]) -> impl Iterator<Item = &Account> {
    accounts.iter().step_by(accounts.len().div_ceil(FEW).max(1))
}

pub(super) async fn get_account(ground: &Ground<'_>) -> Verdict {
    ground.need("directory.get-account")?;
    let tenant = &ground.scene()?.tenant;
    let accounts = ground.survey().await?.accounts.some()?;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for listed in some(accounts) {
        count += 1;
        match tenant.get_account(&listed.id).await {
            Ok(account) if account == *listed => {}
            Ok(account) => wrong.push(format!(
                "`{}` differs in {}",
                listed.id,
                difference(listed, &account)
            )),
            Err(error) => wrong.push(format!("`{}` is listed, and then: {error}", listed.id)),
        }
    }
    none_of(&wrong, "both show the same account")?;
    Ok(format!("{count} accounts"))
}

fn difference(listed: &Account, account: &Account) -> String {
    let fields = [
        ("`id`", listed.id != account.id),
        ("`email`", listed.email != account.email),
        ("`given-name`", listed.given_name != account.given_name),
        ("`family-name`", listed.family_name != account.family_name),
        (
            "`display-name`",
            listed.display_name != account.display_name,
        ),
        ("`status`", listed.status != account.status),
        ("`kind`", listed.kind != account.kind),
        ("`attributes`", listed.attributes != account.attributes),
    ];
    let fields = fields.iter().filter(|(_, differs)| *differs);
    fields.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

pub(super) async fn account_grants(ground: &Ground<'_>) -> Verdict {
    ground.need("directory.account-grants")?;
    let tenant = &ground.scene()?.tenant;
    let survey = ground.survey().await?;
    let all = survey.grants.whole()?;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for account in some(survey.accounts.some()?) {
        let own = all.iter().filter(|grant| grant.account == account.id);
        let listed: BTreeSet<String> = own.map(grant_key).collect();
        match tenant.account_grants(&account.id).await {
            Ok(result) => {
                let asked: BTreeSet<String> = result.items.iter().map(grant_key).collect();
                count += asked.len();
                let missing = listed
                    .difference(&asked)
                    .map(|key| format!("{key}: only in the list"));
                let surplus = asked
                    .difference(&listed)
                    .map(|key| format!("{key}: not in the list"));
                wrong.extend(missing.chain(surplus));
            }
            Err(error) => wrong.push(format!("`{}` is listed, and then: {error}", account.id)),
        }
    }
    none_of(
        &wrong,
        "`list-grants` and `account-grants` say the same of an account",
    )?;
    if count == 0 {
        return Err(skip("no account that was looked at holds anything"));
    }
    Ok(format!("{count} grants"))
}

pub(super) async fn unknown_account(ground: &Ground<'_>) -> Verdict {
    let accounts = ground.survey().await?.accounts.some()?;
    let unknown = unknown(accounts);
    turned_away(ground, &[unknown.as_str()], &[ErrorCode::NotFound]).await
}

pub(super) async fn awkward_ids(ground: &Ground<'_>) -> Verdict {
    turned_away(
        ground,
        AWKWARD,
        &[ErrorCode::NotFound, ErrorCode::InvalidInput],
    )
    .await
}

async fn turned_away(ground: &Ground<'_>, ids: &[&str], codes: &[ErrorCode]) -> Verdict {
    let tenant = &ground.scene()?.tenant;
    ground.need("directory.get-account")?;
    let asks_grants = ground.declares("directory.account-grants");
    let mut wrong = Vec::new();
    for id in ids {
        let after = |function: &str| format!("`{function}` of `{}`", id.escape_debug());
        let account = tenant.get_account(id).await;
        expect_code(&account, codes, &after("directory.get-account"), &mut wrong);
        if asks_grants {
            let grants = tenant.account_grants(id).await;
            expect_code(
                &grants,
                codes,
                &after("directory.account-grants"),
                &mut wrong,
            );
        }
    }
    none_of(
        &wrong,
        "encode an id before it becomes part of an address, and tell 404 from other errors",
    )?;
    Ok(format!("{} ids", ids.len()))
}

/// An id that looks as the vendor's do, and is nobody's: one of them with some
/// of its letters and digits turned, within those that ids are made of. A vendor
/// may turn away another id for its form alone.
pub(super) fn unknown(accounts: &[Account]) -> String {
    let known: BTreeSet<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    let alphabet: BTreeSet<char> = known.iter().flat_map(|id| id.chars()).collect();
    let mut id: Vec<char> = accounts[0].id.chars().collect();
    loop {
        for _ in 0..TURNS {
            for character in id.iter_mut().rev().take(4) {
                *character = next_of_its_kind(&alphabet, *character);
            }
            let text: String = id.iter().collect();
            if !known.contains(text.as_str()) {
                return text;
            }
        }
        // Nothing can be turned: a longer one is nobody's either.
        id.push(id.last().copied().unwrap_or('0'));
    }
}

/// The next digit, small letter or capital of an alphabet, after its last one
/// the first again; other characters are part of the form.
fn next_of_its_kind(alphabet: &BTreeSet<char>, character: char) -> char {
    let kind = [('0', '9'), ('a', 'z'), ('A', 'Z')]
        .into_iter()
        .find(|(first, last)| (*first..=*last).contains(&character));
    let Some((first, last)) = kind else {
        return character;
    };
    let after = (Bound::Excluded(character), Bound::Included(last));
    let mut after = if character == last {
        None
    } else {
        alphabet.range(after).next()
    };
    if after.is_none() {
        after = alphabet.range(first..=last).next();
    }
    after.copied().unwrap_or(character)
}
