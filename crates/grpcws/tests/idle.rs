//! What a socket keeps on which nothing is said, or nothing any more.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use common::SOON;
use common::raw::{Handshake, serve_app};
use common::whole::services;
use grpcws::bridge::{Bridge, RequestBody};
use grpcws::server::ServerOptions;
use grpcws::{Shutdown, Status};
use http_body_util::Empty;
use tikv_jemalloc_ctl::{epoch, stats};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Each test has the memory of the process for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

const SOCKETS: usize = 300;

/// Above what was measured, and below that and a buffer of 4 KiB for each socket.
const LIMIT: usize = 7 * 1024;

/// How many sockets carry large messages, for each mode.
const TALKERS: usize = 50;

/// What a socket may hold that has carried them.
const LIMIT_AFTER_LARGE: usize = 8 * 1024;

/// The largest message that the gateway takes.
const LARGE: usize = 4 * 1024 * 1024;

/// How many bytes the process has allocated.
fn allocated() -> usize {
    epoch::advance().expect("jemalloc is the allocator");
    stats::allocated::read().expect("jemalloc is the allocator")
}

/// Opens sockets in a thread of its own, without a task or a buffer for each.
async fn open(address: SocketAddr) -> Vec<TcpStream> {
    let handshake = Handshake::new("/ws/test.v1.TestService/Bidi")
        .with("Sec-WebSocket-Protocol", "grpcws.v1.proto")
        .with("Authorization", "Bearer t")
        .bytes();
    let opened = tokio::task::spawn_blocking(move || {
        let mut sockets = Vec::with_capacity(SOCKETS);
        for _ in 0..SOCKETS {
            let mut socket = TcpStream::connect(address).expect("the server listens");
            socket.write_all(&handshake).expect("the server reads");
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).expect("the server answers");
            assert_eq!(&answer, b"HTTP/1.1 101");
            sockets.push(socket);
        }
        sockets
    });
    opened.await.expect("it does not panic")
}

/// How many bytes each of so many sockets holds, when that is below the limit or has had time to become so.
async fn settled(before: usize, sockets: usize, limit: usize) -> usize {
    let started = Instant::now();
    let each = || allocated().saturating_sub(before) / sockets;
    while each() > limit && started.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    each()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_socket_keeps_nothing_of_its_handshake() {
    let _alone = ALONE.lock().await;
    // The call takes its request, and never answers.
    let silent = tower::service_fn(|request: Request<RequestBody>| async move {
        let _request = request;
        std::future::pending::<Result<Response<Empty<Bytes>>, Status>>().await
    });
    let shutdown = Shutdown::new();
    let app = Router::new().nest_service("/ws", Bridge::new(silent).shutdown(shutdown.clone()));
    let (address, served) = serve_app(app, ServerOptions::default(), &shutdown).await;

    // What is allocated once, and what is kept for the next socket, is there after the first ones.
    drop(open(address).await);
    while shutdown.streams() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = allocated();
    let sockets = open(address).await;
    let each = settled(before, SOCKETS, LIMIT).await;
    assert_eq!(shutdown.streams(), SOCKETS);
    assert!(each <= LIMIT, "{each} bytes for each idle socket");

    drop(sockets);
    shutdown.begin(Duration::ZERO);
    served.await.expect("it does not panic");
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    // Shorter lengths have a shorter form.
    if let Ok(length @ ..126) = u8::try_from(payload.len()) {
        frame.splice(1..10, [0x80 | length]);
    }
    frame
}

/// A message with a payload, so that all of it has this length.
fn message(subprotocol: &str, length: usize) -> Vec<u8> {
    if subprotocol.ends_with("json") {
        let envelope = r#"{"type":"data","data":{"payload":""}}"#.len();
        let payload = "A".repeat((length - envelope) / 4 * 4);
        return frame(0x81, format!(r#"{{"type":"data","data":{{"payload":"{payload}"}}}}"#).as_bytes());
    }
    let mut bytes = vec![0x12];
    // One byte for the tag and four for the length, in the long form that any length may have.
    let payload = length - 5;
    for shift in [0, 7, 14, 21] {
        let more = if shift < 21 { 0x80 } else { 0 };
        bytes.push(more | u8::try_from(payload >> shift & 0x7f).expect("seven bits"));
    }
    bytes.resize(length, b'x');
    frame(0x82, &bytes)
}

/// Reads frames until one is as long as a message.
fn read_message(socket: &mut TcpStream, length: usize) {
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).expect("the server answers");
        assert_ne!(head[0], 0x88, "the server closes");
        let mut size = [0; 8];
        let found = match head[1] {
            126 => socket.read_exact(&mut size[6..]).map(|()| u64::from_be_bytes(size)),
            127 => socket.read_exact(&mut size).map(|()| u64::from_be_bytes(size)),
            short => Ok(u64::from(short)),
        };
        let mut payload = vec![0; usize::try_from(found.expect("the server answers")).expect("it fits")];
        socket.read_exact(&mut payload).expect("the server answers");
        let is_data = payload.starts_with(&[0x12]) || payload.starts_with(br#"{"type":"data""#);
        if is_data && payload.len() > length * 9 / 10 {
            return;
        }
    }
}

/// Opens sockets, and carries a large message and then small ones both ways on each.
async fn talk(address: SocketAddr, subprotocol: &'static str) -> Vec<TcpStream> {
    let handshake = Handshake::new("/ws/grpcws.test.v1.TestService/Bidi")
        .with("Sec-WebSocket-Protocol", subprotocol)
        .bytes();
    let talked = tokio::task::spawn_blocking(move || {
        let messages = [LARGE, 60, 90, 100].map(|length| (length, message(subprotocol, length)));
        let mut sockets = Vec::with_capacity(TALKERS);
        for _ in 0..TALKERS {
            let mut socket = TcpStream::connect(address).expect("the server listens");
            socket.write_all(&handshake).expect("the server reads");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).expect("the server answers");
                head.extend(byte);
            }
            assert!(head.starts_with(b"HTTP/1.1 101"));
            for (length, message) in &messages {
                socket.write_all(message).expect("the server reads");
                read_message(&mut socket, *length);
            }
            sockets.push(socket);
        }
        sockets
    });
    talked.await.expect("it does not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_gives_back_what_large_messages_took() {
    let _alone = ALONE.lock().await;
    // The call answers each message with itself.
    let echo = tower::service_fn(|request: Request<RequestBody>| async move {
        let mut response = Response::new(request.into_body());
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        Ok::<_, Status>(response)
    });
    let shutdown = Shutdown::new();
    let bridge = Bridge::new(echo).descriptors(services()).shutdown(shutdown.clone());
    let app = Router::new().nest_service("/ws", bridge);
    let (address, served) = serve_app(app, ServerOptions::default(), &shutdown).await;

    for subprotocol in ["grpcws.v1.json", "grpcws.v1.proto"] {
        // What is allocated once, and what is kept for the next socket, is there after the first ones.
        drop(talk(address, subprotocol).await);
        while shutdown.streams() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = allocated();
        let sockets = talk(address, subprotocol).await;
        let each = settled(before, TALKERS, LIMIT_AFTER_LARGE).await;
        assert_eq!(shutdown.streams(), TALKERS);
        assert!(each <= LIMIT_AFTER_LARGE, "{each} bytes for each socket of {subprotocol}");
        drop(sockets);
        while shutdown.streams() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    shutdown.begin(Duration::ZERO);
    served.await.expect("it does not panic");
}
