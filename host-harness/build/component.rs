//! Builds a component of this workspace by a cargo of its own: a build script
//! and a test run inside a cargo that builds for another target.
//!
//! Part of the build script, and of the test suite for its hostile connectors.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip2";

/// Why there is no component.
#[derive(Debug)]
pub struct Problem {
    /// What went wrong.
    pub cause: String,
    /// What to run.
    pub command: String,
}

/// Builds `package` with `features` into `target_dir` and returns the component.
/// Adds the target to the toolchain where it is missing.
///
/// The file's name says nothing of features: builds with other ones need another
/// folder.
pub fn build(
    workspace: &Path,
    package: &str,
    features: &[&str],
    target_dir: &Path,
) -> Result<PathBuf, Problem> {
    add_target()?;
    let features = features.join(",");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--package", package])
        .args(["--profile", "guest", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir);
    if !features.is_empty() {
        cargo.args(["--features", &features]);
    }
    // Whatever the outer cargo has set is about the outer build: clippy's
    // wrapper, flags for the host, this package's own variables.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let kept = [
            "CARGO_HOME",
            "CARGO_HTTP_",
            "CARGO_INCREMENTAL",
            "CARGO_MAKEFLAGS",
            "CARGO_NET_",
            "CARGO_REGISTR",
            "CARGO_SOURCE_",
            "CARGO_TERM_",
        ]
        .iter()
        .any(|kept| text.starts_with(kept));
        let inherited = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CLIPPY_", "DEP_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        let about_this_build =
            ["TARGET", "HOST", "OUT_DIR", "PROFILE", "OPT_LEVEL", "DEBUG"].contains(&text.as_ref());
        if (inherited && !kept) || about_this_build {
            cargo.env_remove(&name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(Problem {
                cause: format!("`{package}` does not build; the compiler's messages are above"),
                command: format!(
                    "cargo build --package {package} --features '{features}' \
                     --profile guest --target {TARGET}"
                ),
            });
        }
        Err(error) => {
            return Err(Problem {
                cause: format!("cargo can't be run: {error}"),
                command: "cargo --version".to_owned(),
            });
        }
    }
    let file = Path::new(&package.replace('-', "_")).with_extension("wasm");
    let built = target_dir.join(TARGET).join("guest").join(&file);
    let component = target_dir.join(file);
    finish(&built, &component).map_err(|error| Problem {
        cause: format!("the build left no `{}`: {error}", built.display()),
        command: "cargo clean".to_owned(),
    })?;
    Ok(component)
}

/// Puts what cargo has built, but for names that only debuggers ask for, where
/// `component` is: another build may read it meanwhile, so it is replaced as a
/// whole, and only if it is another one.
fn finish(built: &Path, component: &Path) -> io::Result<()> {
    let bytes = without_names(&fs::read(built)?).ok_or(io::ErrorKind::InvalidData)?;
    if fs::read(component).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let unfinished = component.with_extension(format!("{}.new", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, component)
}

/// A component is a preamble of eight bytes and sections: a byte for the kind,
/// the length as LEB128, that many bytes. Kind 0 begins with a name; that called
/// `component-name` says what parts are called. Nothing refers to it.
fn without_names(component: &[u8]) -> Option<Vec<u8>> {
    let (preamble, mut rest) = component.split_at_checked(8)?;
    let mut kept = preamble.to_vec();
    while let Some((kind, section)) = rest.split_first() {
        let (length, content) = leb128(section)?;
        let (content, after) = content.split_at_checked(length)?;
        let are_names = *kind == 0 && {
            let (length, name) = leb128(content)?;
            name.get(..length)? == b"component-name"
        };
        if !are_names {
            kept.extend(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    Some(kept)
}

/// A number of up to 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

/// Adds the target where it is missing. rustup would do so by itself unless
/// its automatic installation is switched off, as in many CI systems.
fn add_target() -> Result<(), Problem> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let installed = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .is_some_and(|folder| Path::new(folder.trim()).is_dir());
    if installed {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let problem = match rustup.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("rustup can't be run: {error}"),
    };
    Err(Problem {
        cause: format!("connectors are built for {TARGET}, which this toolchain lacks\n{problem}"),
        command: format!("rustup target add {TARGET}"),
    })
}
