//! Who does not use an account.

use jiff::{SignedDuration, Timestamp};

use super::{Coverage, Person, Snapshot};

/// Why an account counts as not used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Idle {
    /// Nobody can use it: it is suspended, not in use, or gone.
    Disabled,
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
            Self::Disabled => "account disabled".to_owned(),
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
    /// Those that nobody can use.
    pub disabled: u64,
}

impl IdleTotals {
    /// All that are not used.
    pub fn idle(&self) -> u64 {
        self.inactive + self.never + self.pending + self.disabled
    }

    pub(super) fn add(&mut self, idle: Option<Idle>) {
        self.accounts += 1;
        match idle {
            None => {}
            Some(Idle::Disabled) => self.disabled += 1,
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
    coverage: Coverage,
}

impl IdleRule {
    /// After so many days without a trace, counted back from the run. That there
    /// is no trace at all means something only where all sources were read.
    pub fn after(days: u32, snapshot: &Snapshot<'_>) -> Self {
        Self {
            days,
            as_of: snapshot.as_of(),
            coverage: snapshot.coverage(),
        }
    }

    /// After how many days.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// Why the account counts as not used, if it does. One that has not been there
    /// for as many days, and was never seen, may just be new.
    pub fn judge(&self, person: &Person) -> Option<Idle> {
        self.judge_since(person, None)
    }

    /// The same for something that was given to the account at `since` (RFC 3339):
    /// that may be new as well.
    pub fn judge_since(&self, person: &Person, since: Option<&str>) -> Option<Idle> {
        if person.is_disabled() {
            return Some(Idle::Disabled);
        }
        if person.is_pending() {
            return Some(Idle::Pending);
        }
        if let Some(seen) = &person.seen {
            let days = self.days_since(seen.instant()?);
            return self.is_long(days).then_some(Idle::Days(days));
        }
        let begun = [person.appeared.as_deref(), since];
        let mut begun = begun.into_iter().flatten().filter_map(|at| at.parse().ok());
        let is_new = begun.any(|at| !self.is_long(self.days_since(at)));
        // Nobody has been asked when an account was seen that is not listed.
        let is_known = self.coverage == Coverage::Full && person.is_listed();
        (is_known && !is_new).then_some(Idle::Never)
    }

    fn is_long(&self, days: i64) -> bool {
        days >= i64::from(self.days)
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

    fn rule(coverage: Coverage) -> IdleRule {
        IdleRule {
            days: 90,
            as_of: "2026-06-30T12:00:00Z".parse().expect("a time"),
            coverage,
        }
    }

    fn person(status: &str, seen: Option<&str>) -> Person {
        Person {
            id: "P1".to_owned(),
            email: None,
            name: "Ada".to_owned(),
            status: status.to_owned(),
            kind: "user".to_owned(),
            appeared: None,
            seen: seen.map(|at| Seen {
                kind: "last-login".to_owned(),
                at: at.to_owned(),
                source: "analytics".to_owned(),
            }),
        }
    }

    #[test]
    fn an_account_counts_as_not_used_from_the_last_day_on() {
        let rule = rule(Coverage::Full);
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
    fn no_trace_means_nothing_where_not_all_traces_are_known() {
        for coverage in [Coverage::Partial, Coverage::Missing] {
            let rule = rule(coverage);
            assert_eq!(rule.judge(&person("active", None)), None);
            assert_eq!(rule.judge(&person("pending", None)), Some(Idle::Pending));
        }
        // Nobody has asked for those of an account that is not listed.
        let rule = rule(Coverage::Full);
        assert_eq!(rule.judge(&person("unknown", None)), None);
    }

    #[test]
    fn an_account_that_nobody_can_use_is_not_used() {
        let seen = Some("2026-06-30T12:00:00Z");
        for status in ["suspended", "inactive", "deprovisioned", "deleted"] {
            let idle = rule(Coverage::Missing).judge(&person(status, seen));
            assert_eq!(idle, Some(Idle::Disabled), "{status}");
        }
    }

    #[test]
    fn somebody_who_has_just_come_does_not_count_as_never_there() {
        let rule = rule(Coverage::Full);
        let came = |at: &str| Person {
            appeared: Some(at.to_owned()),
            ..person("active", None)
        };
        assert_eq!(rule.judge(&came("2026-06-29T12:00:00Z")), None);
        let long_ago = came("2026-04-01T12:00:00Z");
        assert_eq!(rule.judge(&long_ago), Some(Idle::Never));
    }

    #[test]
    fn a_licence_is_not_taken_from_somebody_who_has_just_come() {
        let rule = rule(Coverage::Full);
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
