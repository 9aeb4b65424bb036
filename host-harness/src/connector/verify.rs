//! What a file must be before any of it runs.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::component::{Component, types::ComponentItem};

use crate::contract;

/// Why a file is no connector that this host runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Could not be read.
    #[error("`{path}` can't be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// Not WebAssembly.
    #[error("it is not a WebAssembly file")]
    NotWasm,
    /// WebAssembly, but the kind without interfaces.
    #[error("it is a core module, not a component")]
    CoreModule,
    /// Broken, or with features that wasmtime has not.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// It wants more than a connector gets.
    #[error("it imports {}, which a connector does not get", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It wants something that nobody has.
    #[error("it imports {}, which this host does not know", .0.join(", "))]
    UnknownImports(Vec<String>),
    /// Another version of the contract.
    #[error(
        "it speaks {found} in {}, and this host speaks {}@{}",
        .interfaces.join(", "),
        contract::PACKAGE,
        contract::VERSION
    )]
    UnsupportedContract {
        /// What it speaks.
        found: String,
        /// In which interfaces.
        interfaces: Vec<String>,
    },
    /// Not a connector at all.
    #[error("it does not export {}", .0.join(", "))]
    MissingExports(Vec<String>),
    /// An interface of the contract with another shape.
    #[error("its export `{interface}` is not as the contract says: {cause}")]
    ExportShape {
        /// Which interface.
        interface: String,
        /// What is different.
        cause: String,
    },
    /// It did not describe itself.
    #[error("`metadata.describe` failed: {0}")]
    Describe(String),
    /// What it says about itself makes no sense.
    #[error("its description makes no sense: {0}")]
    Description(String),
}

impl LoadError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => {
                "name a component file, or leave `--connector` out for the bundled one"
            }
            Self::NotWasm | Self::CoreModule => {
                "build it with `cargo build --target wasm32-wasip2 --release`"
            }
            Self::Invalid(_) => "build it again; the file may be incomplete",
            Self::ForbiddenImports(_) => {
                "connectors reach the network through `wasi:http/outgoing-handler` only, and have no files"
            }
            Self::UnknownImports(_) => "connectors import standard WASI 0.2 only",
            Self::UnsupportedContract { .. } => {
                "use a host that speaks that version, or build the connector against this one's `wit/`"
            }
            Self::MissingExports(_) | Self::ExportShape { .. } => {
                "build it against this host's `wit/`, at least the world `connector`"
            }
            Self::Describe(_) | Self::Description(_) => "this is a defect of the connector",
        }
    }
}

/// What the names of the contract's interfaces begin with.
const INTERFACES: &str = "iga:connector/";

/// What a connector may import. All of it is standard WASI 0.2.
const PERMITTED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Looks at the first bytes: wasmtime's own message for a file that is
/// something else altogether speaks of magic numbers.
pub(super) fn preamble(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => Err(LoadError::Invalid(
            "unknown version of the binary format".to_owned(),
        )),
        _ => Err(LoadError::NotWasm),
    }
}

/// Looks at what the component wants.
pub(super) fn imports(component: &Component, engine: &wasmtime::Engine) -> Result<(), LoadError> {
    let mut forbidden = Vec::new();
    let mut unknown = Vec::new();
    let ty = component.component_type();
    contract_versions(ty.imports(engine).map(|(name, _)| name))?;
    for (name, _) in ty.imports(engine) {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if interface.starts_with(INTERFACES) {
            // The contract's types.
        } else if PERMITTED.contains(&interface) && version.starts_with("0.2.") {
            // As linked.
        } else if interface.starts_with("wasi:sockets/")
            || interface.starts_with("wasi:filesystem/")
        {
            forbidden.push(format!("`{name}`"));
        } else {
            unknown.push(format!("`{name}`"));
        }
    }
    if !forbidden.is_empty() {
        return Err(LoadError::ForbiddenImports(forbidden));
    }
    if !unknown.is_empty() {
        return Err(LoadError::UnknownImports(unknown));
    }
    Ok(())
}

/// Looks at what the component offers: `interface.function` for each function
/// of the contract's interfaces.
pub(super) fn exports(
    component: &Component,
    engine: &wasmtime::Engine,
) -> Result<BTreeSet<String>, LoadError> {
    let mut functions = BTreeSet::new();
    let ty = component.component_type();
    contract_versions(ty.exports(engine).map(|(name, _)| name))?;
    for (name, item) in ty.exports(engine) {
        let Some(rest) = name.strip_prefix(INTERFACES) else {
            continue;
        };
        let interface = rest.split('@').next().unwrap_or(rest);
        if let ComponentItem::ComponentInstance(instance) = item.ty {
            for (function, item) in instance.exports(engine) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    functions.insert(format!("{interface}.{function}"));
                }
            }
        }
    }
    let missing: Vec<String> = ["metadata.describe", "credentials.validate"]
        .into_iter()
        .filter(|function| !functions.contains(*function))
        .map(|function| format!("`{function}`"))
        .collect();
    if missing.is_empty() {
        Ok(functions)
    } else {
        Err(LoadError::MissingExports(missing))
    }
}

/// The contract's interfaces among the exports, each with its version.
pub(super) fn interfaces(
    component: &Component,
    engine: &wasmtime::Engine,
) -> BTreeMap<String, String> {
    component
        .component_type()
        .exports(engine)
        .filter_map(|(name, _)| {
            let (interface, version) = name.strip_prefix(INTERFACES)?.split_once('@')?;
            Some((interface.to_owned(), version.to_owned()))
        })
        .collect()
}

/// Each of the contract's interfaces must be one that this host speaks.
fn contract_versions<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), LoadError> {
    let mut interfaces = Vec::new();
    let mut versions = BTreeSet::new();
    for name in names {
        let Some(name) = name.strip_prefix(INTERFACES) else {
            continue;
        };
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if !fits(version) {
            interfaces.push(format!("`{interface}`"));
            versions.insert(match version {
                "" => format!("{} without a version", contract::PACKAGE),
                version => format!("{}@{version}", contract::PACKAGE),
            });
        }
    }
    if interfaces.is_empty() {
        return Ok(());
    }
    Err(LoadError::UnsupportedContract {
        found: Vec::from_iter(versions).join(" and "),
        interfaces,
    })
}

/// Before 1.0 a minor version is a breaking one: `0.1.7` fits `0.1.0`.
fn fits(version: &str) -> bool {
    let track = |version: &str| -> Option<(u32, u32)> {
        let mut parts = version.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    track(version).is_some() && track(version) == track(contract::VERSION)
}
