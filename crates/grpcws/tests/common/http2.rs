//! A bare HTTP/2 client, which opens WebSockets by the extended CONNECT of RFC 8441.

use std::net::SocketAddr;

use bytes::{Buf, Bytes};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Client;

/// An HTTP/2 connection to the bridge, after its settings have come.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.expect("the bridge listens");
    let (mut send_request, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    // The settings come before the answer to any request.
    let request = request(address, Method::GET, "/nowhere");
    let (response, _) = send_request.send_request(request, true).expect("the connection is open");
    assert_eq!(response.await.expect("an answer").status(), 404);
    send_request
}

pub(crate) fn request(address: SocketAddr, method: Method, path: &str) -> Request<()> {
    Request::builder()
        .version(Version::HTTP_2)
        .method(method)
        .uri(format!("http://{}{path}", address))
        .body(())
        .expect("valid")
}

pub(crate) fn handshake(address: SocketAddr, path: &str, subprotocol: &str) -> Request<()> {
    let mut request = request(address, Method::CONNECT, path);
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request.headers_mut().insert("sec-websocket-version", "13".parse().expect("valid"));
    if !subprotocol.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().expect("valid"));
    }
    request
}

pub(crate) async fn send(
    connection: &mut SendRequest<Bytes>,
    request: Request<()>,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let (response, stream) = connection.send_request(request, false).expect("the connection is open");
    (response.await.expect("an answer"), stream)
}

pub(crate) async fn open(
    connection: &mut SendRequest<Bytes>,
    address: SocketAddr,
    path: &str,
    subprotocol: &str,
) -> Client<DuplexStream> {
    let (response, to_server) = send(connection, handshake(address, path, subprotocol)).await;
    assert_eq!(response.status(), 200);
    let echoed = response.headers().get("sec-websocket-protocol").map(http::HeaderValue::as_bytes);
    assert_eq!(echoed, (!subprotocol.is_empty()).then_some(subprotocol.as_bytes()));
    for absent in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!response.headers().contains_key(absent), "{absent}");
    }
    into_client(response, to_server).await
}

/// The WebSocket client of a stream that was accepted.
pub(crate) async fn into_client(
    response: Response<RecvStream>,
    to_server: SendStream<Bytes>,
) -> Client<DuplexStream> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(copy_out(reader, to_server));
    tokio::spawn(copy_in(response.into_body(), writer));
    Client { socket: WebSocketStream::from_raw_socket(near, Role::Client, None).await }
}

async fn copy_out(mut reader: ReadHalf<DuplexStream>, mut to_server: SendStream<Bytes>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = reader.read(&mut buffer).await.expect("a pipe does not fail");
        let chunk = Bytes::copy_from_slice(buffer.get(..read).expect("what was read is in the buffer"));
        if to_server.send_data(chunk, read == 0).is_err() || read == 0 {
            return;
        }
    }
}

async fn copy_in(mut from_server: RecvStream, mut writer: WriteHalf<DuplexStream>) {
    while let Some(Ok(chunk)) = from_server.data().await {
        let _ = from_server.flow_control().release_capacity(chunk.remaining());
        if writer.write_all(&chunk).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
