//! A vendor that asks to come back later, and tenants that don't wait for each
//! other.

use std::sync::{Arc, Mutex};

use host_harness::{
    Budget, Store,
    sync::{self, Event, SyncOptions},
};
use pagerduty_simulator::{Config, Simulator};

use super::{Desk, complete, config, requests::counted, stopped};
use crate::support::{Opening, connector, run};

/// Calls end before the vendor has room again.
async fn impatient(users: usize) -> Desk {
    let opening = Opening {
        budget: Budget::with_deadline(std::time::Duration::from_secs(4)),
        ..Opening::default()
    };
    Desk::new(users).await.reopened(opening, connector()).await
}

#[test]
fn a_page_that_the_vendor_puts_off_is_asked_for_later_and_what_came_is_not_asked_for_again() {
    run(async {
        let desk = impatient(350).await;
        desk.simulator().keep_exchanges(true);
        // In the middle of a page.
        let fault = "GET /users rate-limited reset=5 times=1 skip=2";
        desk.simulator()
            .faults()
            .add(fault.parse().expect("a fault"));
        let waits = Mutex::new(Vec::new());
        let observer = |event: Event<'_>| {
            if let Event::Waiting { function, wait, .. } = event {
                waits
                    .lock()
                    .expect("no panic")
                    .push((function, wait.as_secs()));
            }
        };
        let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
        let summary = complete(outcome);
        assert_eq!(summary.changes[0].total, 350);
        let waits = waits.into_inner().expect("no panic");
        let [(function, wait)] = waits.as_slice() else {
            panic!("one wait: {waits:?}");
        };
        assert_eq!(*function, "directory.list-accounts");
        assert!((4..=6).contains(wait), "{wait}");
        let answered: Vec<_> = desk
            .simulator()
            .exchanges()
            .into_iter()
            .filter(|exchange| exchange.status == 200)
            .collect();
        assert_eq!(
            counted(&answered)["/users"],
            4,
            "each page of the vendor once"
        );
    });
}

#[test]
fn who_stops_a_sync_that_waits_does_not_wait() {
    run(async {
        let desk = impatient(60).await;
        let fault = "GET /teams rate-limited reset=3000";
        desk.simulator()
            .faults()
            .add(fault.parse().expect("a fault"));
        let stop = desk.options.stop.clone();
        let observer = |event: Event<'_>| {
            if let Event::Waiting { .. } = event {
                stop.stop();
            }
        };
        let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
        stopped(outcome);
        assert_eq!(
            desk.number("SELECT pages FROM checkpoints WHERE done = 1"),
            1,
            "the accounts"
        );
    });
}

#[test]
fn tenants_are_synced_into_one_store_at_the_same_time() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Arc::new(folder.path().join("store.db"));
        let names = ["acme", "globex", "initech"];
        let mut syncs = tokio::task::JoinSet::new();
        for (at, name) in names.into_iter().enumerate() {
            let simulator = Simulator::new(Config {
                subdomain: name.to_owned(),
                ..config(100 + at)
            });
            let file = Arc::clone(&file);
            syncs.spawn(async move {
                let bench = Opening::default().open_on(simulator, connector()).await;
                for _ in 0..2 {
                    let store = Store::open(&file).expect("it opens");
                    let options = SyncOptions::default();
                    let outcome = sync::run(&bench.tenant, store, &options, &|_| {}).await;
                    let summary = complete(outcome);
                    assert_eq!(summary.run.tenant.name, name);
                    assert_eq!(summary.changes[0].total, 100 + at as u64);
                }
            });
        }
        while let Some(ended) = syncs.join_next().await {
            ended.expect("it is complete");
        }
        let store = Store::open_to_read(&file).expect("it opens");
        for name in names {
            assert_eq!(store.runs(Some(name)).expect("it reads").len(), 2);
        }
        let count = "SELECT count(*), count(DISTINCT tenant) FROM accounts";
        let rows = super::rows(&file, count);
        assert_eq!(rows, [[303.into(), 3.into()]]);
    });
}
