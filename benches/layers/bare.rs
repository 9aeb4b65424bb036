//! The floor: a plain wasmtime host for the same components. It has WASI and
//! HTTP as they come with wasmtime, answers from memory, and does nothing that
//! makes it a host for other people's connectors: no policy, no budget, no
//! limits, no traces, no log.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use host_harness::egress::cassette::{Cassette, RecordedOutcome};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, InstancePre, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as WasiHttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use crate::bench_bindings::exports::iga::connector::{activity, directory};

/// A component on a plain host.
pub struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    activity: activity::GuestIndices,
    directory: directory::GuestIndices,
    answers: Answers,
}

/// What the vendor answers, by path and query.
type Answers = Arc<HashMap<String, Response<Bytes>>>;

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Memory,
}

struct Memory(Answers);

impl Bare {
    pub fn new(component: &[u8], recording: &Cassette) -> Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let mut pool = PoolingAllocationConfig::default();
        pool.max_memory_size(64 << 20);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let pre = linker.instantiate_pre(&Component::new(&engine, component)?)?;
        Ok(Self {
            activity: activity::GuestIndices::new(&pre)?,
            directory: directory::GuestIndices::new(&pre)?,
            engine,
            pre,
            answers: answers(recording)?,
        })
    }

    fn store(&self) -> Store<State> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: Memory(Arc::clone(&self.answers)),
        };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// A call that asks for nothing.
    pub async fn nothing(&self) -> Result<()> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let guest = self.activity.load(&mut store, &instance)?;
        let report = guest.call_get_last_activity(&mut store, &[]).await?;
        report.ok().context("the connector answers")?;
        Ok(())
    }

    /// A call with one request.
    pub async fn get_account(&self, id: &String) -> Result<()> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let guest = self.directory.load(&mut store, &instance)?;
        let account = guest.call_get_account(&mut store, id).await?;
        account.ok().context("the account is there")?;
        Ok(())
    }

    /// The same in an instance that is there already.
    pub async fn get_account_again(&self, id: &String, times: u64) -> Result<std::time::Duration> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let guest = self.directory.load(&mut store, &instance)?;
        guest.call_get_account(&mut store, id).await?.ok();
        let started = std::time::Instant::now();
        for _ in 0..times {
            let account = guest.call_get_account(&mut store, id).await?;
            account.ok().context("the account is there")?;
        }
        Ok(started.elapsed())
    }

    /// A page of accounts.
    pub async fn list_accounts(&self, size: u32) -> Result<usize> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let guest = self.directory.load(&mut store, &instance)?;
        let page = crate::bench_bindings::iga::connector::types::PageRequest {
            token: None,
            size: Some(size),
        };
        let page = guest.call_list_accounts(&mut store, &page).await?;
        Ok(page.ok().context("the connector answers")?.items.len())
    }
}

fn answers(recording: &Cassette) -> Result<Answers> {
    let mut answers = HashMap::new();
    for interaction in &recording.interactions {
        let RecordedOutcome::Response(recorded) = &interaction.outcome else {
            continue;
        };
        let uri: http::Uri = interaction.request.uri.parse()?;
        let path = uri.path_and_query().context("a path")?.to_string();
        let mut headers = HeaderMap::new();
        for (name, values) in &recorded.headers {
            for value in values {
                headers.append(
                    HeaderName::from_bytes(name.as_bytes())?,
                    HeaderValue::from_str(value)?,
                );
            }
        }
        let mut answer = Response::new(recorded.body.to_bytes()?);
        *answer.status_mut() = recorded.status.code.try_into()?;
        *answer.headers_mut() = headers;
        answers.insert(path, answer);
    }
    Ok(Arc::new(answers))
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

type Written = Box<dyn Future<Output = Result<(), WasiHttpError>> + Send>;

impl WasiHttpHooks for Memory {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _response_processed: Written,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Written), WasiHttpError>> + Send> {
        let answers = Arc::clone(&self.0);
        Box::new(async move {
            let path = request.uri().path_and_query().map(ToString::to_string);
            let answer = path.and_then(|path| answers.get(&path).cloned());
            let answer = answer.unwrap_or_else(|| {
                let mut unknown = Response::new(Bytes::new());
                *unknown.status_mut() = http::StatusCode::NOT_FOUND;
                unknown
            });
            let answer = answer.map(|body| {
                Full::new(body)
                    .map_err(|never| match never {})
                    .boxed_unsync()
            });
            let written: Written = Box::new(std::future::ready(Ok(())));
            Ok((answer, written))
        })
    }
}
