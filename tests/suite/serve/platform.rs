//! A server in this process, and a platform that calls it.

use std::sync::{Arc, Mutex};

use host_harness::{
    Connector, Network,
    server::{Access, Connectors, LoadedConnectors, Reach, Running, Server, ServerConfig},
};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use pagerduty_simulator::{Config, Listening, Simulator, TOKENS};
use serde_json::{Map, Value, json};

use crate::{
    leaks::assert_clean,
    support::{certificate, connector},
};

pub const TOKEN: &str = "a-token-of-the-platform";

pub struct Platform {
    pub simulator: Simulator,
    pub running: Running,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    /// How the server describes itself.
    description: Value,
    /// Capabilities that have answered with a response.
    answered: Mutex<Vec<String>>,
    pub state: tempfile::TempDir,
    /// The vendor's sign-in.
    pub identity: Listening,
    _listening: Listening,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Platform {
    pub async fn start() -> Self {
        Self::with(60, |_| {}).await
    }

    /// With that many users, and what `change` makes of the configuration.
    pub async fn with(users: usize, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let config = Config {
            users,
            ..Config::default()
        };
        Self::of(Simulator::new(config), change).await
    }

    pub async fn of(simulator: Simulator, change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::serving(vec![connector().clone()], simulator, change).await
    }

    /// With these connectors.
    pub async fn serving(
        connectors: Vec<Connector>,
        simulator: Simulator,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let connectors = LoadedConnectors::new(connectors).expect("one for each");
        Self::serving_from(Arc::new(connectors), simulator, change).await
    }

    /// With connectors that may change.
    pub async fn serving_from(
        connectors: Arc<dyn Connectors>,
        simulator: Simulator,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let local = ([127, 0, 0, 1], 0).into();
        let listening = simulator.listen_tls(local, certificate()).await;
        let listening = listening.expect("a free port");
        let identity = simulator.listen(local).await.expect("a free port");
        let state = tempfile::tempdir().expect("a folder");
        let mut reach = Reach {
            writes: true,
            ..Reach::default()
        };
        reach.trust(connector());
        reach.identity = Some(identity.origin().parse().expect("an origin"));
        reach.network = Network::default()
            .trust_pem(certificate().ca_pem().as_bytes())
            .expect("the simulator's own authority");
        for origin in connector().origins() {
            reach.network = reach.network.route(origin.clone(), listening.addr());
        }
        let access = Access::token(TOKEN).expect("a token");
        let mut config = ServerConfig::new(local, access, reach);
        config.admin = Some(local);
        config.state = Some(state.path().to_owned());
        change(&mut config);
        let running = Server::start(config, connectors).await;
        let mut platform = Self {
            simulator,
            running: running.expect("free ports"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            description: Value::Null,
            answered: Mutex::default(),
            state,
            identity,
            _listening: listening,
        };
        platform.description = platform.get("/openapi.json").await.json();
        platform
    }

    /// Sends a request with the token, and looks for credentials in the answer.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<bytes::Bytes>) -> Reply {
        let token = format!("Bearer {TOKEN}");
        self.send_as(Some(&token), method, path, body).await
    }

    pub async fn send_as(
        &self,
        authorization: Option<&str>,
        method: Method,
        path: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Reply {
        let port = self.running.addr().port();
        self.send_to(port, authorization, method, path, body).await
    }

    pub async fn send_to(
        &self,
        port: u16,
        authorization: Option<&str>,
        method: Method,
        path: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Reply {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{port}{path}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let reply = self.client.request(request).await.expect("an answer");
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("text");
        assert_clean("an answer", &text);
        Reply {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    /// A number that the operator can look at.
    pub async fn gauge(&self, name: &str) -> usize {
        let admin = self.running.admin_addr().expect("it listens").port();
        let token = format!("Bearer {TOKEN}");
        let text = self
            .send_to(admin, Some(&token), Method::GET, "/metrics", "")
            .await
            .text;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.parse().ok()).expect("a number")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send_as(None, Method::GET, path, "").await
    }

    /// Calls a capability with the owner's key. The answer must be as the
    /// server's own description says.
    pub async fn call(&self, capability: &str, request: Value) -> Value {
        self.envelope(capability, json!({"request": request})).await
    }

    /// The same with more than the request in the envelope.
    pub async fn envelope(&self, capability: &str, mut envelope: Value) -> Value {
        if envelope.get("credentials").is_none() && envelope.get("auth").is_none() {
            envelope["credentials"] = json!([{"id": "api-key", "token": {"token": TOKENS.owner}}]);
        }
        self.bare(capability, envelope).await
    }

    /// The same with exactly this envelope.
    pub async fn bare(&self, capability: &str, envelope: Value) -> Value {
        let path = format!("/pagerduty/{capability}");
        let reply = self.send(Method::POST, &path, envelope.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let json = reply.json();
        self.check(capability, &json);
        if json.get("is_error").is_none() {
            self.answered
                .lock()
                .expect("no panic")
                .push(capability.to_owned());
        }
        json
    }

    /// The response; an error fails the test.
    #[track_caller]
    pub fn response(answer: &Value) -> &Value {
        assert!(answer.get("is_error").is_none(), "{answer:#}");
        &answer["response"]
    }

    fn check(&self, capability: &str, answer: &Value) {
        let operation = &self.description["paths"][format!("/pagerduty/{capability}")]["post"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let mut schema = match schema {
            // What is not there answers with an error.
            Value::Null => json!({"$ref": "#/components/schemas/ErrorResponse"}),
            schema => schema.clone(),
        };
        let schemas = &self.description["components"]["schemas"];
        schema["components"] = json!({"schemas": schemas});
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        if let Err(error) = validator.validate(answer) {
            panic!("{capability}: {error}\n{answer:#}");
        }
        // Nothing that the description does not name.
        let response = &answer["response"];
        let of = &schema["anyOf"][0]["properties"]["response"];
        let (of, rows) = match response {
            Value::Array(rows) => (&of["items"], rows.clone()),
            other => (of, vec![other.clone()]),
        };
        let name = of["$ref"].as_str().unwrap_or_default();
        let named = &schemas[name.trim_start_matches("#/components/schemas/")];
        if let Value::Object(known) = &named["properties"]
            && named.get("additionalProperties").is_none()
        {
            for row in rows.iter().filter_map(Value::as_object) {
                let names = row.keys().filter(|name| !known.contains_key(*name));
                assert_eq!(names.count(), 0, "{capability}: {row:?}");
            }
        }
    }

    /// What the description offers, and what has answered so far.
    pub fn offered_and_answered(&self) -> (Vec<String>, Vec<String>) {
        let no_paths = Map::new();
        let paths = self.description["paths"].as_object().unwrap_or(&no_paths);
        let offered = paths
            .keys()
            .filter_map(|path| path.strip_prefix("/pagerduty/"))
            .map(str::to_owned)
            .collect();
        let mut answered = self.answered.lock().expect("no panic").clone();
        answered.sort_unstable();
        answered.dedup();
        (offered, answered)
    }
}

/// The error's code; a response fails the test.
#[track_caller]
pub fn code(answer: &Value) -> &str {
    assert_eq!(answer["is_error"], true, "{answer:#}");
    answer["error"]["error_code"].as_str().expect("a code")
}
