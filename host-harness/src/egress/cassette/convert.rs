//! Other tools' recordings: HAR 1.2 both ways, VCR.py's version 1 in.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    format::{
        Body, Cassette, CassetteError, FORMAT, Interaction, RecordedConnector, RecordedFrom,
        RecordedOutcome, RecordedRequest, RecordedResponse, Recording, ScrubReport, Status,
    },
    scrub::Scrubber,
};

/// A HAR 1.2 document, for browsers' developer tools and other viewers.
/// What HAR has no place for stands under `_harness`.
pub fn to_har(cassette: &Cassette) -> Value {
    let entries: Vec<Value> = cassette
        .interactions
        .iter()
        .map(|interaction| har_entry(interaction, &cassette.harness.clock))
        .collect();
    json!({
        "log": {
            "version": "1.2",
            "creator": { "name": "harness", "version": env!("CARGO_PKG_VERSION") },
            "entries": entries,
            "_harness": &cassette.harness,
        }
    })
}

fn har_entry(interaction: &Interaction, clock: &str) -> Value {
    let request = &interaction.request;
    let query: Vec<Value> = Url::parse(&request.uri)
        .map(|url| {
            url.query_pairs()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect()
        })
        .unwrap_or_default();
    let (text, encoding) = har_text(&request.body);
    let mut har_request = json!({
        "method": request.method,
        "url": request.uri,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": har_headers(&request.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": text.len(),
    });
    if !text.is_empty() {
        har_request["postData"] = json!({
            "mimeType": mime_type(&request.headers),
            "text": text,
            "_encoding": encoding,
        });
    }
    let response = match &interaction.outcome {
        RecordedOutcome::Response(response) => {
            let (text, encoding) = har_text(&response.body);
            let mut content = json!({
                "size": text.len(),
                "mimeType": mime_type(&response.headers),
                "text": text,
            });
            if let Some(encoding) = encoding {
                content["encoding"] = json!(encoding);
            }
            json!({
                "status": response.status.code,
                "statusText": response.status.message,
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": har_headers(&response.headers),
                "content": content,
                "redirectURL": "",
                "headersSize": -1,
                "bodySize": -1,
            })
        }
        // Browsers, too, write a failed request as status 0.
        RecordedOutcome::Error(code) => json!({
            "status": 0,
            "statusText": "",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "content": { "size": 0, "mimeType": "" },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "_error": code,
        }),
    };
    json!({
        "startedDateTime": clock,
        "time": interaction.elapsed_ms,
        "request": har_request,
        "response": response,
        "cache": {},
        "timings": { "send": 0, "wait": interaction.elapsed_ms, "receive": 0 },
        "_capability": interaction.capability,
    })
}

fn har_headers(headers: &BTreeMap<String, Vec<String>>) -> Vec<Value> {
    headers
        .iter()
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| json!({ "name": name, "value": value }))
        })
        .collect()
}

fn har_text(body: &Body) -> (String, Option<&'static str>) {
    match body {
        Body::None => (String::new(), None),
        Body::Json(value) => (value.to_string(), None),
        Body::Text(text) => (text.clone(), None),
        Body::Base64(text) => (text.clone(), Some("base64")),
    }
}

fn mime_type(headers: &BTreeMap<String, Vec<String>>) -> String {
    headers
        .get("content-type")
        .and_then(|values| values.first())
        .cloned()
        .unwrap_or_default()
}

/// Reads a HAR document: one that [`to_har`] made comes back as it was, any
/// other is scrubbed first.
pub fn from_har(text: &str, name: &str, scrubber: &Scrubber) -> Result<Cassette, CassetteError> {
    let problem = |cause: &str| CassetteError::Parse {
        path: name.to_owned(),
        cause: cause.to_owned(),
    };
    let har: Value = serde_json::from_str(text).map_err(|error| problem(&error.to_string()))?;
    let entries = har
        .pointer("/log/entries")
        .and_then(Value::as_array)
        .ok_or_else(|| problem("it has no `log.entries`"))?;
    let mut interactions = Vec::with_capacity(entries.len());
    for (entry, id) in entries.iter().zip(0..) {
        let method = string(entry, "/request/method").ok_or_else(|| problem("no method"))?;
        let uri = string(entry, "/request/url").ok_or_else(|| problem("no url"))?;
        let outcome = match (
            string(entry, "/response/_error"),
            entry.pointer("/response"),
        ) {
            (Some(code), _) => RecordedOutcome::Error(code),
            (None, Some(response)) => RecordedOutcome::Response(RecordedResponse {
                status: Status {
                    code: response
                        .get("status")
                        .and_then(Value::as_u64)
                        .and_then(|status| u16::try_from(status).ok())
                        .ok_or_else(|| problem("no status"))?,
                    message: string(response, "/statusText").unwrap_or_default(),
                },
                headers: pairs_to_headers(response.get("headers")),
                body: encoded_body(
                    string(response, "/content/text"),
                    string(response, "/content/encoding").as_deref(),
                )?,
            }),
            (None, None) => return Err(problem("an entry has no response")),
        };
        interactions.push(Interaction {
            id,
            capability: string(entry, "/_capability").unwrap_or_default(),
            elapsed_ms: entry
                .get("time")
                .and_then(Value::as_f64)
                .map_or(0, |time| time.max(0.0) as u64),
            request: RecordedRequest {
                method,
                uri,
                headers: pairs_to_headers(entry.pointer("/request/headers")),
                body: encoded_body(
                    string(entry, "/request/postData/text"),
                    string(entry, "/request/postData/_encoding").as_deref(),
                )?,
            },
            outcome,
        });
    }
    let ours = har
        .pointer("/log/_harness")
        .and_then(|value| serde_json::from_value::<Recording>(value.clone()).ok());
    Ok(match ours {
        Some(harness) => Cassette {
            version: 1,
            harness,
            interactions,
        },
        None => {
            let started = entries
                .first()
                .and_then(|entry| string(entry, "/startedDateTime"));
            imported(interactions, started.as_deref(), scrubber)
        }
    })
}

/// Reads a cassette of VCR.py (version 1, YAML or JSON).
pub fn from_vcr(text: &str, name: &str, scrubber: &Scrubber) -> Result<Cassette, CassetteError> {
    let problem = |cause: String| CassetteError::Parse {
        path: name.to_owned(),
        cause,
    };
    // YAML reads JSON as well.
    let vcr: Value = serde_yaml_ng::from_str(text).map_err(|error| problem(error.to_string()))?;
    let recorded = vcr
        .get("interactions")
        .and_then(Value::as_array)
        .ok_or_else(|| problem("it has no `interactions`".to_owned()))?;
    let mut interactions = Vec::with_capacity(recorded.len());
    for (entry, id) in recorded.iter().zip(0..) {
        let missing = |what: &str| problem(format!("interaction {id} has no {what}"));
        let code = entry
            .pointer("/response/status/code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok())
            .ok_or_else(|| missing("`response.status.code`"))?;
        interactions.push(Interaction {
            id,
            capability: String::new(),
            elapsed_ms: 0,
            request: RecordedRequest {
                method: string(entry, "/request/method").ok_or_else(|| missing("method"))?,
                uri: string(entry, "/request/uri").ok_or_else(|| missing("uri"))?,
                headers: map_to_headers(entry.pointer("/request/headers")),
                body: vcr_body(entry.pointer("/request/body")),
            },
            outcome: RecordedOutcome::Response(RecordedResponse {
                status: Status {
                    code,
                    message: string(entry, "/response/status/message").unwrap_or_default(),
                },
                headers: map_to_headers(entry.pointer("/response/headers")),
                body: vcr_body(entry.pointer("/response/body")),
            }),
        });
    }
    Ok(imported(interactions, None, scrubber))
}

/// Gives another tool's recording what it lacks, and takes away what it must
/// not keep.
fn imported(
    mut interactions: Vec<Interaction>,
    clock: Option<&str>,
    scrubber: &Scrubber,
) -> Cassette {
    for interaction in &mut interactions {
        let kept = ["accept", "content-type", "user-agent"];
        interaction
            .request
            .headers
            .retain(|name, _| kept.contains(&name.as_str()));
        if let RecordedOutcome::Response(response) = &mut interaction.outcome {
            response.headers.retain(|name, _| {
                name == "content-type" || name == "retry-after" || name.starts_with("ratelimit-")
            });
        }
    }
    let clock = clock
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .unwrap_or_else(jiff::Timestamp::now);
    let mut cassette = Cassette {
        version: 1,
        harness: Recording {
            format: FORMAT.to_owned(),
            origin: RecordedFrom::Imported,
            clock: clock.to_string(),
            seed: "0".repeat(64),
            connector: RecordedConnector {
                app_id: String::new(),
                version: String::new(),
                sha256: String::new(),
            },
            contract: String::new(),
            settings: BTreeMap::new(),
            calls: Vec::new(),
            scrub: ScrubReport::default(),
        },
        interactions,
    };
    scrubber.scrub(&mut cassette);
    cassette
}

fn string(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

/// `[{"name": …, "value": …}]`
fn pairs_to_headers(pairs: Option<&Value>) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in pairs.and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(value)) = (string(pair, "/name"), string(pair, "/value")) {
            headers
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(value);
        }
    }
    headers
}

/// `{"Name": ["value"]}` or `{"Name": "value"}`
fn map_to_headers(map: Option<&Value>) -> BTreeMap<String, Vec<String>> {
    let empty = Map::new();
    map.and_then(Value::as_object)
        .unwrap_or(&empty)
        .iter()
        .map(|(name, value)| {
            let values = match value {
                Value::Array(items) => items
                    .iter()
                    .filter_map(|item| item.as_str().map(str::to_owned))
                    .collect(),
                Value::String(text) => vec![text.clone()],
                _ => Vec::new(),
            };
            (name.to_ascii_lowercase(), values)
        })
        .collect()
}

fn encoded_body(text: Option<String>, encoding: Option<&str>) -> Result<Body, CassetteError> {
    let text = text.unwrap_or_default();
    if encoding != Some("base64") {
        return Ok(Body::from_bytes(text.as_bytes()));
    }
    let bytes = STANDARD
        .decode(&text)
        .map_err(|_| CassetteError::Body("it is not valid base64".to_owned()))?;
    Ok(Body::from_bytes(&bytes))
}

/// VCR.py writes a request's body as a string or null, and a response's as
/// `{"string": …}`; other tools write `{"type", "content"}`.
fn vcr_body(body: Option<&Value>) -> Body {
    match body {
        Some(Value::String(text)) => Body::from_bytes(text.as_bytes()),
        Some(Value::Object(fields)) => {
            if let Some(Value::String(text)) = fields.get("string") {
                return Body::from_bytes(text.as_bytes());
            }
            serde_json::from_value(Value::Object(fields.clone())).unwrap_or_default()
        }
        _ => Body::None,
    }
}
