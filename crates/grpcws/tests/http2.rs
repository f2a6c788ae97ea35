//! WebSockets over HTTP/2 (RFC 8441), with a bare HTTP/2 client.

mod common;

use bytes::Bytes;
use common::http2::{connect, handshake, into_client, open, request, send};
use common::{Bridge, Received, SOON};
use grpcws::ConnectionOptions;
use grpcws::proto::session::WindowBudget;
use h2::ext::Protocol;
use http::Method;

#[tokio::test]
async fn two_sockets_share_a_connection() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut connection = connect(bridge.address).await;
    assert!(connection.is_extended_connect_protocol_enabled());

    let mut first = open(&mut connection, bridge.address, "/ws/test/bidi", "").await;
    let mut second = open(&mut connection, bridge.address, "/ws/test/client-stream", "grpcws.v1.json").await;
    second.send(r#"{"type":"data","data":{"sequence":"1"}}"#).await;
    for sequence in 1..=3 {
        first.send(&format!(r#"{{"type":"data","data":{{"sequence":"{sequence}"}}}}"#)).await;
        let Received::Text(answer) = first.next().await else { panic!("no answer") };
        assert!(answer.contains(&format!(r#""requestSequence":"{sequence}""#)), "{answer}");
    }
    first.send(r#"{"type":"end_send"}"#).await;
    let (texts, code, reason) = first.rest().await;
    assert_eq!((texts, code), (vec![r#"{"type":"stream_end"}"#.to_owned()], 1000));
    assert_eq!(reason, "OK");
    drop(first);

    // The end of one is not that of the other.
    second.send(r#"{"type":"data","data":{"sequence":"2"}}"#).await;
    second.send(r#"{"type":"end_send"}"#).await;
    let (texts, code, _) = second.rest().await;
    assert!(texts[0].starts_with(r#"{"type":"open""#), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains(r#""messages":"2""#)), "{texts:?}");
    assert_eq!(code, 1000);
    drop(second);
    bridge.settle().await;
    assert_eq!(bridge.service.stats().completed, 2);
}

#[tokio::test]
async fn the_streams_of_all_connections_count_together() {
    let options = ConnectionOptions::builder().max_streams(3).build().expect("valid options");
    let bridge = Bridge::start(options).await;
    let (mut one, mut other) = (connect(bridge.address).await, connect(bridge.address).await);
    let first = open(&mut one, bridge.address, "/ws/test/bidi", "").await;
    let _second = open(&mut one, bridge.address, "/ws/test/bidi", "grpcws.v1.proto").await;
    let _third = open(&mut other, bridge.address, "/ws/test/bidi", "").await;
    for connection in [&mut one, &mut other] {
        let (response, _) =
            send(connection, handshake(bridge.address, "/ws/test/bidi", "grpcws.v1.json")).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
    }
    drop(first);
    let freed = async {
        while bridge.shutdown.streams() == 3 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, freed).await.expect("the stream ends");
    open(&mut other, bridge.address, "/ws/test/bidi", "").await;
}

#[tokio::test]
async fn a_client_that_resets_its_stream_is_lost() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut connection = connect(bridge.address).await;
    let (response, mut stream) = send(&mut connection, handshake(bridge.address, "/ws/test/bidi", "")).await;
    assert_eq!(response.status(), 200);
    let live = async {
        while bridge.service.stats().live == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, live).await.expect("the call starts");
    stream.send_reset(h2::Reason::CANCEL);
    bridge.settle().await;
    assert_eq!(bridge.service.stats().cancelled, 1);
}

#[tokio::test]
async fn a_large_stream_arrives_whole() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut connection = connect(bridge.address).await;
    let path = "/ws/test/server-stream?count=2000&size=1000&first_sequence=1";
    let mut client = open(&mut connection, bridge.address, path, "").await;
    let (texts, code, _) = client.rest().await;
    assert_eq!((texts.len(), code), (2001, 1000));
    for (sequence, text) in (1..=2000).zip(&texts) {
        assert!(text.starts_with(&format!(r#"{{"type":"data","data":{{"sequence":"{sequence}","#)), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut connection = connect(bridge.address).await;
    let good = || handshake(bridge.address, "/ws/test/bidi", "");
    let mut other_protocol = good();
    other_protocol.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let mut other_version = good();
    other_version.headers_mut().insert("sec-websocket-version", "8".parse().expect("valid"));
    let mut other_origin = good();
    other_origin.headers_mut().insert("origin", "http://evil.example".parse().expect("valid"));
    let mut same_origin = good();
    let origin = format!("http://{}", bridge.address);
    same_origin.headers_mut().insert("origin", origin.parse().expect("valid"));
    for (request, status) in [
        (request(bridge.address, Method::GET, "/ws/test/bidi"), 426),
        (other_protocol, 426),
        (other_version, 426),
        (other_origin, 403),
        (handshake(bridge.address, "/ws/test/bidi", "chat"), 400),
        (same_origin, 200),
    ] {
        let (response, _) = send(&mut connection, request).await;
        assert_eq!(response.status(), status, "{response:?}");
        assert!(!response.headers().contains_key("connection"), "{response:?}");
    }
}

/// How many frames a client sends that nobody reads: more than h2 puts up with where it chooses the limit itself.
const UNREAD: usize = 10_000;

#[tokio::test]
async fn a_socket_that_is_not_read_holds_no_other_one_of_its_connection_up() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut connection = connect(bridge.address).await;
    let mut stuck = handshake(bridge.address, "/ws/test/client-stream", "");
    stuck
        .headers_mut()
        .insert("grpc-metadata-test-script", "ignore_input=true&hold_open_ms=-1".parse().expect("valid"));
    let (response, mut stream) = send(&mut connection, stuck).await;
    assert_eq!(response.status(), 200);
    let text = br#"{"type":"data","data":{}}"#;
    // A masked text frame whose mask is zero.
    let frame = [&[0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0], &text[..]].concat();
    for _ in 0..UNREAD {
        stream.send_data(Bytes::copy_from_slice(&frame), false).expect("the stream is open");
    }
    let mut other = open(&mut connection, bridge.address, "/ws/test/bidi", "").await;
    for sequence in 1..=100 {
        other.send(&format!(r#"{{"type":"data","data":{{"sequence":"{sequence}"}}}}"#)).await;
        let Received::Text(answer) = other.next().await else { panic!("no answer") };
        assert!(answer.contains(&format!(r#""requestSequence":"{sequence}""#)), "{answer}");
    }
    assert_eq!(bridge.service.stats().live, 2, "the other one is alive too");
}

/// Opens a stream that nobody reads for 3 s, and sends as much as HTTP/2 lets it.
async fn stuck(
    connection: &mut h2::client::SendRequest<Bytes>,
    address: std::net::SocketAddr,
) -> common::Client<tokio::io::DuplexStream> {
    let mut stuck = handshake(address, "/ws/test/client-stream", "grpcws.v1.json");
    stuck
        .headers_mut()
        .insert("grpc-metadata-test-script", "ignore_input=true&hold_open_ms=3000".parse().expect("valid"));
    let (response, mut stream) = send(connection, stuck).await;
    assert_eq!(response.status(), 200);
    let text = format!(r#"{{"type":"data","data":{{"payload":"{}"}}}}"#, "A".repeat(60_000));
    let length = u16::try_from(text.len()).expect("short").to_be_bytes();
    let frame = [&[0x81, 0xfe, length[0], length[1], 0, 0, 0, 0], text.as_bytes()].concat();
    for _ in 0..100 {
        stream.send_data(Bytes::copy_from_slice(&frame), false).expect("the stream is open");
    }
    into_client(response, stream).await
}

async fn lent(budget: &WindowBudget, bytes: u64) {
    let lent = async {
        while budget.used() != bytes {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, lent).await;
    assert!(waited.is_ok(), "{} bytes are lent", budget.used());
}

#[tokio::test]
async fn what_clients_beyond_their_windows_may_hold_is_bounded_by_the_budget() {
    const HELD: u64 = (1024 - 64) * 1024;
    let budget = WindowBudget::new(2 * HELD);
    // Windows that grow would borrow as well.
    let options =
        ConnectionOptions::builder().receive_window_max(64 * 1024).receive_window_budget(budget.clone());
    let bridge = Bridge::start(options.build().expect("valid options")).await;
    let mut connection = connect(bridge.address).await;
    let first = stuck(&mut connection, bridge.address).await;
    lent(&budget, HELD).await;
    let second = stuck(&mut connection, bridge.address).await;
    lent(&budget, 2 * HELD).await;

    // There is nothing left for a third one, whose bytes are thrown away.
    let mut third = stuck(&mut connection, bridge.address).await;
    let (texts, code, _) = third.rest().await;
    assert_eq!(code, 1008);
    let error = texts.last().expect("a terminal message");
    assert!(error.contains("RESOURCE_EXHAUSTED") && error.contains("receive_window_budget"), "{error}");

    // One that keeps to its window needs nothing of it.
    let mut other = open(&mut connection, bridge.address, "/ws/test/bidi", "").await;
    other.send(r#"{"type":"data","data":{"sequence":"1"}}"#).await;
    let Received::Text(answer) = other.next().await else { panic!("no answer") };
    assert!(answer.contains(r#""requestSequence":"1""#), "{answer}");

    // When the calls end, nothing is held any more.
    lent(&budget, 0).await;
    drop((first, second));
}
