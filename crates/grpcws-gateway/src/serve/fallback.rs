//! Passes what is no call to another HTTP server: REST, SSE, pages.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::headers::{remove_hop_by_hop, set_forwarded};

/// How long connecting to the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server of its own that gets every other request. Bodies are streamed in both directions, and a WebSocket of
/// the server's own passes as it is.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    authority: Authority,
    /// In front of every path; empty or without a slash at its end.
    base: String,
    client: Client<HttpConnector, Body>,
}

/// A URL that no fallback can be at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fallback has the form http://host:port[/path], without TLS")]
pub struct FallbackError;

impl Fallback {
    /// The server at this URL.
    pub(super) fn new(url: &str) -> Result<Self, FallbackError> {
        let uri: Uri = url.parse().map_err(|_| FallbackError)?;
        if uri.scheme() != Some(&Scheme::HTTP) || uri.query().is_some() {
            return Err(FallbackError);
        }
        let authority = uri.authority().ok_or(FallbackError)?.clone();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { authority, base: uri.path().trim_end_matches('/').to_owned(), client })
    }

    /// Passes a request on, and its response back.
    pub(super) async fn call(self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let upgrade = requested_upgrade(&parts.headers);
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| upgrade.is_some());
        set_forwarded(&mut parts);
        remove_hop_by_hop(&mut parts.headers);
        if let Some(protocol) = upgrade {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, protocol);
        }
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
        match self.client.request(Request::from_parts(parts, body)).await {
            Ok(response) => answer(response.map(Body::new), on_upgrade),
            Err(error) => {
                tracing::warn!(%error, "the fallback did not answer");
                refuse(StatusCode::BAD_GATEWAY, "the server behind this one did not answer\n")
            }
        }
    }
}

/// The protocol that an HTTP/1.1 request asks to switch to.
fn requested_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get(CONNECTION)?.to_str().ok()?;
    let asks = connection.split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| asks).cloned()
}

fn answer(mut response: Response<Body>, on_upgrade: Option<OnUpgrade>) -> Response<Body> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        remove_hop_by_hop(response.headers_mut());
        return response;
    }
    let Some(ours) = on_upgrade else {
        return refuse(StatusCode::BAD_GATEWAY, "the server behind this one switched protocols unasked\n");
    };
    let theirs = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
        let copied = tokio::io::copy_bidirectional(&mut TokioIo::new(ours), &mut TokioIo::new(theirs)).await;
        tracing::trace!(?copied, "an upgraded connection of the fallback ended");
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
    fn a_fallback_is_a_url_without_tls_and_query() {
        for url in
            ["", "localhost:80", "https://a.example", "http:///x", "http://a.example/?q", "ftp://a.example"]
        {
            assert!(Fallback::new(url).is_err(), "{url}");
        }
        let fallback = Fallback::new("http://a.example:81/base/").expect("a URL");
        assert_eq!((fallback.authority.as_str(), &*fallback.base), ("a.example:81", "/base"));
    }
}
