//! A gateway that does what a test says, frame by frame.

use std::future::Future;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::soon;

pub(crate) const OPEN: &str =
    r#"{"type":"open","features":["credit"],"maxMessageBytes":1000,"receiveWindow":100,"pingPeriodMs":0}"#;

/// The gateway's end of a WebSocket.
pub(crate) struct Peer(pub(crate) WebSocketStream<TcpStream>);

/// Serves each connection by a script.
pub(crate) async fn serve<F, R>(script: F) -> SocketAddr
where
    F: Fn(Peer) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = script.clone();
            tokio::spawn(async move {
                let peer = tokio_tungstenite::accept_hdr_async(stream, select).await.expect("a handshake");
                script(Peer(peer)).await;
            });
        }
    });
    address
}

/// Echoes the first sub-protocol of the offer.
#[allow(clippy::result_large_err, reason = "the type is given")]
fn select(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offer = request.headers()["sec-websocket-protocol"].to_str().expect("text");
    let name = offer.split(',').next().expect("a name").trim();
    response.headers_mut().insert("sec-websocket-protocol", name.parse().expect("a value"));
    Ok(response)
}

impl Peer {
    pub(crate) async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("the socket is open");
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.expect("the socket is open");
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.0.close(Some(frame)).await.expect("the socket is open");
    }

    /// The next frame: the text, `binary N`, `close N`, or `lost`. Pings and pongs are passed over.
    pub(crate) async fn next(&mut self) -> String {
        let next = async {
            loop {
                return match self.0.next().await {
                    Some(Ok(Message::Text(text))) => text.to_string(),
                    Some(Ok(Message::Binary(bytes))) => format!("binary {}", bytes.len()),
                    Some(Ok(Message::Close(frame))) => {
                        format!("close {}", frame.map_or(1005, |frame| frame.code.into()))
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => "lost".to_owned(),
                };
            }
        };
        soon(next).await
    }
}
