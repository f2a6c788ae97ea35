//! Passes what is no call to another HTTP server: REST, SSE, pages.
//!
//! ```text
//!   request ─▶ Upload ─▶ client ─▶ Download ─▶ response
//!                 └─ exchange: whose turn it is, and for how long ─┘
//! ```

mod complaints;
mod exchange;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use grpcws::proto::ErrorChain;
use grpcws::{Shutdown, ShutdownGuard};
use http::header::{CONNECTION, COOKIE, HOST, HeaderName, TE, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::headers::{forward, remove_hop_by_hop};
use complaints::Complaints;
pub(in crate::serve) use exchange::FallbackTimeouts;
use exchange::{Download, Exchange, Fault, Upload};

/// How long connecting to the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be silent until the system asks whether the server is still there, how long it waits between
/// two such questions, and how many it asks: a server that is gone without a word costs a minute.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// A server of its own that gets every other request. Bodies are streamed in both directions, and a WebSocket of
/// the server's own passes as it is.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    authority: Authority,
    /// In front of every path; empty or without a slash at its end.
    base: String,
    client: Client<HttpConnector, Body>,
    timeouts: FallbackTimeouts,
    complaints: Arc<Complaints>,
    /// Ends the WebSockets of the server.
    shutdown: Shutdown,
}

/// A URL that no fallback can be at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fallback has the form http://host:port[/path], without TLS")]
pub struct FallbackError;

impl Fallback {
    /// The server at this URL.
    pub(super) fn new(
        url: &str,
        timeouts: FallbackTimeouts,
        shutdown: Shutdown,
    ) -> Result<Self, FallbackError> {
        let uri: Uri = url.parse().map_err(|_| FallbackError)?;
        if uri.scheme() != Some(&Scheme::HTTP) || uri.query().is_some() {
            return Err(FallbackError);
        }
        let authority = uri.authority().ok_or(FallbackError)?.clone();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let (silence, interval, questions) = KEEP_ALIVE;
        connector.set_keepalive(Some(silence));
        connector.set_keepalive_interval(Some(interval));
        connector.set_keepalive_retries(Some(questions));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { authority, base, client, timeouts, complaints: Arc::default(), shutdown })
    }

    /// Passes a request on, and its response back.
    pub(super) async fn call(self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            // Over HTTP/2 it is how a WebSocket is opened, which HTTP/1.1 does in another way.
            return refuse(StatusCode::NOT_IMPLEMENTED, "CONNECT is not passed on: use HTTP/1.1 here\n");
        }
        let upgrade = asks_for_websocket(&parts.headers);
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| upgrade);
        let trailers = accepts_trailers(&parts.headers);
        forward(&mut parts);
        parts.headers.remove(TE);
        if upgrade {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        } else if trailers {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("te"));
            parts.headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        join_cookies(&mut parts.headers);
        parts.headers.remove(HOST);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.base))
            .build();
        parts.uri = match uri {
            Ok(uri) => uri,
            Err(_) => return refuse(StatusCode::BAD_REQUEST, "the path is not valid\n"),
        };
        parts.version = Version::HTTP_11;
        // A query may have what a log should not.
        let asked = parts.uri.path().to_owned();
        let exchange = Exchange::new();
        let body = Body::new(Upload::new(body, self.timeouts.idle, Arc::clone(&exchange)));
        let answered = tokio::select! {
            answered = self.client.request(Request::from_parts(parts, body)) => answered,
            () = exchange.answer_is_late(self.timeouts.answer) => {
                self.complaints.say(self.authority.as_str(), &asked, "it took too long");
                return refuse(StatusCode::GATEWAY_TIMEOUT, "the server behind this one took too long\n");
            }
        };
        match (answered, exchange.fault()) {
            (Ok(response), _) => {
                let response = response.map(|body| (body, self.timeouts.idle));
                answer(response, on_upgrade, self.shutdown.guard())
            }
            (Err(error), None) => {
                self.complaints.say(self.authority.as_str(), &asked, ErrorChain(&error));
                refuse(StatusCode::BAD_GATEWAY, "the server behind this one did not answer\n")
            }
            (Err(_), Some(fault)) => {
                tracing::debug!(path = asked, ?fault, "a client did not send the whole of its request");
                match fault {
                    Fault::Malformed => refuse(StatusCode::BAD_REQUEST, "the body is not valid\n"),
                    Fault::Idle => refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
                    // Nobody is there to read it.
                    Fault::Gone => refuse(StatusCode::BAD_REQUEST, "the body is not complete\n"),
                }
            }
        }
    }
}

/// Whether a client takes fields behind the body: `te: trailers`, which may have a weight.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).into_iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        coding.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("trailers"))
    })
}

/// Whether an HTTP/1.1 request asks for a WebSocket. Nothing else that one can switch to passes: what follows would
/// go past everything here.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let has = |name: HeaderName, token: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    has(CONNECTION, "upgrade") && has(UPGRADE, "websocket")
}

/// HTTP/2 may have a line for each cookie, HTTP/1.1 has one for all (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn answer(
    response: Response<(Incoming, Option<Duration>)>,
    on_upgrade: Option<OnUpgrade>,
    mut guard: ShutdownGuard,
) -> Response<Body> {
    let mut response = response.map(|(body, idle)| Body::new(Download::new(body, idle)));
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        remove_hop_by_hop(response.headers_mut());
        // It is the version of that server, and not the one that is spoken here.
        *response.version_mut() = Version::HTTP_11;
        return response;
    }
    let Some(ours) = on_upgrade else {
        return refuse(StatusCode::BAD_GATEWAY, "the server behind this one switched protocols unasked\n");
    };
    let theirs = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
        let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
        tokio::select! {
            copied = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {
                tracing::trace!(?copied, "a WebSocket of the fallback ended");
            }
            () = guard.ended() => {}
        }
    });
    response
}

fn refuse(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_one_line_and_only_websockets_are_upgrades() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("cookie", "a=1"), ("cookie", "b=2"), ("connection", "Upgrade"), ("upgrade", "h2c")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
        assert!(!asks_for_websocket(&headers));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        assert!(asks_for_websocket(&headers));
    }

    #[test]
    fn a_fallback_is_a_url_without_tls_and_query() {
        let timeouts = FallbackTimeouts::new(None, None);
        for url in
            ["", "localhost:80", "https://a.example", "http:///x", "http://a.example/?q", "ftp://a.example"]
        {
            assert!(Fallback::new(url, timeouts, Shutdown::new()).is_err(), "{url}");
        }
        let fallback = Fallback::new("http://a.example:81/base/", timeouts, Shutdown::new()).expect("a URL");
        assert_eq!((fallback.authority.as_str(), &*fallback.base), ("a.example:81", "/base"));
    }
}
