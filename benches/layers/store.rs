//! What a sync writes.

use anyhow::Result;
use criterion::{Criterion, Throughput};
use host_harness::{
    contract::types::{EntitlementRef, Grant},
    layers::StagedRun,
};

use crate::Bench;

/// Grants of a page, as a sync asks for them.
const ROWS: usize = 1_000;

pub fn bench(criterion: &mut Criterion, _: &Bench) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(20);
    let mut page = 0;
    let mut run = StagedRun::begin(&folder.path().join("store.db"))?;
    group.bench_function("page of 1,000 grants", |bencher| {
        bencher.iter_batched(
            || {
                page += 1;
                grants(page)
            },
            |grants| run.commit(grants).expect("there is room"),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
    Ok(())
}

fn grants(page: usize) -> Vec<Grant> {
    (0..ROWS)
        .map(|row| Grant {
            account: format!("P{page:06}{row:04}"),
            entitlement: EntitlementRef {
                entitlement_type: "team-membership".to_owned(),
                id: "responder".to_owned(),
                resource_type: "team".to_owned(),
                resource: format!("PTEAM{:02}", row % 40),
            },
            since: None,
        })
        .collect()
}
