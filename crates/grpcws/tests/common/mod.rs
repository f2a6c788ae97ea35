//! A real gRPC server, typed handlers in front of it, and a client, all in one process.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod app;
pub(crate) mod both;
pub(crate) mod http2;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod whole;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use grpcws::server::{ServerOptions, serve};
use grpcws::{ConnectionOptions, GrpcWs, Shutdown};
use grpcws_test::{ServeOptions, TestService};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tonic::transport::Endpoint;

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A gRPC server and typed handlers in front of it.
pub(crate) struct Bridge {
    pub(crate) address: SocketAddr,
    pub(crate) service: TestService,
    pub(crate) shutdown: Shutdown,
}

impl Bridge {
    pub(crate) async fn start(options: ConnectionOptions) -> Self {
        Self::start_with(options, |ws| ws).await
    }

    pub(crate) async fn start_with(options: ConnectionOptions, with: impl FnOnce(GrpcWs) -> GrpcWs) -> Self {
        Self::start_whole(options, ServerOptions::default(), with).await
    }

    pub(crate) async fn start_on(options: ConnectionOptions, server: ServerOptions) -> Self {
        Self::start_whole(options, server, |ws| ws).await
    }

    async fn start_whole(
        options: ConnectionOptions,
        server: ServerOptions,
        with: impl FnOnce(GrpcWs) -> GrpcWs,
    ) -> Self {
        let service = TestService::default();
        let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let upstream_address = upstream.local_addr().expect("it is bound");
        let many_streams = ServeOptions::default().max_concurrent_streams(100_000);
        tokio::spawn(grpcws_test::serve(upstream, service.clone(), many_streams));

        // Windows that keep one stalled stream from stopping the others; see DESIGN.md.
        let channel = Endpoint::from_shared(format!("http://{upstream_address}"))
            .expect("a valid address")
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size((1 << 31) - 1)
            .connect_lazy();
        let shutdown = Shutdown::new();
        let ws = with(app::grpcws(options, &shutdown));
        let app = app::app(&ws, channel).expect("all messages are known");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(serve(listener, app, server, shutdown.clone()));
        Self { address, service, shutdown }
    }

    /// A handshake for a path below `/ws/test/`, with a sub-protocol where there is one.
    pub(crate) fn request(&self, path: &str, subprotocol: &str) -> Request<()> {
        let mut request =
            format!("ws://{}/ws/test/{path}", self.address).into_client_request().expect("valid");
        if !subprotocol.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().expect("valid"));
        }
        request
    }

    pub(crate) async fn connect(&self, path: &str, subprotocol: &str) -> Client {
        Client::open(self.request(path, subprotocol)).await
    }

    /// Waits until no call is alive upstream and no stream in the bridge.
    pub(crate) async fn settle(&self) {
        let settled = async {
            while self.service.stats().live > 0 || self.shutdown.streams() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(SOON, settled).await.is_err() {
            panic!("{} calls and {} streams are left", self.service.stats().live, self.shutdown.streams());
        }
    }
}

/// A WebSocket client.
pub(crate) struct Client<S = MaybeTlsStream<TcpStream>> {
    pub(crate) socket: WebSocketStream<S>,
}

impl Client {
    pub(crate) async fn open(request: Request<()>) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("the handshake succeeds");
        Self { socket }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the socket is open");
    }

    /// The next text or binary message or close frame; control frames are passed over.
    pub(crate) async fn next(&mut self) -> Received {
        let next = async {
            loop {
                return match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => Received::Text(text.to_string()),
                    Some(Ok(Message::Binary(bytes))) => Received::Binary(bytes.to_vec()),
                    Some(Ok(Message::Close(Some(frame)))) => {
                        Received::Close(frame.code.into(), frame.reason.to_string())
                    }
                    Some(Ok(Message::Close(None))) => Received::Close(1005, String::new()),
                    Some(Ok(_)) => continue,
                    Some(Err(tungstenite::Error::ConnectionClosed)) | None => Received::End,
                    Some(Err(error)) => Received::Lost(error.to_string()),
                };
            }
        };
        tokio::time::timeout(SOON, next).await.expect("the bridge answers")
    }

    /// All that comes until the close frame, and its code and reason.
    pub(crate) async fn rest(&mut self) -> (Vec<String>, u16, String) {
        let mut texts = Vec::new();
        loop {
            match self.next().await {
                Received::Text(text) => texts.push(text),
                Received::Close(code, reason) => return (texts, code, reason),
                other => panic!("{other:?} after {texts:?}"),
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
    End,
    Lost(String),
}
