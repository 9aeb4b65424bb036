//! Requests as one likes: whatever `wasi:http` takes is sent.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::declaration::HOST;
use crate::seen::Seen;

pub struct Request<'a> {
    pub method: Method,
    pub scheme: Scheme,
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a str,
}

impl<'a> Request<'a> {
    /// To the vendor, with nothing wrong yet.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            scheme: Scheme::Https,
            authority: HOST,
            path,
            headers: &[],
            body: "",
        }
    }

    /// Sends it, if it gets that far, and notes all that comes back.
    pub fn send(&self, seen: &mut Seen) {
        match self.attempt(seen) {
            Ok(response) => note(&response, seen),
            Err(why) => seen.note(&format!("failed: {why}")),
        }
    }

    /// As it would be sent.
    pub fn prepare(&self, seen: &mut Seen) -> Result<OutgoingRequest, String> {
        let fields = Fields::new();
        for (name, value) in self.headers {
            if let Err(error) = fields.append(name, value.as_bytes()) {
                seen.note(&format!("no header `{name}`: {error:?}"));
            }
        }
        let request = OutgoingRequest::new(fields);
        request
            .set_method(&self.method)
            .map_err(|()| "no such method")?;
        request
            .set_scheme(Some(&self.scheme))
            .map_err(|()| "no such scheme")?;
        request
            .set_authority(Some(self.authority))
            .map_err(|()| "no such authority")?;
        request
            .set_path_with_query(Some(self.path))
            .map_err(|()| "no such path")?;
        Ok(request)
    }

    fn attempt(&self, seen: &mut Seen) -> Result<IncomingResponse, String> {
        let request = self.prepare(seen)?;
        // As the host will send it, as far as it lets us look.
        seen.note(&format!("sending {:?}", request.headers().entries()));
        let body = request.body().map_err(|()| "no body")?;
        let response = outgoing_handler::handle(request, None).map_err(|code| code.to_string())?;
        if !self.body.is_empty() {
            let stream = body.write().map_err(|()| "no stream")?;
            // More at once is a trap. A host that refuses the request may not want
            // its body.
            for piece in self.body.as_bytes().chunks(4096) {
                if stream.blocking_write_and_flush(piece).is_err() {
                    break;
                }
            }
        }
        let _ = OutgoingBody::finish(body, None);
        response.subscribe().block();
        match response.get() {
            Some(Ok(Ok(response))) => Ok(response),
            Some(Ok(Err(code))) => Err(code.to_string()),
            _ => Err("no answer".to_owned()),
        }
    }
}

fn note(response: &IncomingResponse, seen: &mut Seen) {
    seen.note(&format!("status {}", response.status()));
    for (name, value) in response.headers().entries() {
        seen.note(&format!("{name}: {}", String::from_utf8_lossy(&value)));
    }
    let Ok(body) = response.consume() else { return };
    let mut bytes = Vec::new();
    if let Ok(stream) = body.stream() {
        loop {
            match stream.blocking_read(64 * 1024) {
                Ok(more) => bytes.extend_from_slice(&more),
                Err(StreamError::Closed) => break,
                Err(error) => {
                    seen.note(&format!("broke off: {error:?}"));
                    break;
                }
            }
        }
    }
    seen.note(&String::from_utf8_lossy(&bytes));
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    if let Some(Ok(Ok(Some(trailers)))) = trailers.get() {
        seen.note(&format!("trailers {:?}", trailers.entries()));
    }
}
