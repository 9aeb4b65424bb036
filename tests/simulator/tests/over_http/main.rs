//! The simulator through real HTTP on loopback, one module per theme.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod client;
mod deletion;
mod escalation;
mod faults;
mod forks;
mod generation;
mod limits;
mod oauth;
mod paging;
mod schedules;
mod shifts;
mod users;
