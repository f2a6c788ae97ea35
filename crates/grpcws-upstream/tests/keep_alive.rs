//! Upstreams that go silent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::time::Duration;

use common::own::{Handler, Manners, Own};
use common::{call, message, request};
use grpcws_proto::Code;
use grpcws_upstream::{Upstream, UpstreamOptions};
use http_body_util::{BodyExt as _, Full};
use tokio::net::TcpListener;
use tower_service::Service as _;

fn pinging(address: std::net::SocketAddr) -> Upstream {
    let options = UpstreamOptions::builder()
        .keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .build()
        .expect("valid options");
    common::upstream(address, options)
}

/// The clock runs ahead whenever nothing else can be done, so hours pass at once.
#[tokio::test]
async fn an_upstream_that_does_not_answer_a_ping_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = pinging(listener.local_addr().unwrap());
    let call = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.clone().call(request(Full::new(message(b"")))).await }
    });
    let (io, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(io).await.unwrap();
    let _request = connection.accept().await.unwrap().unwrap();
    // From here on the connection is not read any more.
    tokio::time::pause();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the upstream did not answer a keep-alive ping")
    );
    assert_eq!(upstream.stats().connections, 0);
}

#[tokio::test]
async fn an_upstream_that_answers_pings_is_kept() {
    let server =
        Own::with(TcpListener::bind("127.0.0.1:0").await.unwrap(), Manners::default(), Handler::endless());
    let upstream = pinging(server.address);
    let mut response = call(&upstream).await.unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let stats = upstream.stats();
    assert_eq!((stats.connections, stats.streams, stats.lost_connections), (1, 1, 0));
}
