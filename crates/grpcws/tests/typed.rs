//! Typed handlers on a real gRPC server: the three kinds of streaming, in all modes.

mod common;

use axum::Router;
use axum::routing::any;
use common::raw::{Handshake, serve_app};
use common::{Bridge, Received, app};
use grpcws::server::ServerOptions;
use grpcws::{ConnectionOptions, ServerStreamHandler, Shutdown, Status};
use grpcws_test::pb::{ServerStreamRequest, ServerStreamResponse};

const V1: &str = "grpcws.v1.json";

#[tokio::test]
async fn a_server_stream_comes_in_order_and_ends() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("server-stream?count=3&first_sequence=1", "").await;
    let (texts, code, reason) = client.rest().await;
    assert_eq!(
        texts,
        [
            r#"{"type":"data","data":{"sequence":"1"}}"#,
            r#"{"type":"data","data":{"sequence":"2"}}"#,
            r#"{"type":"data","data":{"sequence":"3"}}"#,
            r#"{"type":"stream_end"}"#
        ]
    );
    assert_eq!((code, reason.as_str()), (1000, "OK"));
    bridge.settle().await;
    assert_eq!(bridge.service.stats().completed, 1);
}

#[tokio::test]
async fn v1_opens_with_its_limits_and_response_headers() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("server-stream?count=1", V1).await;
    let (texts, code, _) = client.rest().await;
    assert_eq!(
        texts[0],
        r#"{"type":"open","features":["credit"],"maxMessageBytes":4194304,"receiveWindow":65536,"pingPeriodMs":30000}"#
    );
    assert!(texts[1].starts_with(r#"{"type":"headers","headers":{"#), "{}", texts[1]);
    assert_eq!(texts[3], r#"{"type":"stream_end"}"#);
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn v1_proto_carries_the_bytes_of_the_messages() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("server-stream?count=1&first_sequence=150", "grpcws.v1.proto").await;
    assert!(matches!(client.next().await, Received::Text(text) if text.contains("open")));
    assert!(matches!(client.next().await, Received::Text(text) if text.contains("headers")));
    assert_eq!(client.next().await, Received::Binary(vec![0x08, 0x96, 0x01]));
    assert_eq!(client.next().await, Received::Text(r#"{"type":"stream_end"}"#.to_owned()));
}

#[tokio::test]
async fn a_client_stream_is_answered_after_its_half_close() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("client-stream", "").await;
    for sequence in 1..=3 {
        client.send(&format!(r#"{{"type":"data","data":{{"sequence":"{sequence}"}}}}"#)).await;
    }
    client.send(r#"{"type":"end_send"}"#).await;
    let (texts, code, _) = client.rest().await;
    assert!(texts[0].contains(r#""messages":"3""#) && texts[0].contains(r#""inOrder":true"#), "{}", texts[0]);
    assert_eq!(texts[1], r#"{"type":"stream_end"}"#);
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn bidi_answers_each_message_and_outlives_the_half_close() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    for mode in ["", V1] {
        let mut client = bridge.connect("bidi", mode).await;
        client.send(r#"{"type":"data","data":{"sequence":7}}"#).await;
        let mut texts = Vec::new();
        while !texts.last().is_some_and(|text: &String| text.contains(r#""requestSequence":"7""#)) {
            match client.next().await {
                Received::Text(text) => texts.push(text),
                other => panic!("{other:?} after {texts:?}"),
            }
        }
        client.send(r#"{"type":"end_send"}"#).await;
        let (texts, code, _) = client.rest().await;
        assert_eq!(texts, [r#"{"type":"stream_end"}"#]);
        assert_eq!(code, 1000);
    }
}

#[tokio::test]
async fn a_status_comes_with_all_its_parts() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let path = "server-stream?count=5&fail.code=5&fail.message=no%20game&fail.after=1";
    let mut client = bridge.connect(path, "").await;
    let (texts, code, reason) = client.rest().await;
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[1].starts_with(
            r#"{"type":"error","error":"rpc error: code = NotFound desc = no game","code":5,"status":"NOT_FOUND","message":"no game""#
        ),
        "{}",
        texts[1]
    );
    assert_eq!((code, reason.as_str()), (4005, "NOT_FOUND: no game"));
}

#[tokio::test]
async fn the_end_is_said_however_many_messages_come_before_it() {
    // Around the numbers of messages after which the task gives way to others.
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    for count in (120..136).chain(250..260) {
        for mode in ["", V1] {
            let mut client = bridge.connect(&format!("server-stream?count={count}"), mode).await;
            let (texts, code, _) = client.rest().await;
            let data = texts.iter().filter(|text| text.contains(r#""type":"data""#)).count();
            assert_eq!((data, code), (count, 1000), "{count} in {mode:?}");
            assert_eq!(texts.last().map(String::as_str), Some(r#"{"type":"stream_end"}"#));
        }
    }
}

#[tokio::test]
async fn an_error_with_status_ok_is_no_success() {
    type Responses = tokio_stream::Once<Result<ServerStreamResponse, Status>>;
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    let request = || async { ServerStreamRequest::default() };
    let no_request = || async { Err::<ServerStreamRequest, _>(Status::ok()) };
    let in_closure = |_: ServerStreamRequest, _| async { Err::<Responses, _>(Status::ok()) };
    let in_stream =
        |_: ServerStreamRequest, _| async { Ok::<Responses, Status>(tokio_stream::once(Err(Status::ok()))) };
    let app = Router::new()
        .route("/closure", any(ServerStreamHandler::new(&ws, in_closure, request).expect("known")))
        .route("/stream", any(ServerStreamHandler::new(&ws, in_stream, request).expect("known")))
        .route("/parser", any(ServerStreamHandler::new(&ws, in_stream, no_request).expect("known")));
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    for path in ["/closure", "/stream", "/parser"] {
        let handshake = Handshake::new(path).with("Sec-WebSocket-Protocol", V1);
        let (texts, code, _) = handshake.open(address).await.rest().await;
        assert_eq!(code, 4013, "{path}: {texts:?}");
        assert!(texts.iter().all(|text| !text.contains("stream_end")), "{path}: {texts:?}");
    }
    assert_eq!(Handshake::new("/parser").send(address).await.0.status, 500);
}
