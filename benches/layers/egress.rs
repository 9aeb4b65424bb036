//! The stages that each request passes, without the network.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use criterion::{BatchSize, Criterion, Throughput};
use host_harness::{
    Credential, Origin,
    egress::{
        cassette::{Cassette, Player, RecordedOutcome},
        policy::{Declaration, DeclaredCapability, Grant, Level, Policy, RequestLine},
    },
    layers::{Redaction, lookup},
};
use serde_json::json;

use crate::{Bench, recording::Vendor};

/// Recorded requests, of which the last one is asked for.
const RECORDED: usize = 1_000;

pub fn bench(criterion: &mut Criterion, bench: &Bench) -> Result<()> {
    let mut group = criterion.benchmark_group("egress");
    let origin: Origin = "https://api.pagerduty.com".parse()?;
    let declared = bench.pagerduty.descriptor().capabilities.iter();
    let declaration = Declaration::new(declared.map(|capability| {
        DeclaredCapability {
            name: capability.name.clone(),
            level: Level::Read,
            requests: capability
                .requests
                .iter()
                .filter(|rule| rule.method == "GET")
                .map(|rule| (rule.method.clone(), rule.path.clone(), Level::Read))
                .collect(),
        }
    }))?;
    let policy = Policy::new(declaration, Grant::read_only().origin(origin.clone()));
    group.bench_function("policy", |bencher| {
        bencher.iter(|| {
            let request = RequestLine {
                capability: "directory.list-grants",
                method: "GET",
                origin: &origin,
                path: black_box("/teams/PABC123/members"),
            };
            policy.decide(request).expect("it is declared")
        });
    });

    let vendor = bench.runtime.block_on(Vendor::start())?;
    let page = json!({ "page": { "size": 100 } });
    let recorded = vendor.recorded(&bench.pagerduty, "directory.list-accounts", &page);
    let (_, cassette) = bench.runtime.block_on(recorded)?;
    let cassette = with_many_requests(&cassette)?;
    let last = cassette.interactions.last().context("an interaction")?;
    let uri = last.request.uri.clone();
    group.bench_function("cassette", |bencher| {
        bencher.iter_batched_ref(
            || Player::new(cassette.clone()).expect("it plays"),
            |player| assert!(lookup(player, "GET", &uri)),
            BatchSize::LargeInput,
        );
    });

    let RecordedOutcome::Response(answer) = &last.outcome else {
        anyhow::bail!("a page was answered");
    };
    let body = answer.body.to_bytes()?;
    let redaction = Redaction::new(&Credential::token("a-token-that-nobody-repeats")?);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("redaction", |bencher| {
        bencher.iter(|| assert!(!redaction.finds(black_box(&body))));
    });
    group.finish();
    Ok(())
}

/// One page after the other.
fn with_many_requests(recorded: &Cassette) -> Result<Cassette> {
    let mut cassette = recorded.clone();
    let page = recorded.interactions.first().context("an interaction")?;
    cassette.interactions = (0..RECORDED)
        .map(|number| {
            let mut page = page.clone();
            page.request.uri = format!("https://api.pagerduty.com/users?limit=100&offset={number}");
            page
        })
        .collect();
    Ok(cassette)
}
