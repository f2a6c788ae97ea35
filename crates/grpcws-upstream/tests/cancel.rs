//! Calls that are cancelled, from both ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::own::{Handler, Manners, Own, head};
use common::{client, eventually, message, request};
use futures_util::StreamExt as _;
use grpcws_proto::{Code, Status};
use grpcws_test::pb::{BidiRequest, Failure, Script};
use grpcws_upstream::UpstreamOptions;
use h2::Reason;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::sync::mpsc;
use tower_service::Service as _;

/// A server that grants 1,000 bytes of a request, reads none, and tells how each stream was reset. It answers the
/// head where `begins` says so.
async fn stuck(begins: bool) -> (Own, mpsc::Receiver<Result<Reason, String>>) {
    let (sender, receiver) = mpsc::channel(10);
    let handler = Handler::new(move |_, request, mut respond| {
        let sender = sender.clone();
        async move {
            // The request is held, so that its window stays as it is.
            let _request = request;
            let reset = if begins {
                let mut stream = respond.send_response(head(), false).unwrap();
                std::future::poll_fn(|cx| stream.poll_reset(cx)).await
            } else {
                std::future::poll_fn(|cx| respond.poll_reset(cx)).await
            };
            sender.send(reset.map_err(|error| error.to_string())).await.unwrap();
        }
    });
    (Own::mannered(Manners { window: Some(1_000), ..Default::default() }, handler).await, receiver)
}

/// Always has more.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(Some(Ok(Frame::data(message(&[1; 100])))))
    }
}

async fn told(resets: &mut mpsc::Receiver<Result<Reason, String>>) -> Result<Reason, String> {
    tokio::time::timeout(Duration::from_secs(5), resets.recv())
        .await
        .expect("the stream was not reset")
        .unwrap()
}

#[tokio::test]
async fn a_call_that_waits_for_capacity_is_reset_at_once() {
    let (server, mut resets) = stuck(false).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut call = upstream.clone().call(request(Endless));
    // Long enough that the window is full.
    let waits = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
    assert!(waits.is_err(), "the server does not answer");
    drop(call);
    assert_eq!(told(&mut resets).await, Ok(Reason::CANCEL));
    assert_eq!(upstream.stats().streams, 0);
}

#[tokio::test]
async fn a_response_that_is_dropped_resets_a_request_that_waits_for_capacity() {
    let (server, mut resets) = stuck(true).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut response = upstream.clone().call(request(Endless)).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), response.body_mut().frame()).await;
    assert!(waits.is_err(), "the server sends nothing");
    drop(response);
    assert_eq!(told(&mut resets).await, Ok(Reason::CANCEL));
    eventually("the stream is given back", || upstream.stats().streams == 0).await;
}

#[tokio::test]
async fn a_request_that_is_sent_but_not_taken_is_reset_at_once() {
    for begins in [false, true] {
        let (server, mut resets) = stuck(begins).await;
        let upstream = common::upstream(server.address, UpstreamOptions::default());
        // The end of the body is in h2's queue, behind data that has no room in the window.
        let mut call = upstream.clone().call(request(Full::new(message(&[1; 100_000]))));
        let answered = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
        assert_eq!(answered.is_ok(), begins);
        drop(answered);
        drop(call);
        assert_eq!(told(&mut resets).await, Ok(Reason::CANCEL));
        eventually("the stream is given back", || upstream.stats().streams == 0).await;
    }
}

/// A body of one message that ends with an error once it is told to.
fn failing(fail: tokio::sync::oneshot::Receiver<()>) -> impl Body<Data = Bytes, Error = Status> {
    let first = futures_util::stream::iter([Ok(Frame::data(message(b"half")))]);
    let rest = futures_util::stream::once(async {
        fail.await.unwrap();
        Err(Status::new(Code::Cancelled, "the client is gone"))
    });
    StreamBody::new(first.chain(rest))
}

#[tokio::test]
async fn half_a_request_never_looks_like_all_of_it() {
    for begins in [false, true] {
        let (sender, mut seen) = mpsc::channel(1);
        let handler = Handler::new(move |_, mut request, mut respond| {
            let sender = sender.clone();
            async move {
                let stream = begins.then(|| respond.send_response(head(), false).unwrap());
                let mut read = Vec::new();
                let end = loop {
                    match request.body_mut().data().await {
                        Some(Ok(data)) => read.extend_from_slice(&data),
                        Some(Err(error)) => break error.reason(),
                        None => break None,
                    }
                };
                sender.send((read, end)).await.unwrap();
                drop((stream, respond));
            }
        });
        let server = Own::start(handler).await;
        let upstream = common::upstream(server.address, UpstreamOptions::default());
        let (fail, failed) = tokio::sync::oneshot::channel();
        let call = upstream.clone().call(request(failing(failed)));
        let status = if begins {
            let response = call.await.unwrap();
            fail.send(()).unwrap();
            response.into_body().collect().await.unwrap_err()
        } else {
            let call = tokio::spawn(call);
            eventually("the request has begun", || upstream.stats().calls == 1).await;
            fail.send(()).unwrap();
            call.await.unwrap().unwrap_err()
        };
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "the client is gone"));
        let (_, end) = seen.recv().await.unwrap();
        assert_eq!(end, Some(Reason::CANCEL), "begins: {begins}");
        assert_eq!(upstream.stats().connections, 1);
    }
}

#[tokio::test]
async fn a_dropped_response_cancels_the_call_at_the_server() {
    let server = common::Server::start(Default::default()).await;
    let upstream = server.upstream(UpstreamOptions::default());
    let requests = futures_util::stream::iter([BidiRequest { sequence: 1, ..Default::default() }])
        .chain(futures_util::stream::pending());
    let mut responses = client(&upstream).bidi(requests).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();
    drop(responses);
    eventually("the call is cancelled", || server.service.stats().cancelled == 1).await;
    assert_eq!(upstream.stats().streams, 0);
}

#[tokio::test]
async fn the_end_of_a_response_ends_its_request() {
    let server = common::Server::start(Default::default()).await;
    let upstream = server.upstream(UpstreamOptions::default());
    let (alive, mut gone) = mpsc::channel::<()>(1);
    let fail = Some(Failure { code: 10, after: 1, ..Default::default() });
    let script = Some(Script { fail, ..Default::default() });
    let first = BidiRequest { sequence: 1, script, ..Default::default() };
    let requests =
        futures_util::stream::iter([first]).chain(futures_util::stream::pending()).map(move |request| {
            let _ = &alive;
            request
        });
    let mut responses = client(&upstream).bidi(requests).await.unwrap().into_inner();
    responses.message().await.unwrap().unwrap();
    let status = responses.message().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted);
    // The stream of requests is dropped, though the responses are still held.
    assert!(tokio::time::timeout(Duration::from_secs(5), gone.recv()).await.unwrap().is_none());
    assert_eq!(upstream.stats().streams, 0);
}
