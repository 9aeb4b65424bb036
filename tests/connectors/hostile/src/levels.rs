//! Changes where only reads are declared or granted.

use wasip2::http::types::Method;

use crate::misbehaviour::Misbehaviour;
use crate::request::Request;
use crate::seen::Seen;

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    // Declared for `provisioning.delete-account` only.
    ("delete", |seen| {
        Request::new(Method::Delete, "/users/PVICTIM").send(seen);
    }),
    ("delete-by-another-spelling", |seen| {
        Request::new(Method::Other("DELETE".to_owned()), "/users/PVICTIM").send(seen);
        Request::new(Method::Other("delete".to_owned()), "/users/PVICTIM").send(seen);
    }),
    ("put", |seen| {
        let mut request = Request::new(Method::Put, "/users/PVICTIM");
        request.body = r#"{"user":{"type":"user","role":"owner"}}"#;
        request.send(seen);
    }),
    ("read", |seen| {
        Request::new(Method::Get, "/users/PNOBODY").send(seen);
    }),
    ("delete-a-thousand-times", |seen| {
        for _ in 0..1000 {
            Request::new(Method::Delete, "/users/PVICTIM").send(&mut Seen::ignored());
        }
        seen.note("denied a thousand times");
    }),
];
