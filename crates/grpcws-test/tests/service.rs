//! The service as a tonic client sees it.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions but not in their helpers")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use grpcws_test::pb::call::Outcome;
use grpcws_test::pb::test_service_client::TestServiceClient;
use grpcws_test::pb::{
    BidiRequest, ClientStreamRequest, EchoMetadata, Failure, MetadataValues, Script, ServerStreamRequest,
    StatsRequest, UnaryRequest, Values,
};
use grpcws_test::{ServeOptions, TestService, serve};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{iter, pending};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};

async fn start_with(options: ServeOptions) -> (TestService, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TestService::default();
    tokio::spawn(serve(listener, service.clone(), options));
    (service, address)
}

async fn start() -> (TestService, TestServiceClient<Channel>) {
    let (service, address) = start_with(ServeOptions::default()).await;
    (service, TestServiceClient::connect(format!("http://{address}")).await.unwrap())
}

/// Waits until the condition holds, and tells how long that took.
async fn until(mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(5), "the condition never holds");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

fn values(name: &str, value: &str) -> BTreeMap<String, MetadataValues> {
    BTreeMap::from([(name.to_owned(), MetadataValues { values: vec![value.to_owned()] })])
}

fn failure(after: i64) -> Option<Failure> {
    let detail = prost_types::Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![1, 2] };
    Some(Failure { code: 5, message: "no such thing".into(), details: vec![detail], after })
}

#[tokio::test]
async fn unary_returns_what_it_was_sent() {
    let (service, mut client) = start().await;
    let sent = Values { int64_value: i64::MAX, counts: [("a".into(), -1)].into(), ..Default::default() };
    let mut request = Request::new(UnaryRequest {
        sequence: 7,
        payload: "abc".into(),
        values: Some(sent.clone()),
        echo_metadata: vec![
            EchoMetadata::Headers.into(),
            EchoMetadata::Trailers.into(),
            EchoMetadata::Message.into(),
        ],
        response_headers: values("h", "1"),
        response_trailers: values("t", "2"),
        ..Default::default()
    });
    request.metadata_mut().insert("x-a", "b".parse().unwrap());
    request.metadata_mut().insert_bin("x-bin", MetadataValue::from_bytes(&[0, 1]));
    let response = client.unary(request).await.unwrap();
    // tonic's client merges the trailers of a unary call into its metadata.
    for (name, value) in [("h", "1"), ("t", "2"), ("echo-x-a", "b")] {
        assert_eq!(response.metadata().get(name).unwrap(), value);
    }
    assert_eq!(response.metadata().get_bin("echo-x-bin").unwrap().to_bytes().unwrap().as_ref(), [0, 1]);
    let response = response.into_inner();
    assert_eq!((response.sequence, response.payload.as_ref()), (7, b"abc".as_slice()));
    assert_eq!(response.values, Some(sent));
    assert_eq!(response.metadata["x-a"].values, ["b"]);
    assert_eq!(response.metadata["x-bin"].values, ["AAE"]);
    assert_eq!(service.stats().completed, 1);
}

#[tokio::test]
async fn server_stream_sends_count_and_its_trailers() {
    let (_service, mut client) = start().await;
    let request = ServerStreamRequest {
        count: 1_000,
        size: 300,
        first_sequence: -3,
        stamp: true,
        response_trailers: values("t-bin", "AAE="),
        echo_metadata: vec![EchoMetadata::Message.into()],
        ..Default::default()
    };
    let mut responses = client.server_stream(request).await.unwrap().into_inner();
    let mut expected = -3;
    while let Some(response) = responses.message().await.unwrap() {
        assert_eq!(response.sequence, expected);
        assert_eq!(response.payload.len(), 300);
        assert_eq!(response.payload[299], 48);
        assert!(response.sent_at.is_some());
        assert_eq!(response.metadata.is_empty(), expected != -3);
        expected += 1;
    }
    assert_eq!(expected, 997);
    let trailers = responses.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get_bin("t-bin").unwrap().to_bytes().unwrap().as_ref(), [0, 1]);
}

#[tokio::test]
async fn server_stream_fails_after_n_with_details_and_trailers() {
    let (service, mut client) = start().await;
    let request = ServerStreamRequest {
        count: 9,
        fail: failure(2),
        response_trailers: values("t", "1"),
        tag: "fails".into(),
        ..Default::default()
    };
    let mut responses = client.server_stream(request).await.unwrap().into_inner();
    assert!(responses.message().await.unwrap().is_some());
    assert!(responses.message().await.unwrap().is_some());
    let status = responses.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such thing"));
    assert_eq!(status.metadata().get("t").unwrap(), "1");
    // Field 3 of google.rpc.Status is the Any that was asked for.
    let detail = prost_types::Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![1, 2] };
    assert!(status.details().ends_with(&detail.encode_to_vec()));
    until(|| service.stats().failed == 1).await;
    let call = service.stats_of("fails", 1).recent.remove(0);
    assert_eq!((call.outcome(), call.method.as_str(), call.sent), (Outcome::Failed, "ServerStream", 2));
}

#[tokio::test]
async fn a_failure_at_once_is_trailers_only_unless_headers_are_asked_for() {
    let (_service, mut client) = start().await;
    let mut request = ServerStreamRequest { fail: failure(0), ..Default::default() };
    assert_eq!(client.server_stream(request.clone()).await.unwrap_err().code(), Code::NotFound);

    request.response_headers = values("h", "1");
    let response = client.server_stream(request).await.unwrap();
    assert_eq!(response.metadata().get("h").unwrap(), "1");
    assert_eq!(response.into_inner().message().await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_rate_and_a_delay_take_their_time() {
    let (_service, mut client) = start().await;
    let start = Instant::now();
    let request = ServerStreamRequest { count: 11, rate: 100.0, initial_delay_ms: 50, ..Default::default() };
    let mut responses = client.server_stream(request).await.unwrap().into_inner();
    assert!(start.elapsed() >= Duration::from_millis(50));
    while responses.message().await.unwrap().is_some() {}
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn client_stream_sums_up_what_arrived() {
    let (_service, mut client) = start().await;
    let request = |sequence| ClientStreamRequest { sequence, payload: "ab".into(), ..Default::default() };
    let summary = client.client_stream(iter((1..=1_000).map(request))).await.unwrap().into_inner();
    assert_eq!((summary.messages, summary.bytes), (1_000, 2_000));
    assert_eq!((summary.first_sequence, summary.last_sequence), (1, 1_000));
    assert_eq!((summary.in_order, summary.gaps), (true, 0));

    let summary = client.client_stream(iter([1, 2, 4, 3].map(request))).await.unwrap().into_inner();
    assert_eq!((summary.in_order, summary.gaps), (false, 2));

    let summary = client.client_stream(iter([])).await.unwrap().into_inner();
    assert_eq!((summary.messages, summary.in_order), (0, true));
}

#[tokio::test]
async fn client_stream_fails_after_n_although_more_would_come() {
    let (service, mut client) = start().await;
    let script = Script { fail: failure(3), ..Default::default() };
    let request = move |sequence| ClientStreamRequest {
        sequence,
        script: (sequence == 1).then(|| script.clone()),
        ..Default::default()
    };
    let requests = tokio_stream::StreamExt::chain(iter((1..=3).map(request)), pending());
    assert_eq!(client.client_stream(requests).await.unwrap_err().code(), Code::NotFound);
    until(|| service.stats().failed == 1).await;
}

#[tokio::test]
async fn bidi_answers_each_request() {
    let (service, mut client) = start().await;
    let (sender, receiver) = mpsc::channel(1);
    let mut responses = client.bidi(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    for sequence in 10..15 {
        let request = BidiRequest { sequence, payload: vec![9].into(), ..Default::default() };
        sender.send(request).await.unwrap();
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!((response.sequence, response.request_sequence), (sequence - 10, Some(sequence)));
        assert_eq!((response.received, response.gaps), (sequence - 9, 0));
        assert_eq!(response.payload.as_ref(), [9]);
    }
    sender.send(BidiRequest { sequence: 20, ..Default::default() }).await.unwrap();
    assert_eq!(responses.message().await.unwrap().unwrap().gaps, 1);
    drop(sender);
    assert!(responses.message().await.unwrap().is_none());
    until(|| service.stats().completed == 1).await;
}

#[tokio::test]
async fn bidi_speaks_first_and_replies_as_often_as_asked() {
    let (_service, mut client) = start().await;
    let (sender, receiver) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(receiver));
    let script = "speak_first=2&replies=3&first_sequence=5&size=4&tag=x&fail.code=5&fail.after=5";
    request.metadata_mut().insert("test-script", script.parse().unwrap());
    let mut responses = client.bidi(request).await.unwrap().into_inner();
    for sequence in [5, 6] {
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!((response.sequence, response.request_sequence), (sequence, None));
    }
    sender.send(BidiRequest { sequence: 1, ..Default::default() }).await.unwrap();
    for sequence in [7, 8, 9] {
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!((response.sequence, response.request_sequence), (sequence, Some(1)));
        assert_eq!(response.payload.len(), 4);
    }
    assert_eq!(responses.message().await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_request_that_is_ignored_holds_its_sender_back() {
    let (_service, address) = start_with(ServeOptions::default().stream_window(65_535)).await;
    let mut client = TestServiceClient::connect(format!("http://{address}")).await.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(receiver));
    let script = "ignore_input=true&hold_open_ms=-1";
    request.metadata_mut().insert("test-script", script.parse().unwrap());
    let _responses = client.bidi(request).await.unwrap();
    let message = BidiRequest { payload: vec![0; 1_000].into(), ..Default::default() };
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(300), sender.send(message.clone())).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "nothing holds the sender back");
    }
    assert!(sent >= 60, "{sent}");
}

#[tokio::test]
async fn reading_pauses() {
    let (_service, mut client) = start().await;
    let mut request =
        Request::new(iter([1, 2, 3].map(|sequence| ClientStreamRequest { sequence, ..Default::default() })));
    request.metadata_mut().insert("test-script", "pause_after=2&pause_ms=200".parse().unwrap());
    let start = Instant::now();
    assert_eq!(client.client_stream(request).await.unwrap().into_inner().messages, 3);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_cancel_is_seen_at_once_in_every_mode() {
    let (service, mut client) = start().await;
    let held = ServerStreamRequest { count: 1, hold_open_ms: -1, ..Default::default() };
    let mut responses = client.server_stream(held).await.unwrap().into_inner();
    assert!(responses.message().await.unwrap().is_some());
    drop(responses);
    let took = until(|| service.stats().cancelled == 1).await;
    assert!(took < Duration::from_millis(100), "server stream: {took:?}");

    // While a request stream is pending, dropping the responses does not reset the stream; the handle does.
    let mut request = Request::new(pending());
    let cancellation = request.cancellation_handle();
    let _responses = client.bidi(request).await.unwrap();
    until(|| service.stats().live == 1).await;
    cancellation.cancel();
    let took = until(|| service.stats().cancelled == 2).await;
    assert!(took < Duration::from_millis(100), "bidi: {took:?}");

    let mut own = client.clone();
    let call = tokio::spawn(async move { own.client_stream(pending()).await });
    until(|| service.stats().live == 1).await;
    call.abort();
    let took = until(|| service.stats().cancelled == 3).await;
    assert!(took < Duration::from_millis(100), "client stream: {took:?}");

    let answer = client.stats(StatsRequest { recent: 9, ..Default::default() }).await.unwrap().into_inner();
    assert_eq!((answer.live, answer.started, answer.cancelled, answer.completed), (0, 3, 3, 0));
    assert_eq!(answer.recent.len(), 3);
    assert!(answer.last_cancelled_at.is_some());
}

#[tokio::test]
async fn a_code_that_grpc_does_not_know_is_sent_as_it_is() {
    let (_service, address) = start_with(ServeOptions::default()).await;
    for after in [0, 1] {
        let fail = Some(Failure { code: 99, after, ..Default::default() });
        let message = ServerStreamRequest { count: 1, fail, ..Default::default() }.encode_to_vec();
        let (headers, trailers) = raw_call(address, &message).await;
        let status = headers.get("grpc-status").or_else(|| trailers.get("grpc-status"));
        assert_eq!(status.unwrap(), "99", "after {after}");
        assert_eq!(headers.contains_key("grpc-status"), after == 0);
    }
}

/// Calls `ServerStream` without a gRPC library, since that would hide an unknown code.
async fn raw_call(address: SocketAddr, message: &[u8]) -> (http::HeaderMap, http::HeaderMap) {
    use http_body_util::BodyExt as _;
    use tower_service::Service as _;

    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    let mut channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let request = http::Request::post("/grpcws.test.v1.TestService/ServerStream")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(http_body_util::Full::from(body).map_err(|never| match never {})))
        .unwrap();
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
    let (head, body) = channel.call(request).await.unwrap().into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    (head.headers, trailers)
}

#[tokio::test]
async fn reflection_knows_the_service() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let (_service, address) = start_with(ServeOptions::default()).await;
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = ServerReflectionClient::new(channel);
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = iter([ServerReflectionRequest { host: String::new(), message_request }]);
    let mut answers = client.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    assert!(list.service.iter().any(|service| service.name == "grpcws.test.v1.TestService"));
}
