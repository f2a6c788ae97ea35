//! Readers that stall, beside calls that do not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]
#![allow(clippy::print_stdout, reason = "the times are for people; they depend on the machine")]

mod common;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::own::{AbortOnDrop, Handler, Manners, Own, answer, head};
use common::{call, eventually, message, request};
use grpcws_upstream::{Upstream, UpstreamBody, UpstreamOptions};
use http::HeaderValue;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::net::TcpListener;
use tower_service::Service as _;

const READERS: usize = 200;

/// The times of unary calls, one after another: the median and the 99th percentile.
async fn unary_calls(upstream: &Upstream) -> (Duration, Duration) {
    let mut times = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        let collected = call(upstream).await.unwrap().into_body().collect().await.unwrap();
        assert!(collected.trailers().is_some());
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// A server that floods the first calls with messages of this size, each in a DATA frame of its own, and answers
/// the others. It counts the calls that have no room in their windows.
async fn flooding(size: usize, readers: Arc<AtomicUsize>, blocked: Arc<AtomicUsize>) -> Own {
    Own::start(Handler::new(move |_, _request, mut respond| {
        let floods = readers.load(Ordering::SeqCst) < READERS;
        if floods {
            readers.fetch_add(1, Ordering::SeqCst);
        }
        let blocked = Arc::clone(&blocked);
        async move {
            if !floods {
                return answer(respond);
            }
            let mut stream = respond.send_response(head(), false).unwrap();
            let message = message(&vec![0; size]);
            loop {
                stream.reserve_capacity(message.len());
                let mut room = stream.capacity();
                if room < message.len() {
                    blocked.fetch_add(1, Ordering::SeqCst);
                    while room < message.len() {
                        match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                            Some(Ok(more)) => room = more,
                            _ => return,
                        }
                    }
                    blocked.fetch_sub(1, Ordering::SeqCst);
                }
                if stream.send_data(message.clone(), false).is_err() {
                    return;
                }
                tokio::task::coop::consume_budget().await;
            }
        }
    }))
    .await
}

/// 200 readers that stop after one message, on one connection with calls that go on.
async fn stalled(size: usize) {
    let (readers, blocked) = (Arc::new(AtomicUsize::new(READERS)), Arc::new(AtomicUsize::new(0)));
    let server = flooding(size, Arc::clone(&readers), Arc::clone(&blocked)).await;
    let options = UpstreamOptions::builder()
        .max_streams_per_connection(256)
        .max_connections(1)
        .build()
        .expect("valid options");
    let upstream = common::upstream(server.address, options);
    let alone = unary_calls(&upstream).await;

    readers.store(0, Ordering::SeqCst);
    let mut stalled = Vec::new();
    for _ in 0..READERS {
        let mut response = call(&upstream).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        stalled.push(response);
    }
    eventually("all windows are full", || blocked.load(Ordering::SeqCst) == READERS).await;
    let beside = unary_calls(&upstream).await;
    println!("{size} bytes: median and p99 alone {alone:?}, beside {READERS} stalled readers {beside:?}");
    let stats = upstream.stats();
    assert_eq!((stats.streams, stats.lost_connections, stats.dials), (READERS, 0, 1), "{stats:?}");

    // The stalled ones go on where they were, beyond what was in the window.
    for response in stalled.iter_mut().take(20) {
        let mut bytes = 0;
        while bytes < 100_000 {
            bytes += response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
    }
    drop(stalled);
    eventually("all streams are given back", || upstream.stats().streams == 0).await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_readers_of_small_messages_hurt_nobody() {
    stalled(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_readers_of_large_messages_hurt_nobody() {
    stalled(10_000).await;
}

/// An upload that the server does not read.
async fn stalled_upload(upstream: &Upstream) -> http::Response<UpstreamBody> {
    let endless =
        futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(message(&[0; 1_000]))));
    let mut upload = request(StreamBody::new(endless));
    upload.headers_mut().insert("x-unread", HeaderValue::from_static("1"));
    upstream.clone().call(upload).await.unwrap()
}

/// The window of a connection is no larger than that of a stream, as with many servers, so an upload that is not
/// read takes all of it.
#[tokio::test]
async fn an_upload_that_is_not_read_does_not_hold_up_new_calls() {
    let handler = Handler::new(|_, mut request, mut respond| async move {
        if request.headers().contains_key("x-unread") {
            let mut stream = respond.send_response(head(), false).unwrap();
            let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
        } else if common::own::read(request.body_mut()).await.is_ok() {
            answer(respond);
        }
    });
    let server = Own::start(handler).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let upload = stalled_upload(&upstream).await;
    // That it does not get on becomes known with time only.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..10 {
        let call = upstream.clone().call(request(Full::new(message(&[0; 50_000]))));
        let response = tokio::time::timeout(Duration::from_secs(10), call).await;
        response.expect("the call is held up").unwrap().into_body().collect().await.unwrap();
    }
    drop(upload);
    assert_eq!(upstream.stats().dials, 2);
}

#[tokio::test]
async fn a_stalled_upload_is_no_reason_to_fail_when_no_more_connections_can_be_made() {
    let handler = Handler::new(|_, request, mut respond| async move {
        if request.headers().contains_key("x-unread") {
            let mut stream = respond.send_response(head(), false).unwrap();
            let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
        } else {
            answer(respond);
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options =
        UpstreamOptions::builder().connect_wait(Duration::from_secs(1)).build().expect("valid options");
    let upstream = common::upstream(listener.local_addr().unwrap(), options);
    let _server = AbortOnDrop(tokio::spawn(async move {
        // The kernel accepts the next connection, and nobody speaks HTTP/2 there.
        let (io, _) = listener.accept().await.unwrap();
        common::own::serve(io, 0, Manners::default(), handler).await;
    }));
    let _upload = stalled_upload(&upstream).await;
    // That it does not get on becomes known with time only.
    let until_known = async {
        while upstream.stats().dialing == 0 {
            call(&upstream).await.unwrap().into_body().collect().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), until_known).await.unwrap();
    let stats = upstream.stats();
    assert_eq!((stats.connections, stats.dialing), (1, 1), "{stats:?}");
}
