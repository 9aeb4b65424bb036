//! Who does not use an account.

use jiff::{SignedDuration, Timestamp};

use super::{Person, ReportError, Snapshot};

/// Why an account counts as not used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Idle {
    /// The invitation has not been accepted.
    Pending,
    /// Nothing has ever been seen of it.
    Never,
    /// Nothing has been seen of it for so many days.
    Days(i64),
}

impl Idle {
    /// For people.
    pub fn told(self) -> String {
        match self {
            Self::Pending => "invitation pending".to_owned(),
            Self::Never => "never logged in".to_owned(),
            Self::Days(days) => format!("inactive for {days} days"),
        }
    }
}

/// Accounts by whether they are used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct IdleTotals {
    /// All of them, used or not.
    pub accounts: u64,
    /// Those not seen for so many days.
    pub inactive: u64,
    /// Those never seen.
    pub never: u64,
    /// Those whose invitation has not been accepted.
    pub pending: u64,
}

impl IdleTotals {
    /// All that are not used.
    pub fn idle(&self) -> u64 {
        self.inactive + self.never + self.pending
    }

    pub(super) fn add(&mut self, idle: Option<Idle>) {
        self.accounts += 1;
        match idle {
            None => {}
            Some(Idle::Pending) => self.pending += 1,
            Some(Idle::Never) => self.never += 1,
            Some(Idle::Days(_)) => self.inactive += 1,
        }
    }
}

/// What it takes to count as not used, in one run.
#[derive(Clone, Copy, Debug)]
pub struct IdleRule {
    days: u32,
    as_of: Timestamp,
    knows_activity: bool,
}

impl IdleRule {
    /// After so many days without a trace, counted back from the run. Where the
    /// run knows of no trace of anybody, that there is none means nothing.
    pub fn after(days: u32, snapshot: &Snapshot<'_>) -> Result<Self, ReportError> {
        Ok(Self {
            days,
            as_of: snapshot.as_of(),
            knows_activity: snapshot.knows_activity()?,
        })
    }

    /// After how many days.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// Whether anything is known of when accounts were used.
    pub fn knows_activity(&self) -> bool {
        self.knows_activity
    }

    /// Why the account counts as not used, if it does.
    pub fn judge(&self, person: &Person) -> Option<Idle> {
        if person.is_pending() {
            return Some(Idle::Pending);
        }
        let Some(seen) = &person.seen else {
            return self.knows_activity.then_some(Idle::Never);
        };
        let days = self.days_since(seen.instant()?);
        (days >= i64::from(self.days)).then_some(Idle::Days(days))
    }

    /// The same for something that was given to the account at `since`: one that
    /// has had it for a shorter time than counts, and was never seen, may just be
    /// new.
    pub fn judge_since(&self, person: &Person, since: Option<&str>) -> Option<Idle> {
        let since = since.and_then(|since| since.parse().ok());
        match (self.judge(person)?, since) {
            (Idle::Never, Some(since)) if self.days_since(since) < i64::from(self.days) => None,
            (idle, _) => Some(idle),
        }
    }

    /// Whole days between an instant and the run; 0 if it was later.
    pub fn days_since(&self, at: Timestamp) -> i64 {
        days_between(at, self.as_of)
    }
}

/// Whole days from one instant to a later one; 0 if it is not later.
pub(super) fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    const DAY: i64 = SignedDuration::from_hours(24).as_secs();
    to.duration_since(from).as_secs().max(0) / DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Seen;

    fn rule(knows_activity: bool) -> IdleRule {
        IdleRule {
            days: 90,
            as_of: "2026-06-30T12:00:00Z".parse().expect("a time"),
            knows_activity,
        }
    }

    fn person(status: &str, seen: Option<&str>) -> Person {
        Person {
            id: "P1".to_owned(),
            email: None,
            name: "Ada".to_owned(),
            status: status.to_owned(),
            kind: "user".to_owned(),
            seen: seen.map(|at| Seen {
                kind: "last-login".to_owned(),
                at: at.to_owned(),
                source: "analytics".to_owned(),
            }),
        }
    }

    #[test]
    fn an_account_counts_as_not_used_from_the_last_day_on() {
        let rule = rule(true);
        for (seen, expected) in [
            (Some("2026-04-01T12:00:01Z"), None),
            (Some("2026-04-01T12:00:00Z"), Some(Idle::Days(90))),
            (Some("2025-06-30T12:00:00Z"), Some(Idle::Days(365))),
            // Between the beginning of a run and its end, somebody logged in.
            (Some("2026-06-30T12:00:09Z"), None),
            // Seen, though nobody can say when.
            (Some("yesterday"), None),
            (None, Some(Idle::Never)),
        ] {
            assert_eq!(rule.judge(&person("active", seen)), expected, "{seen:?}");
        }
        let pending = person("pending", None);
        assert_eq!(rule.judge(&pending), Some(Idle::Pending));
    }

    #[test]
    fn no_trace_means_nothing_where_no_traces_are_known() {
        let rule = rule(false);
        assert_eq!(rule.judge(&person("active", None)), None);
        assert_eq!(rule.judge(&person("pending", None)), Some(Idle::Pending));
    }

    #[test]
    fn a_licence_is_not_taken_from_somebody_who_has_just_come() {
        let rule = rule(true);
        let new = person("active", None);
        assert_eq!(rule.judge_since(&new, Some("2026-06-01T00:00:00Z")), None);
        for since in [None, Some("2026-01-01T00:00:00Z")] {
            assert_eq!(rule.judge_since(&new, since), Some(Idle::Never));
        }
        let old = person("active", Some("2026-01-01T00:00:00Z"));
        assert_eq!(
            rule.judge_since(&old, Some("2026-06-01T00:00:00Z")),
            Some(Idle::Days(180))
        );
    }
}
