//! Compiled code on disk. Compiling the bundled connector takes a second,
//! mapping its code takes less than a millisecond.

use std::{
    fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use wasmtime::{Engine, component::Component};

use crate::whole_file;

/// A folder of compiled components, or none.
#[derive(Debug)]
pub(crate) struct CompiledCache {
    folder: Option<PathBuf>,
}

impl CompiledCache {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Finds the component compiled, or compiles it and keeps the result. A
    /// cache that can't be used costs time and nothing else.
    pub(crate) fn load_or_compile(
        &self,
        engine: &Engine,
        sha256: &str,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let Some(folder) = &self.folder else {
            return Component::new(engine, bytes);
        };
        if let Err(error) = private_folder(folder) {
            tracing::warn!(
                target: "harness::engine",
                folder = %folder.display(),
                %error,
                "compiled code is not kept"
            );
            return Component::new(engine, bytes);
        }
        let file = folder.join(file_name(engine, sha256));
        if file.is_file() {
            // SAFETY: the file holds machine code that will be run, so it must
            // be what wasmtime wrote. `private_folder` has made sure that the
            // folder belongs to this user and that nobody else can write to
            // it, files there are only put in place complete, by
            // `whole_file`, and their name holds the digest of the component and
            // wasmtime's compatibility hash.
            match unsafe { Component::deserialize_file(engine, &file) } {
                Ok(component) => return Ok(component),
                Err(error) => tracing::debug!(
                    target: "harness::engine",
                    file = %file.display(),
                    %error,
                    "compiled code does not fit, compiling anew"
                ),
            }
        }
        let component = Component::new(engine, bytes)?;
        if let Err(error) = whole_file::write(&file, &component.serialize()?) {
            tracing::warn!(
                target: "harness::engine",
                file = %file.display(),
                %error,
                "compiled code is not kept"
            );
        }
        Ok(component)
    }
}

/// Names the component, wasmtime's version and all settings that matter.
fn file_name(engine: &Engine, sha256: &str) -> String {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{sha256}-{:016x}.cwasm", hasher.finish())
}

/// FNV-1a: the standard library's hasher may change between its versions.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes the folder, for the owner alone; refuses one that others can write to.
fn private_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, MetadataExt};
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let metadata = fs::metadata(folder)?;
        let probe = tempfile::NamedTempFile::new_in(folder)?;
        let me = probe.as_file().metadata()?.uid();
        if metadata.uid() != me || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others can write to it",
            ));
        }
    }
    #[cfg(not(unix))]
    fs::create_dir_all(folder)?;
    Ok(())
}
