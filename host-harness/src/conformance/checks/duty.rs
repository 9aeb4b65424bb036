//! Who is on call.

use std::collections::BTreeSet;

use super::super::{
    ground::Ground,
    outcome::{Verdict, none_of, skip},
};

/// Accounts that are asked about one by one, at most.
const FEW: usize = 10;

pub(super) async fn on_call(ground: &Ground<'_>) -> Verdict {
    ground.need("on-call.who")?;
    ground.need("on-call.is-on-call")?;
    let tenant = &ground.scene()?.tenant;
    let accounts = ground.survey().await?.accounts.some()?;
    // Shifts begin and end, so both are asked about the same instant.
    let now = jiff::Timestamp::now();
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let shifts = tenant.who_is_on_call(&[], Some(at.clone())).await;
    let shifts = shifts.map_err(|error| {
        skip(format!(
            "`on-call.who` fails ({error}): see the check `reads`"
        ))
    })?;
    let on_call: BTreeSet<&str> = shifts.iter().map(|shift| shift.account.as_str()).collect();
    let mut wrong = Vec::new();
    for shift in &shifts {
        let account = &shift.account;
        if accounts.iter().all(|listed| listed.id != *account) {
            wrong.push(format!("`{account}` is on call, and not listed"));
        }
        if let (Some(start), Some(end)) = (&shift.start, &shift.end)
            && let (Ok(start), Ok(end)) = (start.parse::<jiff::Timestamp>(), end.parse())
            && start > end
        {
            wrong.push(format!("a shift of `{account}` ends before it begins"));
        }
    }
    let others = accounts.iter().map(|account| account.id.as_str());
    let others: Vec<&str> = others
        .filter(|id| !on_call.contains(id))
        .take(FEW)
        .collect();
    let asked: Vec<&str> = on_call.iter().copied().take(FEW).chain(others).collect();
    for account in &asked {
        let is_on_call = on_call.contains(account);
        match tenant
            .is_account_on_call(account, &[], Some(at.clone()))
            .await
        {
            Ok(Some(shift)) if is_on_call && shift.account == *account => {}
            Ok(None) if !is_on_call => {}
            Ok(shift) => wrong.push(format!(
                "`{account}` is {}on call by itself, and {}among those who are",
                if shift.is_some() { "" } else { "not " },
                if is_on_call { "" } else { "not " },
            )),
            Err(error) => wrong.push(format!("`{account}`: {error}")),
        }
    }
    none_of(&wrong, "`who` and `is-on-call` answer the same question")?;
    if on_call.is_empty() {
        return Err(skip("nobody is on call"));
    }
    Ok(format!(
        "{} accounts, {} of them on call",
        asked.len(),
        on_call.len().min(FEW)
    ))
}
