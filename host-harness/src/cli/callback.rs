//! Where the browser comes back to after a sign-in: a listener on this machine
//! that takes one answer.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
};
use url::form_urlencoded;

use crate::oauth::Authorization;

const PATH: &str = "/callback";

/// For a browser on this machine to send its request and to read the answer.
const CONNECTION: Duration = Duration::from_secs(30);

/// Listens for the answer.
pub(super) struct Callback {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the vendor has sent the browser back with.
pub(super) enum Answer {
    Code(SecretString),
    Refused {
        code: String,
        description: Option<String>,
    },
}

/// An answer, and the browser that waits to be told how it ends.
pub(super) struct Arrived {
    pub(super) answer: Answer,
    browser: oneshot::Sender<Page>,
    shown: JoinSet<()>,
}

/// What the browser shows.
struct Page {
    status: StatusCode,
    text: &'static str,
}

impl Callback {
    /// On the loopback interface only: nobody else is to see the code.
    pub(super) async fn listen(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// What has to be registered with the vendor. The address and not
    /// `localhost`, as RFC 8252 advises: a name may lead elsewhere.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Waits for the answer to `authorization`. Whatever else comes in, also an
    /// answer with another state, is turned away and ends nothing: any page
    /// that the browser has open could send it.
    pub(super) async fn wait(self, authorization: &Authorization) -> io::Result<Arrived> {
        let (found, mut answers) = mpsc::channel(1);
        let authorization = Arc::new(authorization.clone());
        // The first answer that belongs to us, and no second one.
        let found = Arc::new(Mutex::new(Some(found)));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some((answer, browser)) = answers.recv() => {
                    return Ok(Arrived { answer, browser, shown: connections });
                }
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let authorization = Arc::clone(&authorization);
                    let found = Arc::clone(&found);
                    connections.spawn(async move {
                        let service = service_fn(|request| {
                            respond(request, Arc::clone(&authorization), Arc::clone(&found))
                        });
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .keep_alive(false)
                            .serve_connection(TokioIo::new(stream), service);
                        // A browser that goes away is no loss.
                        tokio::time::timeout(CONNECTION, connection).await.ok();
                    });
                }
            }
        }
    }
}

impl Arrived {
    /// Tells the browser how it went, and waits until it has been told.
    pub(super) async fn finish(mut self, signed_in: bool) {
        let page = if signed_in {
            Page {
                status: StatusCode::OK,
                text: "Signed in. You can close this window.",
            }
        } else {
            Page {
                status: StatusCode::BAD_REQUEST,
                text: "The sign-in failed. The terminal says why; you can close this window.",
            }
        };
        if self.browser.send(page).is_ok() {
            let told = async { while self.shown.join_next().await.is_some() {} };
            // Other connections may be idle; this one is written by then.
            tokio::time::timeout(Duration::from_secs(2), told)
                .await
                .ok();
        }
    }
}

type Found = Arc<Mutex<Option<mpsc::Sender<(Answer, oneshot::Sender<Page>)>>>>;

async fn respond(
    request: Request<Incoming>,
    authorization: Arc<Authorization>,
    found: Found,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let page = match answer(&request, &authorization) {
        Err(page) => page,
        Ok(answer) => {
            let (browser, outcome) = oneshot::channel();
            let sender = found.lock().await.take();
            let sent = match sender {
                Some(sender) => sender.send((answer, browser)).await.is_ok(),
                None => false,
            };
            let outcome = if sent { outcome.await.ok() } else { None };
            outcome.unwrap_or(Page {
                status: StatusCode::GONE,
                text: "This sign-in is over.",
            })
        }
    };
    let html = format!(
        "<!doctype html><meta charset=utf-8><title>harness</title><p>{}</p>\n",
        page.text
    );
    let mut response = Response::new(Full::from(html));
    *response.status_mut() = page.status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // The address holds the code.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ] {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

fn answer(request: &Request<Incoming>, authorization: &Authorization) -> Result<Answer, Page> {
    if request.method() != http::Method::GET || request.uri().path() != PATH {
        return Err(Page {
            status: StatusCode::NOT_FOUND,
            text: "Nothing here.",
        });
    }
    let query = request.uri().query().unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let value = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.into_owned())
    };
    if !fields.any(|(name, value)| name == "state" && authorization.answers(&value)) {
        return Err(Page {
            status: StatusCode::BAD_REQUEST,
            text: "This is not the answer to the sign-in that the terminal waits for.",
        });
    }
    if let Some(code) = value("error") {
        return Ok(Answer::Refused {
            code,
            description: value("error_description"),
        });
    }
    match value("code") {
        Some(code) if !code.is_empty() => Ok(Answer::Code(code.into())),
        _ => Err(Page {
            status: StatusCode::BAD_REQUEST,
            text: "There is no code in this answer.",
        }),
    }
}
