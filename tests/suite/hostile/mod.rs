//! A connector that does what it must not: denied, audited, and none the wiser.
//!
//! Its source is in `tests/connectors/hostile`. It is built here, when the
//! first test asks for it, since a build script can't tell a build of the tests
//! from any other.

mod audit;
mod credential;
mod declaration;
mod denials;
mod log;

use std::{path::Path, sync::LazyLock};

use host_harness::{
    CallError, CallReport, Connector, LoadError, Refusal, contract::types::Account,
    egress::policy::Denial,
};
use pagerduty_simulator::{Exchange, TOKENS};

use crate::{
    leaks::assert_clean_error,
    support::{Bench, Opening, engine, run},
};

#[path = "../../../host-harness/build/component.rs"]
mod component;

static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // Beside the folder of the tests' own files; the same one in which the
    // build script builds connectors, so that their dependencies are there.
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("connector");
    let file = component::build(&workspace, "hostile-connector", &target_dir)
        .unwrap_or_else(|problem| panic!("{}\n  hint: run `{}`", problem.cause, problem.command));
    std::fs::read(file).expect("it was built just now")
});

static HOSTILE: LazyLock<Connector> = LazyLock::new(|| load("sound").expect("it loads"));

/// The hostile connector with another way to describe itself.
pub fn variant(variant: &str) -> Vec<u8> {
    const SLOT: &[u8] = b"the-hostile-connector-describes:";
    let mut component = COMPONENT.clone();
    let found = component
        .windows(SLOT.len())
        .position(|window| window == SLOT)
        .expect("it is in there");
    let name = &mut component[found + SLOT.len()..][..32];
    name.fill(b' ');
    name[..variant.len()].copy_from_slice(variant.as_bytes());
    component
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
