//! Heartbeats over HTTP/2, where streams share what TCP acknowledges.

mod common;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::http2::{connect, handshake, open, send};
use common::{Bridge, Received, SOON};
use grpcws::ConnectionOptions;
use h2::client::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Sleep, sleep};

const PING_PERIOD: Duration = Duration::from_millis(200);
const PONG_TIMEOUT: Duration = Duration::from_millis(800);

fn options() -> ConnectionOptions {
    ConnectionOptions::builder()
        .ping_period(PING_PERIOD)
        .pong_timeout(PONG_TIMEOUT)
        .build()
        .expect("valid options")
}

/// A connection that is read as slowly as a link of 40 KB/s delivers.
struct SlowLink {
    stream: TcpStream,
    pause: Pin<Box<Sleep>>,
}

const PER_READ: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(50);

impl SlowLink {
    async fn connect(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // What the kernel keeps for the reader is acknowledged, so it keeps little.
        socket.set_recv_buffer_size(4_096).expect("a socket option");
        let stream = socket.connect(address).await.expect("the bridge listens");
        Self { stream, pause: Box::pin(sleep(Duration::ZERO)) }
    }
}

impl AsyncRead for SlowLink {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.pause.as_mut().poll(cx));
        let mut bytes = [0; PER_READ];
        let mut whole = ReadBuf::new(&mut bytes);
        let mut part = whole.take(buf.remaining());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        self.pause.as_mut().reset(tokio::time::Instant::now() + PAUSE);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SlowLink {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_ping_behind_data_on_a_slow_link_is_waited_for() {
    let bridge = Bridge::start(options()).await;
    let link = SlowLink::connect(bridge.address).await;
    // Windows as browsers have them hold more than the link carries in the pong timeout.
    let builder = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 20)
        .handshake(link);
    let (mut connection, driver) = builder.await.expect("HTTP/2");
    tokio::spawn(driver);
    let begun = Instant::now();
    let path = "/ws/test/server-stream?count=1&size=200000&hold_open_ms=-1";
    let (response, mut to_server) = send(&mut connection, handshake(bridge.address, path, "")).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let mut received = 0;
    // The client says nothing until it has the ping, which is behind the message. In base64 that has 266,668 bytes.
    while received < 266_668 {
        let chunk = body.data().await.expect("the stream goes on").expect("it is not reset");
        body.flow_control().release_capacity(chunk.len()).expect("it was received");
        received += chunk.len();
    }
    assert!(begun.elapsed() > PONG_TIMEOUT * 3, "the link is slow: {:?}", begun.elapsed());
    // A pong and a close frame without a code, whose masks are zero.
    const PONG_AND_CLOSE: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0];
    to_server.send_data(Bytes::from_static(PONG_AND_CLOSE), true).expect("the stream is open");
    let mut end = Vec::new();
    while let Some(chunk) = body.data().await {
        end.extend_from_slice(&chunk.expect("it is not reset"));
    }
    assert!(end.ends_with(&[0x88, 0]), "the client's own close frame is answered: {end:?}");
    bridge.settle().await;
}

/// Opens a stream whose bytes are read and never answered. Returns how long the bridge kept it.
async fn kept(bridge: &Bridge, connection: &mut SendRequest<Bytes>) -> Duration {
    let (response, to_server) = send(connection, handshake(bridge.address, "/ws/test/bidi", "")).await;
    assert_eq!(response.status(), 200);
    let opened = Instant::now();
    let mut body = response.into_body();
    let read = async {
        while let Some(Ok(chunk)) = body.data().await {
            let _ = body.flow_control().release_capacity(chunk.len());
            if chunk.windows(2).any(|window| window == 4408_u16.to_be_bytes()) {
                return;
            }
        }
        panic!("no close frame with 4408");
    };
    tokio::time::timeout(SOON, read).await.expect("a client that answers nothing is given up");
    drop(to_server);
    opened.elapsed()
}

#[tokio::test]
async fn a_silent_client_is_given_up_though_others_of_its_connection_are_busy() {
    let bridge = Bridge::start(options()).await;
    for busy in [true, false] {
        let mut connection = connect(bridge.address).await;
        let mut other = open(&mut connection, bridge.address, "/ws/test/bidi", "").await;
        // Echoes of 20 KB as fast as they come, or only the pings and their pongs.
        let text = format!(r#"{{"type":"data","data":{{"payload":"{}"}}}}"#, "A".repeat(20_000));
        let echoes = tokio::spawn(async move {
            loop {
                if busy {
                    other.send(&text).await;
                }
                match other.next().await {
                    Received::Text(_) => {}
                    ended => panic!("{ended:?}"),
                }
            }
        });
        let kept = kept(&bridge, &mut connection).await;
        assert!(kept < PONG_TIMEOUT * 2, "busy: {busy}, {kept:?}");
        assert!(!echoes.is_finished(), "the other one lives");
        echoes.abort();
    }
}
