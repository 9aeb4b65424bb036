//! Credentials in files: one per profile, in a folder that nobody else can
//! look into.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    ProfileKey, StoreError, StoredCredential,
    store::{CredentialStore, StoreLock},
};
use crate::whole_file;

/// A credential takes a few kilobytes.
const MAX_FILE: u64 = 256 << 10;

/// Longer than a request to a token endpoint may take, which is what another
/// process does while it holds the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// A folder of files, mode 0700, with a file of mode 0600 for each profile.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// In that folder, which is made when something is stored.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where a profile is.
    pub fn path(&self, key: &ProfileKey) -> PathBuf {
        self.folder
            .join(format!("{}.{}.json", key.app(), key.profile()))
    }

    /// Makes the folder for its owner alone; refuses one that others can change.
    fn make_folder(&self) -> Result<(), StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.folder)
            .map_err(|error| io_error(&self.folder, "made", &error))?;
        // Who can write to it can put another file in place of ours.
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let metadata = fs::metadata(&self.folder)
                .map_err(|error| io_error(&self.folder, "read", &error))?;
            if metadata.mode() & 0o022 != 0 {
                return Err(StoreError::Exposed {
                    path: self.folder.display().to_string(),
                    access: "write to",
                    mode: metadata.mode() & 0o7777,
                    wanted: 0o700,
                });
            }
        }
        Ok(())
    }
}

impl CredentialStore for FileStore {
    fn load(&self, key: &ProfileKey) -> Result<Option<StoredCredential>, StoreError> {
        let path = self.path(key);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&path, "read", &error)),
        };
        private(&path, &file)?;
        let mut text = String::new();
        file.by_ref()
            .take(MAX_FILE)
            .read_to_string(&mut text)
            .map_err(|error| io_error(&path, "read", &error))?;
        let credential = StoredCredential::parse(&SecretString::from(text)).map_err(|error| {
            StoreError::Format {
                path: path.display().to_string(),
                line: error.line,
            }
        })?;
        Ok(Some(credential))
    }

    fn save(&self, key: &ProfileKey, credential: &StoredCredential) -> Result<(), StoreError> {
        self.make_folder()?;
        let path = self.path(key);
        whole_file::write_private(&path, credential.to_text().expose_secret().as_bytes())
            .map_err(|error| io_error(&path, "written", &error))
    }

    fn remove(&self, key: &ProfileKey) -> Result<bool, StoreError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error(&path, "removed", &error)),
        }
    }

    fn lock(&self, key: &ProfileKey) -> Result<StoreLock, StoreError> {
        self.make_folder()?;
        // A file of its own, since the other one is replaced; and one that
        // stays, since a lock on a file that somebody removes guards nothing.
        let path = self.path(key).with_extension("lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&path)
            .map_err(|error| io_error(&path, "written", &error))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                // Closing the file unlocks it, also when the process dies.
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Busy(path.display().to_string()));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(io_error(&path, "locked", &error));
                }
            }
        }
    }

    fn profiles(&self, app: &str) -> Vec<String> {
        let mut profiles: Vec<String> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                let (found, profile) = name.strip_suffix(".json")?.split_once('.')?;
                (found == app).then(|| profile.to_owned())
            })
            .collect();
        profiles.sort_unstable();
        profiles
    }
}

/// Refuses a file that somebody else may have read or put there. Looks at the
/// file that was opened: another could be in its place by now.
#[cfg(unix)]
fn private(path: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file
        .metadata()
        .map_err(|error| io_error(path, "read", &error))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(StoreError::Exposed {
            path: path.display().to_string(),
            access: "read",
            mode: metadata.mode() & 0o7777,
            wanted: 0o600,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &Path, _: &File) -> Result<(), StoreError> {
    Ok(())
}

fn io_error(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: path.display().to_string(),
        doing,
        cause: error.to_string(),
    }
}
