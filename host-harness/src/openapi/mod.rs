//! What a vendor says of its own API, and whether requests and answers are so.
//!
//! A [`Description`] is an OpenAPI 3.0 document. Where the real service is known
//! to differ from it, an [`Overlay`] corrects it first. [`Description::violations`]
//! says what of an [`Exchange`] is not as described.
//!
//! ```
//! use host_harness::openapi::{Answer, Content, Description, Exchange, Overlay};
//! use serde_json::json;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"{"openapi": "3.0.3", "paths": {"/users/{id}": {"get": {"responses": {"200": {
//!     "content": {"application/json": {"schema": {"type": "object", "required": ["id"]}}}
//! }}}}}}"#;
//! let description = Description::parse(text, "example", &Overlay::default())?;
//! let body = json!({ "name": "Ada" });
//! let answer = Answer { status: 200, body: Some(Content::json(&body)) };
//! let exchange = Exchange::new("GET", "/users/7").answer(answer);
//! let violations = description.violations(&exchange)?;
//! assert_eq!(
//!     violations[0].to_string(),
//!     "GET /users/{id}: answer 200 at ``: \"id\" is a required property"
//! );
//! # Ok(()) }
//! # example().unwrap();
//! ```
//!
//! # What is looked at
//!
//! Method and path, the query, the status, and bodies in JSON or plain text. Not
//! headers, not the values in paths, and not the host: a vendor has one for each
//! region. A path begins with that of one of the description's `servers`.
//!
//! Objects stay open in answers: vendors add fields. In requests they are closed,
//! unless the description says otherwise with `additionalProperties`, and so is
//! the query: what nobody described is a misspelt name.
//!
//! A status that is not described is a violation, but for 401, 402, 403, 408, 429
//! and 5xx: they are about the credential, the plan and the way to the vendor, and
//! descriptions rarely list them with each operation. For the same reason `default`
//! does not describe them.
//!
//! # Limits
//!
//! - `servers` of paths and of operations are not looked at, and a server's
//!   variables have their default.
//! - A property that several parts of an `allOf` describe as an object is closed
//!   in requests by each of them: it takes only what all of them describe.
//! - An answer has no body where the description has no `content` for it.
//! - Schemas are those below `paths` and `components`. A reference may lead to
//!   others, which are read as JSON Schema 2020-12: `nullable` means nothing there.
//! - Only what contains [`Exchange::untold`] is left out. Where a recording has
//!   something else in place of a value, such as a made-up telephone number, that
//!   must be as described.

mod conversion;
mod description;
mod error;
mod exchange;
mod operation;
mod overlay;
mod parameters;
mod parts;
mod pointer;
mod schemas;
mod violation;

pub use description::Description;
pub use error::DescriptionError;
pub use exchange::{Answer, Content, Exchange};
pub use operation::Operation;
pub use overlay::{Change, Correction, OVERLAY_FORMAT, Overlay};
pub use violation::Violation;
