//! How a registry works.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{SignaturePolicy, Stage};

/// How a registry works.
#[derive(Clone)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// Where its state, components and audit log are. One process at a time.
    pub folder: PathBuf,
    /// Whose components are loaded.
    pub signatures: SignaturePolicy,
    /// Folder of recordings that a new version is held against; those of other
    /// connectors are passed over. None to do without.
    pub fixtures: Option<PathBuf>,
    /// How many earlier generations of each connector are kept for a rollback.
    pub keep: usize,
    /// After this the calls that a replaced generation still has are reported as
    /// overdue. They are not ended: each has a deadline of its own.
    pub drain_deadline: Duration,
    /// How long a new generation is on probation.
    pub probation: Duration,
    /// So many crashes of calls within the probation bring the earlier generation
    /// back.
    pub crashes: u64,
    /// Is told of each stage of a load when it begins; runs within the load.
    pub on_stage: Option<Arc<dyn Fn(Stage) + Send + Sync>>,
}

impl RegistryConfig {
    /// With the defaults: three generations kept, 30 s to drain, 10 minutes of
    /// probation, three crashes; no recordings, and nobody looks at signatures.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            signatures: SignaturePolicy::Off,
            fixtures: None,
            keep: 3,
            drain_deadline: Duration::from_secs(30),
            probation: Duration::from_secs(600),
            crashes: 3,
            on_stage: None,
        }
    }
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("folder", &self.folder)
            .field("signatures", &self.signatures)
            .field("fixtures", &self.fixtures)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
