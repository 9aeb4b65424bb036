//! A description made ready to hold exchanges against.

use std::{fmt, fs, path::Path};

use serde_json::Value;

use super::{
    Answer, Content, DescriptionError, Exchange, Operation, Overlay, Violation,
    conversion::Direction,
    exchange::is_json,
    operation::{base_paths, fit},
    pointer::{MOST_HOPS, target, token},
    schemas::Schemas,
};

/// What of a path's members are operations.
const METHODS: [&str; 8] = [
    "delete", "get", "head", "options", "patch", "post", "put", "trace",
];

/// A vendor's description of its API, corrected.
pub struct Description {
    openapi: Value,
    base_paths: Vec<String>,
    pub(super) requests: Schemas,
    answers: Schemas,
}

impl Description {
    /// Reads a file in JSON or YAML, and corrects what it says.
    pub fn read(path: &Path, overlay: &Overlay) -> Result<Self, DescriptionError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|cause| DescriptionError::Read {
            path: shown.clone(),
            cause,
        })?;
        Self::parse(&text, &shown, overlay)
    }

    /// Reads a text in JSON or YAML, and corrects what it says; `name` is for
    /// messages.
    pub fn parse(text: &str, name: &str, overlay: &Overlay) -> Result<Self, DescriptionError> {
        let wrong = |cause: String| DescriptionError::Parse {
            path: name.to_owned(),
            cause,
        };
        // JSON is YAML as well, and is read much quicker as what it is.
        let mut openapi: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?
        } else {
            serde_yaml_ng::from_str(text).map_err(|error| wrong(error.to_string()))?
        };
        if let Some(cause) = what_it_is_instead(&openapi) {
            return Err(DescriptionError::NotOpenapi {
                path: name.to_owned(),
                cause,
            });
        }
        overlay.apply(&mut openapi)?;
        check_references(&openapi, &openapi, &mut String::new())?;
        Ok(Self {
            base_paths: base_paths(&openapi),
            requests: Schemas::of(&openapi, Direction::Request)?,
            answers: Schemas::of(&openapi, Direction::Answer)?,
            openapi,
        })
    }

    /// All operations, by path.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for template in self.templates() {
            for method in METHODS {
                let operation = Operation {
                    method: method.to_owned(),
                    template: template.to_owned(),
                };
                if !self.at(&self.place(&operation)).is_null() {
                    operations.push(operation);
                }
            }
        }
        operations
    }

    /// The operation that a request asks for. Of several paths that fit, the
    /// one that is literal the longest.
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let method = method.to_lowercase();
        let mut best: Option<(Vec<u8>, Operation)> = None;
        for base in &self.base_paths {
            let Some(path) = path.strip_prefix(base.as_str()) else {
                continue;
            };
            for template in self.templates() {
                let Some(fit) = fit(template, path) else {
                    continue;
                };
                let operation = Operation {
                    method: method.clone(),
                    template: template.to_owned(),
                };
                let is_described = !self.at(&self.place(&operation)).is_null();
                if is_described && best.as_ref().is_none_or(|(known, _)| *known < fit) {
                    best = Some((fit, operation));
                }
            }
        }
        best.map(|(_, operation)| operation)
    }

    /// What of a request and its answer is not as described; empty if all is
    /// well. May quote what is in them. Fails where the description can't be
    /// used.
    pub fn violations(&self, exchange: &Exchange<'_>) -> Result<Vec<Violation>, DescriptionError> {
        let method = exchange.method.to_uppercase();
        let Some(operation) = self.operation(&method, exchange.path) else {
            return Ok(vec![Violation {
                operation: format!("{method} {}", exchange.path),
                ..Violation::of("path", "it is not described")
            }]);
        };
        let place = self.place(&operation);
        let parameters = [
            format!("{place}/parameters"),
            format!("{}/parameters", self.follow(operation.path_item())),
        ];
        let mut found = self.query_violations(&parameters, exchange)?;
        found.extend(self.request_violations(&place, exchange)?);
        if let Some(answer) = &exchange.answer {
            found.extend(self.answer_violations(&place, exchange, answer)?);
        }
        for violation in &mut found {
            violation.operation = format!("{method} {}", operation.template);
        }
        Ok(found)
    }

    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.openapi.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Where the `$ref` at a place leads, if there is one.
    pub(super) fn follow(&self, mut pointer: String) -> String {
        // Those that count were found to end when the description was read.
        for _ in 0..MOST_HOPS {
            match self.at(&pointer)["$ref"].as_str().and_then(target) {
                Some(next) => pointer = next,
                None => break,
            }
        }
        pointer
    }

    fn templates(&self) -> impl Iterator<Item = &str> {
        let paths = self.openapi["paths"].as_object();
        // Others are the vendor's own extensions.
        let names = paths.into_iter().flatten().map(|(name, _)| name.as_str());
        names.filter(|name| name.starts_with('/'))
    }

    fn place(&self, operation: &Operation) -> String {
        let item = self.follow(operation.path_item());
        format!("{item}/{}", token(&operation.method))
    }

    fn request_violations(
        &self,
        operation: &str,
        exchange: &Exchange<'_>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let described = self.follow(format!("{operation}/requestBody"));
        let Some(body) = &exchange.body else {
            let is_missing = self.at(&described)["required"] == true;
            let wrong = is_missing.then(|| Violation::of("request", "it has no body"));
            return Ok(wrong.into_iter().collect());
        };
        let content = format!("{described}/content");
        if !self.describes_content(&content) {
            return Ok(vec![Violation::of("request", "it has a body")]);
        }
        self.content_violations(&self.requests, "request", &content, body, exchange.untold)
    }

    fn answer_violations(
        &self,
        operation: &str,
        exchange: &Exchange<'_>,
        answer: &Answer<'_>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let status = answer.status;
        let part = format!("answer {status}");
        let Some(response) = self.response(operation, status) else {
            let wrong = !is_anywhere(status);
            let wrong = wrong.then(|| Violation::of(part, "it is not described"));
            return Ok(wrong.into_iter().collect());
        };
        let content = format!("{response}/content");
        let is_described = self.describes_content(&content);
        let Some(body) = &answer.body else {
            // Errors may come without a body, and an answer to HEAD has none.
            let may_lack = status >= 400 || exchange.method.eq_ignore_ascii_case("head");
            let is_missing = is_described && !may_lack;
            let wrong = is_missing.then(|| Violation::of(part, "it has no body"));
            return Ok(wrong.into_iter().collect());
        };
        if !is_described {
            return Ok(vec![Violation::of(part, "it has a body")]);
        }
        self.content_violations(&self.answers, &part, &content, body, exchange.untold)
    }

    /// The place of what is said of answers with a status.
    fn response(&self, operation: &str, status: u16) -> Option<String> {
        let mut keys = vec![status.to_string(), format!("{}XX", status / 100)];
        if !is_anywhere(status) {
            keys.push("default".to_owned());
        }
        let places = keys
            .into_iter()
            .map(|key| self.follow(format!("{operation}/responses/{key}")));
        let mut described = places.filter(|place| !self.at(place).is_null());
        described.next()
    }

    fn describes_content(&self, content: &str) -> bool {
        let media = self.at(content).as_object();
        media.is_some_and(|media| !media.is_empty())
    }

    fn content_violations(
        &self,
        schemas: &Schemas,
        part: &str,
        described: &str,
        content: &Content<'_>,
        untold: Option<&str>,
    ) -> Result<Vec<Violation>, DescriptionError> {
        let essence = content.essence();
        let Some(media) = self.media_type(described, &essence) else {
            let what = format!("it is `{essence}`, which is not described");
            return Ok(vec![Violation::of(part, what)]);
        };
        let schema = format!("{described}/{}/schema", token(media));
        // What is neither has a form of its own, which a schema only stands for.
        let is_readable = is_json(&essence) || essence.starts_with("text/");
        if !is_readable || self.at(&schema).is_null() {
            return Ok(Vec::new());
        }
        schemas.violations(&schema, part, &content.value, untold)
    }

    /// Which of the described media types it is.
    fn media_type(&self, described: &str, essence: &str) -> Option<&str> {
        let kind = essence.split('/').next().unwrap_or_default();
        let described = || {
            let names = self.at(described).as_object().into_iter().flatten();
            names.map(|(name, _)| {
                let range = name.split(';').next().unwrap_or_default();
                (name.as_str(), range.trim().to_ascii_lowercase())
            })
        };
        let find = |fits: &dyn Fn(&str) -> bool| {
            described()
                .find(|(_, range)| fits(range))
                .map(|(name, _)| name)
        };
        find(&|range| range == essence)
            // JSON by another name is JSON.
            .or_else(|| find(&|range| is_json(essence) && is_json(range)))
            .or_else(|| find(&|range| range.strip_suffix("/*") == Some(kind)))
            .or_else(|| find(&|range| range == "*/*"))
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("title", &self.openapi["info"]["title"])
            .finish_non_exhaustive()
    }
}

/// Whether a status is about the credential, the plan or what is on the way,
/// and may come for any request.
fn is_anywhere(status: u16) -> bool {
    matches!(status, 401..=403 | 408 | 429 | 500..)
}

fn what_it_is_instead(document: &Value) -> Option<String> {
    let version = |name: &str| match &document[name] {
        Value::String(version) => Some(version.clone()),
        Value::Number(version) => Some(version.to_string()),
        _ => None,
    };
    match version("openapi") {
        Some(version) if version.starts_with("3.0") => {
            let lacks = !document["paths"].is_object();
            lacks.then(|| "it has no `paths`".to_owned())
        }
        Some(version) => Some(format!("it is one in OpenAPI {version}")),
        None => Some(match version("swagger") {
            Some(version) => format!("it is one in Swagger {version}"),
            None => "it has no `openapi`".to_owned(),
        }),
    }
}

/// Finds out whether each reference leads to something within the document.
fn check_references(
    openapi: &Value,
    node: &Value,
    at: &mut String,
) -> Result<(), DescriptionError> {
    let length = at.len();
    match node {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref")
                && let Some(cause) = what_is_wrong_with(openapi, reference)
            {
                return Err(DescriptionError::Reference {
                    at: at.clone(),
                    target: reference.clone(),
                    cause,
                });
            }
            for (name, member) in members {
                // These hold data.
                if matches!(name.as_str(), "example" | "examples" | "enum")
                    || name.starts_with("x-")
                {
                    continue;
                }
                at.push('/');
                at.push_str(&token(name));
                check_references(openapi, member, at)?;
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                check_references(openapi, item, at)?;
                at.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

fn what_is_wrong_with(openapi: &Value, reference: &str) -> Option<&'static str> {
    let mut reference = reference;
    for _ in 0..MOST_HOPS {
        let Some(pointer) = target(reference) else {
            return Some("leads out of the description");
        };
        let Some(place) = openapi.pointer(&pointer) else {
            return Some("leads to nothing");
        };
        match place["$ref"].as_str() {
            Some(next) => reference = next,
            None => return None,
        }
    }
    Some("leads back to itself")
}
