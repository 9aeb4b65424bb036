//! Connectors whose lists never end: a sync does not read for ever.

use host_harness::{Connector, store::RunState, sync::SyncError};

use super::Desk;
use crate::{
    conformance::mutant,
    support::{Opening, engine, run},
};

async fn through(mutation: &str) -> Desk {
    let connector = Connector::load(engine(), &mutant(mutation)).await;
    let connector = connector.expect("it loads");
    let desk = Desk::new(12).await;
    desk.reopened(Opening::default(), &connector).await
}

#[test]
fn the_small_connector_itself_comes_to_an_end() {
    run(async {
        let summary = through("none").await.sync().await;
        assert_eq!(summary.changes[0].total, 12);
    });
}

#[test]
fn pages_that_lead_back_or_to_nothing_new_end_the_sync_and_replace_nothing() {
    run(async {
        for mutation in ["page-end", "circle", "no-news"] {
            let desk = through(mutation).await;
            match desk.try_sync().await {
                Err(error @ SyncError::Stuck { function }) => {
                    assert_eq!(function, "directory.list-resources", "{mutation}");
                    assert!(error.hint().contains("connector"), "{}", error.hint());
                }
                other => panic!("{mutation}: {other:?}"),
            }
            assert_eq!(desk.runs()[0].state, RunState::Running, "{mutation}");
            assert_eq!(desk.number("SELECT count(*) FROM resources"), 0);
        }
    });
}
