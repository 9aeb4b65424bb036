//! An account made up from a seed.

mod operations;
mod people;
mod rotas;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{Account, Ids, Table, shift};
use crate::config::Config;

const DAY: i64 = 86_400;

/// Makes the account: people first, then what they are on call for.
pub(super) fn account(config: &Config, now: Timestamp) -> Account {
    let mut config = config.clone();
    config.users = config.users.max(1);
    // Whole seconds, as PagerDuty has them.
    let now = now.round(jiff::Unit::Second).unwrap_or(now);
    let mut account = Account {
        now,
        ids: Ids::new(config.seed),
        config,
        users: Table::new(),
        emails: HashMap::new(),
        deleted: HashMap::new(),
        licenses: Vec::new(),
        teams: Table::new(),
        schedules: Table::new(),
        schedules_v3: Table::new(),
        policies: Table::new(),
        services: Vec::new(),
        incidents: Table::new(),
        audit: Vec::new(),
        cleanups: HashMap::new(),
        handovers: Vec::new(),
        users_version: 0,
        analytics_order: None,
    };
    people::licenses(&mut account);
    people::users(&mut account);
    people::seats(&mut account);
    // An account with nobody but its owner is a new one: empty.
    if account.config.users > 1 {
        people::teams(&mut account);
        let on_call = people::on_call_candidates(&account);
        rotas::schedules(&mut account, &on_call);
        if account.config.plan.v3_schedules {
            rotas::schedules_v3(&mut account, &on_call);
        }
        operations::policies(&mut account, &on_call);
        operations::incidents(&mut account, &on_call);
    }
    operations::history(&mut account);
    account
}

/// Midnight UTC of a day before or after now.
fn midnight(account: &Account, days: i64) -> Timestamp {
    let second = account.now.as_second();
    let today = second - second.rem_euclid(DAY);
    Timestamp::from_second(today + days * DAY).unwrap_or(account.now)
}

/// A time between `from` and `to` days ago.
fn days_ago(account: &mut Account, from: usize, to: usize) -> Timestamp {
    let seconds = account.ids.below((to - from) * DAY as usize) as i64;
    shift(account.now, -(from as i64 * DAY) - seconds - 1)
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}
