//! The accept loop: its time limits, its limit of connections, and its end.

mod common;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use common::raw::{Handshake, Raw, serve_app};
use common::{Received, SOON, app};
use grpcws::server::{ProxyProtocol, ServerOptions, Workers, serve_on};
use grpcws::{ConnectionOptions, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const HEADER_TIMEOUT: Duration = Duration::from_millis(200);
const REQUEST: &str = "GET /hello HTTP/1.1\r\nHost: example.com\r\n\r\n";
const SOCKET: &str = "/ws/test/bidi";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    served: JoinHandle<()>,
    /// Lets `/slow` answer.
    go: watch::Sender<bool>,
    /// How many requests for `/slow` have come.
    waiting: watch::Receiver<usize>,
}

async fn serve(options: ServerOptions) -> Server {
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    // No call of these tests reaches the upstream.
    let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let (go, gone) = watch::channel(false);
    let (came, waiting) = watch::channel(0);
    let slow = move || {
        let (mut gone, came) = (gone.clone(), came.clone());
        async move {
            came.send_modify(|count| *count += 1);
            gone.wait_for(|go| *go).await.expect("the test lives");
            "slow"
        }
    };
    let app: Router = app::app(&ws, channel)
        .expect("known")
        .route("/hello", get(|| async { "hello" }))
        .route("/slow", get(slow))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/stream", axum::routing::any(silent_stream(&ws)));
    let (address, served) = serve_app(app, options, &shutdown).await;
    Server { address, shutdown, served, go, waiting }
}

/// A call that neither says anything nor ends.
fn silent_stream(ws: &grpcws::GrpcWs) -> grpcws::BidiStreamHandler<grpcws_test::pb::BidiRequest> {
    type Silent = tokio_stream::Pending<Result<grpcws_test::pb::BidiResponse, grpcws::Status>>;
    let silent = |_, _| async { Ok::<Silent, grpcws::Status>(tokio_stream::pending()) };
    grpcws::BidiStreamHandler::new(ws, silent).expect("known")
}

fn short_header_timeout() -> ServerOptions {
    ServerOptions::builder().header_timeout(HEADER_TIMEOUT).build().expect("valid options")
}

/// Asserts that the server closes the connection at the header timeout, and not before.
async fn assert_closed_in_time(raw: &mut Raw, since: Instant, what: &str) {
    raw.rest().await;
    let elapsed = since.elapsed();
    assert!(elapsed >= HEADER_TIMEOUT - Duration::from_millis(5), "{what} was closed after {elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{what} was closed after {elapsed:?} only");
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_request_is_closed_at_the_header_timeout() {
    let server = serve(short_header_timeout()).await;
    for (what, bytes) in [
        ("a silent connection", ""),
        ("half a header", "GET /hello HTTP/1.1\r\nHost: exam"),
        ("half an HTTP/2 preface", &PREFACE[..20]),
        ("an HTTP/2 preface without a request", PREFACE),
    ] {
        let begun = Instant::now();
        let mut raw = Raw::connect(server.address).await;
        raw.send(bytes).await;
        assert_closed_in_time(&mut raw, begun, what).await;
    }
}

#[tokio::test]
async fn a_client_that_drips_its_headers_is_closed_at_the_header_timeout() {
    let server = serve(short_header_timeout()).await;
    let begun = Instant::now();
    let raw = Raw::connect(server.address).await;
    let (reader, mut writer) = raw.stream.into_split();
    let drip = tokio::spawn(async move {
        for byte in REQUEST.bytes().cycle().filter(|byte| *byte != b'\n') {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, &[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut rest = Vec::new();
    let mut reader = reader;
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut rest);
    let _ = tokio::time::timeout(SOON, read).await.expect("the server closes the connection");
    let elapsed = begun.elapsed();
    assert!((HEADER_TIMEOUT..Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    tokio::time::timeout(SOON, drip).await.expect("the connection is gone").expect("no panic");
}

#[tokio::test]
async fn the_next_request_of_a_connection_has_the_same_time() {
    let server = serve(short_header_timeout()).await;
    for (what, next) in [("an idle connection", ""), ("half a second header", "GET /hel")] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(REQUEST).await;
        // The connection is there before the answer is.
        let begun = Instant::now();
        assert_eq!(raw.answer().await.body, "hello");
        raw.send(next).await;
        assert_closed_in_time(&mut raw, begun, what).await;
    }
}

#[tokio::test]
async fn neither_a_slow_answer_nor_a_socket_is_bound_by_the_header_timeout() {
    let mut server = serve(short_header_timeout()).await;
    let mut client = Handshake::new("/stream").open(server.address).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(REQUEST.replace("hello", "slow")).await;
    server.waiting.wait_for(|count| *count == 1).await.expect("the server lives");
    // This one is what shows that the time has passed.
    let mut silent = Raw::connect(server.address).await;
    silent.rest().await;
    server.go.send(true).expect("the request waits");
    assert_eq!(raw.answer().await.body, "slow");
    client.send(r#"{"type":"ping","pingId":3}"#).await;
    assert_eq!(client.next().await, Received::Text(r#"{"type":"pong","pingId":3}"#.to_owned()));
}

#[tokio::test]
async fn a_connection_too_many_gets_503_and_a_socket_holds_its_place_until_it_ends() {
    let server = serve(ServerOptions::builder().max_connections(2).build().expect("valid options")).await;
    let refused = async || {
        let mut raw = Raw::connect(server.address).await;
        raw.send(REQUEST).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")));
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
        assert!(raw.rest().await.is_empty());
    };
    let mut client = Handshake::new("/stream").open(server.address).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(REQUEST).await;
    assert_eq!(raw.answer().await.status, 200);
    for _ in 0..3 {
        refused().await;
    }

    // The place of the socket is free once it has ended.
    client.send(r#"{"type":"cancel"}"#).await;
    client.rest().await;
    drop(client);
    wait_for_place(&server).await;
    // So is that of a connection.
    drop(raw);
    let _first = wait_for_place(&server).await;
    let _second = wait_for_place(&server).await;
    refused().await;
}

/// A connection that was served once more: when a place becomes free is seen only by asking.
async fn wait_for_place(server: &Server) -> Raw {
    let served = async {
        loop {
            let mut raw = Raw::connect(server.address).await;
            raw.send(REQUEST).await;
            match raw.answer().await.status {
                200 => return raw,
                status => assert_eq!(status, 503),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, served).await.expect("a place becomes free")
}

#[tokio::test]
async fn a_shutdown_closes_idle_connections_and_lets_a_request_finish() {
    let mut server = serve(ServerOptions::default()).await;
    let silent = Raw::connect(server.address).await;
    let mut idle = Raw::connect(server.address).await;
    idle.send(REQUEST).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut running = Raw::connect(server.address).await;
    running.send(REQUEST.replace("hello", "slow")).await;
    server.waiting.wait_for(|count| *count == 1).await.expect("the server lives");

    server.shutdown.begin(Duration::from_secs(60));
    for mut raw in [silent, idle] {
        let begun = Instant::now();
        assert!(raw.rest().await.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(5), "only after {:?}", begun.elapsed());
    }
    let refused = tokio::net::TcpStream::connect(server.address).await;
    assert!(refused.is_err(), "the listener is closed");
    assert!(!server.served.is_finished(), "a request is still running");

    server.go.send(true).expect("the request waits");
    let answer = running.answer().await;
    assert_eq!((answer.body.as_str(), answer.header("connection").as_deref()), ("slow", Some("close")));
    assert!(running.rest().await.is_empty());
    tokio::time::timeout(SOON, server.served).await.expect("the server ends").expect("no panic");
}

#[tokio::test]
async fn a_server_ends_when_its_sockets_have_been_told() {
    let server = serve(ServerOptions::default()).await;
    let mut client = Handshake::new("/stream").open(server.address).await;
    server.shutdown.begin(Duration::from_millis(100));
    let (texts, code, _) = client.rest().await;
    assert!(texts[0].contains(r#""code":14,"#), "{texts:?}");
    assert_eq!(code, 1012);
    drop(client);
    tokio::time::timeout(SOON, server.served).await.expect("the server ends").expect("no panic");
}

#[tokio::test]
async fn handlers_are_told_who_connects() {
    let server = serve(ServerOptions::default()).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    let address = stream.local_addr().expect("it is connected");
    let request = "GET /peer HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.expect("an answer").expect("text");
    assert!(answer.ends_with(&format!("\r\n\r\n{address}")), "{answer}");
}

#[tokio::test]
async fn the_client_is_whom_a_trusted_proxy_names_and_a_stranger_is_not_believed() {
    for (network, client) in [("127.0.0.0/8", "192.0.2.7:0"), ("10.0.0.0/8", "127.0.0.1:")] {
        let options = ServerOptions::builder().trust(network).build().expect("valid options");
        let server = serve(options).await;
        let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
        let request = "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 8.8.8.8, 192.0.2.7\r\n\
            Connection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut answer))
            .await
            .expect("an answer")
            .expect("text");
        assert!(answer.contains(&format!("\r\n\r\n{client}")), "{answer}");
    }
}

#[tokio::test]
async fn times_that_are_off_do_not_end_a_connection() {
    let options = ServerOptions::builder().header_timeout(None).http2_keep_alive(Duration::ZERO);
    let server = serve(options.build().expect("valid options")).await;
    let mut raw = Raw::connect(server.address).await;
    // A timeout of zero would be over at once.
    assert!(tokio::time::timeout(HEADER_TIMEOUT, raw.rest()).await.is_err());
    raw.send(REQUEST).await;
    assert_eq!(raw.answer().await.body, "hello");
}

#[tokio::test]
async fn a_refused_socket_frees_its_place() {
    let server = serve(ServerOptions::builder().max_connections(1).build().expect("valid options")).await;
    let (answer, mut raw) = Handshake::new(SOCKET).without("Upgrade").send(server.address).await;
    assert_eq!(answer.status, 426, "{answer:?}");
    raw.rest().await;
    drop(raw);
    wait_for_place(&server).await;
}

#[tokio::test]
async fn connections_are_shared_out_to_runtimes_and_stay_there() {
    let threads = [(); 2].map(|()| OtherRuntime::start());
    let app = || Router::new().route("/thread", get(|| async { format!("{:?}", thread::current().id()) }));
    let mut workers = Workers::here(app());
    for runtime in &threads {
        workers = workers.and(runtime.handle.clone(), app());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shutdown = Shutdown::new();
    let options = ServerOptions::builder().max_connections(6).build().expect("valid options");
    let served = tokio::spawn(serve_on(listener, workers, options, shutdown.clone()));

    let request = REQUEST.replace("hello", "thread");
    let mut connections = Vec::new();
    for _ in 0..6 {
        let mut raw = Raw::connect(address).await;
        raw.send(&request).await;
        let thread = raw.answer().await.body;
        connections.push((raw, thread));
    }
    let on = |thread: &str| connections.iter().filter(|(_, other)| other == thread).count();
    assert!(connections.iter().all(|(_, thread)| on(thread) == 2), "two on each of three");
    for (raw, thread) in &mut connections {
        raw.send(&request).await;
        assert_eq!(raw.answer().await.body, *thread);
    }
    let mut raw = Raw::connect(address).await;
    raw.send(&request).await;
    assert_eq!(raw.answer().await.status, 503, "the limit is that of all together");

    shutdown.begin(Duration::from_secs(60));
    for (raw, _) in &mut connections {
        assert!(raw.rest().await.is_empty());
    }
    tokio::time::timeout(SOON, served).await.expect("the server ends").expect("no panic");
}

/// A runtime on a thread of its own.
struct OtherRuntime {
    handle: Handle,
    _running: watch::Sender<()>,
}

impl OtherRuntime {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        let (running, mut ended) = watch::channel(());
        thread::spawn(move || runtime.block_on(async move { ended.changed().await.is_err() }));
        Self { handle, _running: running }
    }
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_protocol_names_if_the_proxy_is_trusted() {
    let required = |network: &str| {
        let options = ServerOptions::builder().proxy_protocol(ProxyProtocol::Required).trust(network);
        options.build().expect("valid options")
    };
    let head = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
    let request = "GET /peer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let trusting = serve(required("127.0.0.0/8")).await;
    let wary = serve(required("10.0.0.0/8")).await;
    for (server, sent, answer) in [
        (&trusting, format!("{head}{request}"), "\r\n\r\n192.0.2.7:4711"),
        (&trusting, format!("PROXY UNKNOWN\r\n{request}"), "\r\n\r\n127.0.0.1:"),
        // Without a header, and from a proxy that nobody trusts, there is no answer at all.
        (&trusting, request.to_owned(), ""),
        (&wary, format!("{head}{request}"), ""),
    ] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
        stream.write_all(sent.as_bytes()).await.expect("it reads");
        let mut received = Vec::new();
        let read = stream.read_to_end(&mut received);
        let _ = tokio::time::timeout(SOON, read).await.expect("the connection ends");
        let received = String::from_utf8(received).expect("text");
        assert!(received.contains(answer) && received.is_empty() == answer.is_empty(), "{sent}: {received}");
    }
    // A stranger's header is no request where connections may do without one.
    let options = ServerOptions::builder().proxy_protocol(ProxyProtocol::Optional).trust("10.0.0.0/8");
    let optional = serve(options.build().expect("valid options")).await;
    let mut raw = Raw::connect(optional.address).await;
    raw.send(&format!("{head}{request}")).await;
    assert_eq!(raw.answer().await.status, 400);
}

#[tokio::test]
async fn a_proxy_that_falls_silent_inside_its_header_is_closed() {
    let options = ServerOptions::builder().proxy_protocol(ProxyProtocol::Required).trust("127.0.0.1");
    let server = serve(options.build().expect("valid options")).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("PROXY TCP4 192.0.2.7 ").await;
    let begun = std::time::Instant::now();
    tokio::time::timeout(SOON, raw.rest()).await.expect("the connection ends");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_drain_does_not_wait_for_the_header_of_a_silent_proxy() {
    let options = ServerOptions::builder().proxy_protocol(ProxyProtocol::Required).trust("127.0.0.1");
    let server = serve(options.build().expect("valid options")).await;
    let _silent = Raw::connect(server.address).await;
    // The server has accepted it when a later connection is answered.
    let mut raw = Raw::connect(server.address).await;
    raw.send("PROXY UNKNOWN\r\n").await;
    raw.send(REQUEST).await;
    assert_eq!(raw.answer().await.body, "hello");
    drop(raw);
    let begun = Instant::now();
    server.shutdown.begin(SOON);
    tokio::time::timeout(SOON, server.served).await.expect("the server ends").expect("no panic");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_headers_of_a_client_behind_a_proxy_that_passes_bytes_are_not_believed() {
    let options = ServerOptions::builder().proxy_protocol(ProxyProtocol::Optional).trust("127.0.0.1");
    let server = serve(options.build().expect("valid options")).await;
    let request =
        "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n";
    for (head, client) in [
        ("", "192.0.2.7:0"),
        ("PROXY UNKNOWN\r\n", "127.0.0.1:"),
        ("PROXY TCP4 198.51.100.9 198.51.100.1 4711 443\r\n", "198.51.100.9:4711"),
        // The client that it names is a trusted proxy itself.
        ("PROXY TCP4 127.0.0.1 198.51.100.1 4711 443\r\n", "192.0.2.7:0"),
    ] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(&format!("{head}{request}")).await;
        let body = raw.answer().await.body;
        assert!(body.starts_with(client), "{head:?}: {body}");
    }
}
