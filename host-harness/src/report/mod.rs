//! What is known of tenants, told for people and for other programs.
//!
//! Everything here reads complete runs of a [`Store`], and asks no vendor. A
//! [`Snapshot`] is a tenant as one run saw it; reports on it stream, so that
//! memory does not grow with the tenant. [`History::changes`] compares two runs;
//! a [`Trail`] of the vendor's audit records tells who may have made a change.
//!
//! ```no_run
//! use host_harness::{report::{Format, History}, store::Store};
//!
//! # fn example() -> Result<(), host_harness::report::ReportError> {
//! let store = Store::open_to_read("tenants.db".as_ref())?;
//! let history = History::of(&store, Some("acme"))?;
//! let snapshot = history.snapshot(history.run(None)?)?;
//! snapshot.access(|entry| {
//!     println!("{} holds {}", entry.account.called(), entry.held.len());
//!     Ok(())
//! })?;
//! snapshot.export(Format::Parquet, false, "exported".as_ref())?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Store`]: crate::store::Store

mod access;
mod coverage;
mod csv;
mod destination;
mod diff;
mod error;
mod export;
mod held;
mod history;
mod html;
mod idle;
mod inactive;
mod licences;
mod lines;
mod person;
mod snapshot;
mod trail;

pub use access::{AccessEntry, AccessTotals};
pub use coverage::Coverage;
pub use diff::{Change, Fate, FieldChange, Kind};
pub use error::ReportError;
pub use export::{Exported, Format};
pub use held::{Duties, Held};
pub use history::History;
pub use idle::{Idle, IdleRule, IdleTotals};
pub use inactive::InactiveEntry;
pub use licences::{Free, Licence, Seat};
pub use person::{Person, Seen};
pub use snapshot::{Holdings, Snapshot};
pub(crate) use snapshot::{accepted_by, read_until};
pub use trail::{Deed, Trail};
