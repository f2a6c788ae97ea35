//! Calls by a generated client of tonic's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use common::own::{Handler, Own};
use common::{Server, client};
use futures_util::{StreamExt as _, stream};
use grpcws_test::ServeOptions;
use grpcws_test::pb::test_service_client::TestServiceClient;
use grpcws_test::pb::{
    BidiRequest, ClientStreamRequest, EchoMetadata, Failure, ServerStreamRequest, UnaryRequest,
};
use grpcws_upstream::{Answering, ResponseFuture, Router, Upstream, UpstreamBody, UpstreamOptions};
use tokio::net::TcpListener;
use tonic::Code;
use tower_service::Service as _;

fn requests(count: i64) -> impl futures_util::Stream<Item = ClientStreamRequest> + Send + 'static {
    stream::iter((1..=count).map(|sequence| ClientStreamRequest {
        sequence,
        payload: vec![1; 10].into(),
        ..Default::default()
    }))
}

#[tokio::test]
async fn all_four_kinds_work() {
    let server = Server::start(ServeOptions::default()).await;
    let upstream = server.upstream(UpstreamOptions::default());
    let mut client = client(&upstream);

    let response =
        client.unary(UnaryRequest { sequence: 7, size: 100_000, ..Default::default() }).await.unwrap();
    assert_eq!((response.get_ref().sequence, response.get_ref().payload.len()), (7, 100_000));

    let request = ServerStreamRequest { count: 1_000, size: 1_000, ..Default::default() };
    let responses = client.server_stream(request).await.unwrap().into_inner();
    let sequences: Vec<_> = responses.map(|response| response.unwrap().sequence).collect().await;
    assert_eq!(sequences, (0..1_000).collect::<Vec<_>>());

    let summary = client.client_stream(requests(10_000)).await.unwrap().into_inner();
    assert_eq!((summary.messages, summary.bytes, summary.in_order), (10_000, 100_000, true));

    let requests = stream::iter((1..=1_000).map(|sequence| BidiRequest { sequence, ..Default::default() }));
    let responses = client.bidi(requests).await.unwrap().into_inner();
    let answered: Vec<_> =
        responses.map(|response| response.unwrap().request_sequence.unwrap()).collect().await;
    assert_eq!(answered, (1..=1_000).collect::<Vec<_>>());

    common::eventually("all streams are given back", || upstream.stats().streams == 0).await;
    let stats = upstream.stats();
    assert_eq!((stats.connections, stats.dials, stats.calls), (1, 1, 4));
    assert_eq!(server.service.stats().completed, 4);
}

#[tokio::test]
async fn a_request_larger_than_all_windows_arrives() {
    let server = Server::start(ServeOptions::default().stream_window(1_000).connection_window(65_535)).await;
    let upstream = server.upstream(UpstreamOptions::default());
    let request = UnaryRequest { payload: vec![5; 3_000_000].into(), ..Default::default() };
    let response = client(&upstream).max_decoding_message_size(usize::MAX).unary(request).await.unwrap();
    assert_eq!(response.get_ref().payload.len(), 3_000_000);
}

#[tokio::test]
async fn a_bidi_call_is_full_duplex() {
    let server = Server::start(ServeOptions::default()).await;
    let upstream = server.upstream(UpstreamOptions::default());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|request| (request, receiver))
    });
    let mut responses = client(&upstream).bidi(requests).await.unwrap().into_inner();
    for sequence in 1..=100 {
        sender.send(BidiRequest { sequence, ..Default::default() }).await.unwrap();
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!(response.request_sequence, Some(sequence));
    }
    drop(sender);
    assert!(responses.message().await.unwrap().is_none());
}

#[tokio::test]
async fn metadata_trailers_and_details_pass() {
    let server = Server::start(ServeOptions::default()).await;
    let upstream =
        server.upstream(UpstreamOptions::builder().user_agent("mine/1").build().expect("valid options"));
    let mut request = tonic::Request::new(UnaryRequest {
        echo_metadata: vec![EchoMetadata::Headers.into(), EchoMetadata::Trailers.into()],
        ..Default::default()
    });
    request.metadata_mut().insert("x-one", "1".parse().unwrap());
    request.metadata_mut().insert("user-agent", "theirs/1".parse().unwrap());
    let response = client(&upstream).unary(request).await.unwrap();
    assert_eq!(response.metadata().get("echo-x-one").unwrap(), "1");
    assert_eq!(response.metadata().get("echo-te").unwrap(), "trailers");
    // tonic says who it is; without that it would be who we are.
    let agent = response.metadata().get("echo-user-agent").unwrap().to_str().unwrap();
    assert!(!agent.contains("mine"), "{agent}");

    let fail = Some(Failure { code: 9, message: "no".into(), ..Default::default() });
    let status = client(&upstream).unary(UnaryRequest { fail, ..Default::default() }).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "no"));
}

#[tokio::test]
async fn an_early_end_stops_the_request() {
    let server = Server::start(ServeOptions::default()).await;
    let upstream = server.upstream(UpstreamOptions::default());
    for after in [0, 3] {
        let fail = Some(Failure { code: 5, after, ..Default::default() });
        let script = Some(grpcws_test::pb::Script { fail, ..Default::default() });
        let first = ClientStreamRequest { sequence: 1, script, ..Default::default() };
        let endless =
            stream::iter(2..).map(|sequence| ClientStreamRequest { sequence, ..Default::default() });
        let requests = stream::iter([first]).chain(endless).then(|request| async {
            tokio::task::yield_now().await;
            request
        });
        let status = client(&upstream).client_stream(requests).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    common::eventually("all streams are given back", || upstream.stats().streams == 0).await;
    assert_eq!(upstream.stats().connections, 1);
}

#[tokio::test]
async fn errors_of_the_upstream_have_their_codes_in_a_generated_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = common::upstream(listener.local_addr().unwrap(), UpstreamOptions::default());
    drop(listener);
    let mut client = TestServiceClient::new(Answering::new(nobody));
    let status = client.unary(UnaryRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the upstream refuses connections"));

    let server = Own::start(Handler::endless()).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut client = TestServiceClient::new(Answering::new(Router::from(upstream)));
    let mut responses = client.server_stream(ServerStreamRequest::default()).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();
    drop(server);
    let status = responses.message().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the connection to the upstream was lost")
    );

    let server = Server::start(ServeOptions::default()).await;
    let mut client = TestServiceClient::new(Answering::new(server.upstream(UpstreamOptions::default())));
    let request = ServerStreamRequest { count: 3, ..Default::default() };
    let responses = client.server_stream(request).await.unwrap().into_inner();
    assert_eq!(responses.filter(|response| std::future::ready(response.is_ok())).count().await, 3);
}

#[tokio::test]
async fn services_go_to_their_upstreams() {
    let server = Server::start(ServeOptions::default()).await;
    let dead = common::upstream("127.0.0.1:1".parse().unwrap(), UpstreamOptions::default());
    let router = Router::new()
        .route("grpcws.test", server.upstream(UpstreamOptions::default()))
        .default_upstream(dead.clone());
    let mut client = TestServiceClient::new(router);
    client.unary(UnaryRequest::default()).await.unwrap();
    assert_eq!(dead.stats().dials, 0);

    let mut router_call = Router::new().route("grpcws.tes", dead);
    let request = common::request(http_body_util::Full::new(common::message(b"")));
    let status = router_call.call(request).await.unwrap_err();
    assert_eq!(status.code(), grpcws_proto::Code::Unimplemented);
    assert_eq!(status.message(), r#"no upstream serves "own.v1.Own""#);
}

#[test]
fn only_a_request_that_goes_on_beside_its_response_has_a_task() {
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(Server::start(ServeOptions::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let upstream = server.upstream(UpstreamOptions::default());
        let mut client = client(&upstream);
        client.unary(UnaryRequest::default()).await.unwrap();
        let tasks = || runtime.metrics().num_alive_tasks();
        let before = tasks();

        let request = ServerStreamRequest { count: 1, hold_open_ms: -1, ..Default::default() };
        let mut responses = client.server_stream(request).await.unwrap().into_inner();
        responses.message().await.unwrap().unwrap();
        assert_eq!(tasks(), before);

        let requests = stream::iter([BidiRequest::default()]).chain(stream::pending());
        let mut answers = client.bidi(requests).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap();
        assert_eq!(tasks(), before + 1);
        drop((responses, answers));
        common::eventually("the task has ended", || tasks() == before).await;
    });
}

#[test]
fn what_is_shared_between_threads_can_be() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<Upstream>();
    shared::<Router>();
    sent::<UpstreamBody>();
    sent::<ResponseFuture>();
}
