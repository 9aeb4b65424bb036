//! Files that are there whole or not at all.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::NamedTempFile;

/// Replaces `file` by one with `bytes` in it, in one step: whoever reads it
/// meanwhile, and whatever interrupts us, sees all of it or what was there
/// before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // As any other new file; the process's umask takes away what it must.
    let mut whole = WholeFile::with_mode(file, 0o666)?;
    whole.write_all(bytes)?;
    whole.finish()
}

/// The same for a secret: nobody else may read it, and once this returns it
/// survives a loss of power.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut whole = WholeFile::with_mode(file, 0o600)?;
    whole.write_all(bytes)?;
    whole.finish()?;
    sync_folder(folder(file))
}

/// The names of files are durable once their folder is.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A file that is written bit by bit, and takes its place when it is whole. If it
/// is dropped before, nothing has happened. Not buffered.
#[derive(Debug)]
pub(crate) struct WholeFile {
    temporary: NamedTempFile,
    target: PathBuf,
    // Dropped behind the file that it names.
    _unfinished: Unfinished,
}

impl WholeFile {
    /// Begins to write what will be `file`, and tells of people: it is for nobody
    /// else to read, unless somebody has let others read the file that it replaces.
    pub(crate) fn begin(file: &Path) -> io::Result<Self> {
        let whole = Self::with_mode(file, 0o600)?;
        #[cfg(unix)]
        if let Ok(there) = std::fs::metadata(file) {
            whole
                .temporary
                .as_file()
                .set_permissions(there.permissions())?;
        }
        Ok(whole)
    }

    fn with_mode(file: &Path, mode: u32) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        let mut unfinished = unfinished();
        let temporary = builder.tempfile_in(folder(file))?;
        unfinished.insert(temporary.path().to_owned());
        Ok(Self {
            _unfinished: Unfinished(temporary.path().to_owned()),
            temporary,
            target: file.to_owned(),
        })
    }

    /// Where it will be.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns when what was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.temporary.as_file().sync_all()
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.sync()?;
        self.put_in_place()
    }

    /// The same for one that is on the disk.
    pub(crate) fn put_in_place(self) -> io::Result<()> {
        // Not while the process gives up.
        let unfinished = unfinished();
        let placed = self.temporary.persist(&self.target);
        drop(unfinished);
        placed?;
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

/// Files of this process that are not in their place yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a name among them.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

/// Removes all that is not in its place yet, for a process that is about to end.
/// While the answer is held, no file is begun, and none takes its place.
#[must_use]
pub(crate) fn give_up() -> impl Sized {
    let unfinished = unfinished();
    for file in unfinished.iter() {
        // It may be in its place by now.
        std::fs::remove_file(file).ok();
    }
    unfinished
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
