//! What is planted in exchanges with a made-up vendor is found.

use host_harness::openapi::{Answer, Content, Description, Exchange, Overlay};
use serde_json::{Value, json};

fn parsed(openapi: &Value) -> Description {
    let description = Description::parse(&openapi.to_string(), "test", &Overlay::default());
    description.expect("a description")
}

/// A description with one operation, `GET /things`.
fn listing(parameters: &Value, responses: &Value) -> Description {
    parsed(&json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"get": {"parameters": parameters, "responses": responses}}},
    }))
}

#[track_caller]
fn told(description: &Description, exchange: &Exchange<'_>) -> Vec<String> {
    let found = description.violations(exchange).expect("it can be used");
    found.iter().map(ToString::to_string).collect()
}

/// What is said of a query alone.
#[track_caller]
fn queried(description: &Description, query: &str) -> Vec<String> {
    let url = url(query);
    let mut exchange = Exchange::new("GET", "/things");
    exchange.query = url.query_pairs().into_owned().collect();
    told(description, &exchange)
}

fn url(query: &str) -> url::Url {
    format!("https://api.example.com/things?{query}")
        .parse()
        .expect("an address")
}

#[track_caller]
fn one(found: &[String], expected: &str) {
    assert!(
        found.len() == 1 && found[0].ends_with(expected),
        "{expected}: {found:?}"
    );
}

const NONE: [&str; 0] = [];

#[test]
fn planted_faults_are_found() {
    let description = parsed(&json!({
        "openapi": "3.0.2",
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
    }));
    let ask = |method, path, query: &[(&str, &str)], sent: &Value, status, answer: &Value| {
        let body = |value| Some(Content::json(value)).filter(|body| !body.value.is_null());
        let mut exchange = Exchange::new(method, path);
        exchange.query = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        exchange.body = body(sent);
        if status != 0 {
            exchange.answer = Some(Answer {
                status,
                body: body(answer),
            });
        }
        told(&description, &exchange)
    };
    let null = Value::Null;
    let get =
        |query: &[_], status, answer: &Value| ask("GET", "/things", query, &null, status, answer);
    let put =
        |path, sent: &Value, status, answer: &Value| ask("PUT", path, &[], sent, status, answer);
    let since = ("since", "2026-11-18T12:34:56Z");
    let right = json!([{"id": "1", "name": null, "part": null, "new": 1}]);
    let many = [since, ("limit", "5"), ("ids[]", "1"), ("ids[]", "2")];
    assert_eq!(get(&many, 200, &right), NONE);
    assert_eq!(get(&[since], 503, &null), NONE);
    assert_eq!(get(&[since], 0, &null), NONE, "nobody has answered");
    let part = json!({"name": "a", "part": {"name": null}});
    assert_eq!(put("/things/1", &part, 204, &null), NONE);
    assert_eq!(put("/things/me", &null, 204, &null), NONE, "a literal wins");

    one(
        &get(&[since, ("colour", "red")], 200, &right),
        "GET /things: query parameter `colour`: it is not described",
    );
    one(&get(&[since, ("ids", "1")], 200, &right), "must be `ids[]`");
    let many = get(&[since, ("limit", "many")], 200, &right);
    one(&many, "`limit` at ``: \"many\" is not of type \"integer\"");
    one(
        &get(&[since, since], 200, &right),
        "`since`: it is given twice",
    );
    one(&get(&[], 200, &right), "`since`: it is missing");
    one(&get(&[("since", "today")], 200, &right), "a \"date-time\"");
    one(
        &get(&[since], 200, &json!([{"id": 1, "name": null}])),
        "answer 200 at `/0/id`: 1 is not of type \"string\"",
    );
    one(
        &get(&[since], 200, &json!([{"name": "a"}])),
        "answer 200 at `/0`: \"id\" is a required property",
    );
    let within = json!([{"id": "1", "name": "a", "part": {"id": "2"}}]);
    assert!(get(&[since], 200, &within)[0].contains("\"name\" is a required"));
    one(&get(&[since], 200, &null), "answer 200: it has no body");
    one(
        &get(&[since], 418, &null),
        "answer 418: it is not described",
    );
    one(
        &put("/things/1", &null, 204, &null),
        "request: it has no body",
    );
    one(
        &put("/things/1", &json!({"name": 1}), 204, &null),
        "PUT /things/{id}: request at `/name`: 1 is not of types \"null\", \"string\"",
    );
    let misspelt = put("/things/1", &json!({"name": "a", "nmae": "a"}), 204, &null);
    assert!(
        misspelt.len() == 1 && misspelt[0].contains("'nmae'"),
        "{misspelt:?}"
    );
    let named = json!({"name": "a"});
    one(
        &put("/things/1", &named, 204, &json!({})),
        "answer 204: it has a body",
    );
    one(
        &put("/things/1", &named, 404, &json!([])),
        "answer 404 at ``: [] is not of type \"object\"",
    );
    one(
        &put("/things/1/2", &json!({}), 204, &null),
        "PUT /things/1/2: path: it is not described",
    );
}

#[test]
fn what_is_not_told_has_no_form() {
    let schema = json!({"type": "object", "properties": {
        "token": {"type": "string", "format": "date-time"},
        "either": {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "integer"}]},
        "number": {"type": "integer"},
    }});
    let response = json!({"content": {"application/json": {"schema": schema}}});
    let since = json!({"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}});
    let description = listing(&json!([since]), &json!({"200": response}));
    let body = json!({"token": "[gone]", "either": "of [gone]", "number": "[gone]"});
    let mut exchange = Exchange::new("GET", "/things").answer(Answer {
        status: 200,
        body: Some(Content::json(&body)),
    });
    exchange.query = vec![("since".to_owned(), "[gone]".to_owned())].into();
    assert_eq!(told(&description, &exchange).len(), 4);
    exchange.untold = Some("[gone]");
    assert_eq!(told(&description, &exchange), NONE);
    let other = json!({"token": "[gone]", "number": "many"});
    exchange.answer = Some(Answer {
        status: 200,
        body: Some(Content::json(&other)),
    });
    one(
        &told(&description, &exchange),
        "\"many\" is not of type \"integer\"",
    );
}

#[test]
fn parameters_are_read_in_each_style() {
    let number = json!({"type": "integer"});
    let description = listing(
        &json!([
            {"name": "id", "in": "query", "schema": {"type": "array", "items": number}},
            {"name": "csv", "in": "query", "explode": false, "schema": {"type": "array", "items": number}},
            {"name": "pipes", "in": "query", "style": "pipeDelimited", "schema": {"type": "array", "items": number}},
            {"name": "filter", "in": "query", "style": "deepObject", "schema": {
                "type": "object", "properties": {"age": number, "name": {"type": "string"}},
            }},
            {"name": "page", "in": "query", "schema": {
                "type": "object", "properties": {"size": number, "after": {"type": "string"}},
            }},
            {"name": "where", "in": "query", "content": {"application/json": {"schema": {
                "type": "object", "properties": {"age": number},
            }}}},
            {"name": "either", "in": "query", "schema": {"oneOf": [
                {"type": "integer", "minimum": 0, "exclusiveMinimum": true},
                {"type": "string", "enum": ["all"]},
            ]}},
        ]),
        &json!({}),
    );
    for right in [
        "id=1&id=2",
        "csv=1,2",
        "pipes=1%7C2",
        "filter[age]=7&filter[name]=5",
        "size=10&after=7",
        "where={\"age\":7}",
        "either=1",
        "either=all",
    ] {
        assert_eq!(queried(&description, right), NONE, "{right}");
    }
    for (wrong, what) in [
        (
            "id=1&id=two",
            "`id` at `/1`: \"two\" is not of type \"integer\"",
        ),
        (
            "csv=1,two",
            "`csv` at `/1`: \"two\" is not of type \"integer\"",
        ),
        (
            "pipes=1,2",
            "`pipes` at `/0`: \"1,2\" is not of type \"integer\"",
        ),
        ("csv=1&csv=2", "`csv`: it is given twice"),
        (
            "filter[age]=old",
            "`filter` at `/age`: \"old\" is not of type \"integer\"",
        ),
        (
            "size=large",
            "`page` at `/size`: \"large\" is not of type \"integer\"",
        ),
        ("page=7", "`page`: it is not described"),
        ("filter=7", "`filter`: it is not described"),
        (
            "where={\"age\":\"old\"}",
            "`where` at `/age`: \"old\" is not of type \"integer\"",
        ),
    ] {
        one(&queried(&description, wrong), what);
    }
    assert_eq!(queried(&description, "either=0").len(), 1);
    assert_eq!(queried(&description, "either=none").len(), 1);
}

#[test]
fn answers_are_found_by_range_and_media_type() {
    let text = json!({"schema": {"type": "string", "maxLength": 3}});
    let object = json!({"schema": {"type": "object"}});
    let description = listing(
        &json!([]),
        &json!({
            "200": {"content": {"application/vnd.vendor+json": object, "text/*": text}},
            "4XX": {"content": {"application/problem+json": object}},
            "default": {"content": {"*/*": object}},
        }),
    );
    let answer = |status, media_type, value: &Value| {
        let body = Some(Content {
            media_type,
            value: std::borrow::Cow::Borrowed(value),
        });
        let exchange = Exchange::new("get", "/things");
        told(&description, &exchange.answer(Answer { status, body }))
    };
    let (object, list, csv) = (json!({}), json!([]), json!("a,b"));
    for json in [
        None,
        Some("Application/JSON; charset=utf-8"),
        Some("application/vnd.vendor+json"),
    ] {
        assert_eq!(answer(200, json, &object), NONE);
        one(&answer(200, json, &list), "[] is not of type \"object\"");
    }
    assert_eq!(answer(200, Some("text/csv"), &csv), NONE);
    one(
        &answer(200, Some("text/csv"), &json!("a,b,c")),
        "longer than 3 characters",
    );
    one(
        &answer(200, Some("application/pdf"), &csv),
        "answer 200: it is `application/pdf`, which is not described",
    );
    one(
        &answer(404, None, &list),
        "answer 404 at ``: [] is not of type \"object\"",
    );
    one(
        &answer(301, None, &list),
        "answer 301 at ``: [] is not of type \"object\"",
    );
    assert_eq!(
        answer(301, Some("application/pdf"), &csv),
        NONE,
        "it is not looked into"
    );
    for status in [401, 402, 403, 408, 429, 500, 502, 504] {
        // The range describes the first ones, and `default` none of them.
        let found = answer(status, Some("text/html"), &json!("<html>"));
        assert_eq!(found.is_empty(), status >= 500, "{status}: {found:?}");
    }
}

#[test]
fn what_is_about_credential_plan_or_way_need_not_be_described() {
    let description = listing(&json!([]), &json!({"200": {}}));
    for (status, is_taken) in [
        (401, true),
        (402, true),
        (403, true),
        (404, false),
        (408, true),
        (409, false),
        (429, true),
        (500, true),
    ] {
        let exchange = Exchange::new("GET", "/things").answer(Answer { status, body: None });
        let found = told(&description, &exchange);
        assert_eq!(found.is_empty(), is_taken, "{status}: {found:?}");
    }
}

#[test]
fn a_server_may_have_a_path_and_a_path_may_be_a_reference() {
    let description = parsed(&json!({
        "openapi": "3.0.0",
        "servers": [{"url": "https://{region}.example.com/v2", "variables": {"region": {"default": "us"}}}],
        "paths": {
            "/things": {"$ref": "#/x-shared/things"},
            "x-note": {"get": {}},
        },
        "x-shared": {"things": {"get": {"responses": {"204": {}}}}},
    }));
    let answer = Answer {
        status: 204,
        body: None,
    };
    for (path, described) in [
        ("/v2/things", true),
        ("/things", false),
        ("/v2x/things", false),
    ] {
        let found = told(
            &description,
            &Exchange::new("GET", path).answer(answer.clone()),
        );
        assert_eq!(found.is_empty(), described, "{path}: {found:?}");
    }
    let operations = description.operations();
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].template, "/things");
}

#[test]
fn yaml_is_read_too() {
    let text = "
openapi: 3.0.3
paths:
  /things:
    get:
      responses:
        200:
          content:
            application/json:
              schema: {type: object, required: [id]}
";
    let description = Description::parse(text, "things.yaml", &Overlay::default());
    let description = description.expect("a description");
    let body = json!({});
    let exchange = Exchange::new("GET", "/things").answer(Answer {
        status: 200,
        body: Some(Content::json(&body)),
    });
    one(
        &told(&description, &exchange),
        "\"id\" is a required property",
    );
}

#[test]
fn a_schema_that_contains_itself_ends() {
    let description = parsed(&json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"get": {"responses": {"200": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Tree"},
        }}}}}}},
        "components": {"schemas": {
            "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}},
        }},
    }));
    let tree = json!({"left": {"left": {"left": 7}}});
    let exchange = Exchange::new("GET", "/things").answer(Answer {
        status: 200,
        body: Some(Content::json(&tree)),
    });
    one(
        &told(&description, &exchange),
        "answer 200 at `/left/left/left`: 7 is not of type \"object\"",
    );
}

/// A description with one operation, `PUT /things`, with that schema for both
/// bodies.
fn changing(schema: &Value, components: &Value) -> Description {
    let content = json!({"content": {"application/json": {"schema": schema}}});
    parsed(&json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"put": {"requestBody": content, "responses": {"200": content}}}},
        "components": {"schemas": components},
    }))
}

/// What is said of a request with that body, in which `[gone]` is untold.
#[track_caller]
fn sent(description: &Description, body: &Value) -> Vec<String> {
    let mut exchange = Exchange::new("PUT", "/things");
    exchange.body = Some(Content::json(body));
    exchange.untold = Some("[gone]");
    told(description, &exchange)
}

#[track_caller]
fn answered(description: &Description, body: &Value) -> Vec<String> {
    let exchange = Exchange::new("PUT", "/things").answer(Answer {
        status: 200,
        body: Some(Content::json(body)),
    });
    told(description, &exchange)
}

#[test]
fn a_misspelt_name_is_found_beside_other_faults() {
    let email = json!({"type": "string", "format": "email"});
    let flat =
        json!({"type": "object", "properties": {"email": email, "name": {"type": "string"}}});
    let combined = json!({"allOf": [
        {"$ref": "#/components/schemas/Flat"},
        {"properties": {"part": {"nullable": true, "allOf": [{"$ref": "#/components/schemas/Flat"}]}}},
    ]});
    let components = json!({ "Flat": flat });
    for schema in [flat, combined.clone()] {
        let description = changing(&schema, &components);
        for right in [
            json!({"email": "[gone]", "name": "a"}),
            json!({"email": "a@b.example"}),
        ] {
            assert_eq!(sent(&description, &right), NONE, "{schema}");
        }
        for email in ["[gone]", "a@b.example"] {
            let body = json!({"email": email, "bogus": 1});
            one(
                &sent(&description, &body),
                "request at ``: 'bogus' is not described",
            );
        }
        let several = sent(
            &description,
            &json!({"email": "a@b.example", "name": 7, "bogus": 1}),
        );
        assert_eq!(several.len(), 2, "{several:?}");
        assert!(
            several
                .iter()
                .any(|fault| fault.ends_with("`: 'bogus' is not described"))
        );
        assert!(
            several
                .iter()
                .any(|fault| fault.contains("at `/name`: 7 is not"))
        );
    }
    let description = changing(&combined, &components);
    let part = |part: Value| sent(&description, &json!({"name": "a", "part": part}));
    assert_eq!(part(json!({"email": "[gone]"})), NONE);
    for email in ["[gone]", "a@b.example"] {
        let found = part(json!({"email": email, "bogus": 1}));
        let is_told = found.len() == 1 && found[0].contains("at `/part`: 'bogus' is not described");
        assert!(is_told, "{found:?}");
    }
}

/// The alternative that a name belongs to may be refused for what is not told,
/// while another one takes the object.
#[test]
fn what_is_not_told_does_not_make_a_name_unknown() {
    let either = json!({"anyOf": [
        {"properties": {"at": {"type": "string", "format": "date-time"}}},
        {"properties": {"name": {"type": "string"}}},
    ]});
    let unique = json!({"type": "array", "uniqueItems": true});
    let schema = json!({"allOf": [either, {"properties": {"names": unique}}]});
    let description = changing(&schema, &json!({}));
    let body = json!({"at": "[gone]", "name": "a", "names": ["[gone]", "[gone]"]});
    assert_eq!(sent(&description, &body), NONE);
    let body = json!({"at": "[gone]", "name": "a", "else": 1});
    one(&sent(&description, &body), "'else' is not described");
    let body = json!({"names": ["a", "a"]});
    one(&sent(&description, &body), "has non-unique elements");
}

#[test]
fn what_goes_one_way_is_not_required_the_other_way() {
    let components = json!({
        "ReadOnly": {"type": "string", "readOnly": true},
        "Secret": {"allOf": [{"type": "string"}, {"writeOnly": true}]},
        "Base": {"type": "object", "properties": {
            "id": {"$ref": "#/components/schemas/ReadOnly"},
            "password": {"$ref": "#/components/schemas/Secret"},
            "self": {"$ref": "#/components/schemas/Base"},
            "name": {"type": "string"},
        }},
    });
    let required = json!(["id", "password", "name"]);
    let mut own = components["Base"].clone();
    own["required"] = required.clone();
    let combined = json!({"allOf": [
        {"$ref": "#/components/schemas/Base"},
        {"type": "object", "required": required},
    ]});
    for schema in [own, combined] {
        let description = changing(&schema, &components);
        assert_eq!(
            sent(&description, &json!({"password": "p", "name": "a"})),
            NONE
        );
        assert_eq!(
            answered(&description, &json!({"id": "1", "name": "a"})),
            NONE
        );
        let named = json!({"name": "a"});
        one(
            &sent(&description, &named),
            "\"password\" is a required property",
        );
        one(
            &answered(&description, &named),
            "\"id\" is a required property",
        );
        let unnamed = json!({"id": "1", "password": "p"});
        one(
            &sent(&description, &unnamed),
            "\"name\" is a required property",
        );
    }
}

/// Following each of many circles anew would take longer than anyone waits.
#[test]
fn a_parameter_that_refers_to_itself_often_ends() {
    let circle = json!({"$ref": "#/components/schemas/K"});
    let mut either = vec![circle.clone(); 60];
    either.push(json!({"type": "integer"}));
    let description = parsed(&json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"get": {
            "parameters": [{"name": "k", "in": "query", "schema": circle}],
            "responses": {},
        }}},
        "components": {"schemas": {"K": {"anyOf": either}}},
    }));
    one(
        &queried(&description, "age=1"),
        "`age`: it is not described",
    );
}

#[test]
fn objects_in_queries_are_read_however_they_are_described() {
    let number = json!({"type": "integer"});
    let range = json!({"type": "object", "properties": {"gte": number, "lte": number}});
    let paging = json!({"allOf": [
        {"type": "object", "properties": {"size": number}},
        {"type": "object", "properties": {"after": {"type": "string"}}},
    ]});
    let description = parsed(&json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"get": {"parameters": [
            {"name": "created", "in": "query", "style": "deepObject", "schema": {"anyOf": [range, number]}},
            {"name": "expand", "in": "query", "style": "deepObject", "schema": {
                "type": "array", "items": {"type": "string", "maxLength": 3},
            }},
            {"name": "page", "in": "query", "schema": paging},
            {"name": "limit", "in": "query", "schema": number},
        ], "responses": {}}}},
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "in": "query", "name": "api_key"},
            "token": {"type": "apiKey", "in": "header", "name": "x-token"},
        }},
    }));
    for right in [
        "created=5",
        "created[gte]=5&created[lte]=6",
        "expand[]=a&expand[]=b",
        "expand[0]=a&expand[1]=b",
        "size=10&after=7&limit=1",
        "limit=1&api_key=abc",
    ] {
        assert_eq!(queried(&description, right), NONE, "{right}");
    }
    one(
        &queried(&description, "created[gt]=5"),
        "`created` at ``: 'gt' is not described",
    );
    one(
        &queried(&description, "expand=a"),
        "`expand`: it is not described",
    );
    one(
        &queried(&description, "x-token=a"),
        "`x-token`: it is not described",
    );
    for (wrong, what) in [
        (
            "created=today",
            "`created` at ``: \"today\" is not valid under any",
        ),
        (
            "expand[]=a&expand[]=abcd",
            "`expand` at `/1`: \"abcd\" is longer than 3",
        ),
        (
            "size=large",
            "`page` at `/size`: \"large\" is not of type \"integer\"",
        ),
    ] {
        let found = queried(&description, wrong);
        assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
    }

    let labels = json!({"type": "object", "additionalProperties": number});
    let description = listing(
        &json!([
            {"name": "labels", "in": "query", "schema": labels},
            {"name": "limit", "in": "query", "schema": {"type": "string"}},
        ]),
        &json!({}),
    );
    assert_eq!(queried(&description, "red=1&limit=none&blue=2"), NONE);
    one(
        &queried(&description, "red=deep"),
        "`labels` at `/red`: \"deep\" is not of type \"integer\"",
    );
}

#[test]
fn what_is_quoted_is_cut() {
    let refused: Vec<Value> = (0..40).map(|_| json!({"type": "integer"})).collect();
    let description = changing(&json!({ "anyOf": refused }), &json!({}));
    let body = json!("x".repeat(5_000));
    let mut exchange = Exchange::new("PUT", "/things");
    exchange.body = Some(Content::json(&body));
    let found = description.violations(&exchange).expect("it can be used");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what.chars().count(), 2_001, "{}", found[0].what);
}

#[test]
fn a_reference_leads_to_a_part_of_what_may_be_null() {
    let components = json!({"Thing": {"nullable": true, "allOf": [
        {"type": "object", "properties": {"id": {"type": "string"}}},
    ]}});
    let schema = json!({"$ref": "#/components/schemas/Thing/allOf/0/properties/id"});
    let description = changing(&schema, &components);
    assert_eq!(answered(&description, &json!("a")), NONE);
    one(
        &answered(&description, &json!(7)),
        "7 is not of type \"string\"",
    );
    let whole = changing(&json!({"$ref": "#/components/schemas/Thing"}), &components);
    assert_eq!(answered(&whole, &Value::Null), NONE);
}
