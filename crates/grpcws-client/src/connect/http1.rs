//! The upgrade of HTTP/1.1, by hyper.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::handshake::{MAX_HEAD, check_selected, violation};
use super::{Connector, Failure, OpenRequest, Opened, refusal};

const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// The body of a handshake: none.
#[derive(Debug)]
struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

pub(super) async fn open(
    connector: &Connector,
    request: &OpenRequest,
    headers: HeaderMap,
) -> Result<Opened, Failure> {
    let transport = connector.dial().await?;
    let authority = &connector.endpoint.authority;
    let broken =
        |error: hyper::Error| Failure::unreachable(format!("no handshake with {authority}: {error}"));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(transport))
        .await
        .map_err(broken)?;
    let key = generate_key();
    let request_head = upgrade(connector, request, headers, &key);
    let answer = async {
        let response = sender.send_request(request_head).await.map_err(broken)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            check(request, &response, &key)?;
            return Ok(());
        }
        let status = response.status();
        Err(refusal::failure(status, &read_body(response.into_body()).await))
    };
    // hyper moves no bytes but in the future of the connection.
    let mut answer = pin!(answer);
    let mut connection = pin!(connection.without_shutdown());
    tokio::select! {
        biased;
        result = &mut answer => {
            result?;
            let parts = connection.await.map_err(broken)?;
            Ok(Opened { transport: parts.io.into_inner(), already_read: parts.read_buf })
        }
        result = &mut connection => {
            // The connection is done with HTTP; the answer lies ready.
            let parts = result.map_err(broken)?;
            answer.await?;
            Ok(Opened { transport: parts.io.into_inner(), already_read: parts.read_buf })
        }
    }
}

fn upgrade(
    connector: &Connector,
    request: &OpenRequest,
    mut headers: HeaderMap,
    key: &str,
) -> Request<Empty> {
    let text = |text: &str| HeaderValue::try_from(text).expect("a part of a URL or base64");
    headers.insert(HOST, text(&connector.endpoint.authority));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_KEY, text(key));
    let mut upgrade = Request::new(Empty);
    *upgrade.uri_mut() = request.path.clone().into();
    *upgrade.headers_mut() = headers;
    upgrade
}

/// RFC 6455 §4.1, the six points about the server's answer.
fn check(request: &OpenRequest, response: &Response<Incoming>, key: &str) -> Result<(), Failure> {
    let headers = response.headers();
    let has = |name: HeaderName, token: &str| {
        let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err(violation("it does not upgrade to WebSocket"));
    }
    let accept = derive_accept_key(key.as_bytes());
    if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|value| value.as_bytes() != accept.as_bytes()) {
        return Err(violation("sec-websocket-accept does not fit the key"));
    }
    if headers.contains_key(http::header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(violation("it selects an extension that was not offered"));
    }
    check_selected(request, headers)
}

/// The beginning of a refusal's body; what cannot be read is left out.
async fn read_body(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < refusal::MAX_BODY {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(Ok(frame)) = frame else { break };
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
    }
    read
}
