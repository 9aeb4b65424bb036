//! A call through the server, and the same call without it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use criterion::Criterion;
use host_harness::server::{Access, LoadedConnectors, Reach, Server, ServerConfig};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use pagerduty_simulator::TOKENS;
use serde_json::{Value, json};

use crate::{Bench, calls::timed, recording::Vendor};

const TOKEN: &str = "a-token-of-the-platform";

pub fn bench(criterion: &mut Criterion, bench: &Bench) -> Result<()> {
    let runtime = &bench.runtime;
    let vendor = runtime.block_on(Vendor::start())?;
    let mut reach = Reach::default();
    reach.trust(&bench.pagerduty);
    reach.network = vendor.network(&bench.pagerduty)?;
    let local = ([127, 0, 0, 1], 0).into();
    let config = ServerConfig::new(local, Access::token(TOKEN)?, reach);
    let connectors = LoadedConnectors::new([bench.pagerduty.clone()])?;
    let running = runtime.block_on(Server::start(config, Arc::new(connectors)))?;
    let platform = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{}/pagerduty/validate_credentials", running.addr());
    let envelope = json!({
        "request": {},
        "credentials": [{"id": "api-key", "token": {"token": TOKENS.owner}}],
    })
    .to_string();
    let served = async || -> Result<()> {
        let request = Request::post(&uri)
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Full::new(bytes::Bytes::from(envelope.clone())))?;
        let answer = platform.request(request).await?.into_body().collect();
        let answer: Value = serde_json::from_slice(&answer.await?.to_bytes())?;
        ensure!(answer.get("is_error").is_none(), "{answer}");
        answer.get("response").context("a response")?;
        Ok(())
    };
    let tenant = bench.pagerduty.open(vendor.config(&bench.pagerduty)?)?;
    let mut group = criterion.benchmark_group("facade");
    group.bench_function("direct", |bencher| {
        bencher.iter_custom(|times| {
            timed(runtime, times, async || {
                tenant.validate().await?;
                Ok(())
            })
        });
    });
    group.bench_function("served", |bencher| {
        bencher.iter_custom(|times| timed(runtime, times, async || served().await));
    });
    group.finish();
    runtime.block_on(running.stop());
    Ok(())
}
