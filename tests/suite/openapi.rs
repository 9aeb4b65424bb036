//! Exchanges with the simulator against PagerDuty's OpenAPI description.
//!
//! [`violations`] says where a request or its answer is not as described. The
//! description is PagerDuty's and does not stand in this repository: the test of
//! the simulator reads the file that `PAGERDUTY_OPENAPI` names and is skipped
//! without. Where the real service is known to differ from its description, the
//! description is corrected first, see [`KNOWN_DEVIATIONS`].
//!
//! Schemas of OpenAPI 3.0 become JSON Schema 2020-12 in their places, so that
//! every `$ref` of the file, also into an array, resolves within one document.
//! Objects stay open in answers, as PagerDuty adds fields. In requests they are
//! closed: a field that nobody described is a misspelt one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use pagerduty_simulator::{Config, Exchange, Listening, Simulator, TOKENS};
use serde_json::{Map, Value, json};

use crate::support::{Bench, Opening, run};

/// Where the real service is not as described.
struct Deviation {
    /// A JSON pointer into the description.
    at: &'static str,
    change: Change,
    /// The evidence.
    reason: &'static str,
}

/// How the description is corrected.
#[derive(Clone, Copy)]
enum Change {
    /// The schema also takes null.
    Nullable,
    /// The schema also takes what this schema takes.
    Or(&'static str),
    /// Of the required properties of the schema only these are.
    OnlyRequired(&'static [&'static str]),
    /// The schema's format is something else.
    AnyFormat,
    /// It is this instead.
    Becomes(&'static str),
    /// The responses also have this status, as described there.
    Status(&'static str, &'static str),
    /// The parameter takes several values, separated by commas.
    CommaSeparated,
    /// The operation also takes this parameter.
    Parameter(&'static str),
}

/// Corrections to PagerDuty's description, each with its evidence.
const KNOWN_DEVIATIONS: &[Deviation] = &[
    Deviation {
        at: "/paths/~1license_allocations/get/parameters",
        change: Change::Parameter("#/components/parameters/offset_total"),
        reason: "PagerDuty's page on pagination: every classic list takes `total`; the answer has it",
    },
    Deviation {
        at: "/paths/~1users~1{id}/put/requestBody/content/application~1json/schema/properties/user/allOf/0",
        change: Change::OnlyRequired(&["type"]),
        reason: "partial bodies are taken (seen live)",
    },
    Deviation {
        at: "/paths/~1users~1{id}/delete/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the operation's own text: 400 when the user has incidents",
    },
    Deviation {
        at: "/paths/~1incidents~1{id}/put/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the codes 1001 to 1028 of PagerDuty's table come with 400",
    },
    Deviation {
        at: "/paths/~1escalation_policies~1{id}/put/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the only rule cannot be removed: code 2001 of PagerDuty's table",
    },
    Deviation {
        at: "/paths/~1schedules~1{id}~1overrides~1{override_id}/delete/responses",
        change: Change::Status("400", "#/components/responses/ArgumentError"),
        reason: "the operation's own text: past overrides cannot be removed",
    },
    Deviation {
        at: "/paths/~1schedules~1{id}~1overrides/get/responses",
        change: Change::Status(
            "200",
            "#/paths/~1schedules~1{id}~1overrides/get/responses/201",
        ),
        reason: "a list is not created: 200 (seen live)",
    },
    Deviation {
        at: "/paths/~1v3~1schedules~1{id}/get/responses",
        change: Change::Status("400", "#/components/responses/BadRequest"),
        reason: "the guide to v3 schedules: 400 for the id of a v2 schedule",
    },
    Deviation {
        at: "/paths/~1users~1me/get/responses/400",
        change: Change::Becomes(
            r#"{"content": {"application/json": {"schema": {
                "type": "object", "properties": {"error": {"type": "string"}}
            }}}}"#,
        ),
        reason: "with an account key `error` is a string (seen by clients)",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_filter_type",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_status",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/parameters/oauth_delegation_type",
        change: Change::CommaSeparated,
        reason: "the parameter's own text",
    },
    Deviation {
        at: "/components/schemas/UserOAuthDelegations/properties/next_cursor",
        change: Change::Nullable,
        reason: "PagerDuty's page on pagination: null at the end",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/job_title",
        change: Change::Nullable,
        reason: "inferred: optional on creation, and `description` beside it is null",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/teams/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Team"}"##),
        reason: "what `include[]=teams` is for",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/contact_methods/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Tag/allOf/0"}"##),
        reason: "what `include[]=contact_methods` is for",
    },
    Deviation {
        at: "/components/schemas/User/allOf/1/properties/notification_rules/items",
        change: Change::Or(r##"{"$ref": "#/components/schemas/Tag/allOf/0"}"##),
        reason: "what `include[]=notification_rules` is for",
    },
    Deviation {
        at: "/paths/~1teams~1{id}~1members/get/responses/200/content/application~1json/schema/allOf/1/properties/members/items/properties/user",
        change: Change::Or(r##"{"$ref": "#/components/schemas/User"}"##),
        reason: "what `include[]=users` is for",
    },
    Deviation {
        at: "/components/schemas/LicenseWithCounts/allOf/0/properties/self",
        change: Change::Nullable,
        reason: "null in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/LicenseWithCounts/allOf/0/properties/html_url",
        change: Change::Nullable,
        reason: "null in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/schedule",
        change: Change::Nullable,
        reason: "users who are direct targets are on call without a schedule",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/start",
        change: Change::Nullable,
        reason: "the property's own text",
    },
    Deviation {
        at: "/components/schemas/Oncall/properties/end",
        change: Change::Nullable,
        reason: "the property's own text",
    },
    Deviation {
        at: "/components/schemas/ScheduleLayer/properties/end",
        change: Change::Nullable,
        reason: "an open-ended layer (seen live)",
    },
    Deviation {
        at: "/components/schemas/ScheduleLayer/properties/rendered_coverage_percentage",
        change: Change::Nullable,
        reason: "null unless a range is asked for (seen live)",
    },
    Deviation {
        at: "/components/schemas/SubSchedule/properties/rendered_coverage_percentage",
        change: Change::Nullable,
        reason: "null unless a range is asked for (seen live)",
    },
    Deviation {
        at: "/components/schemas/Incident/allOf/1/properties/resolved_at",
        change: Change::Nullable,
        reason: "null in the description's own example of an open incident",
    },
    Deviation {
        at: "/components/schemas/AnalyticsRawUser/properties/created_at",
        change: Change::AnyFormat,
        reason: "without a zone in the description's own examples",
    },
    Deviation {
        at: "/components/schemas/AnalyticsRawUser/properties/last_sign_in_at",
        change: Change::AnyFormat,
        reason: "without a zone in the description's own examples",
    },
];

/// What is not as described; empty if all is well.
pub fn violations(openapi: &Value, exchange: &Exchange) -> Vec<String> {
    let description = Description::of(openapi);
    let (method, path) = (&exchange.method, &exchange.path);
    let Some((template, operation)) = description.operation(method, path) else {
        return vec![format!("{method} {path}: is not described")];
    };
    let mut found = description.query_violations(&operation, &exchange.query);
    found.extend(description.request_violations(&operation, exchange.request_body.as_ref()));
    found.extend(description.response_violations(&operation, exchange));
    for violation in &mut found {
        violation.insert_str(0, &format!("{method} {template}: "));
    }
    found
}

/// An OpenAPI description, made ready once.
struct Description {
    source: Value,
    /// With the known deviations.
    openapi: Value,
    /// The same with JSON Schemas, for requests and for answers.
    requests: Value,
    responses: Value,
    /// By direction and place.
    validators: Mutex<HashMap<(Direction, String), Arc<Validator>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Request,
    Response,
}

/// An operation's place in the description.
struct Operation {
    path_item: String,
    operation: String,
}

impl Description {
    fn of(source: &Value) -> Arc<Self> {
        static KNOWN: Mutex<Vec<Arc<Description>>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(description) = known.iter().find(|known| known.source == *source) {
            return Arc::clone(description);
        }
        let mut openapi = source.clone();
        for deviation in KNOWN_DEVIATIONS {
            correct(&mut openapi, deviation);
        }
        let convert = |direction| {
            let mut document = openapi.clone();
            convert_schemas(&mut document, direction);
            document
        };
        let description = Arc::new(Self {
            source: source.clone(),
            requests: convert(Direction::Request),
            responses: convert(Direction::Response),
            openapi,
            validators: Mutex::default(),
        });
        known.push(Arc::clone(&description));
        description
    }

    fn at(&self, pointer: &str) -> &Value {
        self.openapi.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Where the `$ref` at a place leads, if there is one.
    fn follow(&self, pointer: String) -> String {
        match self.at(&pointer)["$ref"].as_str() {
            Some(reference) => self.follow(reference.trim_start_matches('#').to_owned()),
            None => pointer,
        }
    }

    /// Of several templates that fit, the one that is literal the longest.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, Operation)> {
        let method = method.to_lowercase();
        let segments: Vec<&str> = path.split('/').collect();
        let literal = |template: &str| -> Option<Vec<bool>> {
            let parts: Vec<&str> = template.split('/').collect();
            let fits = |(part, segment): (&&str, &&str)| match part.starts_with('{') {
                true => (!segment.is_empty()).then_some(false),
                false => (part == segment).then_some(true),
            };
            (parts.len() == segments.len())
                .then(|| parts.iter().zip(&segments).map(fits).collect())
                .flatten()
        };
        let (template, _) = self.openapi["paths"]
            .as_object()?
            .iter()
            .filter(|(_, item)| item.get(&method).is_some())
            .filter_map(|(template, _)| Some((template, literal(template)?)))
            .max_by(|(_, one), (_, other)| one.cmp(other))?;
        let path_item = format!("/paths/{}", token(template));
        let operation = format!("{path_item}/{method}");
        let places = Operation {
            path_item,
            operation,
        };
        Some((template, places))
    }

    fn query_violations(&self, operation: &Operation, query: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        for parent in [&operation.operation, &operation.path_item] {
            let list = format!("{parent}/parameters");
            for place in 0..self.at(&list).as_array().map_or(0, Vec::len) {
                let pointer = self.follow(format!("{list}/{place}"));
                let parameter = self.at(&pointer);
                let name = parameter["name"].as_str().unwrap_or_default();
                if parameter["in"] != "query" || known.contains(&name) {
                    continue;
                }
                known.push(name);
                let given: Vec<&str> = query
                    .iter()
                    .filter(|(given, _)| given == name)
                    .map(|(_, value)| value.as_str())
                    .collect();
                if given.is_empty() {
                    if parameter["required"] == true {
                        found.push(format!("query parameter `{name}` is missing"));
                    }
                    continue;
                }
                let schema = self.follow(format!("{pointer}/schema"));
                for value in self.parameter_values(name, parameter, &schema, &given) {
                    let wrong = self.schema_violations(Direction::Request, &schema, &value);
                    found.extend(wrong.map(|w| format!("query parameter `{name}`{w}")));
                }
                if given.len() > 1 && !name.ends_with("[]") {
                    found.push(format!("query parameter `{name}` is given twice"));
                }
            }
        }
        for (name, _) in query.iter().filter(|(n, _)| !known.contains(&n.as_str())) {
            found.push(if known.contains(&format!("{name}[]").as_str()) {
                format!("query parameter `{name}` takes several values: it must be `{name}[]`")
            } else {
                format!("query parameter `{name}` is not described")
            });
        }
        found
    }

    /// The JSON that a parameter's texts stand for.
    fn parameter_values(
        &self,
        name: &str,
        parameter: &Value,
        schema: &str,
        given: &[&str],
    ) -> Vec<Value> {
        let schema = self.at(schema);
        let is_list = schema["type"] == "array";
        let kind = if is_list {
            &schema["items"]["type"]
        } else {
            &schema["type"]
        };
        let typed = |text: &str| match kind.as_str() {
            Some("integer" | "number" | "boolean") => {
                serde_json::from_str(text).unwrap_or_else(|_| json!(text))
            }
            _ => json!(text),
        };
        match is_list {
            true if parameter["explode"] == false => {
                let split = given.iter().flat_map(|text| text.split(','));
                vec![split.map(typed).collect()]
            }
            true => vec![given.iter().map(|text| typed(text)).collect()],
            // PagerDuty describes some lists by the type of their elements.
            false if name.ends_with("[]") => given.iter().map(|text| typed(text)).collect(),
            false => given.iter().take(1).map(|text| typed(text)).collect(),
        }
    }

    fn request_violations(&self, operation: &Operation, body: Option<&Value>) -> Vec<String> {
        let described = self.follow(format!("{}/requestBody", operation.operation));
        let schema = format!("{described}/content/application~1json/schema");
        match body {
            None if self.at(&described)["required"] == true => {
                vec!["the request has no body".to_owned()]
            }
            None => Vec::new(),
            Some(_) if self.at(&schema).is_null() => {
                vec!["the request has a body".to_owned()]
            }
            Some(body) => self
                .schema_violations(Direction::Request, &schema, body)
                .map(|wrong| format!("request{wrong}"))
                .collect(),
        }
    }

    fn response_violations(&self, operation: &Operation, exchange: &Exchange) -> Vec<String> {
        let status = exchange.status;
        let response = self.follow(format!("{}/responses/{status}", operation.operation));
        if self.at(&response).is_null() {
            // A connection that was dropped, what anything on the way may say, and
            // what PagerDuty's page on errors says of every operation: 401 for a
            // wrong credential, 402 for a missing ability, 403 for missing rights.
            let anywhere = matches!(status, 0 | 401..=403 | 408 | 429 | 500..);
            let wrong = (!anywhere).then(|| format!("status {status} is not described"));
            return wrong.into_iter().collect();
        }
        let schema = format!("{response}/content/application~1json/schema");
        match (&exchange.response_body, self.at(&schema)) {
            (None, Value::Null) => Vec::new(),
            // Errors may come without a body.
            (None, _) if status >= 400 => Vec::new(),
            (None, _) => vec![format!("answer {status} has no body")],
            (Some(_), Value::Null) => vec![format!("answer {status} has a body")],
            (Some(body), _) => self
                .schema_violations(Direction::Response, &schema, body)
                .map(|wrong| format!("answer {status}{wrong}"))
                .collect(),
        }
    }

    fn schema_violations(
        &self,
        direction: Direction,
        schema: &str,
        value: &Value,
    ) -> impl Iterator<Item = String> + use<> {
        let validator = self.validator(direction, schema);
        let mut errors: Vec<ValidationError<'_>> = validator.iter_errors(value).collect();
        // An object with another fault has none of its properties evaluated.
        let unknown = |error: &ValidationError<'_>| {
            matches!(
                error.kind(),
                ValidationErrorKind::UnevaluatedProperties { .. }
            )
        };
        if !errors.iter().all(unknown) {
            errors.retain(|error| !unknown(error));
        }
        errors.iter().map(explain).collect::<Vec<_>>().into_iter()
    }

    fn validator(&self, direction: Direction, schema: &str) -> Arc<Validator> {
        let mut validators = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = (direction, schema.to_owned());
        let compile = || {
            let mut document = match direction {
                Direction::Request => self.requests.clone(),
                Direction::Response => self.responses.clone(),
            };
            // The braces of templates cannot stand in a URI.
            let place = schema.replace('{', "%7B").replace('}', "%7D");
            document["$ref"] = json!(format!("#{place}"));
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&document);
            Arc::new(validator.unwrap_or_else(|error| panic!("schema at {schema}: {error}")))
        };
        Arc::clone(validators.entry(key).or_insert_with(compile))
    }
}

/// The error with its place, and why each alternative was refused.
fn explain(error: &ValidationError<'_>) -> String {
    let mut message = error.to_string();
    if let Some((end, _)) = message.char_indices().nth(300) {
        message.truncate(end);
        message.push('…');
    }
    let mut lines = vec![format!(" at `{}`: {message}", error.instance_path())];
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        lines.extend(context.iter().flatten().map(explain));
    }
    lines.join(";")
}

/// A key as part of a JSON pointer.
fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn correct(openapi: &mut Value, deviation: &Deviation) {
    let parse = |text| serde_json::from_str::<Value>(text).expect("JSON of a known deviation");
    // Other descriptions, as of the tests, need not have the place.
    let Some(mut place) = openapi.pointer(deviation.at).cloned() else {
        return;
    };
    match deviation.change {
        Change::Nullable => place["nullable"] = json!(true),
        Change::Or(other) => place = json!({"anyOf": [place, parse(other)]}),
        Change::OnlyRequired(names) => {
            let target = place["$ref"]
                .as_str()
                .and_then(|reference| reference.get(1..));
            if let Some(target) = target.and_then(|pointer| openapi.pointer(pointer)) {
                place = target.clone();
            }
            only_required(&mut place, names);
        }
        Change::AnyFormat => place["format"] = json!("any"),
        Change::Becomes(other) => place = parse(other),
        Change::Status(status, like) => place[status] = json!({"$ref": like}),
        Change::Parameter(like) => {
            if let Some(parameters) = place.as_array_mut() {
                parameters.push(json!({"$ref": like}));
            }
        }
        Change::CommaSeparated => {
            let items = place["schema"].take();
            place["schema"] = json!({"type": "array", "items": items});
            place["explode"] = json!(false);
        }
    }
    if let Some(old) = openapi.pointer_mut(deviation.at) {
        *old = place;
    }
}

fn only_required(schema: &mut Value, names: &[&str]) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| names.iter().any(|kept| name == kept));
    }
    let parts = schema.get_mut("allOf").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        only_required(part, names);
    }
}

/// Converts all schemas of a description in their places.
fn convert_schemas(node: &mut Value, direction: Direction) {
    match node {
        Value::Array(nodes) => nodes.iter_mut().for_each(|n| convert_schemas(n, direction)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("schema", schema) => convert(schema, direction, true),
                    ("schemas", Value::Object(schemas)) => {
                        schemas
                            .values_mut()
                            .for_each(|s| convert(s, direction, false));
                    }
                    ("example" | "examples", _) => {}
                    (_, member) => convert_schemas(member, direction),
                }
            }
        }
        _ => {}
    }
}

/// Makes an OpenAPI schema a JSON Schema. A `whole` one describes a value on
/// its own, unlike the parts of `allOf`, which the others add to.
fn convert(schema: &mut Value, direction: Direction, whole: bool) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let request = direction == Direction::Request;
    let read_only: Vec<String> = properties(members)
        .filter(|(_, property)| property["readOnly"] == true)
        .map(|(name, _)| name.clone())
        .collect();
    if let (true, Some(Value::Array(required))) = (request, members.get_mut("required")) {
        required.retain(|name| !read_only.iter().any(|n| name == n));
    }
    let combines = ["$ref", "allOf", "anyOf", "oneOf"]
        .iter()
        .any(|keyword| members.contains_key(*keyword));
    let describes_members = properties(members).next().is_some();
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties
                    .values_mut()
                    .for_each(|p| convert(p, direction, true));
            }
            ("items" | "additionalProperties", value) => convert(value, direction, true),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts
                    .iter_mut()
                    .for_each(|part| convert(part, direction, false));
            }
            _ => {}
        }
    }
    if request && whole && (combines || describes_members) {
        members.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    if members.remove("nullable") != Some(json!(true)) {
        return;
    }
    if combines {
        let own = schema.take();
        *schema = json!({"anyOf": [own, {"type": "null"}]});
        return;
    }
    if let Some(kind) = members.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.push(Value::Null);
    }
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}

const NOW: &str = "2026-11-18T12:34:56Z";

/// A client of a simulator that keeps what is exchanged.
struct Api {
    simulator: Simulator,
    listening: Listening,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    async fn start() -> Self {
        let simulator = Simulator::new(Config {
            users: 80,
            now: Some(NOW.parse().expect("a time")),
            ..Config::default()
        });
        simulator.keep_exchanges(true);
        let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        Self {
            simulator,
            listening: listening.expect("listens on loopback"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.listening.origin()))
            .header("authorization", format!("Token token={token}"))
            .header("accept", "application/vnd.pagerduty+json;version=2")
            .header("content-type", "application/json")
            .body(Full::from(
                body.map(|json| json.to_string()).unwrap_or_default(),
            ))
            .expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Value {
        self.call_as(TOKENS.owner, "GET", path, None).await
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        self.call_as(TOKENS.owner, method, path, Some(body)).await
    }

    async fn delete(&self, path: &str) {
        self.call_as(TOKENS.owner, "DELETE", path, None).await;
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

fn rows<'a>(reply: &'a Value, name: &str) -> &'a [Value] {
    reply[name].as_array().expect("rows")
}

/// The description that `PAGERDUTY_OPENAPI` names.
pub fn description() -> Option<Value> {
    let Some(file) = std::env::var_os("PAGERDUTY_OPENAPI") else {
        println!("skipped: PAGERDUTY_OPENAPI names no file");
        return None;
    };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    Some(serde_json::from_str(&text).expect("the file is JSON"))
}

/// Whatever the connector sends, in tenants of several kinds.
#[test]
fn every_request_of_the_connector_follows_the_openapi_description() {
    let Some(openapi) = description() else {
        return;
    };
    run(async {
        let mut openings = vec![Opening::users(90)];
        for token in [TOKENS.account, TOKENS.responder, "revoked-long-ago"] {
            openings.push(Opening {
                token,
                ..Opening::users(20)
            });
        }
        let mut plain = Opening::users(20);
        plain.config.plan.teams = false;
        plain.config.plan.analytics = false;
        plain.config.plan.delegations = false;
        plain.config.plan.audit = false;
        openings.push(plain);
        let mut checked = 0;
        for opening in openings {
            let bench = opening.open().await;
            bench.simulator.keep_exchanges(true);
            ask_everything(&bench).await;
            let exchanges = bench.simulator.exchanges();
            for exchange in &exchanges {
                let found = violations(&openapi, exchange);
                assert!(
                    found.is_empty(),
                    "{} {}: {found:?}",
                    exchange.method,
                    exchange.path
                );
            }
            checked += exchanges.len();
        }
        println!("{checked} requests follow the description");
        assert!(
            checked > 200,
            "{checked} requests are too few to be everything"
        );
    });
}

/// Calls every function. Some fail, as the tenant has it.
async fn ask_everything(bench: &Bench) {
    let tenant = &bench.tenant;
    let size = json!({ "page": { "size": 10 } });
    let mut ids = Vec::new();
    let mut schedules = Vec::new();
    for function in [
        "directory.list-accounts",
        "directory.list-resources",
        "directory.list-entitlements",
        "directory.list-grants",
    ] {
        let mut input = size.clone();
        while let Ok(page) = tenant.call(function, &input).await {
            for item in rows(&page, "items") {
                if function == "directory.list-accounts" {
                    ids.push(item["id"].clone());
                } else if item["resource_type"] == "schedule" && item["id"].is_string() {
                    schedules.push(item["id"].clone());
                }
            }
            match &page["next"] {
                Value::String(next) => input["page"]["token"] = json!(next),
                _ => break,
            }
        }
    }
    let account = ids.first().cloned().unwrap_or(json!("PABC123"));
    for (function, input) in [
        ("credentials.validate", json!({})),
        ("directory.get-account", json!({ "id": account })),
        ("directory.account-grants", json!({ "id": account })),
        ("activity.get-last-activity", json!({ "accounts": ids })),
        (
            "activity.list-activity",
            json!({ "since": "2026-10-01T00:00:00Z" }),
        ),
        ("on-call.who", json!({ "schedules": [] })),
        ("on-call.who", json!({ "schedules": schedules })),
        (
            "on-call.is-on-call",
            json!({ "account": account, "schedules": schedules }),
        ),
        ("diagnostics.diagnose", json!({})),
    ] {
        tenant.call(function, &input).await.ok();
    }
}

#[tokio::test]
async fn answers_and_requests_follow_the_openapi_description() {
    let Some(openapi) = description() else {
        return;
    };
    for deviation in KNOWN_DEVIATIONS {
        let (at, reason) = (deviation.at, deviation.reason);
        assert!(openapi.pointer(at).is_some(), "{at} ({reason}) is gone");
    }

    let api = Api::start().await;
    account(&api).await;
    users(&api).await;
    teams(&api).await;
    policies(&api).await;
    schedules(&api).await;
    shifts(&api).await;
    incidents(&api).await;
    refusals(&api).await;

    let exchanges = api.simulator.exchanges();
    let mut found: Vec<String> = exchanges
        .iter()
        .flat_map(|exchange| violations(&openapi, exchange))
        .collect();
    found.sort();
    found.dedup();
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );

    // Every operation that is described was asked for and granted once.
    let description = Description::of(&openapi);
    let granted: Vec<String> = exchanges
        .iter()
        .filter(|exchange| exchange.status < 300)
        .filter_map(|exchange| description.operation(&exchange.method, &exchange.path))
        .map(|(_, operation)| operation.operation)
        .collect();
    let paths = openapi["paths"].as_object().expect("paths");
    for (template, item) in paths {
        for method in ["get", "post", "put", "delete"] {
            let operation = format!("/paths/{}/{method}", token(template));
            let replayed = item.get(method).is_none() || granted.contains(&operation);
            assert!(replayed, "{method} {template} was not replayed");
        }
    }
}

async fn account(api: &Api) {
    for path in [
        "/abilities",
        "/licenses",
        "/license_allocations",
        "/license_allocations?limit=10&offset=20",
        "/audit/records?limit=5",
        "/audit/records?since=2026-11-01T00:00:00Z&until=2026-11-18T00:00:00Z\
            &root_resource_types[]=users&actions[]=create",
        "/oncalls?limit=100&total=true",
        "/oncalls?schedule_ids[]=null&time_zone=Etc/UTC&earliest=true",
        "/oncalls?since=2026-11-18T00:00:00Z&until=2026-11-20T00:00:00Z",
    ] {
        api.get(path).await;
    }
    for body in [
        json!({"limit": 7, "order": "asc", "order_by": "name"}),
        json!({"filters": {"created_at_end": "2026-11-18T00:00:00Z"}, "time_zone": "Etc/UTC"}),
    ] {
        let page = api.send("POST", "/analytics/raw/users", body.clone()).await;
        if page["more"] == true {
            let mut next = body;
            next["starting_after"] = page["last"].clone();
            api.send("POST", "/analytics/raw/users", next).await;
        }
    }
}

async fn users(api: &Api) {
    let list = api.get("/users?limit=100&total=true").await;
    for path in [
        "/users",
        "/users?query=a&limit=3&offset=2",
        "/users/me",
        "/users?include[]=contact_methods&include[]=notification_rules&include[]=teams",
    ] {
        api.get(path).await;
    }
    for user in rows(&list, "users") {
        let path = format!("/users/{}", id(user));
        api.get(&path).await;
        for part in [
            "license",
            "sessions",
            "oauth_delegations?status=issued,revoked&delegation_type=web,mobile&limit=2",
            "audit/records",
        ] {
            api.get(&format!("{path}/{part}")).await;
        }
    }
    let body = json!({"user": {
        "type": "user", "name": "New One", "email": "new.one@acme.example",
        "role": "limited_user", "time_zone": "Europe/Berlin", "job_title": "Tester",
        "description": "New",
    }});
    let made = api.send("POST", "/users", body.clone()).await;
    api.send("POST", "/users", body).await;
    let path = format!("/users/{}", id(&made["user"]));
    let license = api.get(&format!("{path}/license")).await["license"].clone();
    let license = json!({"id": license["id"], "type": "license_reference"});
    for change in [
        json!({"type": "user", "name": "New Two", "email": "new.two@acme.example"}),
        json!({"type": "user", "job_title": "Lead"}),
        json!({"type": "user", "role": "user", "license": license}),
    ] {
        api.send("PUT", &path, json!({"user": change})).await;
    }
    api.get(&format!("{path}/audit/records?limit=2")).await;
    api.delete(&format!(
        "/oauth_delegations?user_id={}&type=mobile,web",
        id(&made["user"])
    ))
    .await;
    api.delete(&path).await;
    api.get(&path).await;
    api.delete(&path).await;
}

async fn teams(api: &Api) {
    let users = api.get("/users?limit=100").await;
    let responder = rows(&users, "users")
        .iter()
        .find(|user| user["role"] == "limited_user");
    let responder = id(responder.expect("a responder"));
    let list = api.get("/teams?limit=100&total=true").await;
    api.get("/teams?query=e").await;
    for team in rows(&list, "teams") {
        let path = format!("/teams/{}", id(team));
        api.get(&path).await;
        api.get(&format!("{path}/members")).await;
        api.get(&format!("{path}/members?limit=2&offset=1&include[]=users"))
            .await;
        let member = format!("{path}/users/{responder}");
        api.send("PUT", &member, json!({"role": "responder"})).await;
        api.call_as(TOKENS.owner, "PUT", &member, None).await;
        api.send("PUT", &member, json!({"role": "observer"})).await;
        api.delete(&member).await;
        api.delete(&member).await;
        api.get(&format!("/users?team_ids[]={}", id(team))).await;
    }
}

async fn policies(api: &Api) {
    let list = api
        .get("/escalation_policies?limit=100&sort_by=name:asc")
        .await;
    let owner = api.get("/users/me").await["user"].clone();
    api.get(&format!("/escalation_policies?user_ids[]={}", id(&owner)))
        .await;
    for policy in rows(&list, "escalation_policies") {
        let path = format!("/escalation_policies/{}", id(policy));
        let policy = api.get(&path).await["escalation_policy"].clone();
        let mut body = json!({
            "type": "escalation_policy", "name": policy["name"],
            "escalation_rules": policy["escalation_rules"],
        });
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
        body["escalation_rules"][0]["targets"] =
            json!([{"id": id(&owner), "type": "user_reference"}]);
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
        body["escalation_rules"] = json!([]);
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
    }
}

async fn schedules(api: &Api) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let list = api.get("/schedules?limit=100&total=true").await;
    api.get(&format!(
        "/schedules?limit=2&include[]=schedule_layers&query=a&{range}"
    ))
    .await;
    let owner = api.get("/users/me").await["user"].clone();
    let user = json!({"id": id(&owner), "type": "user_reference"});
    for row in rows(&list, "schedules") {
        let path = format!("/schedules/{}", id(row));
        api.get(&format!("{path}?{range}&time_zone=Etc/UTC&overflow=true"))
            .await;
        api.get(&format!("{path}/users")).await;
        api.get(&format!("{path}/users?{range}")).await;
        let schedule = api.get(&path).await["schedule"].clone();
        let mut layers: Vec<Value> = rows(&schedule, "schedule_layers").to_vec();
        layers.reverse();
        let body = json!({"schedule": {
            "type": "schedule", "name": schedule["name"], "time_zone": schedule["time_zone"],
            "schedule_layers": layers,
        }});
        api.send("PUT", &path, body).await;
        let overrides = format!("{path}/overrides");
        let made = json!({"overrides": [
            {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "user": user},
            {"start": "2026-11-21T00:00:00Z", "end": "2026-11-20T00:00:00Z", "user": user},
        ]});
        api.send("POST", &overrides, made).await;
        let listed = api.get(&format!("{overrides}?{range}&editable=true")).await;
        let all = api.get(&format!("{overrides}?{range}")).await;
        for one in rows(&listed, "overrides")
            .iter()
            .chain(rows(&all, "overrides"))
        {
            api.delete(&format!("{overrides}/{}", id(one))).await;
            // Whatever was running is past by now and stays.
            api.delete(&format!("{overrides}/{}", id(one))).await;
        }
    }
}

async fn shifts(api: &Api) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let owner = api.get("/users/me").await["user"].clone();
    let member = json!({"type": "user_member", "user_id": id(&owner)});
    let list = api.get("/v3/schedules?limit=1000").await;
    api.get("/v3/schedules?query=a&offset=1&limit=1").await;
    for row in rows(&list, "schedules") {
        let path = format!("/v3/schedules/{}", id(row));
        let found = api.get(&path).await["schedule"].clone();
        api.get(&format!(
            "{path}?{range}&include[]=final_schedule&time_zone=Etc/UTC"
        ))
        .await;
        api.get(&format!("{path}/audit/records")).await;
        let rotations = format!("{path}/rotations");
        api.get(&format!("{rotations}?limit=5")).await;
        let rotation = &found["rotations"][0];
        api.get(&format!("{rotations}/{}", id(rotation))).await;
        overrides_and_custom_shifts(api, &path, id(rotation), &member).await;

        let events = format!("{rotations}/{}/events", id(rotation));
        api.get(&events).await;
        let event = &rotation["events"][0];
        let one = format!("{events}/{}", id(event));
        api.get(&one).await;
        let end = json!({"effective_until": "2026-12-01T00:00:00Z"});
        api.send("PUT", &one, json!({"event": end})).await;
        api.delete(&one).await;
        let mut successor = json!({"effective_since": NOW, "effective_until": null});
        for name in [
            "name",
            "start_time",
            "end_time",
            "recurrence",
            "assignment_strategy",
        ] {
            successor[name] = event[name].clone();
        }
        successor["assignment_strategy"]["members"][0] = json!({"type": "empty_member"});
        api.send("POST", &events, json!({"event": successor})).await;
        let new = api.send("POST", &rotations, json!({})).await["rotation"].clone();
        api.send(
            "POST",
            &format!("{rotations}/{}/events", id(&new)),
            json!({"event": successor}),
        )
        .await;
        api.delete(&format!("{rotations}/{}", id(&new))).await;
        api.get(&path).await;
    }
}

async fn overrides_and_custom_shifts(api: &Api, schedule: &str, rotation: &str, member: &Value) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let (start, end) = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z");
    let shifts = format!("{schedule}/custom_shifts");
    let assignments = json!([{"type": "shift_assignment", "member": member}]);
    let shift = json!({
        "type": "custom_shift", "start_time": start, "end_time": end, "assignments": assignments,
    });
    let made = api
        .send("POST", &shifts, json!({"custom_shifts": [shift]}))
        .await;
    let one = format!("{shifts}/{}", id(&made["custom_shifts"][0]));
    let later = json!({"custom_shift": {"end_time": "2026-11-22T00:00:00Z"}});
    api.send("PUT", &one, later).await;
    api.get(&one).await;
    api.get(&format!("{shifts}?{range}")).await;
    api.delete(&one).await;

    let overrides = format!("{schedule}/overrides");
    let body = json!({
        "type": "override_shift", "rotation_id": rotation, "start_time": start, "end_time": end,
        "overridden_member": {"type": "empty_member"}, "overriding_member": member,
    });
    let made = api
        .send("POST", &overrides, json!({"overrides": [body]}))
        .await;
    let one = format!("{overrides}/{}", id(&made["overrides"][0]));
    let later = json!({"override": {"end_time": "2026-11-22T00:00:00Z"}});
    api.send("PUT", &one, later).await;
    api.get(&one).await;
    api.get(&format!("{overrides}?{range}")).await;
    api.delete(&one).await;
}

async fn incidents(api: &Api) {
    let owner = api.get("/users/me").await["user"].clone();
    let assignee = json!({"assignee": {"id": id(&owner), "type": "user_reference"}});
    api.get("/incidents?sort_by=urgency:desc,created_at:asc&limit=5")
        .await;
    api.get("/incidents?since=2026-09-01T00:00:00Z&until=2026-11-18T00:00:00Z")
        .await;
    let open = api
        .get("/incidents?date_range=all&statuses[]=triggered&statuses[]=acknowledged&limit=100")
        .await;
    let open = rows(&open, "incidents");
    for (n, incident) in open.iter().enumerate() {
        let path = format!("/incidents/{}", id(incident));
        api.get(&path).await;
        let mut change = json!({"type": "incident_reference"});
        match n % 4 {
            0 => change["assignments"] = json!([assignee]),
            1 => change["status"] = json!("resolved"),
            2 => change["status"] = json!("acknowledged"),
            _ => {
                let policy = &incident["escalation_policy"];
                change["escalation_policy"] =
                    json!({"id": id(policy), "type": "escalation_policy_reference"});
            }
        }
        if n % 2 == 0 {
            api.send("PUT", &path, json!({"incident": change})).await;
        } else {
            change["id"] = incident["id"].clone();
            api.send("PUT", "/incidents", json!({"incidents": [change]}))
                .await;
        }
        if n % 4 == 1 {
            let again = json!({"type": "incident_reference", "status": "resolved"});
            api.send("PUT", &path, json!({"incident": again})).await;
        }
    }
    api.get("/incidents?date_range=all&limit=100&include[]=assignees")
        .await;
    api.get(&format!(
        "/incidents?user_ids[]={}&date_range=all",
        id(&owner)
    ))
    .await;
}

/// What is refused follows the description too.
async fn refusals(api: &Api) {
    let v2 = api.get("/schedules?limit=1").await["schedules"][0].clone();
    let v3 = api.get("/v3/schedules").await["schedules"][0].clone();
    for path in [
        "/users/PNOSUCH",
        "/teams/PNOSUCH/members",
        "/schedules/PNOSUCH",
        "/escalation_policies/PNOSUCH",
        "/incidents/PNOSUCH",
        "/v3/schedules/PNOSUCH",
        "/users?offset=9990&limit=100",
        "/incidents?since=2020-01-01T00:00:00Z",
        &format!("/schedules/{}", id(&v3)),
        &format!("/v3/schedules/{}", id(&v2)),
    ] {
        api.get(path).await;
        api.call_as("wrong", "GET", path, None).await;
    }
    api.call_as(TOKENS.account, "GET", "/users/me", None).await;
    api.call_as(TOKENS.responder, "GET", "/license_allocations", None)
        .await;
    api.call_as(TOKENS.responder, "GET", "/audit/records", None)
        .await;
    // The owner cannot be deleted, nor can those on schedules and policies.
    let users = api.get("/users?limit=20").await;
    for user in rows(&users, "users") {
        let path = format!("/users/{}", id(user));
        api.call_as(TOKENS.read_only, "DELETE", &path, None).await;
        api.delete(&path).await;
    }
    // Who was deleted leaves stubs.
    api.get("/incidents?date_range=all&limit=100").await;
    api.get("/schedules?limit=100").await;
    api.get("/audit/records").await;
}

#[test]
fn planted_faults_are_found() {
    let openapi = json!({
        "paths": {
            "/things": {"get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "ids[]", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "since", "in": "query", "required": true, "schema": {"type": "string", "format": "date-time"}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {
                    "type": "array", "items": {"$ref": "#/components/schemas/Thing"},
                }}}}},
            }},
            "/things/{id}": {"put": {
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "$ref": "#/components/schemas/Thing",
                }}}},
                "responses": {"204": {}, "404": {"$ref": "#/components/responses/Gone"}},
            }},
            "/things/me": {"put": {"responses": {"204": {}}}},
        },
        "components": {
            "responses": {"Gone": {"content": {"application/json": {"schema": {"type": "object"}}}}},
            "schemas": {
                "Thing": {"allOf": [
                    {"type": "object", "properties": {
                        "id": {"type": "string", "readOnly": true},
                        "name": {"type": "string", "nullable": true},
                    }, "required": ["id", "name"]},
                    {"properties": {"part": {"nullable": true, "allOf": [
                        {"$ref": "#/components/schemas/Thing/allOf/0"},
                    ]}}},
                ]},
            },
        },
    });
    let exchange =
        |method: &str, path: &str, query: &[(&str, &str)], sent: Value, status, answer: Value| {
            Exchange {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query
                    .iter()
                    .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                    .collect(),
                request_headers: Vec::new(),
                request_body: Some(sent).filter(|body| !body.is_null()),
                status,
                response_body: Some(answer).filter(|body| !body.is_null()),
            }
        };
    let get = |query: &[(&str, &str)], status, answer| {
        violations(
            &openapi,
            &exchange("GET", "/things", query, Value::Null, status, answer),
        )
    };
    let put = |path: &str, sent, status, answer| {
        violations(&openapi, &exchange("PUT", path, &[], sent, status, answer))
    };
    let since = ("since", "2026-11-18T12:34:56Z");
    let right = json!([{"id": "1", "name": null, "part": null, "new": 1}]);
    let none: [&str; 0] = [];
    assert_eq!(
        get(
            &[since, ("limit", "5"), ("ids[]", "1"), ("ids[]", "2")],
            200,
            right.clone()
        ),
        none
    );
    assert_eq!(get(&[since], 503, Value::Null), none);
    assert_eq!(get(&[since], 0, Value::Null), none);
    assert_eq!(
        put(
            "/things/1",
            json!({"name": "a", "part": {"name": null}}),
            204,
            Value::Null
        ),
        none
    );
    assert_eq!(
        put("/things/me", Value::Null, 204, Value::Null),
        none,
        "a literal wins"
    );

    let one = |found: Vec<String>, expected: &str| {
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected}: {found:?}"
        );
    };
    one(
        get(&[since, ("colour", "red")], 200, right.clone()),
        "`colour` is not described",
    );
    one(
        get(&[since, ("ids", "1")], 200, right.clone()),
        "must be `ids[]`",
    );
    one(
        get(&[since, ("limit", "many")], 200, right.clone()),
        "not of type \"integer\"",
    );
    one(get(&[since, since], 200, right.clone()), "given twice");
    one(get(&[], 200, right.clone()), "`since` is missing");
    one(get(&[("since", "today")], 200, right), "date-time");
    one(
        get(&[since], 200, json!([{"id": 1, "name": null}])),
        "at `/0/id`: 1 is not of type",
    );
    one(
        get(&[since], 200, json!([{"name": "a"}])),
        "\"id\" is a required property",
    );
    one(
        get(
            &[since],
            200,
            json!([{"id": "1", "name": "a", "part": {"id": "2"}}]),
        ),
        "\"name\" is a required",
    );
    one(get(&[since], 200, Value::Null), "has no body");
    one(
        get(&[since], 418, Value::Null),
        "status 418 is not described",
    );
    one(
        put("/things/1", Value::Null, 204, Value::Null),
        "request has no body",
    );
    one(
        put("/things/1", json!({"name": 1}), 204, Value::Null),
        "at `/name`: 1 is not of type",
    );
    one(
        put(
            "/things/1",
            json!({"name": "a", "nmae": "a"}),
            204,
            Value::Null,
        ),
        "'nmae'",
    );
    one(
        put("/things/1", json!({"name": "a"}), 204, json!({})),
        "answer 204 has a body",
    );
    one(
        put("/things/1", json!({"name": "a"}), 404, json!([])),
        "answer 404 at ``",
    );
    one(
        put("/things/1/2", json!({}), 204, Value::Null),
        "is not described",
    );
}
