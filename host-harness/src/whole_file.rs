//! Files that are there whole or not at all.

use std::{
    io::{self, Write},
    path::Path,
};

/// Replaces `file` by one with `bytes` in it, in one step: whoever reads it
/// meanwhile, and whatever interrupts us, sees all of it or what was there
/// before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // As any other new file; the process's umask takes away what it must.
    replace(file, bytes, 0o666)
}

/// The same for a secret: nobody else may read it, and once this returns it
/// survives a loss of power.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(file, bytes, 0o600)?;
    // The new name is durable once the folder is.
    #[cfg(unix)]
    std::fs::File::open(folder(file))?.sync_all()?;
    Ok(())
}

fn replace(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    let mut temporary = builder.tempfile_in(folder(file))?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
