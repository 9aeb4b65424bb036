//! Files that are there whole or not at all.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Replaces `file` by one with `bytes` in it, in one step: whoever reads it
/// meanwhile, and whatever interrupts us, sees all of it or what was there
/// before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut whole = WholeFile::begin(file)?;
    whole.write_all(bytes)?;
    whole.finish()
}

/// The same for a secret: nobody else may read it, and once this returns it
/// survives a loss of power.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut whole = WholeFile::with_mode(file, 0o600)?;
    whole.write_all(bytes)?;
    whole.finish()?;
    // The new name is durable once the folder is.
    #[cfg(unix)]
    std::fs::File::open(folder(file))?.sync_all()?;
    Ok(())
}

/// A file that is written bit by bit, and takes its place when it is whole. If it
/// is dropped before, nothing has happened. Not buffered.
#[derive(Debug)]
pub(crate) struct WholeFile {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl WholeFile {
    /// Begins to write what will be `file`.
    pub(crate) fn begin(file: &Path) -> io::Result<Self> {
        // As any other new file; the process's umask takes away what it must.
        Self::with_mode(file, 0o666)
    }

    fn with_mode(file: &Path, mode: u32) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        Ok(Self {
            temporary: builder.tempfile_in(folder(file))?,
            target: file.to_owned(),
        })
    }

    /// Where it will be.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist(&self.target)?;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
