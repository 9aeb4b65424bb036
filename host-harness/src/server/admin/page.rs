//! What all pages have in common.

use std::time::Duration;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// No script, nothing from elsewhere, and nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A page. `every` reloads it after so many seconds.
pub(super) fn page(status: StatusCode, title: &str, every: Option<u32>, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · connector host" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body { (body) }
        }
    };
    let mut response = (status, Html(markup.into_string())).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Some(every) = every {
        // Every browser knows it, and no standard.
        headers.insert(HeaderName::from_static("refresh"), every.into());
    }
    response
}

/// Says what is not there, and leads back.
pub(super) fn missing(message: &str) -> Response {
    let body = html! {
        main {
            h1 { (message) }
            p { a href="/" { "To the overview" } }
        }
    };
    page(StatusCode::NOT_FOUND, "Not found", None, &body)
}

/// Text of connectors and of whoever names something.
pub(super) fn shown(text: &str) -> String {
    crate::printable(text).into_owned()
}

/// A digest's beginning; the whole of it for whoever copies it.
pub(super) fn digest(sha256: &str) -> Markup {
    html! { code title=(sha256) { (sha256.get(..12).unwrap_or(sha256)) } }
}

/// A time, and how long ago that is.
pub(super) fn moment(at: Timestamp) -> Markup {
    let seconds = Timestamp::now().duration_since(at).as_secs();
    let ago = Duration::from_secs(seconds.try_into().unwrap_or_default());
    html! {
        time datetime=(at) title=(at) { (at.strftime("%m-%d %H:%M:%S")) }
        " " small { (rough(ago)) " ago" }
    }
}

/// A time span with one unit: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(super) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..10 => format!("{:.1} s", span.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        for (milliseconds, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_500, "1.5 s"),
            (119_000, "119 s"),
            (121_000, "2 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(rough(Duration::from_millis(milliseconds)), expected);
        }
    }
}
