//! A connector: a component that has been verified, compiled and asked to
//! describe itself. Cheap to clone.

mod call;
mod error;
mod listener;
mod prepared;
mod settings;
mod tenant;
mod verify;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    sync::{Arc, OnceLock, Weak},
};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

pub use call::CallReport;
pub use error::CallError;
pub(crate) use prepared::Prepared;
pub use settings::SettingError;
pub use tenant::{OpenError, Tenant, TenantConfig};
pub use verify::LoadError;
pub use watch::{CallWatch, Watch};

use crate::{
    contract::metadata::{self, Descriptor},
    egress::{
        HeaderScheme, Origin,
        cassette::{RecordedBy, RecordedConnector, hex},
        policy::{Declaration, DeclaredCapability, Level},
    },
    engine::{Engine, Mode},
    oauth,
};

/// The connector that this build of the host carries.
#[cfg(feature = "bundled")]
pub static BUNDLED: &[u8] = include_bytes!(env!("BUNDLED_CONNECTOR"));

/// A verified, compiled connector.
#[derive(Clone)]
pub struct Connector {
    loaded: Arc<Loaded>,
}

/// A connector that may be gone.
pub(crate) struct WeakConnector(Weak<Loaded>);

impl WeakConnector {
    pub(crate) fn is_in_memory(&self) -> bool {
        self.0.strong_count() > 0
    }
}

struct Loaded {
    engine: Engine,
    bytes: Arc<[u8]>,
    sha256: String,
    live: Prepared,
    /// Compiled when the first replay asks for it.
    replay: OnceLock<Prepared>,
    functions: BTreeSet<String>,
    descriptor: Descriptor,
    declaration: Declaration,
    origins: Vec<Origin>,
    schemes: Vec<HeaderScheme>,
    oauth: Vec<oauth::Scheme>,
}

impl Connector {
    /// Loads the connector that came with the host.
    #[cfg(feature = "bundled")]
    pub async fn bundled(engine: &Engine) -> Result<Self, LoadError> {
        Self::load(engine, BUNDLED).await
    }

    /// Loads a component file.
    pub async fn from_file(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|cause| LoadError::Read {
            path: path.display().to_string(),
            cause,
        })?;
        Self::load(engine, &bytes).await
    }

    /// Verifies, compiles and describes a component. Nothing of it reaches the
    /// network meanwhile.
    pub async fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        verify::preamble(bytes)?;
        let sha256 = hex(&Sha256::digest(bytes));
        let bytes: Arc<[u8]> = bytes.into();
        let (live, functions) = {
            let engine = engine.clone();
            let bytes = Arc::clone(&bytes);
            let sha256 = sha256.clone();
            // Compiling takes a second of a whole core.
            tokio::task::spawn_blocking(move || {
                let component = compile(&engine, Mode::Live, &sha256, &bytes)?;
                verify::imports(&component, engine.wasmtime(Mode::Live))?;
                let functions = verify::exports(&component, engine.wasmtime(Mode::Live))?;
                let prepared = Prepared::new(&engine, Mode::Live, component, &functions)?;
                Ok::<_, LoadError>((prepared, functions))
            })
            .await
            .map_err(|error| LoadError::Invalid(error.to_string()))??
        };
        let descriptor = call::describe(engine, &live).await?;
        let description = |problem: &dyn fmt::Display| LoadError::Description(problem.to_string());
        let declaration = Declaration::new(descriptor.capabilities.iter().map(declared))
            .map_err(|error| description(&error))?;
        for capability in &descriptor.capabilities {
            if !functions.contains(&capability.name) {
                return Err(LoadError::Description(format!(
                    "it declares `{}`, which it does not export",
                    capability.name
                )));
            }
        }
        let origins = descriptor
            .origins
            .iter()
            .map(|origin| origin.parse::<Origin>())
            .collect::<Result<_, _>>()
            .map_err(|error| description(&error))?;
        let schemes = descriptor
            .auth_schemes
            .iter()
            .filter_map(|scheme| match scheme {
                metadata::AuthScheme::Header(header) => Some(HeaderScheme::new(
                    &header.id,
                    &header.header,
                    &header.template,
                )),
                metadata::AuthScheme::Oauth2(_) => None,
            })
            .collect::<Result<_, _>>()
            .map_err(|error| description(&error))?;
        let oauth = descriptor
            .auth_schemes
            .iter()
            .filter_map(|scheme| match scheme {
                metadata::AuthScheme::Header(_) => None,
                metadata::AuthScheme::Oauth2(scheme) => Some(oauth::Scheme::new(scheme)),
            })
            .collect::<Result<_, _>>()
            .map_err(|error| description(&error))?;
        settings::Schema::parse(&descriptor.settings_schema)
            .map_err(|error| description(&error))?;
        Ok(Self {
            loaded: Arc::new(Loaded {
                engine: engine.clone(),
                bytes,
                sha256,
                live,
                replay: OnceLock::new(),
                functions,
                descriptor,
                declaration,
                origins,
                schemes,
                oauth,
            }),
        })
    }

    /// What the connector says about itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.loaded.descriptor
    }

    /// Digest of the component, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.loaded.sha256
    }

    /// Size of the component in bytes.
    pub fn size(&self) -> usize {
        self.loaded.bytes.len()
    }

    /// What it exports, as `interface.function`, sorted.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.loaded.functions.iter().map(String::as_str)
    }

    /// The contract's interfaces that it exports, each with its version.
    pub fn interfaces(&self) -> BTreeMap<String, String> {
        verify::interfaces(
            &self.loaded.live.component,
            self.loaded.engine.wasmtime(Mode::Live),
        )
    }

    /// The origins it declares. Whether it may reach them is for the
    /// [`Grant`](crate::egress::policy::Grant) to say.
    pub fn origins(&self) -> &[Origin] {
        &self.loaded.origins
    }

    /// The OAuth schemes it declares.
    pub fn oauth_schemes(&self) -> &[oauth::Scheme] {
        &self.loaded.oauth
    }

    /// The OAuth scheme of that id.
    pub fn oauth_scheme(&self, id: &str) -> Option<&oauth::Scheme> {
        self.loaded.oauth.iter().find(|scheme| scheme.id() == id)
    }

    /// What a sign-in asks for, with these settings and the defaults of the
    /// others filled in.
    pub fn oauth_scopes(
        &self,
        scheme: &oauth::Scheme,
        access: oauth::Access,
        settings: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, oauth::MissingSetting> {
        scheme.scopes(access, |name| self.setting(settings, name))
    }

    /// A setting's value, or its default.
    pub(crate) fn setting(
        &self,
        settings: &BTreeMap<String, String>,
        name: &str,
    ) -> Option<String> {
        settings
            .get(name)
            .cloned()
            .or_else(|| settings::default(&self.descriptor().settings_schema, name))
    }

    /// Who made a recording with this connector, for its header.
    pub fn recorded_by(&self, settings: &BTreeMap<String, String>) -> RecordedBy {
        RecordedBy {
            connector: RecordedConnector {
                app_id: self.descriptor().app_id.clone(),
                version: self.descriptor().version.clone(),
                sha256: self.sha256().to_owned(),
            },
            contract: format!("{}@{}", crate::contract::PACKAGE, crate::contract::VERSION),
            settings: settings.clone(),
        }
    }

    /// Opens a tenant: puts a credential, settings and a grant together.
    pub fn open(&self, config: TenantConfig) -> Result<Tenant, OpenError> {
        Tenant::open(self.clone(), config)
    }

    /// To see whether anybody still holds it.
    pub(crate) fn downgrade(&self) -> WeakConnector {
        WeakConnector(Arc::downgrade(&self.loaded))
    }

    /// The component that it was loaded from.
    pub(crate) fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.loaded.bytes)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.loaded.engine
    }

    pub(crate) fn declaration(&self) -> &Declaration {
        &self.loaded.declaration
    }

    pub(crate) fn schemes(&self) -> &[HeaderScheme] {
        &self.loaded.schemes
    }

    pub(crate) fn exports(&self, function: &str) -> bool {
        self.loaded.functions.contains(function)
    }

    pub(crate) fn prepared(&self, mode: Mode) -> Result<&Prepared, LoadError> {
        let loaded = &self.loaded;
        match mode {
            Mode::Live => Ok(&loaded.live),
            Mode::Replay => {
                if let Some(prepared) = loaded.replay.get() {
                    return Ok(prepared);
                }
                let component = compile(&loaded.engine, mode, &loaded.sha256, &loaded.bytes)?;
                let prepared = Prepared::new(&loaded.engine, mode, component, &loaded.functions)?;
                Ok(loaded.replay.get_or_init(|| prepared))
            }
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("app_id", &self.descriptor().app_id)
            .field("version", &self.descriptor().version)
            .field("sha256", &self.sha256())
            .finish_non_exhaustive()
    }
}

fn compile(
    engine: &Engine,
    mode: Mode,
    sha256: &str,
    bytes: &[u8],
) -> Result<Component, LoadError> {
    engine
        .compile(mode, sha256, bytes)
        .map_err(|error| LoadError::Invalid(format!("{error:#}")))
}

fn declared(capability: &metadata::Capability) -> DeclaredCapability {
    let level = |level: metadata::Level| match level {
        metadata::Level::Read => Level::Read,
        metadata::Level::Write => Level::Write,
    };
    DeclaredCapability {
        name: capability.name.clone(),
        level: level(capability.level),
        requests: capability
            .requests
            .iter()
            .map(|rule| (rule.method.clone(), rule.path.clone(), level(rule.level)))
            .collect(),
    }
}
