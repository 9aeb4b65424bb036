//! The tenants of a configuration file, as `harness sync --config` takes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    args::{ConnectArgs, ConnectorArgs, PopulationArgs, ReachArgs},
    failure::Failure,
};

/// The file, resolved.
#[derive(Debug)]
pub(super) struct TenantsFile {
    pub(super) store: Option<PathBuf>,
    pub(super) parallel: Option<NonZeroUsize>,
    /// In the order of the file. At least one; no two of one name.
    pub(super) tenants: Vec<TenantEntry>,
}

/// A tenant, and how it is reached.
#[derive(Debug)]
pub(super) struct TenantEntry {
    pub(super) name: String,
    pub(super) max_shrink: Option<u8>,
    pub(super) connect: ConnectArgs,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Text {
    store: Option<PathBuf>,
    parallel: Option<NonZeroUsize>,
    #[serde(default)]
    tenant: Vec<TenantText>,
}

/// As `[[tenant]]` says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TenantText {
    name: String,
    /// One of the two.
    profile: Option<String>,
    token_file: Option<PathBuf>,
    auth: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    base_url: Option<String>,
    connector: Option<PathBuf>,
    #[serde(default)]
    grant: Vec<String>,
    ca_file: Option<PathBuf>,
    deadline: Option<u64>,
    max_shrink: Option<u8>,
}

const EXAMPLE: &str = "write it as `[[tenant]]`, `name = \"acme\"`, and `profile = \"acme\"` or \
                       `token-file = \"acme.token\"`";

impl TenantsFile {
    /// Files that it names are beside it, unless they are named from the root.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |problem: &dyn std::fmt::Display, hint: &str| {
            Failure::usage(format!("`{}`: {problem}", path.display()), hint)
        };
        let text = fs::read_to_string(path).map_err(|error| {
            wrong(
                &format!("can't be read: {error}"),
                "name a file of tenants with `--config`",
            )
        })?;
        // Not the line itself, as the error would show it: somebody may have put a
        // secret there.
        let text: Text = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let message: Vec<&str> = error.message().lines().collect();
            wrong(&format!("line {line}: {}", message.join("; ")), EXAMPLE)
        })?;
        if text.tenant.is_empty() {
            return Err(wrong(&"it names no tenant", EXAMPLE));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut names = BTreeSet::new();
        let mut tenants = Vec::new();
        for tenant in text.tenant {
            if tenant.name.trim().is_empty() {
                return Err(wrong(&"a tenant has an empty name", EXAMPLE));
            }
            if !names.insert(tenant.name.clone()) {
                let problem = format!("two tenants are named `{}`", tenant.name);
                return Err(wrong(
                    &problem,
                    "in the store a tenant is known by its name",
                ));
            }
            if tenant.profile.is_some() == tenant.token_file.is_some() {
                let problem = format!(
                    "tenant `{}` needs a `profile` or a `token-file`, and not both",
                    tenant.name
                );
                return Err(wrong(&problem, EXAMPLE));
            }
            // As the arguments of the same names.
            if tenant.max_shrink.is_some_and(|percent| percent > 100) {
                let problem = format!("`max-shrink` of tenant `{}` is above 100", tenant.name);
                return Err(wrong(&problem, "it is a share in percent, 0 to 100"));
            }
            if tenant
                .deadline
                .is_some_and(|seconds| !(1..=86_400).contains(&seconds))
            {
                let problem = format!("`deadline` of tenant `{}` is no such time", tenant.name);
                return Err(wrong(&problem, "it is in seconds, 1 to 86400"));
            }
            tenants.push(tenant.resolved(folder));
        }
        Ok(Self {
            store: text.store.map(|store| folder.join(store)),
            parallel: text.parallel,
            tenants,
        })
    }
}

impl TenantText {
    fn resolved(self, folder: &Path) -> TenantEntry {
        let beside = |path: PathBuf| folder.join(path);
        TenantEntry {
            max_shrink: self.max_shrink,
            connect: ConnectArgs {
                reach: ReachArgs {
                    connector: ConnectorArgs {
                        connector: self.connector.map(beside),
                    },
                    base_url: self.base_url,
                    grant: self.grant,
                    setting: self
                        .settings
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect(),
                    ca_file: self.ca_file.map(beside),
                },
                token_file: self.token_file.map(beside),
                profile: self.profile,
                auth: self.auth,
                deadline: self.deadline.unwrap_or(180),
                simulator: false,
                population: PopulationArgs {
                    users: 1,
                    teams: None,
                    schedules: None,
                    seed: 1,
                },
                replay: None,
                record: None,
                json: false,
            },
            name: self.name,
        }
    }
}
