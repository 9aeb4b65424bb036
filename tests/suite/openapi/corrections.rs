//! Overlays, and what is no description.

use std::fs;

use host_harness::openapi::{Answer, Content, Description, DescriptionError, Exchange, Overlay};
use serde_json::{Value, json};

fn overlay(at: &str, change: &Value) -> Overlay {
    let document = json!({
        "format": "iga-openapi-overlay/1",
        "corrections": [{"at": at, "reason": "seen", "change": change}],
    });
    Overlay::parse(&document.to_string(), "test").expect("an overlay")
}

fn openapi() -> Value {
    let schema = json!({"$ref": "#/components/schemas/Thing"});
    json!({
        "openapi": "3.0.3",
        "paths": {"/things": {"put": {
            "parameters": [{"name": "kind", "in": "query", "schema": {"type": "integer"}}],
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
        }}},
        "components": {"responses": {}, "schemas": {"Thing": {
            "type": "object",
            "required": ["id", "name"],
            "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string"}},
        }}},
    })
}

fn read(openapi: &Value, overlay: &Overlay) -> Result<Description, DescriptionError> {
    Description::parse(&openapi.to_string(), "test", overlay)
}

/// How much is wrong with an exchange that breaks one rule of each kind.
fn count(description: &Description, kind: &str, status: u16, sent: &Value, got: &Value) -> usize {
    let mut exchange = Exchange::new("PUT", "/things").answer(Answer {
        status,
        body: Some(Content::json(got)),
    });
    exchange.query = vec![("kind".to_owned(), kind.to_owned())].into();
    exchange.body = Some(Content::json(sent));
    description.violations(&exchange).expect("usable").len()
}

#[test]
fn each_change_takes_away_what_it_is_about() {
    const ID: &str = "6b1f4a5e-26b8-4b1a-9d43-1c3b8c0d2a11";
    let schema = "/components/schemas/Thing";
    let body = "/paths/~1things/put/requestBody/content/application~1json/schema";
    let right = json!({"id": ID, "name": "a"});
    let extra = json!({"name": "extra", "in": "query", "schema": {"type": "string"}});
    for (at, change, kind, status, sent, got) in [
        (
            &*format!("{schema}/properties/name"),
            json!("nullable"),
            "1",
            200,
            right.clone(),
            json!({"id": ID, "name": null}),
        ),
        (
            &format!("{schema}/properties/name"),
            json!({"or": {"type": "integer"}}),
            "1",
            200,
            right.clone(),
            json!({"id": ID, "name": 7}),
        ),
        (
            body,
            json!({"only-required": ["id"]}),
            "1",
            200,
            json!({"id": ID}),
            right.clone(),
        ),
        (
            &format!("{schema}/properties/id"),
            json!("any-format"),
            "1",
            200,
            right.clone(),
            json!({"id": "a", "name": "a"}),
        ),
        (
            schema,
            json!({"becomes": {"type": "array"}}),
            "1",
            200,
            json!([]),
            json!([]),
        ),
        (
            "/paths/~1things/put/responses",
            json!({"responses": {"202": {"$ref": "#/paths/~1things/put/responses/200"}}}),
            "1",
            202,
            right.clone(),
            right.clone(),
        ),
        (
            "/paths/~1things/put/parameters/0",
            json!("comma-separated"),
            "1,2",
            200,
            right.clone(),
            right,
        ),
    ] {
        let before = read(&openapi(), &Overlay::default()).expect("a description");
        assert_ne!(count(&before, kind, status, &sent, &got), 0, "{change}");
        let after = read(&openapi(), &overlay(at, &change)).expect("a description");
        assert_eq!(count(&after, kind, status, &sent, &got), 0, "{change}");
    }
    let mut exchange = Exchange::new("PUT", "/things");
    exchange.query = vec![("extra".to_owned(), "a".to_owned())].into();
    let before = read(&openapi(), &Overlay::default()).expect("a description");
    assert_eq!(before.violations(&exchange).expect("usable").len(), 1);
    let added = overlay(
        "/paths/~1things/put/parameters",
        &json!({ "parameter": extra }),
    );
    let after = read(&openapi(), &added).expect("a description");
    assert_eq!(after.violations(&exchange).expect("usable").len(), 0);
}

#[test]
fn a_correction_without_its_place_is_refused() {
    let error = read(
        &openapi(),
        &overlay("/components/schemas/Gone", &json!("nullable")),
    );
    let error = error.expect_err("it is refused");
    assert!(matches!(error, DescriptionError::Place { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the overlay corrects `/components/schemas/Gone` (\"seen\"), which is not in the description"
    );
    assert!(error.hint().contains("has changed"));
}

#[test]
fn a_correction_that_does_not_fit_is_refused() {
    for (at, change) in [
        ("/paths/~1things/put/parameters", json!("nullable")),
        ("/paths/~1things/put", json!({"parameter": {}})),
        ("/paths/~1things", json!("comma-separated")),
        ("/openapi", json!({"responses": {}})),
        ("/paths/~1things/put", json!({"responses": {"202": {}}})),
        ("/components/responses", json!({"responses": {"202": {}}})),
        ("/paths/~1things/put", json!("nullable")),
        (
            "/components/schemas/Thing/properties/name",
            json!("any-format"),
        ),
        (
            "/paths/~1things/put/parameters",
            json!({"parameter": {"name": "a"}}),
        ),
    ] {
        let error = read(&openapi(), &overlay(at, &change)).expect_err("it is refused");
        assert!(
            matches!(error, DescriptionError::Misfit { .. }),
            "{error:?}"
        );
    }
    let mut circle = openapi();
    circle["components"]["schemas"]["Thing"] = json!({"$ref": "#/components/schemas/Thing"});
    let required = overlay("/components/schemas/Thing", &json!({"only-required": []}));
    let error = read(&circle, &required).expect_err("it is refused");
    assert!(
        matches!(error, DescriptionError::Misfit { .. }),
        "{error:?}"
    );
}

#[test]
fn a_correction_that_changes_nothing_is_refused() {
    let mut document = openapi();
    let thing = &mut document["components"]["schemas"]["Thing"]["properties"]["name"];
    thing["nullable"] = json!(true);
    document["components"]["parameters"] = json!({"Kind": {"name": "kind", "in": "query"}});
    let response = document["paths"]["/things"]["put"]["responses"]["200"].clone();
    for (at, change) in [
        (
            "/components/schemas/Thing/properties/name",
            json!("nullable"),
        ),
        (
            "/components/schemas/Thing",
            json!({"only-required": ["id", "name"]}),
        ),
        ("/openapi", json!({"becomes": "3.0.3"})),
        (
            "/paths/~1things/put/responses",
            json!({"responses": {"200": response}}),
        ),
        (
            "/paths/~1things/put/parameters",
            json!({"parameter": {"$ref": "#/components/parameters/Kind"}}),
        ),
    ] {
        let error = read(&document, &overlay(at, &change)).expect_err("it is refused");
        assert!(
            matches!(error, DescriptionError::Needless { .. }),
            "{change}: {error:?}"
        );
        let told = error.to_string();
        assert!(
            told.contains(at) && told.contains("(\"seen\") to no effect"),
            "{told}"
        );
        assert!(error.hint().contains("remove the correction"));
    }
    // The same name elsewhere than in the query is another parameter.
    let header = json!({"parameter": {"name": "kind", "in": "header"}});
    read(
        &document,
        &overlay("/paths/~1things/put/parameters", &header),
    )
    .expect("a description");
}

#[test]
fn any_format_is_about_what_a_reference_leads_to() {
    let mut document = openapi();
    let id = document["components"]["schemas"]["Thing"]["properties"]["id"].take();
    document["components"]["schemas"]["Id"] = id;
    document["components"]["schemas"]["Thing"]["properties"]["id"] =
        json!({"$ref": "#/components/schemas/Id"});
    let body = json!({"id": "a", "name": "a"});
    let wrong = |overlay: &Overlay| {
        let description = read(&document, overlay).expect("a description");
        count(&description, "1", 200, &body, &body)
    };
    assert_eq!(wrong(&Overlay::default()), 2);
    let any = overlay(
        "/components/schemas/Thing/properties/id",
        &json!("any-format"),
    );
    assert_eq!(wrong(&any), 0);
}

#[test]
fn what_is_no_overlay_is_refused() {
    let correction = json!({"at": "", "reason": "seen", "change": "nullable"});
    let document = |change: &dyn Fn(&mut Value)| {
        let mut document = json!({"format": "iga-openapi-overlay/1", "corrections": [correction]});
        change(&mut document);
        document.to_string()
    };
    Overlay::parse(&document(&|_| {}), "test").expect("as it is, it is one");
    for (text, cause) in [
        ("[".to_owned(), "EOF"),
        (
            document(&|d| d["format"] = "iga-openapi-overlay/9".into()),
            "this version reads",
        ),
        (
            document(&|d| d["corrections"][0]["reason"] = " ".into()),
            "has no reason",
        ),
        (
            document(&|d| d["corrections"][0]["change"] = "else".into()),
            "unknown variant",
        ),
        (
            document(&|d| d["corrections"][0]["note"] = "".into()),
            "unknown field",
        ),
        (document(&|d| d["correction"] = json!([])), "unknown field"),
        (
            document(&|d| d["corrections"][0]["at"] = "components/schemas".into()),
            "`components/schemas` is no JSON pointer: it has to begin with `/`",
        ),
    ] {
        let error = Overlay::parse(&text, "test").expect_err("it is refused");
        let told = error.to_string();
        assert!(
            matches!(error, DescriptionError::NotOverlay { .. }),
            "{error:?}"
        );
        assert!(
            told.starts_with("`test` is no overlay: ") && told.contains(cause),
            "{told}"
        );
        assert!(error.hint().contains("corrections"));
    }
}

#[test]
fn what_is_no_description_is_refused() {
    for (document, cause) in [
        (json!({}), "it has no `openapi`"),
        (
            json!({"swagger": "2.0", "paths": {}}),
            "it is one in Swagger 2.0",
        ),
        (
            json!({"openapi": "3.1.0", "paths": {}}),
            "it is one in OpenAPI 3.1.0",
        ),
        (json!({"openapi": "3.0.0"}), "it has no `paths`"),
    ] {
        let error = read(&document, &Overlay::default()).expect_err("it is refused");
        assert_eq!(
            error.to_string(),
            format!("`test` is no description in OpenAPI 3.0: {cause}")
        );
    }
    for text in ["{", "a: [", "\u{0}"] {
        let error = Description::parse(text, "test", &Overlay::default());
        let error = error.expect_err("it is refused");
        assert!(matches!(error, DescriptionError::Parse { .. }), "{error:?}");
    }
}

#[test]
fn references_lead_to_something_in_the_description() {
    for (target, cause) in [
        ("#/components/schemas/Gone", "leads to nothing"),
        ("other.yaml#/Thing", "leads out of the description"),
        (
            "#/components/schemas/Thing/properties/id",
            "leads back to itself",
        ),
    ] {
        let mut document = openapi();
        document["components"]["schemas"]["Thing"]["properties"]["id"] = json!({"$ref": target});
        let error = read(&document, &Overlay::default()).expect_err("it is refused");
        assert_eq!(
            error.to_string(),
            format!(
                "the reference `{target}` at `/components/schemas/Thing/properties/id` {cause}"
            )
        );
    }
}

#[test]
fn a_schema_that_is_none_is_told_when_it_is_needed() {
    let mut document = openapi();
    document["components"]["schemas"]["Thing"]["properties"]["id"] = json!({"type": "uuid"});
    let description = read(&document, &Overlay::default()).expect("a description");
    let body = json!({});
    let mut exchange = Exchange::new("PUT", "/things");
    exchange.body = Some(Content::json(&body));
    let error = description
        .violations(&exchange)
        .expect_err("it is refused");
    assert!(
        matches!(error, DescriptionError::Schema { .. }),
        "{error:?}"
    );
    assert!(error.hint().contains("becomes"));
    let told = error.to_string();
    assert!(
        told.contains("`/components/schemas/Thing/properties/id/type`"),
        "{told}"
    );
}

#[test]
fn the_documented_form_of_an_overlay_is_the_one_that_is_read() {
    let text = fs::read_to_string(super::OVERLAY).expect("a file");
    let overlay = Overlay::parse(&text, "overlay.json").expect("an overlay");
    assert!(overlay.corrections.len() > 20);
    assert!(overlay.corrections.iter().all(|one| one.reason.len() > 10));
}
