//! Lists and their pages.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::super::{
    Outcome,
    ground::Ground,
    listing::{End, Listed, Walk},
    outcome::{Verdict, none_of, skip},
    subject::Source,
    survey::{Answer, Small},
};

/// Runs the block with each of the four lists as `$small` and `$large`.
macro_rules! each_list {
    ($ground:ident, |$large:ident, $small:ident| $block:expr) => {{
        let survey = $ground.survey().await?;
        let pages = $ground.small_pages().await?;
        let ($large, $small) = (&survey.accounts, &pages.accounts);
        $block;
        let ($large, $small) = (&survey.resources, &pages.resources);
        $block;
        let ($large, $small) = (&survey.entitlements, &pages.entitlements);
        $block;
        let ($large, $small) = (&survey.grants, &pages.grants);
        $block;
    }};
}

fn is_recorded(ground: &Ground<'_>) -> bool {
    matches!(ground.subject.source, Source::Recordings { .. })
}

pub(super) async fn page_end(ground: &Ground<'_>) -> Verdict {
    let hint = "a token leads on; a page without `next` is the last one";
    let mut wrong = Vec::new();
    if is_recorded(ground) {
        let mut count = 0;
        for chain in chains(ground).await? {
            let mut seen = HashSet::new();
            let last = chain.pages.last().and_then(|page| page.get("next"));
            if last.is_some_and(Value::is_null) {
                count += chain.pages.len();
            }
            for page in &chain.pages {
                if let Some(next) = page.get("next").and_then(Value::as_str)
                    && !seen.insert(next)
                {
                    wrong.push(format!("{}: the token `{next}` comes twice", chain.name));
                }
            }
        }
        none_of(&wrong, hint)?;
        if count == 0 {
            return Err(skip("no list is recorded to its end"));
        }
        return Ok(format!(
            "{count} recorded pages of lists that come to an end"
        ));
    }
    let (mut lists, mut pages) = (0, 0);
    each_list!(ground, |large, small| {
        for walk in [large, &small.walk] {
            lists += usize::from(ended(walk, &mut wrong));
            pages += walk.pages.len();
        }
    });
    none_of(&wrong, hint)?;
    if lists == 0 {
        return Err(skip("there is no list: see the check `reads`"));
    }
    Ok(format!("{lists} walks, {pages} pages"))
}

/// Whether a list that was read has come to its end.
fn ended<T: Listed>(walk: &Walk<T>, wrong: &mut Vec<String>) -> bool {
    if let End::Endless(token) = &walk.end {
        wrong.push(format!(
            "`{}` gives the token `{token}` twice, within {} pages",
            T::FUNCTION,
            walk.pages.len()
        ));
    }
    matches!(walk.end, End::Complete)
}

fn looked_at(seen: &[String]) -> Verdict {
    if seen.is_empty() {
        return Err(skip("there is no list: see the check `reads`"));
    }
    Ok(seen.join(", "))
}

pub(super) async fn page_size(ground: &Ground<'_>) -> Verdict {
    let hint = "`size` is the most that a page may hold; it may hold less";
    let mut wrong = Vec::new();
    if is_recorded(ground) {
        let mut count = 0;
        for answer in ground.answers().await? {
            let size = answer.input.pointer("/page/size").and_then(Value::as_u64);
            let Some(size) = size else { continue };
            if let Ok(page) = &answer.output {
                count += 1;
                let items = items(page).len();
                if items as u64 > size {
                    wrong.push(format!(
                        "{}: `{}` gives {items} items for {size}",
                        answer.place, answer.function
                    ));
                }
            }
        }
        none_of(&wrong, hint)?;
        if count == 0 {
            return Err(skip("no recorded page was asked for with a size"));
        }
        return Ok(format!("{count} recorded pages"));
    }
    let mut seen = Vec::new();
    each_list!(ground, |_large, small| oversized(
        small, &mut wrong, &mut seen
    ));
    none_of(&wrong, hint)?;
    looked_at(&seen)
}

fn oversized<T: Listed>(small: &Small<T>, wrong: &mut Vec<String>, seen: &mut Vec<String>) {
    let (size, pages) = (small.size as usize, &small.walk.pages);
    match pages.iter().find(|items| **items > size) {
        Some(items) => wrong.push(format!(
            "`{}` gives {items} items where {size} were asked for",
            T::FUNCTION
        )),
        None if pages.is_empty() => {}
        None => seen.push(format!("`{}` by {size}", T::FUNCTION)),
    }
}

pub(super) async fn duplicates(ground: &Ground<'_>) -> Verdict {
    let hint = "each item is visited once, also where pages meet";
    let mut wrong = Vec::new();
    if is_recorded(ground) {
        let mut count = 0;
        for chain in chains(ground).await? {
            let mut seen = BTreeSet::new();
            for item in chain.pages.iter().flat_map(|page| items(page)) {
                count += 1;
                let key = item_key(&chain.function, item);
                if !seen.insert(key.clone()) {
                    wrong.push(format!("{}: {key} comes twice", chain.name));
                }
            }
        }
        none_of(&wrong, hint)?;
        if count == 0 {
            return Err(skip("no recorded list has an item"));
        }
        return Ok(format!("{count} recorded items"));
    }
    let mut count = 0;
    each_list!(ground, |large, small| {
        count += twice(large, &mut wrong);
        count += twice(&small.walk, &mut wrong);
    });
    none_of(&wrong, hint)?;
    if count == 0 {
        return Err(skip("no list has an item"));
    }
    Ok(format!("{count} items, in large pages and in small ones"))
}

fn twice<T: Listed>(walk: &Walk<T>, wrong: &mut Vec<String>) -> usize {
    // The same page again and again is another check's concern.
    if matches!(walk.end, End::Endless(_)) {
        return 0;
    }
    let keys = walk.keys();
    for pair in keys.windows(2) {
        if pair[0] == pair[1] {
            wrong.push(format!("`{}`: {} comes twice", T::FUNCTION, pair[0]));
        }
    }
    keys.len()
}

pub(super) async fn page_sizes(ground: &Ground<'_>) -> Verdict {
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    each_list!(ground, |large, small| alike(
        large, small, &mut wrong, &mut seen
    ));
    none_of(
        &wrong,
        "what a list holds does not hang on how large its pages are",
    )?;
    looked_at(&seen)
}

fn alike<T: Listed>(
    large: &Walk<T>,
    small: &Small<T>,
    wrong: &mut Vec<String>,
    seen: &mut Vec<String>,
) {
    if large.whole().is_err() {
        return;
    }
    if let End::Failed(error) = &small.walk.end {
        wrong.push(format!(
            "`{}` is read in large pages, and fails by {}: {error}",
            T::FUNCTION,
            small.size
        ));
    }
    if small.walk.whole().is_err() {
        return;
    }
    let (all, by_few): (BTreeSet<String>, BTreeSet<String>) = (
        large.keys().into_iter().collect(),
        small.walk.keys().into_iter().collect(),
    );
    for key in all.symmetric_difference(&by_few) {
        let where_ = if all.contains(key) { "large" } else { "small" };
        wrong.push(format!(
            "`{}`: {key} comes in {where_} pages only",
            T::FUNCTION
        ));
    }
    if all == by_few && !all.is_empty() {
        seen.push(format!(
            "`{}`: {} by {}",
            T::FUNCTION,
            all.len(),
            small.size
        ));
    }
}

/// Recorded pages that follow each other.
struct Chain<'a> {
    name: String,
    function: String,
    pages: Vec<&'a Value>,
}

/// The recorded lists: a call without a token begins one.
async fn chains<'a>(ground: &'a Ground<'_>) -> Result<Vec<Chain<'a>>, Outcome> {
    let answers: &'a [Answer] = ground.answers().await?;
    let mut open: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut chains: Vec<Chain<'a>> = Vec::new();
    for answer in answers {
        let Ok(page) = &answer.output else { continue };
        if page.get("items").is_none() || page.get("next").is_none() {
            continue;
        }
        let key = (answer.place.as_str(), answer.function.as_str());
        let follows = answer
            .input
            .pointer("/page/token")
            .is_some_and(|token| !token.is_null());
        match open.get(&key).copied().filter(|_| follows) {
            Some(at) => chains[at].pages.push(page),
            None => {
                open.insert(key, chains.len());
                chains.push(Chain {
                    name: format!("{} `{}`", answer.place, answer.function),
                    function: answer.function.clone(),
                    pages: vec![page],
                });
            }
        }
    }
    if chains.is_empty() {
        return Err(skip("no list is recorded"));
    }
    Ok(chains)
}

fn items(page: &Value) -> &[Value] {
    page.get("items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// What no two items of a list share, as far as the contract says: all of it for
/// grants, whose `since` does not count.
fn item_key(function: &str, item: &Value) -> String {
    let parts: &[&str] = match function {
        "directory.list-resources" => &["resource_type", "id"],
        "directory.list-entitlements" => &["ref"],
        "directory.list-grants" => &["account", "entitlement"],
        _ => &["id"],
    };
    let parts = parts.iter().filter_map(|part| item.get(*part));
    parts.map(Value::to_string).collect::<Vec<_>>().join(" ")
}
