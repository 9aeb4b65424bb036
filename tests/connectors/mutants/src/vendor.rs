//! Requests to the vendor, one after the other, in the plainest way.

use serde_json::Value;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

use crate::errors::{Result, error, of_status, of_transport};
use crate::iga::connector::types::{Error, ErrorCode};
use crate::mutation;

pub const HOST: &str = "api.pagerduty.com";

/// Looks.
pub fn get(path: &str) -> Result<Value> {
    exchange(&Method::Get, path, None, None).map_err(|mut error| {
        if error.code == ErrorCode::Timeout && mutation::is("fault-timeout") {
            error.code = ErrorCode::Internal;
        }
        if error.code == ErrorCode::ConnectionFailed && mutation::is("fault-connection") {
            panic!("this can't happen");
        }
        error
    })
}

/// Changes. Once it has been sent, a failure leaves open what became of it.
pub fn change(
    method: &Method,
    path: &str,
    body: Option<&Value>,
    from: Option<&str>,
) -> Result<Value> {
    exchange(method, path, body, from).map_err(|mut error| {
        error.may_have_applied = !mutation::is("fault-change")
            && matches!(
                error.code,
                ErrorCode::Timeout
                    | ErrorCode::ConnectionFailed
                    | ErrorCode::Unavailable
                    | ErrorCode::InvalidResponse
            );
        error
    })
}

fn exchange(
    method: &Method,
    path: &str,
    body: Option<&Value>,
    from: Option<&str>,
) -> Result<Value> {
    let broken = |what: &str| {
        error(
            ErrorCode::Internal,
            format!("no request can be made: {what}"),
        )
    };
    let headers = Fields::new();
    let mut all = vec![
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ];
    all.extend(from.map(|from| ("from", from)));
    for (name, value) in all {
        headers
            .append(name, value.as_bytes())
            .map_err(|_| broken("headers"))?;
    }
    let request = OutgoingRequest::new(headers);
    request.set_method(method).map_err(|()| broken("method"))?;
    request
        .set_scheme(Some(&Scheme::Https))
        .map_err(|()| broken("scheme"))?;
    request
        .set_authority(Some(HOST))
        .map_err(|()| broken("authority"))?;
    request
        .set_path_with_query(Some(path))
        .map_err(|()| error(ErrorCode::InvalidInput, "that is part of no address"))?;
    let outgoing = request.body().map_err(|()| broken("body"))?;
    let answer = outgoing_handler::handle(request, None).map_err(|code| of_transport(&code))?;
    if let Some(body) = body {
        let stream = outgoing.write().map_err(|()| broken("body"))?;
        // A host that refuses the request may not want its body.
        let _ = stream.blocking_write_and_flush(body.to_string().as_bytes());
    }
    let _ = OutgoingBody::finish(outgoing, None);
    answer.subscribe().block();
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(of_transport(&code)),
        _ => return Err(broken("answer")),
    };
    let status = response.status();
    let retry_after = ["retry-after", "ratelimit-reset"]
        .iter()
        .find_map(|name| number(&response, name));
    let body = read(&response)?;
    if let (429, Some(seconds), true) = (status, retry_after, mutation::is("deadline")) {
        subscribe_duration(u64::from(seconds) * 1_000_000_000).block();
    }
    if !(200..300).contains(&status) {
        return Err(of_status(status, retry_after));
    }
    if status == 204 {
        return Ok(Value::Null);
    }
    if mutation::is("fault-nonsense") {
        return Ok(serde_json::from_slice(&body).expect("the vendor sends JSON"));
    }
    serde_json::from_slice(&body)
        .map_err(|_| error(ErrorCode::InvalidResponse, "the vendor's answer is no JSON"))
}

fn number(response: &IncomingResponse, name: &str) -> Option<u32> {
    let value = response.headers().get(name).into_iter().next()?;
    String::from_utf8(value).ok()?.trim().parse().ok()
}

fn read(response: &IncomingResponse) -> Result<Vec<u8>> {
    let cut_off =
        || -> Error { error(ErrorCode::InvalidResponse, "the vendor's answer is cut off") };
    let body = response.consume().map_err(|()| cut_off())?;
    let stream = body.stream().map_err(|()| cut_off())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(failure)) => {
                return Err(match http_error_code(&failure) {
                    Some(code) => of_transport(&code),
                    None => cut_off(),
                });
            }
        }
    }
}

/// The items of a list in an answer.
pub fn list<'a>(answer: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    answer.get(name).and_then(Value::as_array).ok_or_else(|| {
        error(
            ErrorCode::InvalidResponse,
            format!("the answer has no `{name}`"),
        )
    })
}

/// A text that must be there.
pub fn text(value: &Value, name: &str) -> Result<String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| {
            error(
                ErrorCode::InvalidResponse,
                format!("something has no `{name}`"),
            )
        })
}

/// Whether the vendor has more of the list.
pub fn has_more(answer: &Value) -> bool {
    answer.get("more").and_then(Value::as_bool).unwrap_or(false)
}
