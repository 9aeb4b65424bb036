//! What PagerDuty answers: one file per object, and how to ask.

pub mod abilities;
pub mod analytics;
pub mod audit;
pub mod client;
pub mod errors;
pub mod escalation_policies;
pub mod incidents;
pub mod json;
pub mod licenses;
pub mod oncalls;
pub mod overrides;
pub mod paging;
pub mod references;
pub mod request;
pub mod retry;
pub mod schedule_events;
pub mod schedule_layers;
pub mod schedules;
pub mod schedules_v3;
pub mod shifts_v3;
pub mod sign_ins;
pub mod teams;
pub mod transport;
pub mod user_walk;
pub mod users;
