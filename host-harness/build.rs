//! Builds the PagerDuty connector and tells the crate where it is, so that
//! `cargo run` and `cargo test` need nothing but rustup and a C compiler.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const TARGET: &str = "wasm32-wasip2";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_none() {
        return;
    }
    // For packagers who build the connector in a step of its own.
    println!("cargo::rerun-if-env-changed=HARNESS_PREBUILT_CONNECTOR");
    if let Some(prebuilt) = env::var_os("HARNESS_PREBUILT_CONNECTOR") {
        let prebuilt = PathBuf::from(prebuilt);
        if !prebuilt.is_file() {
            fail(
                &format!(
                    "HARNESS_PREBUILT_CONNECTOR names `{}`, which is no file",
                    prebuilt.display()
                ),
                "unset HARNESS_PREBUILT_CONNECTOR",
            );
        }
        println!("cargo::rerun-if-changed={}", prebuilt.display());
        println!("cargo::rustc-env=BUNDLED_CONNECTOR={}", prebuilt.display());
        return;
    }
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = manifest.join("..");
    for input in [
        "guest/src",
        "guest/Cargo.toml",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    add_target();
    let component = build(&workspace);
    println!("cargo::rustc-env=BUNDLED_CONNECTOR={}", component.display());
}

/// Adds the target where it is missing. rustup would do so by itself unless
/// its automatic installation is switched off, as in many CI systems.
fn add_target() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let installed = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .is_some_and(|folder| Path::new(folder.trim()).is_dir());
    if installed {
        return;
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let problem = match rustup.output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("rustup can't be run: {error}"),
    };
    fail(
        &format!("the connector is built for {TARGET}, which this toolchain lacks\n{problem}"),
        &format!("rustup target add {TARGET}"),
    );
}

fn build(workspace: &Path) -> PathBuf {
    // OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE-HASH/out: the nested build
    // gets a folder of its own beside the profiles, since this build holds the
    // lock of the others, and shares it between them.
    let out = PathBuf::from(variable("OUT_DIR"));
    let target_dir = out
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "build"))
        .and_then(|build| build.parent()?.parent())
        .unwrap_or(&out)
        .join("connector");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--package", "pagerduty-connector"])
        .args(["--profile", "guest", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir);
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
        Ok(_) => fail(
            "the connector does not build; the compiler's messages are above",
            &format!("cargo build --package pagerduty-connector --profile guest --target {TARGET}"),
        ),
        Err(error) => fail(&format!("cargo can't be run: {error}"), "cargo --version"),
    }
    let component = target_dir
        .join(TARGET)
        .join("guest/pagerduty_connector.wasm");
    if !component.is_file() {
        fail(
            &format!("the build left no `{}`", component.display()),
            "cargo clean",
        );
    }
    component
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}"), "cargo build"))
}

fn fail(cause: &str, command: &str) -> ! {
    eprintln!("\nerror: {cause}\n  hint: run `{command}` and build again\n");
    exit(1)
}
