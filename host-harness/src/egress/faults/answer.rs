//! Answers as a fault leaves them.

use std::{
    convert::Infallible,
    io::Write as _,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder};
use http::{HeaderName, HeaderValue, Response, StatusCode, header, response::Parts};
use http_body::{Body, Frame};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use serde_json::Value;
use tokio::time::Sleep;

use super::{Fault, Strike};
use crate::egress::TransportError;

/// Before each byte of a slow drip: far within any wait for the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// What a huge body is made of, and how often.
const PIECE: usize = 1 << 20;
const PIECES: usize = 1024;

/// What a proxy has to say.
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\
    <body><h1>We&rsquo;ll be right back</h1></body></html>\n";

impl Strike {
    /// What happens in place of the request; none if it is sent.
    pub(in crate::egress) fn instead(&self) -> Option<Result<Response<Pieces>, TransportError>> {
        match &self.fault {
            Fault::Answer {
                status,
                headers,
                body,
            } => Some(made_up(*status, headers, body)),
            Fault::RefusedConnection => Some(Err(TransportError::Connect {
                host: "the vendor".to_owned(),
                cause: "a fault on purpose".to_owned(),
            })),
            Fault::TimeoutBefore => Some(Err(TransportError::Timeout(Duration::ZERO))),
            _ => None,
        }
    }

    /// What becomes of the true answer.
    pub(in crate::egress) fn spoil(
        &self,
        mut parts: Parts,
        body: Bytes,
    ) -> Result<Response<Pieces>, TransportError> {
        let body = match &self.fault {
            Fault::Answer { .. } | Fault::RefusedConnection | Fault::TimeoutBefore => {
                Pieces::whole(body)
            }
            Fault::TimeoutAfter => return Err(TransportError::Timeout(Duration::ZERO)),
            Fault::Reset => {
                return Err(TransportError::Broken("a fault on purpose".to_owned()));
            }
            Fault::TruncatedBody => Pieces::whole(body.slice(..body.len() / 2)),
            Fault::HtmlBody => {
                parts.status = StatusCode::OK;
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                parts.headers.insert(header::CONTENT_TYPE, html);
                Pieces::whole(Bytes::from_static(PAGE.as_bytes()))
            }
            Fault::WrongContentType => {
                let bytes = HeaderValue::from_static("application/octet-stream");
                parts.headers.insert(header::CONTENT_TYPE, bytes);
                Pieces::whole(body)
            }
            Fault::EmptyBody => Pieces::whole(Bytes::new()),
            Fault::NullFields => json(&body, |json| each_field(json, &mut |_| Value::Null)),
            Fault::WrongTypes => json(&body, |json| each_field(json, &mut of_another_type)),
            Fault::OddFields => {
                let mut random = ChaCha8Rng::from_seed(self.seed);
                json(&body, |json| {
                    each_field(json, &mut |field| match random.next_u32() % 8 {
                        0 => Value::Null,
                        1 => of_another_type(field),
                        _ => field.clone(),
                    });
                })
            }
            Fault::DuplicateItems => json(&body, |json| {
                each_list(json, &mut |items| {
                    *items = (items.iter())
                        .flat_map(|item| [item.clone(), item.clone()])
                        .collect();
                });
            }),
            Fault::ReorderedItems => {
                let mut random = ChaCha8Rng::from_seed(self.seed);
                json(&body, |json| {
                    each_list(json, &mut |items| shuffle(items, &mut random));
                })
            }
            Fault::RepeatedPage => Pieces::whole(self.earlier_page(body)),
            Fault::SlowDrip => Pieces::drip(body),
            Fault::HugeBody => {
                static SPACE: LazyLock<Bytes> = LazyLock::new(|| vec![b' '; PIECE].into());
                Pieces::of(std::iter::repeat_n(&*SPACE, PIECES).cloned())
            }
            Fault::GzipBomb => {
                let gzip = HeaderValue::from_static("gzip");
                parts.headers.insert(header::CONTENT_ENCODING, gzip);
                Pieces::of(gzip_bomb())
            }
        };
        // No longer what was on the wire.
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, body))
    }

    /// How long an answer of that size takes, where no time passes by itself.
    pub(in crate::egress) fn drips_for(&self, bytes: usize) -> Duration {
        match self.fault {
            Fault::SlowDrip => PAUSE.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX)),
            _ => Duration::ZERO,
        }
    }
}

fn made_up(
    status: u16,
    headers: &[(String, String)],
    body: &Bytes,
) -> Result<Response<Pieces>, TransportError> {
    let broken = |_| TransportError::Broken("a fault on purpose that is no HTTP".to_owned());
    let mut response = Response::new(Pieces::whole(body.clone()));
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| broken(()))?;
    for (name, value) in headers {
        response.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| broken(()))?,
            HeaderValue::from_str(value).map_err(|_| broken(()))?,
        );
    }
    Ok(response)
}

/// A body in pieces, with a pause before each.
pub(in crate::egress) struct Pieces {
    rest: Box<dyn Iterator<Item = Bytes> + Send>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pieces {
    fn of(pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>) -> Self {
        Self {
            rest: Box::new(pieces.into_iter()),
            pause: None,
        }
    }

    fn whole(body: Bytes) -> Self {
        Self::of(Some(body).filter(|body| !body.is_empty()))
    }

    fn drip(body: Bytes) -> Self {
        let bytes = (0..body.len()).map(move |at| body.slice(at..=at));
        Self {
            pause: Some(Box::pin(tokio::time::sleep(PAUSE))),
            ..Self::of(bytes)
        }
    }

    /// The same without the pauses.
    pub(in crate::egress) fn at_once(mut self) -> Self {
        self.pause = None;
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            pause.set(tokio::time::sleep(PAUSE));
        }
        Poll::Ready(self.rest.next().map(|piece| Ok(Frame::data(piece))))
    }
}

/// The body with its JSON changed. What is no JSON stays as it is.
fn json(body: &Bytes, change: impl FnOnce(&mut Value)) -> Pieces {
    Pieces::whole(match serde_json::from_slice::<Value>(body) {
        Ok(mut json) => {
            change(&mut json);
            json.to_string().into()
        }
        Err(_) => body.clone(),
    })
}

/// Every value of an object that is neither an object nor a list.
fn each_field(json: &mut Value, change: &mut impl FnMut(&Value) -> Value) {
    match json {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                match field {
                    Value::Object(_) | Value::Array(_) => each_field(field, change),
                    scalar => *scalar = change(scalar),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_field(item, change)),
        _ => {}
    }
}

fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::from(true),
        Value::Number(_) => Value::from("many"),
        Value::Bool(_) => Value::from(vec![1]),
        other => other.clone(),
    }
}

/// Every list that the answer is made of. What is listed within an object is
/// part of what the object says.
fn each_list(json: &mut Value, change: &mut impl FnMut(&mut Vec<Value>)) {
    match json {
        Value::Object(fields) => {
            let lists = fields.values_mut().filter_map(Value::as_array_mut);
            lists.for_each(change);
        }
        Value::Array(items) => change(items),
        _ => {}
    }
}

/// Fisher and Yates. The small bias of a remainder does not matter here.
fn shuffle(items: &mut [Value], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        let other = random.next_u64() % (last as u64 + 1);
        items.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

/// A gigabyte of zeros: blocks of a mebibyte that know nothing of each other.
fn gzip_bomb() -> Vec<Bytes> {
    static BLOCK: LazyLock<(Bytes, Crc)> = LazyLock::new(|| {
        let zeros = vec![0; PIECE];
        let mut crc = Crc::new();
        crc.update(&zeros);
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        let block = deflate
            .write_all(&zeros)
            .and_then(|()| deflate.flush())
            .map(|()| deflate.get_ref().clone());
        (block.unwrap_or_default().into(), crc)
    });
    let (block, once) = &*BLOCK;
    let mut all = Crc::new();
    for _ in 0..PIECES {
        all.combine(once);
    }
    let mut trailer = vec![0x03, 0x00];
    trailer.extend(all.sum().to_le_bytes());
    trailer.extend(all.amount().to_le_bytes());
    // No file name, no time, an unknown system: RFC 1952.
    let header = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let blocks = std::iter::repeat_n(block.clone(), PIECES);
    std::iter::once(header)
        .chain(blocks)
        .chain([trailer.into()])
        .collect()
}
