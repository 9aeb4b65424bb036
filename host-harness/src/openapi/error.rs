//! Why requests and answers can't be held against a description.

use std::io;

/// Why a description, or an overlay of it, can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// Could not be read.
    #[error("`{path}` can't be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// Neither JSON nor YAML.
    #[error("`{path}` is neither JSON nor YAML: {cause}")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A document of something else.
    #[error("`{path}` is no description in OpenAPI 3.0: {cause}")]
    NotOpenapi {
        /// The file.
        path: String,
        /// What it says instead, or lacks.
        cause: String,
    },
    /// A reference that leads nowhere within the document.
    #[error("the reference `{target}` at `{at}` {cause}")]
    Reference {
        /// Its place, as a JSON pointer.
        at: String,
        /// What it says.
        target: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// A schema that is none.
    #[error("the schema at `{at}` can't be used: {cause}")]
    Schema {
        /// Its place, as a JSON pointer.
        at: String,
        /// Why.
        cause: String,
    },
    /// Not an overlay.
    #[error("`{path}` is no overlay: {cause}")]
    NotOverlay {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A correction of something that is not described.
    #[error("the overlay corrects `{at}` (\"{reason}\"), which is not in the description")]
    Place {
        /// Its place, as a JSON pointer.
        at: String,
        /// The correction's reason.
        reason: String,
    },
    /// A correction that what stands at its place can't take.
    #[error("the overlay corrects `{at}` as {expected}, and it is none")]
    Misfit {
        /// Its place, as a JSON pointer.
        at: String,
        /// What the correction is good for.
        expected: &'static str,
    },
    /// A correction that changes nothing.
    #[error("the overlay corrects `{at}` (\"{reason}\") to no effect: {cause}")]
    Needless {
        /// Its place, as a JSON pointer.
        at: String,
        /// The correction's reason.
        reason: String,
        /// Why.
        cause: &'static str,
    },
}

impl DescriptionError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file that exists and is readable",
            Self::Parse { .. } => {
                "name the vendor's OpenAPI 3.0 description, a file in JSON or YAML"
            }
            Self::NotOpenapi { .. } => {
                "name an OpenAPI 3.0 description; other versions have to be converted"
            }
            Self::Reference { .. } => {
                "a description is one file: bundle it if it is several; a dead reference can be \
                 corrected by an overlay"
            }
            Self::Schema { .. } => "correct it by an overlay: `{\"becomes\": SCHEMA}`",
            Self::NotOverlay { .. } => {
                "an overlay is JSON with `format` and `corrections`, each of them with `at`, \
                 `reason` and `change`"
            }
            Self::Place { .. } => {
                "the description has changed: see whether the correction is still needed, and where"
            }
            Self::Needless { .. } => {
                "the description has changed, or this is not the place: remove the correction, or \
                 correct what is there"
            }
            Self::Misfit { .. } => "choose a place or a change that fits; places are JSON pointers",
        }
    }
}
