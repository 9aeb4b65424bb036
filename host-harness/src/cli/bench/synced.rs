//! The sync, as `harness sync` does it.

use std::sync::{Mutex, PoisonError};

use super::{
    child::{Phases, Said},
    measure::Usage,
};
use crate::{
    Budget, Credential, Grant, Network, Origin, Store, TenantConfig,
    cli::{
        args::{ConnectorArgs, ReadArgs},
        connect,
        failure::Failure,
    },
    sync::{self, Event, Outcome, SyncOptions},
};

/// What each call may take, as `harness sync` has it.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(180);

pub(super) async fn run(connector: &ConnectorArgs, read: &ReadArgs) -> Result<Said, Failure> {
    let mut phases = Phases::new();
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, connector).await?;
    let origin: Origin = read.origin.parse()?;
    let config = TenantConfig::new(Grant::read_only().origin(origin.clone()))
        .network(Network::default())
        .budget(Budget::with_deadline(DEADLINE))
        .credential(Credential::token(pagerduty_simulator::TOKENS.owner)?)
        .setting("base-url", origin.to_string());
    let tenant = connector.open(config)?;
    let store = Store::open(&read.store)?;
    phases.was("start");
    let phases = Mutex::new(phases);
    let observer = |event: Event<'_>| {
        let mut phases = phases.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began { .. } => phases.was("credentials.validate"),
            Event::Page(progress) => phases.was(progress.function),
            _ => {}
        }
    };
    let outcome = sync::run(&tenant, store, &SyncOptions::default(), &observer).await?;
    let mut phases = phases.into_inner().unwrap_or_else(PoisonError::into_inner);
    phases.was("snapshot");
    match outcome {
        Outcome::Complete(_) => Ok(Said {
            phases: phases.done(),
            listed: std::collections::BTreeMap::new(),
            usage: Usage::own(),
        }),
        other => Err(Failure::call(
            format!("the sync did not complete: {other:?}"),
            None,
        )),
    }
}
