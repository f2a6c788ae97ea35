//! The requests that open a WebSocket.

use std::fmt::Write as _;

use http::{Method, Request};

use crate::ask::Ask;

/// The bytes of the upgrade over HTTP/1.1.
pub(crate) fn upgrade(ask: &Ask) -> String {
    let mut head = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ask.path()
    );
    for (name, value) in ask.header_lines() {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head
}

/// The extended CONNECT of RFC 8441.
pub(crate) fn connect(ask: &Ask) -> Result<Request<()>, http::Error> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://localhost{}", ask.path()))
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    for (name, value) in ask.header_lines() {
        request = request.header(name, value);
    }
    request.body(())
}
