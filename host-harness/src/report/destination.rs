//! Where a report or an export may go.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::ReportError;

/// Refuses what is no file, and what belongs to the store: it would be replaced.
pub(super) fn check(store: &Path, file: &Path) -> Result<(), ReportError> {
    let failed = |cause: io::Error| ReportError::file(file, &cause);
    // Also behind links, dangling ones, and in folders that are the same.
    let Some(place) = place(file).map_err(failed)? else {
        // Nobody can write there; whoever tries will say so.
        return Ok(());
    };
    if place.exists() && !place.is_file() {
        return Err(ReportError::NotAFile(file.to_owned()));
    }
    let store = store.canonicalize().unwrap_or_else(|_| store.to_owned());
    if is_of(&store, &place) {
        return Err(ReportError::IsStore(file.to_owned()));
    }
    Ok(())
}

/// The file, or what would be one, without links.
fn place(file: &Path) -> io::Result<Option<PathBuf>> {
    match file.canonicalize() {
        Ok(there) => return Ok(Some(there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let Some(name) = file.file_name() else {
        return Ok(None);
    };
    let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    Ok(folder.ok().map(|folder| folder.join(name)))
}

/// Whether it is the store, its log (`-wal`, `-shm`, `-journal`) or a lock of it
/// (`-sync-N`).
fn is_of(store: &Path, place: &Path) -> bool {
    if store.parent() != place.parent() {
        return false;
    }
    let (Some(store), Some(name)) = (store.file_name(), place.file_name()) else {
        return false;
    };
    let (store, name) = (store.as_encoded_bytes(), name.as_encoded_bytes());
    name.strip_prefix(store).is_some_and(|rest| {
        matches!(rest, b"" | b"-wal" | b"-shm" | b"-journal") || rest.starts_with(b"-sync-")
    })
}
