//! The whole bridge, between a client and a service in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use grpcws::bridge::{Bridge, RequestBody};
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::event;

/// How many messages come in one piece from an upstream that gathers them: 16 KiB.
pub(crate) const GATHERED: usize = 150;

/// The service: it answers with so many messages, in pieces of so many, or reads what it is sent.
#[derive(Clone, Copy)]
struct Upstream {
    messages: usize,
    gathered: usize,
}

/// The body of a response.
struct Messages {
    piece: Bytes,
    pieces: usize,
    ended: bool,
    requests: Option<RequestBody>,
}

impl Upstream {
    fn call(self, request: Request<RequestBody>) -> Response<Messages> {
        let message = event::event();
        let mut piece = BytesMut::new();
        for _ in 0..self.gathered {
            piece.put_u8(0);
            piece.put_u32(u32::try_from(message.len()).unwrap_or(0));
            piece.extend_from_slice(&message);
        }
        let upload = request.uri().path().ends_with("Collect");
        let body = Messages {
            piece: piece.freeze(),
            pieces: if upload { 0 } else { self.messages / self.gathered.max(1) },
            ended: false,
            requests: upload.then(|| request.into_body()),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
        response
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        while let Some(requests) = &mut this.requests {
            match Pin::new(requests).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => this.requests = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        if this.pieces > 0 {
            this.pieces -= 1;
            return Poll::Ready(Some(Ok(Frame::data(this.piece.clone()))));
        }
        if std::mem::replace(&mut this.ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

/// A server stream of so many messages.
pub(crate) fn down(subprotocol: &str, messages: usize, gathered: usize) {
    let request = if subprotocol.ends_with("json") { text(event::JSON) } else { binary(&event::event()) };
    run("Subscribe", subprotocol, Upstream { messages, gathered }, async |mut client| {
        client.write_all(&request).await.expect("the socket is open");
        // What comes is not looked at: the client's instructions would only blur the count.
        read_to_end(&mut client).await;
    });
}

/// A client stream of so many messages.
pub(crate) fn up(subprotocol: &str, messages: usize) {
    let message = if subprotocol.ends_with("json") { text(event::JSON) } else { binary(&event::event()) };
    let upstream = Upstream { messages, gathered: 1 };
    run("Collect", subprotocol, upstream, async |client| {
        let (mut read, mut write) = tokio::io::split(client);
        let writing = async {
            let batch = message.repeat(64);
            for _ in 0..messages / 64 {
                write.write_all(&batch).await.expect("the socket is open");
            }
            write.write_all(&text(r#"{"type":"end_send"}"#)).await.expect("the socket is open");
        };
        tokio::join!(writing, read_to_end(&mut read));
    });
}

async fn read_to_end(client: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut buffer = vec![0; 64 * 1024];
    while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// Opens a socket to a bridge and hands it to `client`.
fn run(method: &str, subprotocol: &str, upstream: Upstream, client: impl AsyncFnOnce(DuplexStream)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (mut near, far) = duplex(64 * 1024);
        let service =
            tower::service_fn(move |request| async move { Ok::<_, Infallible>(upstream.call(request)) });
        let bridge = Bridge::new(service).descriptors(event::services());
        let server = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(far), TowerToHyperService::new(bridge))
            .with_upgrades();
        let server = tokio::spawn(server);
        let head = format!(
            "GET /bench.Bench/{method} HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        near.write_all(head.as_bytes()).await.expect("the server reads");
        let mut answer = [0; 12];
        near.read_exact(&mut answer).await.expect("the server answers");
        assert_eq!(&answer, b"HTTP/1.1 101", "the handshake is good");
        client(near).await;
        let _ = server.await;
    });
}

fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

/// A client's frame. Masks of zero change nothing, and are taken off like any other.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap_or(0).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}
