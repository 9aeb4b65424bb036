//! A component on an engine, and where its interfaces are.

use std::collections::BTreeSet;

use wasmtime::{
    Store,
    component::{Component, Instance, InstancePre},
};

use super::LoadError;
use crate::{
    contract::bindings,
    engine::{CallState, Engine, Mode},
};

/// A component, ready to be instantiated on one of the engines.
pub(crate) struct Prepared {
    pub(crate) component: Component,
    pub(crate) pre: InstancePre<CallState>,
    pub(crate) indices: Indices,
}

/// Where the interfaces are. A connector offers what it likes, but for the
/// first two.
pub(crate) struct Indices {
    pub(crate) metadata: bindings::exports::iga::connector::metadata::GuestIndices,
    pub(crate) credentials: bindings::exports::iga::connector::credentials::GuestIndices,
    pub(crate) directory: Option<bindings::exports::iga::connector::directory::GuestIndices>,
    pub(crate) activity: Option<bindings::exports::iga::connector::activity::GuestIndices>,
    pub(crate) on_call: Option<bindings::exports::iga::connector::on_call::GuestIndices>,
    pub(crate) provisioning: Option<bindings::exports::iga::connector::provisioning::GuestIndices>,
    pub(crate) offboarding: Option<bindings::exports::iga::connector::offboarding::GuestIndices>,
    pub(crate) diagnostics: Option<bindings::exports::iga::connector::diagnostics::GuestIndices>,
}

impl Prepared {
    pub(super) fn new(
        engine: &Engine,
        mode: Mode,
        component: Component,
        functions: &BTreeSet<String>,
    ) -> Result<Self, LoadError> {
        let pre = engine
            .linker(mode)
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let indices = Indices::new(&pre, functions)?;
        Ok(Self {
            component,
            pre,
            indices,
        })
    }
}

impl Indices {
    fn new(pre: &InstancePre<CallState>, functions: &BTreeSet<String>) -> Result<Self, LoadError> {
        use bindings::exports::iga::connector as exported;

        // An interface that is there must have the contract's shape; one that
        // is not there is an option not taken.
        macro_rules! optional {
            ($module:ident, $interface:literal) => {
                if functions
                    .iter()
                    .any(|function| function.starts_with(concat!($interface, ".")))
                {
                    let indices = exported::$module::GuestIndices::new(pre)
                        .map_err(|error| shape($interface, &error))?;
                    Some(indices)
                } else {
                    None
                }
            };
        }
        Ok(Self {
            metadata: exported::metadata::GuestIndices::new(pre)
                .map_err(|error| shape("metadata", &error))?,
            credentials: exported::credentials::GuestIndices::new(pre)
                .map_err(|error| shape("credentials", &error))?,
            directory: optional!(directory, "directory"),
            activity: optional!(activity, "activity"),
            on_call: optional!(on_call, "on-call"),
            provisioning: optional!(provisioning, "provisioning"),
            offboarding: optional!(offboarding, "offboarding"),
            diagnostics: optional!(diagnostics, "diagnostics"),
        })
    }

    /// Looks at the types of all functions: what is there by name may have others.
    pub(super) fn typed(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> Result<(), LoadError> {
        macro_rules! look {
            ($($indices:expr, $interface:literal;)*) => {
                $(if let Some(indices) = $indices {
                    indices
                        .load(&mut *store, instance)
                        .map_err(|error| shape($interface, &error))?;
                })*
            };
        }
        look! {
            Some(&self.metadata), "metadata";
            Some(&self.credentials), "credentials";
            &self.directory, "directory";
            &self.activity, "activity";
            &self.on_call, "on-call";
            &self.provisioning, "provisioning";
            &self.offboarding, "offboarding";
            &self.diagnostics, "diagnostics";
        }
        Ok(())
    }
}

fn shape(interface: &str, error: &wasmtime::Error) -> LoadError {
    LoadError::ExportShape {
        interface: interface.to_owned(),
        cause: format!("{error:#}"),
    }
}
