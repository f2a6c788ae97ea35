//! What a socket keeps on which nothing is said.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use common::SOON;
use common::raw::{Handshake, serve_app};
use grpcws::bridge::{Bridge, RequestBody};
use grpcws::server::ServerOptions;
use grpcws::{Shutdown, Status};
use http_body_util::Empty;
use tikv_jemalloc_ctl::{epoch, stats};
use tokio_tungstenite::tungstenite::http::{Request, Response};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SOCKETS: usize = 300;

/// Above what was measured, and below that and a buffer of 4 KiB for each socket.
const LIMIT: usize = 7 * 1024;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_socket_keeps_nothing_of_its_handshake() {
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
    let (before, started) = (allocated(), Instant::now());
    let sockets = open(address).await;
    let each = || allocated().saturating_sub(before) / SOCKETS;
    while each() > LIMIT && started.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let each = each();
    assert_eq!(shutdown.streams(), SOCKETS);
    assert!(each <= LIMIT, "{each} bytes for each idle socket");

    drop(sockets);
    shutdown.begin(Duration::ZERO);
    served.await.expect("it does not panic");
}
