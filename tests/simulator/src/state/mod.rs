//! The account: users, teams, schedules and what hangs on them.

pub(crate) mod audit;
mod generate;
mod ids;
pub(crate) mod incidents;
pub(crate) mod licenses;
mod names;
pub(crate) mod policies;
pub(crate) mod recurrence;
pub(crate) mod rotation;
pub(crate) mod schedules;
pub(crate) mod schedules_v3;
mod table;
pub(crate) mod teams;
pub(crate) mod users;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
pub(crate) use ids::Ids;
pub(crate) use table::{Row, Table};

use audit::AuditRecord;
use incidents::Incident;
use licenses::License;
use policies::EscalationPolicy;
use schedules::Schedule;
use schedules_v3::ScheduleV3;
use teams::Team;
use users::User;

/// The state of one account.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) config: Config,
    /// The time of the request being answered.
    pub(crate) now: Timestamp,
    pub(crate) ids: Ids,
    pub(crate) users: Table<User>,
    /// E-mail addresses in lower case, which are unique.
    pub(crate) emails: HashMap<String, String>,
    pub(crate) deleted: HashMap<String, DeletedUser>,
    pub(crate) licenses: Vec<License>,
    pub(crate) teams: Table<Team>,
    pub(crate) schedules: Table<Schedule>,
    pub(crate) schedules_v3: Table<ScheduleV3>,
    pub(crate) policies: Table<EscalationPolicy>,
    pub(crate) services: Vec<Service>,
    pub(crate) incidents: Table<Incident>,
    pub(crate) audit: Vec<AuditRecord>,
    /// Users from whom incidents were taken, and until when the clean-up runs.
    pub(crate) cleanups: HashMap<String, Timestamp>,
    /// Deleted users whose incidents still have to be handed back, and when.
    pub(crate) handovers: Vec<(Timestamp, String)>,
    /// Counts changes to users, for what is derived from the whole list.
    pub(crate) users_version: u64,
    pub(crate) analytics_order: Option<AnalyticsOrder>,
}

/// What stays of a deleted user: references with `deleted_at`.
#[derive(Clone, Debug)]
pub(crate) struct DeletedUser {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
}

/// A service, only as far as incidents and escalation policies refer to it.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) policy: String,
    pub(crate) created_at: Timestamp,
}

/// The order in which analytics rows are paged, kept between pages.
#[derive(Clone)]
pub(crate) struct AnalyticsOrder {
    pub(crate) version: u64,
    pub(crate) order_by: String,
    pub(crate) user_ids: Vec<String>,
}

impl Account {
    pub(crate) fn generate(config: &Config, now: Timestamp) -> Self {
        generate::account(config, now)
    }

    /// Moves the account to a point in time: what was due by then happens.
    pub(crate) fn move_to(&mut self, now: Timestamp) {
        self.now = now;
        let due: Vec<String> = self
            .handovers
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, user)| user)
            .collect();
        for user in due {
            self.hand_back_incidents(&user);
        }
    }

    pub(crate) fn reassignment_done_at(&self) -> Timestamp {
        SignedDuration::try_from(self.config.reassignment_delay)
            .ok()
            .and_then(|delay| self.now.checked_add(delay).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

/// `at` moved by a number of seconds, kept within what a timestamp can hold.
pub(crate) fn shift(at: Timestamp, seconds: i64) -> Timestamp {
    let limit = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(limit)
}
