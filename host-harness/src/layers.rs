//! Pieces that `benches/` measures by themselves. Not part of the library's
//! interface.

use std::path::Path;

use crate::{
    contract::types::Grant,
    egress::{Credential, Redactor, cassette::Player},
    store::{Rows, RunBy, StagedPage, Store, StoreError},
};

/// Whether the recording answers that request. Plays the answer.
pub fn lookup(player: &Player, method: &str, uri: &str) -> bool {
    player.answer(method, uri, &[]).is_ok()
}

/// The search for a credential in what the vendor answers.
#[derive(Debug)]
pub struct Redaction(Redactor);

impl Redaction {
    /// Looks for this credential, in all its forms.
    pub fn new(credential: &Credential) -> Self {
        Self(Redactor::new([credential]))
    }

    /// Whether it is in there.
    pub fn finds(&self, body: &[u8]) -> bool {
        self.0.bytes(body).is_some()
    }
}

/// A run under way in a store.
#[derive(Debug)]
pub struct StagedRun {
    store: Store,
    run: i64,
}

impl StagedRun {
    /// Begins a run of a made-up tenant in a store of its own.
    pub fn begin(file: &Path) -> Result<Self, StoreError> {
        let mut store = Store::open(file)?;
        let tenant = store.enter_tenant("bench", "bench", "bench")?;
        let by = RunBy {
            version: "0.0.0",
            sha256: "",
            read_as: "",
        };
        let run = store.begin_run(&tenant, by, &[])?;
        Ok(Self { store, run })
    }

    /// Commits a page that is not the last.
    pub fn commit(&mut self, grants: Vec<Grant>) -> Result<(), StoreError> {
        let page = StagedPage {
            function: "directory.list-grants",
            component_sha256: String::new(),
            rows: Rows::Grants(grants),
            next: Some("next".to_owned()),
            notices: Vec::new(),
        };
        self.store.commit_page(self.run, &page, 1, 0)?;
        Ok(())
    }
}
