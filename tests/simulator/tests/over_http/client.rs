//! A small client for the tests.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pagerduty_simulator::{Config, Listening, Simulator, TOKENS};
use serde_json::Value;

pub(crate) const NOW: &str = "2026-11-18T12:34:56Z";

pub(crate) struct Api {
    pub(crate) simulator: Simulator,
    pub(crate) listening: Listening,
    pub(crate) token: String,
    pub(crate) from: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

pub(crate) fn config() -> Config {
    Config {
        now: Some(NOW.parse().unwrap()),
        ..Config::default()
    }
}

impl Api {
    pub(crate) async fn new(config: Config) -> Self {
        let simulator = Simulator::new(config);
        let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self {
            simulator,
            listening,
            token: TOKENS.owner.to_owned(),
            from: None,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(crate) fn using(&mut self, token: &str) -> &mut Self {
        token.clone_into(&mut self.token);
        self
    }

    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.listening.origin()))
            .header("authorization", format!("Token token={}", self.token))
            .header("content-type", "application/json");
        if let Some(from) = &self.from {
            request = request.header("from", from);
        }
        let body = body.map(|json| json.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let response = self
            .client
            .request(request)
            .await
            .map_err(|e| e.to_string())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_call(method, path, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    /// All rows of a classic list.
    pub(crate) async fn all(&self, path: &str, name: &str) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self
                .get(&format!("{path}{sign}limit=100&offset={}", rows.len()))
                .await;
            assert_eq!(page.status, 200, "{}", page.text);
            rows.extend(page.json[name].as_array().unwrap().iter().cloned());
            if page.json["more"] != true {
                return rows;
            }
        }
    }
}

pub(crate) fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}
