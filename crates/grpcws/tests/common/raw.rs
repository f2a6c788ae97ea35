//! HTTP/1.1 by hand, for requests that no client library would send.

use std::net::SocketAddr;

use axum::Router;
use grpcws::Shutdown;
use grpcws::server::{ServerOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Client, SOON};

/// Serves an app of the test's own.
pub(crate) async fn serve_app(
    app: Router,
    options: ServerOptions,
    shutdown: &Shutdown,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (address, tokio::spawn(serve(listener, app, options, shutdown.clone())))
}

/// A handshake that is correct until a test changes it.
#[derive(Clone)]
pub(crate) struct Handshake {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Handshake {
    /// `path` is the whole path.
    pub(crate) fn new(path: &str) -> Self {
        Self { line: format!("GET {path} HTTP/1.1"), headers: Vec::new(), body: Vec::new() }
            .with("Host", "example.com")
            .with("Upgrade", "websocket")
            .with("Connection", "keep-alive, Upgrade")
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    pub(crate) fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    /// One more line of headers.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|(header, _)| header != name);
        assert!(self.headers.len() < before, "there is no {name}");
        self
    }

    pub(crate) fn replace(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Bytes behind the headers.
    pub(crate) fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.extend_from_slice(bytes.as_ref());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.line);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends the request, and reads the answer.
    pub(crate) async fn send(&self, address: SocketAddr) -> (Answer, Raw) {
        let mut raw = Raw::connect(address).await;
        raw.send(self.bytes()).await;
        (raw.answer().await, raw)
    }

    /// Opens the socket, which has to succeed.
    pub(crate) async fn open(&self, address: SocketAddr) -> Client<TcpStream> {
        let (answer, raw) = self.send(address).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        raw.into_client().await
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = (self.headers.iter())
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The names of the headers in lower case.
    pub(crate) fn names(&self) -> Vec<String> {
        self.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }
}

/// A TCP connection to the server.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("the server listens") }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the connection is open");
    }

    /// The next answer; what follows it stays unread.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.expect("a whole answer"));
            }
            let head = String::from_utf8(head).expect("text");
            let mut lines = head.lines();
            let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
            let headers = lines.filter_map(|line| line.split_once(": "));
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let mut answer = Answer { status: status.expect("a status"), headers, body: String::new() };
            let length =
                answer.header("content-length").map_or(0, |length| length.parse().expect("a number"));
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.expect("a whole body");
            answer.body = String::from_utf8(body).expect("text");
            answer
        };
        tokio::time::timeout(SOON, answer).await.expect("the server answers")
    }

    /// What the server sends until it closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, self.stream.read_to_end(&mut rest)).await;
        // A reset is an end as well.
        let _ = read.expect("the server closes the connection");
        rest
    }

    pub(crate) async fn into_client(self) -> Client<TcpStream> {
        Client { socket: WebSocketStream::from_raw_socket(self.stream, Role::Client, None).await }
    }
}

/// A text frame of a client, masked with zeros.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("a short text");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}
