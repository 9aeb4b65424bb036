//! Calls: on nothing, with one request, and a page of accounts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use criterion::Criterion;
use host_harness::{Connector, Tenant, TenantConfig, contract::types::PageRequest};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    Bench,
    bare::Bare,
    recording::{USERS, Vendor, granted, replay},
};

/// Calls that one opened recording answers.
const AT_ONCE: u64 = 64;

pub fn bench(criterion: &mut Criterion, bench: &Bench) -> Result<()> {
    let runtime = &bench.runtime;
    let vendor = runtime.block_on(Vendor::start())?;
    let page_size = u32::try_from(USERS)?;
    let page = json!({ "page": { "size": page_size } });
    let recording = async |connector: &Connector, function: &str, input| {
        vendor.recorded(connector, function, input).await
    };
    let (accounts, _) =
        runtime.block_on(recording(&bench.small, "directory.list-accounts", &page))?;
    let id = accounts["items"][0]["id"].as_str().context("an account")?;
    let id = &id.to_owned();
    let input = json!({ "id": id });
    let (_, account) =
        runtime.block_on(recording(&bench.small, "directory.get-account", &input))?;
    ensure!(account.interactions.len() == 1, "one request");
    let (listed, accounts) = runtime.block_on(recording(
        &bench.pagerduty,
        "directory.list-accounts",
        &page,
    ))?;
    ensure!(listed["items"].as_array().map(Vec::len) == Some(USERS));

    let bare = Bare::new(&bench.small_bytes, &account)?;
    let live = bench.small.open(TenantConfig::new(granted(&bench.small)))?;
    let mut group = criterion.benchmark_group("nothing");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| timed(runtime, times, async || bare.nothing().await));
    });
    group.bench_function("live", |bencher| {
        bencher.iter_custom(|times| {
            timed(runtime, times, async || {
                live.get_last_activity(&[]).await?;
                Ok(())
            })
        });
    });
    let replayed = replay(&bench.small, &account, 1)?;
    for (name, runtime) in [("replay", &bench.several), ("replay, hop", runtime)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                timed(runtime, times, async || {
                    replayed.get_last_activity(&[]).await?;
                    Ok(())
                })
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("one request");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| timed(runtime, times, async || bare.get_account(id).await));
    });
    group.bench_function("bare, warm", |bencher| {
        bencher.iter_custom(|times| {
            runtime
                .block_on(bare.get_account_again(id, times))
                .expect("it works")
        });
    });
    for (name, runtime) in [("replay", &bench.several), ("replay, hop", runtime)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                replayed_for(runtime, times, &bench.small, &account, async |tenant| {
                    tenant.get_account(id).await?;
                    Ok(())
                })
            });
        });
    }
    let live = bench.small.open(vendor.config(&bench.small)?)?;
    group.bench_function("loopback", |bencher| {
        bencher.iter_custom(|times| {
            timed(runtime, times, async || {
                live.get_account(id).await?;
                Ok(())
            })
        });
    });
    group.finish();

    let bare = Bare::new(host_harness::connector::BUNDLED, &accounts)?;
    ensure!(runtime.block_on(bare.list_accounts(page_size))? == USERS);
    let mut group = criterion.benchmark_group("page of 100 accounts");
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| {
            timed(runtime, times, async || {
                bare.list_accounts(page_size).await?;
                Ok(())
            })
        });
    });
    group.bench_function("replay", |bencher| {
        bencher.iter_custom(|times| {
            replayed_for(
                &bench.several,
                times,
                &bench.pagerduty,
                &accounts,
                async |tenant| {
                    let size = Some(page_size);
                    let page = tenant.list_accounts(PageRequest { token: None, size });
                    page.await?;
                    Ok(())
                },
            )
        });
    });
    group.finish();
    Ok(())
}

/// Runs it that often.
pub fn timed(runtime: &Runtime, times: u64, mut work: impl AsyncFnMut() -> Result<()>) -> Duration {
    let started = Instant::now();
    runtime.block_on(async {
        for _ in 0..times {
            work().await.expect("it works");
        }
    });
    started.elapsed()
}

/// Makes a recorded call that often; opening the recording does not count.
fn replayed_for(
    runtime: &Runtime,
    times: u64,
    connector: &Connector,
    recorded: &host_harness::egress::cassette::Cassette,
    mut call: impl AsyncFnMut(&Tenant) -> Result<()>,
) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(AT_ONCE);
        let calls = usize::try_from(now).expect("it is small");
        let tenant = replay(connector, recorded, calls).expect("the recording plays");
        let started = Instant::now();
        runtime.block_on(async {
            for _ in 0..now {
                call(&tenant).await.expect("it works");
            }
        });
        elapsed += started.elapsed();
        left -= now;
    }
    elapsed
}
