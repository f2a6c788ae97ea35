//! What passes to the server behind the gateway and back, and what each side of that may do wrong.

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::SOON;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

/// A gateway with a fallback, whose log can be read.
struct Gateway {
    address: String,
    log: Lines<BufReader<ChildStderr>>,
    _child: Child,
}

impl Gateway {
    async fn start(fallback: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grpcws"))
            .args(["serve", "--listen", "localhost:0", "--upstream", "http://127.0.0.1:1"])
            .args(arguments)
            .env("RUST_LOG", "grpcws_gateway::serve=warn")
            .env("NO_COLOR", "1")
            .args(["--fallback", &format!("http://{fallback}")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary is built");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = soon(lines.next_line()).await.expect("a line").expect("it listens");
        let address = line.strip_prefix("listening ws://").expect("an address").to_owned();
        let log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { address, log, _child: child }
    }

    async fn log_line(&mut self) -> String {
        soon(self.log.next_line()).await.expect("text").expect("a line")
    }

    /// Sends a request and reads the whole answer, until the gateway closes.
    async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.expect("it reads");
        rest(&mut client).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("it listens")
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it takes too long")
}

/// What comes until the connection ends, in whatever way.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // An error is an end too; what came before it is there.
    let _ = soon(stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads until the text contains this.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        assert_ne!(soon(stream.read_buf(&mut text)).await.expect("it is sent"), 0, "it ends before {end:?}");
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A server for one connection: what it does with the first request is up to the test.
async fn server<F, T>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> (String, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        serve(stream).await
    });
    (address, task)
}

/// A server that reads a head, and then does nothing.
async fn silent() -> String {
    let serve = |mut stream: TcpStream| async move {
        until(&mut stream, "\r\n\r\n").await;
        std::future::pending::<()>().await;
    };
    server(serve).await.0
}

const GET: &str = "GET /page?secret=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let backend = silent().await;
    let mut gateway = Gateway::start(&backend, &["--fallback-timeout", "300ms"]).await;
    let answer = gateway.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    let line = gateway.log_line().await;
    assert!(line.contains("it took too long") && line.contains(&backend), "{line}");
}

#[tokio::test]
async fn the_log_has_the_address_the_path_and_the_cause() {
    // Nobody listens at a port that was given back.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("it is bound");
    let mut gateway = Gateway::start(&free.to_string(), &[]).await;
    let answer = gateway.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let line = gateway.log_line().await;
    for part in [&*free.to_string(), "/page", "Connection refused"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_server_may() {
    let (backend, received) = server(|mut stream| async move {
        let request = until(&mut stream, "0\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.expect("it reads");
        // Until the gateway has read it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        request
    })
    .await;
    let gateway = Gateway::start(&backend, &["--fallback-timeout", "300ms"]).await;
    let mut client = gateway.connect().await;
    let head =
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("it reads");
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.write_all(b"1\r\nx\r\n").await.expect("it reads");
    }
    client.write_all(b"0\r\n\r\n").await.expect("it reads");
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(
        received.await.expect("it ends").matches('x').count(),
        "x-forwarded-forx-forwarded-hostx-forwarded-proto".matches('x').count() + 6
    );
}

#[tokio::test]
async fn bodies_that_stand_still_have_no_end_that_looks_like_one() {
    // A request.
    let backend = silent().await;
    let gateway = Gateway::start(&backend, &["--fallback-idle-timeout", "300ms"]).await;
    let answer = gateway
        .ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf")
        .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // A response.
    let (backend, _server) = server(|mut stream| async move {
        until(&mut stream, "\r\n\r\n").await;
        let half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
        stream.write_all(half).await.expect("it reads");
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = Gateway::start(&backend, &["--fallback-idle-timeout", "300ms"]).await;
    let answer = gateway.ask(GET).await;
    assert!(answer.contains("half") && !answer.contains("\r\n0\r\n"), "{answer}");
}

#[tokio::test]
async fn chunks_that_are_none_are_the_fault_of_the_client_and_no_reason_to_warn() {
    let backend = silent().await;
    let mut gateway = Gateway::start(&backend, &["--fallback-timeout", "2s"]).await;
    let answer = gateway
        .ask("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // One that goes away.
    let mut client = gateway.connect().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
        .await
        .expect("it reads");
    drop(client);
    // The next line is not about these.
    gateway.ask("GET /late HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let line = gateway.log_line().await;
    assert!(line.contains("/late") && line.contains("left_out=0"), "{line}");
}

#[tokio::test]
async fn fields_behind_a_body_pass_to_a_client_that_takes_them() {
    let answer = |mut stream: TcpStream| async move {
        let head = until(&mut stream, "\r\n\r\n").await;
        let response = "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n";
        stream.write_all(response.as_bytes()).await.expect("it reads");
        tokio::time::sleep(Duration::from_millis(100)).await;
        head.to_ascii_lowercase()
    };
    for (asks, sent) in
        [("TE: trailers\r\nConnection: TE, close\r\n", true), ("Connection: close\r\n", false)]
    {
        let (backend, head) = server(answer).await;
        let gateway = Gateway::start(&backend, &[]).await;
        let answer = gateway.ask(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{asks}\r\n")).await;
        assert!(answer.contains("body"), "{answer}");
        assert_eq!(answer.contains("x-sum: 7"), sent, "{answer}");
        assert_eq!(head.await.expect("it ends").contains("\r\nte: trailers\r\n"), sent);
    }
}

#[tokio::test]
async fn a_server_of_http_1_0_does_not_end_the_connection_of_the_client() {
    let (backend, _server) = server(|mut stream| async move {
        until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold").await.expect("it reads");
    })
    .await;
    let gateway = Gateway::start(&backend, &[]).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    let answer = until(&mut client, "old").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.to_ascii_lowercase().contains("close"), "{answer}");
    // It is still there, for a request that the gateway answers by itself.
    client.write_all(b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    assert!(until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 501"));
}

#[tokio::test]
async fn credentials_for_a_proxy_go_no_further() {
    let (backend, head) = server(|mut stream| async move {
        let head = until(&mut stream, "\r\n\r\n").await;
        let answer = b"HTTP/1.1 200 OK\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.expect("it reads");
        tokio::time::sleep(Duration::from_millis(100)).await;
        head.to_ascii_lowercase()
    })
    .await;
    let gateway = Gateway::start(&backend, &[]).await;
    let answer = gateway
        .ask("GET / HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: Basic c2VjcmV0\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && !answer.to_ascii_lowercase().contains("proxy-"),
        "{answer}"
    );
    let head = head.await.expect("it ends");
    assert!(head.contains("authorization: bearer t") && !head.contains("proxy-authorization"), "{head}");
}

#[tokio::test]
async fn requests_that_servers_understand_in_different_ways_are_refused() {
    let gateway = Gateway::start(&silent().await, &[]).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET /ws/a.B/C HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", "501"),
    ] {
        let answer = gateway.ask(&format!("{head}\r\n")).await;
        let answered = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(answered, status, "{head}: {answer}");
    }
}
