//! Recordings of what passed the egress pipeline: written without secrets,
//! replayed exactly.

pub mod convert;
mod format;
mod lint;
mod matcher;
mod player;
mod recorder;
mod scrub;

pub use format::{
    Body, Cassette, CassetteError, FORMAT, Interaction, RecordedCall, RecordedConnector,
    RecordedFrom, RecordedOutcome, RecordedRequest, RecordedResponse, Recording, ScrubReport,
    Status,
};
pub use lint::{LintFinding, Severity, lint};
pub use matcher::{Matcher, Mismatch, MismatchReason, RequestKey};
pub(crate) use player::Played;
pub use player::Player;
pub(crate) use recorder::hex;
pub use recorder::{RecordedBy, Recorder};
pub(crate) use scrub::SCRUBBED;
pub use scrub::Scrubber;
