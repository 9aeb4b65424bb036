//! Whom a command is about: ids or e-mail addresses, one or a file of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{failure::Failure, queries::unwrap};
use crate::{Tenant, contract::types::PageRequest};

/// A leaver and who takes over, by id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Leaver {
    pub(super) account: String,
    pub(super) heir: String,
}

/// The id of an account that is named by its id or its e-mail address.
pub(super) async fn resolve(tenant: &Tenant, name: &str) -> Result<String, Failure> {
    let mut found = resolve_all(tenant, &[name]).await?;
    found.remove(name).ok_or_else(|| unknown(name))
}

/// Reads the file, and looks up its e-mail addresses in one pass.
pub(super) async fn read(tenant: &Tenant, file: &Path) -> Result<Vec<Leaver>, Failure> {
    let text = std::fs::read(file).map_err(|error| {
        Failure::usage(
            format!("`{}` can't be read: {error}", file.display()),
            "name a CSV file with the columns leaver and heir",
        )
    })?;
    let rows = parse(&text).map_err(|problem| {
        Failure::usage(
            format!("`{}`, {problem}", file.display()),
            "write one leaver a line, as in `bob@example.com,ada@example.com`",
        )
    })?;
    let names: Vec<&str> = rows
        .iter()
        .flat_map(|(_, leaver, heir)| [leaver.as_str(), heir.as_str()])
        .collect();
    let ids = resolve_all(tenant, &names).await?;
    let mut leavers: Vec<Leaver> = Vec::new();
    for (_, leaver, heir) in &rows {
        let id = |name: &String| ids.get(name).cloned().ok_or_else(|| unknown(name));
        leavers.push(Leaver {
            account: id(leaver)?,
            heir: id(heir)?,
        });
    }
    check(&rows, &leavers).map_err(|problem| {
        Failure::usage(
            format!("`{}`, {problem}", file.display()),
            "mend the file; nothing was changed",
        )
    })?;
    Ok(leavers)
}

type Row = (u64, String, String);

fn parse(text: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields: Vec<&str> = record.iter().collect();
        match fields.as_slice() {
            [leaver, heir]
                if rows.is_empty()
                    && leaver.eq_ignore_ascii_case("leaver")
                    && heir.eq_ignore_ascii_case("heir") => {}
            [leaver, heir] if !leaver.is_empty() && !heir.is_empty() => {
                rows.push((line, (*leaver).to_owned(), (*heir).to_owned()));
            }
            _ => return Err(format!("line {line}: it is not a leaver and an heir")),
        }
    }
    if rows.is_empty() {
        return Err("it names nobody".to_owned());
    }
    Ok(rows)
}

/// What would go wrong after half of it is done.
fn check(rows: &[Row], leavers: &[Leaver]) -> Result<(), String> {
    let leaving: BTreeSet<&str> = leavers.iter().map(|l| l.account.as_str()).collect();
    let mut seen = BTreeSet::new();
    for ((line, leaver, heir), ids) in rows.iter().zip(leavers) {
        if !seen.insert(&ids.account) {
            return Err(format!("line {line}: `{leaver}` is there twice"));
        }
        if ids.account == ids.heir {
            return Err(format!(
                "line {line}: `{leaver}` would take over from itself"
            ));
        }
        if leaving.contains(ids.heir.as_str()) {
            return Err(format!("line {line}: the heir `{heir}` is leaving as well"));
        }
    }
    Ok(())
}

/// Ids by name. What is no e-mail address is an id.
async fn resolve_all(tenant: &Tenant, names: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    let mut wanted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        if name.contains('@') {
            wanted.entry(name.to_lowercase()).or_default().push(name);
        } else {
            found.insert((*name).to_owned(), (*name).to_owned());
        }
    }
    let mut token = None;
    while !wanted.is_empty() {
        let request = PageRequest { token, size: None };
        let page = unwrap(tenant.list_accounts(request).await, false)?;
        for account in page.items {
            let email = account.email.unwrap_or_default().to_lowercase();
            for name in wanted.remove(&email).unwrap_or_default() {
                found.insert(name.to_owned(), account.id.clone());
            }
        }
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}

fn unknown(name: &str) -> Failure {
    Failure::call(
        format!("nobody has the e-mail address `{name}`"),
        Some("`harness accounts` lists the accounts; an id does as well".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leavers(ids: &[(&str, &str)]) -> (Vec<Row>, Vec<Leaver>) {
        let rows = ids
            .iter()
            .enumerate()
            .map(|(at, (leaver, heir))| (at as u64 + 1, (*leaver).to_owned(), (*heir).to_owned()));
        let leavers = ids.iter().map(|(leaver, heir)| Leaver {
            account: (*leaver).to_owned(),
            heir: (*heir).to_owned(),
        });
        (rows.collect(), leavers.collect())
    }

    #[test]
    fn a_file_may_have_a_header_comments_and_spaces() {
        let rows =
            parse(b"\xef\xbb\xbfLeaver, Heir\n# last week\n bob@x.org , PADA01\n\n\"a,b\",c\n");
        let rows = rows.expect("it is fine");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].1, "bob@x.org");
        assert_eq!(rows[0].2, "PADA01");
        assert_eq!(rows[1].1, "a,b");
    }

    #[test]
    fn a_line_that_is_not_a_pair_is_told_by_its_number() {
        for (text, line) in [("a,b\nc\n", 2), ("a,\n", 1), ("a,b,c\n", 1)] {
            let problem = parse(text.as_bytes()).expect_err(text);
            assert!(problem.contains(&format!("line {line}:")), "{problem}");
        }
        assert!(parse(b"leaver,heir\n").is_err());
    }

    #[test]
    fn nobody_leaves_twice_or_takes_over_while_leaving() {
        let is_fine = |ids: &[(&str, &str)]| {
            let (rows, leavers) = leavers(ids);
            check(&rows, &leavers).is_ok()
        };
        assert!(is_fine(&[("A", "X"), ("B", "X")]));
        assert!(!is_fine(&[("A", "X"), ("A", "Y")]));
        assert!(!is_fine(&[("A", "A")]));
        assert!(!is_fine(&[("A", "B"), ("B", "X")]));
    }
}
