//! A component that somebody wants to take over, or to wait for that.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    LoadFailure, RegistryError, built_in::BUILT_IN, shared::Shared, state::CandidateRecord,
};
use crate::connector::Connector;

/// A component that is to take over.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    source: Source,
    pub(super) by: String,
    pub(super) app_id: Option<String>,
    pub(super) accept: bool,
    /// What is kept already is left alone.
    pub(super) new_only: bool,
    /// It is to become a candidate.
    pub(super) staged: bool,
    /// It is a part of the host, and needs no signature.
    pub(super) built_in: bool,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Bytes {
        name: String,
        bytes: Arc<[u8]>,
        signature: Option<String>,
    },
    Candidate(Box<CandidateRecord>),
}

impl LoadRequest {
    /// A file, with its signature beside it as `NAME.minisig`. `by` is who wants
    /// it, for the audit log.
    pub fn file(path: impl Into<PathBuf>, by: &str) -> Self {
        Self::new(Source::File(path.into()), by)
    }

    /// A component that is in memory; `name` is for the audit log.
    pub fn bytes(name: &str, bytes: &[u8], by: &str) -> Self {
        let source = Source::Bytes {
            name: name.to_owned(),
            bytes: bytes.into(),
            signature: None,
        };
        Self::new(source, by)
    }

    /// The signature of a component that is in memory.
    #[must_use]
    pub fn signature(mut self, text: &str) -> Self {
        if let Source::Bytes { signature, .. } = &mut self.source {
            *signature = Some(text.to_owned());
        }
        self
    }

    /// Which connector it must be; any if not said.
    #[must_use]
    pub fn app_id(mut self, app_id: &str) -> Self {
        self.app_id = Some(app_id.to_owned());
        self
    }

    /// Lets it take over although it lacks what the running generation has, or
    /// does other things on the recordings or on live reads. Crashes, a bad
    /// signature and quarantine are never accepted.
    #[must_use]
    pub fn accept(mut self, accept: bool) -> Self {
        self.accept = accept;
        self
    }

    /// Leaves alone what the registry has already, so that a rollback stays one
    /// when the same is asked for again: at each start, or by a watch.
    #[must_use]
    pub fn new_only(mut self) -> Self {
        self.new_only = true;
        self
    }

    /// Lets it wait as a candidate.
    pub(super) fn staged(mut self) -> Self {
        self.staged = true;
        self
    }

    /// The connector that came with the host.
    pub(super) fn built_in(connector: &Connector) -> Self {
        let mut request = Self::new(
            Source::Bytes {
                name: BUILT_IN.to_owned(),
                bytes: connector.bytes(),
                signature: None,
            },
            BUILT_IN,
        );
        request.built_in = true;
        request
    }

    /// The connector's candidate, which is kept.
    pub(super) fn candidate(record: CandidateRecord, app_id: &str, by: &str) -> Self {
        Self::new(Source::Candidate(Box::new(record)), by).app_id(app_id)
    }

    fn new(source: Source, by: &str) -> Self {
        Self {
            source,
            by: by.to_owned(),
            app_id: None,
            accept: false,
            new_only: false,
            staged: false,
            built_in: false,
        }
    }

    /// Where it comes from.
    pub(super) fn name(&self) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Bytes { name, .. } => name.clone(),
            Source::Candidate(record) => record.source.clone(),
        }
    }

    /// The component and its signature.
    pub(super) async fn read(
        &self,
        shared: &Shared,
    ) -> Result<(Arc<[u8]>, Option<String>), LoadFailure> {
        match &self.source {
            Source::Bytes {
                bytes, signature, ..
            } => Ok((Arc::clone(bytes), signature.clone())),
            Source::Candidate(record) => {
                let kept = shared.book().folder.kept(&record.sha256);
                let bytes = kept.map_err(|error| match error {
                    RegistryError::File { path, cause } => LoadFailure::Read { path, cause },
                    error => error.into(),
                })?;
                Ok((bytes.into(), record.signature.clone()))
            }
            Source::File(path) => {
                let path = path.clone();
                let failed_path = path.clone();
                tokio::task::spawn_blocking(move || {
                    let bytes = fs::read(&path).map_err(|cause| failed(&path, cause))?;
                    Ok((bytes.into(), read_signature(&path)?))
                })
                .await
                .unwrap_or_else(|error| Err(failed(&failed_path, io::Error::other(error))))
            }
        }
    }
}

fn read_signature(component: &Path) -> Result<Option<String>, LoadFailure> {
    let mut name = component.as_os_str().to_owned();
    name.push(".minisig");
    let path = PathBuf::from(name);
    match fs::read(&path) {
        // What is no text is no signature either, and is refused as one.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(&path, cause)),
    }
}

fn failed(path: &Path, cause: io::Error) -> LoadFailure {
    LoadFailure::Read {
        path: path.to_owned(),
        cause,
    }
}
