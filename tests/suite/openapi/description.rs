//! A description made ready to check by: OpenAPI schemas become JSON Schemas in
//! their places, so that every `$ref` of the file, also into an array, resolves
//! within one document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use pagerduty_simulator::Exchange;
use serde_json::{Map, Value, json};

use super::deviations::{Change, Deviation, KNOWN_DEVIATIONS};

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
pub(super) struct Description {
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
pub(super) struct Operation {
    path_item: String,
    pub(super) operation: String,
}

impl Description {
    pub(super) fn of(source: &Value) -> Arc<Self> {
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
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<(&str, Operation)> {
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
pub(super) fn token(key: &str) -> String {
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
