//! A drain tells every client, and loses nothing of the streams that end within its grace.

mod common;

use std::time::{Duration, Instant};

use common::{Bridge, Received};
use grpcws::ConnectionOptions;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_is_told_of_a_drain() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut clients = Vec::new();
    for number in 0..200 {
        let mode = ["", "grpcws.v1.json"][number % 2];
        let mut client = bridge.connect("bidi", mode).await;
        client.send(r#"{"type":"data","data":{"sequence":1}}"#).await;
        clients.push(client);
    }
    let ends = clients.into_iter().map(|mut client| tokio::spawn(async move { client.rest().await }));
    let ends: Vec<_> = ends.collect();
    let started = Instant::now();
    bridge.shutdown.drain(Duration::from_secs(1)).await;
    assert!(started.elapsed() < Duration::from_secs(4), "the drain took {:?}", started.elapsed());
    for end in ends {
        let (texts, code, reason) = end.await.expect("the client does not panic");
        let terminal = texts.last().expect("a terminal message");
        assert!(terminal.contains(r#""code":14,"status":"UNAVAILABLE""#), "{terminal}");
        assert_eq!((code, reason.as_str()), (1012, "UNAVAILABLE: the gateway is shutting down"));
    }
    assert_eq!(bridge.shutdown.streams(), 0);
}

#[tokio::test]
async fn a_stream_that_ends_within_the_grace_loses_nothing() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("server-stream?count=20&rate=50&first_sequence=1", "").await;
    assert!(matches!(client.next().await, Received::Text(_)));
    bridge.shutdown.begin(Duration::from_secs(20));
    let (texts, code, _) = client.rest().await;
    assert_eq!((texts.len(), code), (20, 1000), "{texts:?}");
    bridge.shutdown.finished().await;
}

#[tokio::test]
async fn a_hurried_drain_still_tells_its_clients() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("bidi", "grpcws.v1.json").await;
    assert!(matches!(client.next().await, Received::Text(open) if open.contains("open")));
    bridge.shutdown.begin(Duration::from_secs(600));
    bridge.shutdown.hurry();
    let (texts, code, _) = client.rest().await;
    assert!(texts.last().is_some_and(|text| text.contains(r#""code":14"#)), "{texts:?}");
    assert_eq!(code, 1012);
}
