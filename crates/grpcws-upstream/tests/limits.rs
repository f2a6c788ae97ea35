//! Limits of streams, of connections, and of waiting.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::time::Duration;

use common::own::{Handler, Manners, Own};
use common::{Server, call, client, eventually, message, request};
use futures_util::future::join_all;
use grpcws_proto::Code;
use grpcws_test::ServeOptions;
use grpcws_test::pb::{BidiRequest, ServerStreamRequest};
use grpcws_upstream::UpstreamOptions;
use http_body_util::{BodyExt as _, Full};
use tower_service::Service as _;

/// 1,000 calls that stay open, all begun at once, are all served, with as many connections as that takes.
async fn a_thousand_long_calls(limit: u32) {
    let server = Server::start(ServeOptions::default().max_concurrent_streams(limit)).await;
    let upstream = server.upstream(
        UpstreamOptions::builder().connect_wait(Duration::from_secs(30)).build().expect("valid options"),
    );
    let calls = join_all((0..1_000).map(|index| {
        let mut client = client(&upstream);
        async move {
            if index % 2 == 0 {
                let request = ServerStreamRequest { count: 1, hold_open_ms: -1, ..Default::default() };
                let mut responses = client.server_stream(request).await.unwrap().into_inner();
                assert!(responses.message().await.unwrap().is_some());
                (Some(responses), None)
            } else {
                // The request stays open too, so there is a task that sends it.
                use futures_util::StreamExt as _;
                let requests =
                    futures_util::stream::iter([BidiRequest { sequence: 1, ..Default::default() }])
                        .chain(futures_util::stream::pending());
                let mut responses = client.bidi(requests).await.unwrap().into_inner();
                assert!(responses.message().await.unwrap().is_some());
                (None, Some(responses))
            }
        }
    }))
    .await;
    assert_eq!(server.service.stats().live, 1_000);
    let stats = upstream.stats();
    assert_eq!(stats.streams, 1_000);
    let least = 1_000_usize.div_ceil(limit as usize);
    assert!((least..=least + 10).contains(&stats.connections), "{stats:?}");
    drop(calls);
    eventually("all calls are cancelled", || server.service.stats().live == 0).await;
    assert_eq!(upstream.stats().streams, 0);
}

#[tokio::test]
async fn a_limit_of_1_serves_a_thousand() {
    a_thousand_long_calls(1).await;
}

#[tokio::test]
async fn a_limit_of_10_serves_a_thousand() {
    a_thousand_long_calls(10).await;
}

#[tokio::test]
async fn a_limit_of_100_serves_a_thousand() {
    a_thousand_long_calls(100).await;
}

#[tokio::test]
async fn a_call_without_a_stream_waits_for_a_bounded_time() {
    let manners = Manners { max_concurrent_streams: Some(2), ..Default::default() };
    let server = Own::mannered(manners, Handler::endless()).await;
    let options = UpstreamOptions::builder()
        .max_connections(1)
        .max_waiting(1)
        .connect_wait(Duration::from_millis(200))
        .build()
        .expect("valid options");
    let upstream = common::upstream(server.address, options);
    let (first, _second) = (call(&upstream).await.unwrap(), call(&upstream).await.unwrap());

    let (waits, refused) = tokio::join!(call(&upstream), call(&upstream));
    let status = waits.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "every connection to the upstream is full, and no call ended in time");
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "too many calls wait for the upstream already");
    assert_eq!(upstream.stats().waiting, 0);

    // The end of a call lets the next one in.
    let waits = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream).await }
    });
    eventually("the call waits", || upstream.stats().waiting == 1).await;
    drop(first);
    assert!(waits.await.unwrap().is_ok());
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn another_connection_is_there_before_the_first_is_full() {
    let server = Own::start(Handler::endless()).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut calls = Vec::new();
    for _ in 0..90 {
        calls.push(call(&upstream).await.unwrap());
    }
    assert_eq!(server.accepted(), 1);
    calls.push(call(&upstream).await.unwrap());
    eventually("a second connection", || upstream.stats().connections == 2).await;
    calls.push(call(&upstream).await.unwrap());
    assert_eq!(upstream.stats().dials, 2);
}

#[tokio::test]
async fn idle_connections_but_one_are_closed() {
    let manners = Manners { max_concurrent_streams: Some(1), ..Default::default() };
    let server = Own::mannered(manners, Handler::unary()).await;
    let options =
        UpstreamOptions::builder().idle_timeout(Duration::from_millis(100)).build().expect("valid options");
    let upstream = common::upstream(server.address, options);
    let bodies = join_all((0..5).map(|_| async { call(&upstream).await.unwrap() })).await;
    assert!(server.open() > 1);
    drop(bodies);
    eventually("one connection", || server.open() == 1).await;
    call(&upstream).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(upstream.stats().lost_connections, 0);
}

#[tokio::test]
async fn calls_that_are_cancelled_while_they_wait_take_nothing() {
    let manners = Manners { max_concurrent_streams: Some(1), ..Default::default() };
    let server = Own::mannered(manners, Handler::endless()).await;
    let upstream = common::upstream(
        server.address,
        UpstreamOptions::builder().max_connections(1).build().expect("valid options"),
    );
    let holds = call(&upstream).await.unwrap();
    let mut gone = Vec::new();
    for _ in 0..10 {
        let mut call = Box::pin(upstream.clone().call(request(Full::new(message(b"")))));
        assert!(futures_util::poll!(&mut call).is_pending());
        gone.push(call);
    }
    assert_eq!(upstream.stats().waiting, 10);
    // Some are gone before the stream is free, and some have it already when they go.
    gone.truncate(5);
    assert_eq!(upstream.stats().waiting, 5);
    drop(holds);
    gone.clear();
    assert_eq!(upstream.stats().waiting, 0);
    let next = tokio::time::timeout(Duration::from_secs(10), call(&upstream)).await.unwrap();
    assert!(next.is_ok());
}

#[tokio::test]
async fn a_limit_that_changes_is_followed() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = UpstreamOptions::builder().max_connections(1).build().expect("valid options");
    let upstream = common::upstream(listener.local_addr().unwrap(), options);
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { call(&upstream).await })
        })
        .collect();
    let (mut reader, mut writer) = listener.accept().await.unwrap().0.into_split();
    // Nothing of what the client sends is of interest.
    let sink =
        tokio::spawn(async move { while reader.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0) {} });
    for permitted in [1_u8, 3] {
        // SETTINGS with MAX_CONCURRENT_STREAMS.
        writer.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, permitted]).await.unwrap();
        let running = usize::from(permitted);
        eventually("as many calls run as are permitted", || {
            let stats = upstream.stats();
            (stats.streams, stats.waiting) == (running, 4 - running)
        })
        .await;
    }
    for call in calls {
        call.abort();
    }
    drop(writer);
    eventually("the connection is lost", || upstream.stats().connections == 0).await;
    sink.abort();
}
