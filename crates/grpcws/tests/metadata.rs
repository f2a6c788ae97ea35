//! What a handshake says of the call: metadata in headers and sub-protocols, on the way to the upstream.

mod common;

use common::raw::Handshake;
use common::{Bridge, Client, Received};
use grpcws::ConnectionOptions;
use tokio::net::TcpStream;

const PATH: &str = "/ws/test/server-stream?count=1&echo_metadata=ECHO_METADATA_MESSAGE";
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
/// `grpcws.bearer.` with the token `secret-token`.
const BEARER: &str = "grpcws.bearer.c2VjcmV0LXRva2Vu";
/// `grpcws.metadata.` with `{"x-game":"g1","x-both":["a","b"]}`.
const METADATA: &str = "grpcws.metadata.eyJ4LWdhbWUiOiJnMSIsIngtYm90aCI6WyJhIiwiYiJdfQ";

/// The first `data` message: it carries the metadata that the upstream has received.
async fn received_upstream(client: &mut Client<TcpStream>) -> String {
    loop {
        match client.next().await {
            Received::Text(text) if text.starts_with(r#"{"type":"data""#) => return text,
            Received::Text(text) if text.contains(r#""type":"error""#) => panic!("{text}"),
            Received::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn tokens_and_metadata_of_sub_protocols_reach_the_upstream_and_are_not_echoed() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let handshake = Handshake::new(PATH)
        .with(SUBPROTOCOL, BEARER)
        .with(SUBPROTOCOL, &format!("grpcws.v1.json, {METADATA}"));
    let (answer, raw) = handshake.send(bridge.address).await;
    assert_eq!(answer.header(SUBPROTOCOL).as_deref(), Some("grpcws.v1.json"));
    let echoed = format!("{answer:?}");
    assert!(!echoed.contains("bearer") && !echoed.contains("metadata"), "{echoed}");
    let text = received_upstream(&mut raw.into_client().await).await;
    for member in [
        r#""authorization":{"values":["Bearer secret-token"]}"#,
        r#""x-game":{"values":["g1"]}"#,
        r#""x-both":{"values":["a","b"]}"#,
    ] {
        assert!(text.contains(member), "{member} in {text}");
    }
    assert!(!text.contains("sec-websocket"), "{text}");
}

#[tokio::test]
async fn headers_pass_by_name_or_prefix_and_no_others() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let handshake = Handshake::new(PATH)
        .with("Authorization", "Bearer of-the-header")
        .with("X-Request-Id", "r-1")
        .with("Grpc-Metadata-X-Game", "g1")
        .with("Grpc-Metadata-X-Trace-Bin", "AQI=")
        .with("Cookie", "session=1")
        .with("X-Forwarded-For", "192.0.2.1")
        .with("Grpc-Metadata-Te", "gzip")
        .with("X-Other", "1");
    let text = received_upstream(&mut handshake.open(bridge.address).await).await;
    for member in [
        r#""authorization":{"values":["Bearer of-the-header"]}"#,
        r#""x-request-id":{"values":["r-1"]}"#,
        r#""x-game":{"values":["g1"]}"#,
        r#""x-trace-bin":{"values":["AQI"]}"#,
        // tonic's own.
        r#""te":{"values":["trailers"]}"#,
    ] {
        assert!(text.contains(member), "{member} in {text}");
    }
    for name in ["cookie", "x-forwarded-for", "x-other", "sec-websocket", "host", "upgrade"] {
        assert!(!text.contains(&format!(r#""{name}"#)), "{name} in {text}");
    }
}

#[tokio::test]
async fn metadata_that_does_not_parse_is_refused_by_the_protocol_or_by_http() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let bad_headers = [
        ("Grpc-Metadata-Key-Bin", "*", "key-bin"),
        ("Grpc-Timeout", "soon", "grpc-timeout"),
        ("Grpcws-Credit", "0", "grpcws-credit"),
    ];
    for (name, value, reason) in bad_headers {
        let seed = Handshake::new(PATH).with(name, value);
        let (answer, mut raw) = seed.send(bridge.address).await;
        assert_eq!((answer.status, answer.body.contains(reason)), (400, true), "{answer:?}");
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
        assert!(raw.rest().await.is_empty());

        let mut client = seed.with(SUBPROTOCOL, "grpcws.v1.json").open(bridge.address).await;
        assert_refused(&mut client, reason).await;
    }
    for (offer, reason) in [
        ("grpcws.bearer.%", "grpcws.bearer"),
        ("grpcws.bearer.c2VjcmV0, grpcws.bearer.c2VjcmV0LXRva2Vu", "grpcws.bearer"),
        // `not json`.
        ("grpcws.metadata.bm90IGpzb24", "grpcws.metadata"),
    ] {
        let offer = format!("{offer}, grpcws.v1.json");
        let mut client = Handshake::new(PATH).with(SUBPROTOCOL, &offer).open(bridge.address).await;
        assert_refused(&mut client, reason).await;
    }
    let two_tokens = Handshake::new(PATH)
        .with("Authorization", "Bearer other")
        .with(SUBPROTOCOL, &format!("grpcws.v1.json, {BEARER}"));
    let text = assert_refused(&mut two_tokens.open(bridge.address).await, "authorization").await;
    assert!(!text.contains("secret") && !text.contains("other"), "{text}");
    assert_eq!(bridge.service.stats().started, 0);
}

/// `open`, then `error` with code 3; returns the error.
async fn assert_refused(client: &mut Client<TcpStream>, reason: &str) -> String {
    let (texts, code, _) = client.rest().await;
    let [open, error] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(open.starts_with(r#"{"type":"open""#), "{open}");
    assert!(error.contains(r#""code":3"#) && error.contains(reason), "{reason}: {error}");
    assert_eq!(code, 4003);
    error.clone()
}
