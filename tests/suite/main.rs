//! Integration tests by theme, on the real component through the real host.
//! Only the vendor is simulated.

mod activity;
mod assignments;
mod browser;
mod cassettes;
mod command_line;
mod components;
mod contract;
mod deletion;
mod diagnostics;
mod directory;
mod egress;
mod fixtures;
mod hostile;
mod large_tenants;
mod leaks;
mod leaving;
mod loading;
mod login;
mod oauth;
mod offboarding;
mod on_call;
mod openapi;
mod operator;
mod plans;
mod provisioning;
mod registry;
mod resilience;
mod rota;
mod rotations;
mod schedule_membership;
mod secrets;
mod serve;
mod support;
mod vendor;
mod write_matrix;
