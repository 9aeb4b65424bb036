//! Builds the PagerDuty connector and tells the crate where it is, so that
//! `cargo run` and `cargo test` need nothing but rustup and a C compiler.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::exit,
};

#[path = "build/component.rs"]
mod component;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
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
        "guest/json",
        "guest/build.rs",
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
    match component::build(&workspace, "pagerduty-connector", &[], &target_dir()) {
        Ok(component) => {
            check_size(&component, &workspace.join("guest/Cargo.toml"));
            println!("cargo::rustc-env=BUNDLED_CONNECTOR={}", component.display());
        }
        Err(problem) => fail(&problem.cause, &problem.command),
    }
}

/// Warns of a component that is larger than it may be. What fails is the test
/// of the bundled connector: who changes it must be able to run it.
fn check_size(component: &Path, manifest: &Path) {
    let size = fs::metadata(component).map_or(0, |file| file.len());
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let budget = manifest
        .lines()
        .find_map(|line| line.strip_prefix("max-bytes = ")?.parse::<u64>().ok());
    match budget {
        Some(budget) if size <= budget => {}
        Some(budget) => println!(
            "cargo::warning=the connector has {size} bytes; its budget in guest/Cargo.toml is {budget}"
        ),
        None => fail(
            "guest/Cargo.toml names no `max-bytes`",
            "git checkout guest/Cargo.toml",
        ),
    }
}

/// OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE-HASH/out: the nested build gets
/// a folder of its own beside the profiles, since this build holds the lock of
/// the others, and shares it between them.
fn target_dir() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    out.ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "build"))
        .and_then(|build| build.parent()?.parent())
        .map_or(out.as_path(), Path::new)
        .join("connector")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}"), "cargo build"))
}

fn fail(cause: &str, command: &str) -> ! {
    eprintln!("\nerror: {cause}\n  hint: run `{command}` and build again\n");
    exit(1)
}
