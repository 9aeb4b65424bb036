//! Loads components that appear in a folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{LoadFailure, LoadReport, LoadRequest, Registry};

/// A folder that is looked at from time to time. A file is loaded when it looks
/// the same twice in a row, so that one that is being written is left alone; and
/// once for each content. The order of names decides among several files.
///
/// It asks the file system and does not wait for its events: those are lost on
/// network file systems, and for files that are mounted into a container.
pub struct DirectoryWatch {
    registry: Registry,
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
}

/// What a file looked like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Look {
    file: FileLook,
    signature: Option<FileLook>,
}

/// Of two files that look the same but for their content, the later one was at
/// least changed later, whatever time it claims to be from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileLook {
    size: u64,
    modified: Option<SystemTime>,
    /// Number and time of change of the inode, where there is one.
    inode: Option<(u64, i64, i64)>,
}

struct Seen {
    look: Look,
    loaded: bool,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watching(tokio::task::JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DirectoryWatch {
    /// Looks at nothing yet.
    pub fn new(registry: &Registry, folder: impl Into<PathBuf>) -> Self {
        Self {
            registry: registry.clone(),
            folder: folder.into(),
            seen: BTreeMap::new(),
        }
    }

    /// Looks every so often. What comes of it is in the audit log.
    pub fn every(mut self, interval: Duration) -> Watching {
        Watching(tokio::spawn(async move {
            let mut broken = false;
            loop {
                match self.look().await {
                    Ok(_) => broken = false,
                    // Said once, not with every look.
                    Err(error) if !broken => {
                        broken = true;
                        tracing::error!(
                            target: "harness::registry",
                            folder = %self.folder.display(),
                            %error,
                            "the folder can't be watched"
                        );
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(interval).await;
            }
        }))
    }

    /// Looks once, and loads what has come to rest. Returns what was tried;
    /// files that the registry has already are not among it.
    pub async fn look(&mut self) -> io::Result<Vec<(PathBuf, Result<LoadReport, LoadFailure>)>> {
        let folder = self.folder.clone();
        let looks = tokio::task::spawn_blocking(move || looks(&folder))
            .await
            .map_err(io::Error::other)??;
        self.seen.retain(|path, _| looks.contains_key(path));
        let mut tried = Vec::new();
        for (path, look) in looks {
            match self.seen.get_mut(&path) {
                Some(seen) if seen.look == look => {
                    if std::mem::replace(&mut seen.loaded, true) {
                        continue;
                    }
                }
                _ => {
                    let seen = Seen {
                        look,
                        loaded: false,
                    };
                    self.seen.insert(path, seen);
                    continue;
                }
            }
            let request = LoadRequest::file(&path, "watch").new_only();
            let outcome = self.registry.load(request).await;
            // What says nothing about the component is tried again.
            if let Err(LoadFailure::Read { .. } | LoadFailure::Record(_)) = &outcome
                && let Some(seen) = self.seen.get_mut(&path)
            {
                seen.loaded = false;
            }
            if !outcome.as_ref().is_ok_and(|report| report.unchanged) {
                tried.push((path, outcome));
            }
        }
        Ok(tried)
    }
}

fn looks(folder: &Path) -> io::Result<BTreeMap<PathBuf, Look>> {
    let mut looks = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // It may be gone by now.
        let Some(file) = look(&path) else {
            continue;
        };
        let mut signature = path.clone().into_os_string();
        signature.push(".minisig");
        let signature = look(Path::new(&signature));
        let look = Look { file, signature };
        looks.insert(path, look);
    }
    Ok(looks)
}

fn look(path: &Path) -> Option<FileLook> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    #[cfg(unix)]
    let inode = {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
    };
    #[cfg(not(unix))]
    let inode = None;
    Some(FileLook {
        size: metadata.len(),
        modified: metadata.modified().ok(),
        inode,
    })
}
