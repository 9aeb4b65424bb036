//! Plans to hand over and to remove, and their steps, on the real component.

pub mod cast;
mod departure;
mod disturbances;
mod incidents;
mod plans;
mod policies;
mod refusals;
