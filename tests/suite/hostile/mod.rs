//! A connector that does what it must not: denied, audited, and none the wiser.
//!
//! Its source is in `tests/connectors/hostile`.

mod addresses;
mod audit;
mod containment;
mod credential;
mod declaration;
mod denials;
mod log;

use std::sync::LazyLock;

use host_harness::{
    CallError, CallReport, Connector, LoadError, Refusal, contract::types::Account,
    egress::policy::Denial,
};
use pagerduty_simulator::{Exchange, TOKENS};

use crate::{
    components,
    leaks::assert_clean_error,
    support::{Bench, Opening, engine, run},
};

static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| components::build("hostile-connector", &[]));

static HOSTILE: LazyLock<Connector> = LazyLock::new(|| load("sound").expect("it loads"));

/// The hostile connector with another way to describe itself.
pub fn variant(variant: &str) -> Vec<u8> {
    components::with_slot(&COMPONENT, b"the-hostile-connector-describes:", variant)
}

/// Loads the hostile connector with another way to describe itself.
fn load(variant: &str) -> Result<Connector, LoadError> {
    let component = self::variant(variant);
    std::thread::spawn(move || run(async move { Connector::load(engine(), &component).await }))
        .join()
        .expect("no panic")
}

async fn open(opening: Opening) -> Bench {
    let opening = Opening {
        token: TOKENS.account,
        ..opening
    };
    let bench = opening.open_with(&HOSTILE).await;
    bench.simulator.keep_exchanges(true);
    bench
}

/// What the call was denied for.
#[track_caller]
fn denial<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> Denial {
    let error = outcome.expect_err("it misbehaves");
    assert_clean_error(&error);
    assert_eq!(error.code(), "permission_denied");
    match error {
        CallError::Refused(Refusal::Denied(denial)) => {
            assert!(!denial.hint().is_empty());
            denial
        }
        other => panic!("expected a denial, got {other:?}"),
    }
}

/// What the connector got to see, as far as it told anybody.
fn seen(report: &CallReport) -> String {
    report
        .log
        .iter()
        .flat_map(|line| line.chars().rev())
        .collect()
}

/// What the connector put into its result.
fn seen_in(account: &Account) -> String {
    account
        .attributes
        .iter()
        .map(|(_, backwards)| backwards.chars().rev().chain(['\n']).collect::<String>())
        .collect()
}

fn header<'e>(exchange: &'e Exchange, name: &str) -> Vec<&'e str> {
    let headers = exchange.request_headers.iter();
    headers
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .collect()
}
