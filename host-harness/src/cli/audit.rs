//! `harness audit`: the log of what was changed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{args::AuditCommand, failure::Failure, output, serve};
use crate::registry::{
    self, RegistryError,
    audit::{self, AuditCheck, AuditError},
};

pub(super) fn run(command: &AuditCommand) -> Result<(), Failure> {
    let AuditCommand::Verify { path, head, json } = command;
    let path = match path {
        Some(path) => path.clone(),
        None => serve::state_folder()?,
    };
    let (log, check) = check(&path)?;
    if let Some(head) = head.as_ref().filter(|head| **head != check.head.hash) {
        return Err(Failure::call(
            format!(
                "the last of {} records has the hash {}, not {head}",
                check.head.seq, check.head.hash
            ),
            Some(
                "if the hash was noted earlier, look for it: records after it are new; else the \
                 log is another one"
                    .to_owned(),
            ),
        ));
    }
    if *json {
        return output::json(&json!({
            "log": log.display().to_string(),
            "records": check.head.seq,
            "head": check.head.hash,
            "torn_bytes": check.torn,
        }));
    }
    output::fields(&[
        ("log", log.display().to_string()),
        (
            "records",
            output::counted(check.records.len(), "record", "records") + ", the chain holds",
        ),
        (
            "first",
            check
                .records
                .first()
                .map_or_else(String::new, |record| record.at.to_string()),
        ),
        (
            "last",
            check
                .records
                .last()
                .map_or_else(String::new, |record| record.at.to_string()),
        ),
        ("head", check.head.hash.clone()),
    ])?;
    if check.torn > 0 {
        talk!(
            "{} at the end are a record that was being written when the process ended; the next \
             start cuts them off",
            output::counted(
                usize::try_from(check.torn).unwrap_or(usize::MAX),
                "byte",
                "bytes"
            )
        );
    }
    Ok(())
}

/// The log of a state folder, of a registry's own folder, or a file.
fn check(path: &Path) -> Result<(PathBuf, AuditCheck), Failure> {
    if !path.is_dir() {
        return Ok((path.to_owned(), audit::verify(path).map_err(Failure::from)?));
    }
    let folder = path.join(serve::REGISTRY);
    let folder = if folder.is_dir() {
        folder
    } else {
        path.to_owned()
    };
    let check = registry::check_folder(&folder)?;
    Ok((folder.join(registry::LOG), check))
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match &error {
            AuditError::File { .. } => Self::usage(
                &error,
                "name the folder of `harness serve --state`, or the file `audit.jsonl`",
            ),
            _ => Self::call(&error, Some(error.hint().to_owned())),
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Audit(error) => error.into(),
            error => Self::usage(&error, error.hint()),
        }
    }
}
