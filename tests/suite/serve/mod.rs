//! `harness serve`: the wire format, over HTTP, with the real component and a
//! simulated vendor behind it.

mod calls;
mod changes;
pub mod command;
mod doors;
mod errors;
mod limits;
pub mod platform;
mod process;
mod profiles;
mod signing_in;
mod tenants;
mod tls;
mod traces;
