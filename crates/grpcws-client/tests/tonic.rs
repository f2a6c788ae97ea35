//! A generated tonic client, unchanged, over WebSocket.

mod common;

use std::time::Duration;

use common::{Gateway, SOON, soon};
use grpcws_client::HttpVersion::{Http1, Http2};
use grpcws_test::pb::{
    BidiRequest, ClientStreamRequest, Failure, MetadataValues, Script, ServerStreamRequest, UnaryRequest,
};
use prost_types::Any;
use tokio_stream::StreamExt;
use tonic::metadata::{BinaryMetadataValue, MetadataValue};
use tonic::{Code, Request};

fn values(texts: &[&str]) -> MetadataValues {
    MetadataValues { values: texts.iter().map(|&text| text.to_owned()).collect() }
}

#[tokio::test]
async fn all_four_kinds_work() {
    let gateway = Gateway::start().await;
    for version in [Http1, Http2] {
        let mut client = gateway.tonic(version);
        let request = UnaryRequest { sequence: 7, payload: vec![1, 2].into(), ..Default::default() };
        let response = soon(client.unary(request)).await.expect("it succeeds").into_inner();
        assert_eq!((response.sequence, &*response.payload), (7, &[1, 2][..]));

        let request = ServerStreamRequest { count: 1000, size: 100, first_sequence: 1, ..Default::default() };
        let mut responses = soon(client.server_stream(request)).await.expect("it starts").into_inner();
        for sequence in 1..=1000 {
            let response = soon(responses.message()).await.expect("it goes on").expect("a message");
            assert_eq!((response.sequence, response.payload.len()), (sequence, 100));
        }
        assert!(soon(responses.message()).await.expect("it ends with OK").is_none());

        let requests = (1..=500).map(|sequence| ClientStreamRequest {
            sequence,
            payload: vec![0; 1000].into(),
            ..Default::default()
        });
        let requests = tokio_stream::iter(requests);
        let summary = soon(client.client_stream(requests)).await.expect("it succeeds").into_inner();
        assert_eq!((summary.messages, summary.bytes, summary.in_order), (500, 500_000, true));

        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let mut responses = soon(client.bidi(requests)).await.expect("it starts").into_inner();
        for sequence in 1..=20 {
            sender.send(BidiRequest { sequence, ..Default::default() }).await.expect("the call goes on");
            let response = soon(responses.message()).await.expect("it goes on").expect("a message");
            assert_eq!(response.request_sequence, Some(sequence));
        }
        drop(sender);
        assert!(soon(responses.message()).await.expect("it ends with OK").is_none());
    }
    gateway.settle().await;
    let stats = gateway.service.stats();
    assert_eq!((stats.completed, stats.cancelled, stats.failed), (8, 0, 0));
}

#[tokio::test]
async fn large_messages_pass_and_too_large_ones_are_told() {
    let gateway = Gateway::start().await;
    for version in [Http1, Http2] {
        let mut client = gateway.tonic(version);
        let payload: bytes::Bytes =
            (0..3_000_000).map(|n: u32| n.to_le_bytes()[0]).collect::<Vec<_>>().into();
        for _ in 0..3 {
            let request = UnaryRequest { payload: payload.clone(), ..Default::default() };
            let response = soon(client.unary(request)).await.expect("it succeeds").into_inner();
            assert!(response.payload == payload);
        }
        let payload: bytes::Bytes = vec![0; 5_000_000].into();
        let status = soon(client.unary(UnaryRequest { payload, ..Default::default() })).await;
        let status = status.expect_err("the gateway takes 4 MiB");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("4194304"), "{status:?}");
    }
}

#[tokio::test]
async fn metadata_and_trailers_pass() {
    let gateway = Gateway::start().await;
    let mut client = gateway.tonic(Http1);
    let mut request = Request::new(UnaryRequest {
        // Headers and trailers.
        echo_metadata: vec![1, 2],
        response_headers: [("x-shard".to_owned(), values(&["a", "b"]))].into(),
        response_trailers: [("x-sum-bin".to_owned(), values(&["CP8"]))].into(),
        ..Default::default()
    });
    let metadata = request.metadata_mut();
    metadata.append("x-room", MetadataValue::from_static("blue"));
    metadata.append("x-room", MetadataValue::from_static("red, green"));
    metadata.insert("authorization", MetadataValue::from_static("Bearer secret"));
    metadata.insert_bin("x-key-bin", BinaryMetadataValue::from_bytes(&[0xfb, 0xff, 0]));
    let response = soon(client.unary(request)).await.expect("it succeeds");

    // tonic joins headers and trailers of a unary response.
    let metadata = response.metadata();
    let texts = |name: &str| -> Vec<&str> {
        metadata.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    };
    assert_eq!(texts("x-shard"), ["a", "b"]);
    assert_eq!(metadata.get_bin("x-sum-bin").expect("a trailer").to_bytes().expect("base64"), &[8, 255][..]);
    assert_eq!(texts("echo-x-room"), ["blue", "red, green"], "{metadata:?}");
    assert_eq!(texts("echo-authorization"), ["Bearer secret"]);
    let key = metadata.get_bin("echo-x-key-bin").expect("it is echoed").to_bytes().expect("base64");
    assert_eq!(key, &[0xfb, 0xff, 0][..]);
}

#[tokio::test]
async fn a_failure_has_its_code_message_details_and_trailers() {
    let gateway = Gateway::start().await;
    let detail =
        Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: vec![10, 2, 8, 5] };
    let fail = Failure { code: 8, message: "zu viele ☺ 100 %".into(), details: vec![detail], after: 0 };
    let trailers = || [("x-shard".to_owned(), values(&["7"]))].into();
    for version in [Http1, Http2] {
        let mut client = gateway.tonic(version);
        let request =
            UnaryRequest { fail: Some(fail.clone()), response_trailers: trailers(), ..Default::default() };
        let status = soon(client.unary(request)).await.expect_err("it fails");
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "zu viele ☺ 100 %"));
        assert!(status.details().ends_with(&[10, 2, 8, 5]), "{:?}", status.details());
        assert_eq!(status.metadata().get("x-shard").expect("a trailer"), "7");

        let request = ServerStreamRequest {
            count: 5,
            fail: Some(Failure { after: 3, ..fail.clone() }),
            response_trailers: trailers(),
            ..Default::default()
        };
        let mut responses = soon(client.server_stream(request)).await.expect("it starts").into_inner();
        for _ in 0..3 {
            soon(responses.message()).await.expect("it goes on").expect("a message");
        }
        let status = soon(responses.message()).await.expect_err("it fails");
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "zu viele ☺ 100 %"));
        assert!(status.details().ends_with(&[10, 2, 8, 5]));
        assert_eq!(status.metadata().get("x-shard").expect("a trailer"), "7");
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_on_both_sides() {
    let gateway = Gateway::start().await;
    for version in [Http1, Http2] {
        let mut client = gateway.tonic(version);
        let mut request =
            Request::new(ServerStreamRequest { hold_open_ms: -1, count: 1, ..Default::default() });
        request.set_timeout(Duration::from_millis(300));
        let mut responses = soon(client.server_stream(request)).await.expect("it starts").into_inner();
        soon(responses.message()).await.expect("it goes on").expect("a message");
        let status = soon(responses.message()).await.expect_err("the time is over");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        gateway.settle().await;
    }
    assert_eq!(gateway.service.stats().cancelled, 2);
}

#[tokio::test]
async fn dropping_anything_cancels_the_call() {
    let gateway = Gateway::start().await;
    for version in [Http1, Http2] {
        let mut client = gateway.tonic(version);
        let forever = ServerStreamRequest { hold_open_ms: -1, count: 1, ..Default::default() };

        // The response.
        let responses = soon(client.server_stream(forever.clone())).await.expect("it starts");
        gateway.live(1).await;
        drop(responses);
        gateway.settle().await;

        // The future of a response, while the request body is pending.
        let script = Script { hold_open_ms: -1, ignore_input: true, ..Default::default() };
        let first = ClientStreamRequest { script: Some(script), ..Default::default() };
        let requests = tokio_stream::iter([first]).chain(tokio_stream::pending());
        let call = tokio::spawn({
            let mut client = client.clone();
            async move { client.client_stream(requests).await }
        });
        gateway.live(1).await;
        call.abort();
        gateway.settle().await;
    }
    let stats = gateway.service.stats();
    assert_eq!((stats.cancelled, stats.completed), (4, 0));
}

#[tokio::test]
async fn what_no_gateway_serves_is_unimplemented() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let mut grpc = tonic::client::Grpc::new(client);
    grpc.ready().await.expect("it is always ready");
    let path = "/grpcws.test.v1.TestService/Nope".parse().expect("a path");
    let codec = tonic_prost::ProstCodec::default();
    let status = soon(grpc.unary::<_, UnaryRequest, _>(Request::new(UnaryRequest::default()), path, codec))
        .await
        .expect_err("there is no such method");
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let client = grpcws_client::Client::new(&url, Default::default()).expect("a valid URL");
    let mut client = grpcws_test::pb::test_service_client::TestServiceClient::new(client);
    let status = tokio::time::timeout(SOON, client.unary(UnaryRequest::default()))
        .await
        .expect("it does not hang")
        .expect_err("nobody is there");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("cannot connect to 127.0.0.1"), "{}", status.message());
}
