//! Deadlines: enforced by the bridge, and forwarded to the upstream.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::any;
use common::raw::{Handshake, serve_app};
use common::{Bridge, app};
use grpcws::server::ServerOptions;
use grpcws::{BidiStreamHandler, ConnectionOptions, ServerStreamHandler, Shutdown, Status};
use grpcws_test::pb::{BidiRequest, BidiResponse, ServerStreamRequest, ServerStreamResponse};

/// How late an end may be at most.
const TOLERANCE: Duration = Duration::from_millis(100);

type Pending<T> = tokio_stream::Pending<Result<T, Status>>;

/// Asserts that a stream with this deadline ends with code 4, never early, and in the best of some tries not
/// late: how long a loaded machine lets a client wait is no fault of the bridge.
async fn assert_ends_in_time(address: std::net::SocketAddr, path: &str, timeout: Duration) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let handshake = Handshake::new(path).with("Grpc-Timeout", &format!("{}m", timeout.as_millis()));
        let begun = Instant::now();
        let (texts, code, reason) = handshake.open(address).await.rest().await;
        let late = begun.elapsed().checked_sub(timeout).expect("the deadline had passed");
        let error = texts.last().expect("a terminal message");
        assert!(error.contains(r#""code":4,"status":"DEADLINE_EXCEEDED""#), "{path}: {texts:?}");
        assert_eq!((code, reason.as_str()), (4004, "DEADLINE_EXCEEDED: deadline exceeded"), "{path}");
        best = best.min(late);
        if best < TOLERANCE {
            return;
        }
    }
    panic!("{path} ended {best:?} after its deadline");
}

#[tokio::test]
async fn a_deadline_is_enforced_wherever_the_upstream_hangs() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let timeout = Duration::from_millis(300);
    for path in [
        "/ws/test/server-stream?count=1&hold_open_ms=-1",
        // Before its response headers, where the tonic client has a timer for the same deadline.
        "/ws/test/server-stream?count=1&initial_delay_ms=600000",
        "/ws/test/server-stream?count=1000000&rate=200",
        "/ws/test/client-stream",
        "/ws/test/bidi",
    ] {
        assert_ends_in_time(bridge.address, path, timeout).await;
    }
    bridge.settle().await;
    assert_eq!(bridge.service.stats().completed, 0);
}

#[tokio::test]
async fn the_time_that_the_request_parser_takes_is_part_of_the_deadline() {
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    let never = |_: ServerStreamRequest, _| async {
        Ok::<Pending<ServerStreamResponse>, Status>(tokio_stream::pending())
    };
    let parse = |delay: Duration| {
        move || async move {
            tokio::time::sleep(delay).await;
            ServerStreamRequest::default()
        }
    };
    let slow = ServerStreamHandler::new(&ws, never, parse(Duration::from_millis(250))).expect("known");
    let hanging = ServerStreamHandler::new(&ws, never, parse(Duration::from_secs(600))).expect("known");
    let app = Router::new().route("/slow", any(slow)).route("/hanging", any(hanging));
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    assert_ends_in_time(address, "/slow", Duration::from_millis(400)).await;

    // In the v1 protocol a parser that hangs is told by the protocol, in seed mode by HTTP.
    let hanging = Handshake::new("/hanging").with("Grpc-Timeout", "100m");
    let v1 = hanging.clone().with("Sec-WebSocket-Protocol", "grpcws.v1.json");
    let (texts, code, _) = v1.open(address).await.rest().await;
    assert!(texts[1].contains(r#""code":4"#), "{texts:?}");
    assert_eq!(code, 4004);
    assert_eq!(hanging.send(address).await.0.status, 504);
}

#[tokio::test]
async fn what_is_left_of_the_deadline_goes_to_the_upstream() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let path = "/ws/test/server-stream?count=1&echo_metadata=ECHO_METADATA_MESSAGE";
    let handshake = Handshake::new(path).with("Grpc-Timeout", "5S");
    let (texts, ..) = handshake.open(bridge.address).await.rest().await;
    let value = texts[0].split_once(r#""grpc-timeout":{"values":[""#).expect("a deadline").1;
    let value = value.split_once('"').expect("a string").0;
    let micros: u64 =
        value.strip_suffix('u').expect("tonic writes microseconds here").parse().expect("digits");
    assert!((3_000_000..5_000_000).contains(&micros), "{micros}");
}

#[tokio::test]
async fn a_deadline_of_zero_starts_no_call() {
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let bidi = BidiStreamHandler::<BidiRequest>::new(&ws, move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<Pending<BidiResponse>, Status>(tokio_stream::pending()) }
    });
    let count = Arc::clone(&started);
    let server_stream = ServerStreamHandler::new(
        &ws,
        move |_: ServerStreamRequest, _| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<Pending<ServerStreamResponse>, Status>(tokio_stream::pending()) }
        },
        || async { ServerStreamRequest::default() },
    );
    let app = Router::new()
        .route("/bidi", any(bidi.expect("known")))
        .route("/server-stream", any(server_stream.expect("known")));
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    for path in ["/bidi", "/server-stream"] {
        for timeout in ["0S", "0n"] {
            let handshake = Handshake::new(path)
                .with("Grpc-Timeout", timeout)
                .with("Sec-WebSocket-Protocol", "grpcws.v1.json");
            let (texts, code, _) = handshake.open(address).await.rest().await;
            assert!(texts[1].contains(r#""code":4"#), "{texts:?}");
            assert_eq!(code, 4004);
        }
        assert_eq!(started.load(Ordering::Relaxed), 0, "{path}");
    }
}
