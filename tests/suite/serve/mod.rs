//! `harness serve`: the wire format, over HTTP, with the real component and a
//! simulated vendor behind it.

mod calls;
mod changes;
pub mod command;
mod doors;
mod errors;
pub mod platform;
mod process;
mod signing_in;
mod tenants;
mod traces;
