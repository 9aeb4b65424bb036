//! The cassette file: what was asked and answered, in VCR's version 1 shape
//! with structured bodies, and an `x-harness` block about the recording.

use std::{collections::BTreeMap, fs, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::whole_file;

/// The format that this version writes and reads.
pub const FORMAT: &str = "iga-cassette/1";

/// A recording of one or more calls.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Cassette {
    /// VCR's own format version, always 1.
    pub version: u32,
    /// About the recording.
    #[serde(rename = "x-harness")]
    pub harness: Recording,
    /// Requests with their answers, in the order in which they were sent.
    pub interactions: Vec<Interaction>,
}

/// About a recording: what a replay needs to be exact, and where it comes from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recording {
    /// [`FORMAT`].
    pub format: String,
    /// Who answered. Be honest: a fixture that was written by hand says so.
    pub origin: RecordedFrom,
    /// What the wall clock showed in every call, RFC 3339.
    pub clock: String,
    /// Seed of the random numbers, in hexadecimal.
    pub seed: String,
    /// Which component asked.
    pub connector: RecordedConnector,
    /// The contract's package and version.
    pub contract: String,
    /// Settings that the component was given. Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The calls, in order.
    #[serde(default)]
    pub calls: Vec<RecordedCall>,
    /// What was taken out or replaced before writing.
    pub scrub: ScrubReport,
}

/// Who answered the requests of a recording.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedFrom {
    /// The vendor.
    Live,
    /// The simulator.
    Simulator,
    /// Nobody: somebody wrote the answers down.
    HandWritten,
    /// Another tool's recording, converted.
    Imported,
}

/// Which component asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecordedConnector {
    /// `metadata.descriptor.app-id`.
    pub app_id: String,
    /// `metadata.descriptor.version`.
    pub version: String,
    /// Digest of the component, in hexadecimal.
    pub sha256: String,
}

/// One call of a recording.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RecordedCall {
    /// `interface.function`.
    pub function: String,
    /// Its parameters by name.
    pub input: Value,
}

/// What was taken out or replaced.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ScrubReport {
    /// Which rules were applied.
    pub policy: String,
    /// How many values of each kind.
    #[serde(default)]
    pub replaced: BTreeMap<String, u64>,
}

/// A request with its answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Interaction {
    /// Position in the recording, from 0.
    pub id: u32,
    /// The capability that made the request.
    pub capability: String,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// What was asked.
    pub request: RecordedRequest,
    /// What was answered.
    #[serde(flatten)]
    pub outcome: RecordedOutcome,
}

/// An answer, or why there was none.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedOutcome {
    /// The vendor answered.
    Response(RecordedResponse),
    /// The request failed on its way: `connection-refused`, `timeout`, ...
    Error(String),
}

/// What was asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RecordedRequest {
    /// In upper case.
    pub method: String,
    /// Absolute, with the query.
    pub uri: String,
    /// By name in lower case. Only some are kept; never a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body.
    #[serde(default)]
    pub body: Body,
}

/// What was answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RecordedResponse {
    /// The status.
    pub status: Status,
    /// By name in lower case. Only some are kept.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body.
    #[serde(default)]
    pub body: Body,
}

/// A status line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// 200, 404, ...
    pub code: u16,
    /// `OK`, `Not Found`, ...
    #[serde(default)]
    pub message: String,
}

/// A body, in the most readable form that gives the same bytes or, for JSON,
/// the same value.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", content = "content", rename_all = "kebab-case")]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// A JSON value.
    Json(Value),
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

impl Body {
    /// From bytes as they were on the wire.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::None;
        }
        if let Ok(value) = serde_json::from_slice(bytes) {
            return Self::Json(value);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    /// The bytes to answer with.
    pub fn to_bytes(&self) -> Result<Bytes, CassetteError> {
        Ok(match self {
            Self::None => Bytes::new(),
            Self::Json(value) => Bytes::from(value.to_string()),
            Self::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Self::Base64(text) => Bytes::from(
                STANDARD
                    .decode(text)
                    .map_err(|_| CassetteError::Body("it is not valid base64".to_owned()))?,
            ),
        })
    }
}

/// Why a cassette can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassetteError {
    /// Could not be read.
    #[error("`{path}` can't be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// Could not be written.
    #[error("`{path}` can't be written: {cause}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// Not a cassette.
    #[error("`{path}` is no cassette: {cause}")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A cassette of another version.
    #[error("`{path}` has the format `{found}`, and this version reads `{FORMAT}`")]
    Format {
        /// The file.
        path: String,
        /// What it says.
        found: String,
    },
    /// A body that does not decode.
    #[error("a recorded body can't be used: {0}")]
    Body(String),
    /// A known secret would have been written.
    #[error("the recording holds the credential ({0}), so it was not written")]
    Secret(&'static str),
}

impl CassetteError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file that `--record` has written",
            Self::Write { .. } => "name a file in a folder that exists and is writable",
            Self::Parse { .. } | Self::Body(_) => {
                "`harness cassette lint` says more; `harness cassette convert` reads HAR and VCR.py"
            }
            Self::Format { .. } => "record it again with this version",
            Self::Secret(_) => {
                "the vendor's answer repeats the credential; this is worth a report to the vendor"
            }
        }
    }
}

impl Cassette {
    /// Reads a cassette file.
    pub fn read(path: &Path) -> Result<Self, CassetteError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|cause| CassetteError::Read {
            path: shown.clone(),
            cause,
        })?;
        Self::parse(&text, &shown)
    }

    /// Reads a cassette from its text; `name` is for messages.
    pub fn parse(text: &str, name: &str) -> Result<Self, CassetteError> {
        let parse_error = |cause: String| CassetteError::Parse {
            path: name.to_owned(),
            cause,
        };
        let value: Value =
            serde_json::from_str(text).map_err(|error| parse_error(error.to_string()))?;
        // A cassette of another version may have another shape: look first.
        match value.pointer("/x-harness/format").and_then(Value::as_str) {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(CassetteError::Format {
                    path: name.to_owned(),
                    found: other.to_owned(),
                });
            }
            None => return Err(parse_error("it has no `x-harness.format`".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| parse_error(error.to_string()))
    }

    /// The text that [`Cassette::write`] writes.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a cassette has string keys only");
        text.push('\n');
        text
    }

    /// Writes the file in one step: either all of it is there, or what was
    /// there before.
    pub fn write(&self, path: &Path) -> Result<(), CassetteError> {
        whole_file::write(path, self.to_text().as_bytes()).map_err(|cause| CassetteError::Write {
            path: path.display().to_string(),
            cause,
        })
    }
}
