//! Membership of schedules.
