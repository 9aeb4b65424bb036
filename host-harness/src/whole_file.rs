//! Files that are there whole or not at all.

use std::{
    io::{self, Write},
    path::Path,
};

/// Replaces `file` by one with `bytes` in it, in one step: whoever reads it
/// meanwhile, and whatever interrupts us, sees all of it or what was there
/// before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As any other new file; the process's umask takes away what it must.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
