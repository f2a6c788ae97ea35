//! Upstreams that come and go, and those that are none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::own::{AbortOnDrop, Handler, Manners, Own};
use common::{call, eventually};
use futures_util::future::join_all;
use grpcws_proto::Code;
use grpcws_upstream::{Upstream, UpstreamOptions};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

/// A listener on an address that was in use a moment ago.
fn listen_again(address: std::net::SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1_024).unwrap()
}

/// Calls until one succeeds.
async fn calls_until_one_succeeds(upstream: &Upstream) {
    let begun = Instant::now();
    loop {
        match call(upstream).await {
            Ok(response) => {
                response.into_body().collect().await.unwrap();
                return;
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_upstream_may_start_late_and_be_killed_and_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let upstream = common::upstream(address, UpstreamOptions::default());

    let status = call(&upstream).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the upstream refuses connections"));
    // In the back-off calls fail at once, with the same reason.
    for _ in 0..100 {
        let status = call(&upstream).await.unwrap_err();
        assert_eq!(status.message(), "the upstream refuses connections");
    }
    assert_eq!(upstream.stats().dials, 1);

    let server = Own::with(listen_again(address), Manners::default(), Handler::unary());
    calls_until_one_succeeds(&upstream).await;
    // The first attempt after the back-off succeeded.
    assert_eq!(upstream.stats().dials, 2);

    drop(server);
    eventually("the loss is noticed", || upstream.stats().connections == 0).await;
    let status = call(&upstream).await.unwrap_err();
    assert_eq!(status.message(), "the upstream refuses connections");

    let _server = Own::with(listen_again(address), Manners::default(), Handler::unary());
    calls_until_one_succeeds(&upstream).await;
    assert_eq!(upstream.stats().dials, 4);
}

#[tokio::test]
async fn who_asks_is_told_when_an_upstream_comes_and_goes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let options =
        UpstreamOptions::builder().backoff(Duration::from_millis(10)).build().expect("valid options");
    let upstream = common::upstream(address, options);
    let mut changes = upstream.changes();
    call(&upstream).await.unwrap_err();
    assert!(!changes.has_changed().unwrap(), "there was none, and is none");

    for round in 0..2 {
        let server = Own::with(listen_again(address), Manners::default(), Handler::unary());
        calls_until_one_succeeds(&upstream).await;
        assert_eq!(*changes.borrow_and_update(), 2 * round + 1);
        call(&upstream).await.unwrap().into_body().collect().await.unwrap();
        assert!(!changes.has_changed().unwrap());
        drop(server);
        tokio::time::timeout(Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
        assert_eq!(*changes.borrow_and_update(), 2 * round + 2);
    }
    assert_eq!(upstream.stats().lost_connections, 2);
}

#[tokio::test]
async fn running_calls_of_a_killed_upstream_are_unavailable() {
    let server = Own::start(Handler::endless()).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut response = call(&upstream).await.unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    drop(server);
    let status = response.body_mut().frame().await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the connection to the upstream was lost")
    );
    assert!(response.body_mut().frame().await.is_none());
    assert_eq!(upstream.stats().streams, 0);
}

#[tokio::test]
async fn all_calls_that_wait_share_one_attempt_to_connect() {
    // The kernel accepts for the listener, so that the attempt goes on until somebody shakes hands.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = common::upstream(listener.local_addr().unwrap(), UpstreamOptions::default());
    let calls = tokio::spawn({
        let upstream = upstream.clone();
        async move { join_all((0..50).map(|_| call(&upstream))).await }
    });
    eventually("all calls wait", || upstream.stats().waiting == 50).await;
    assert_eq!((upstream.stats().dials, upstream.stats().dialing), (1, 1));
    let server = Own::with(listener, Manners::default(), Handler::unary());
    assert!(calls.await.unwrap().iter().all(Result::is_ok));
    assert_eq!((upstream.stats().dials, server.accepted()), (1, 1));
}

#[tokio::test]
async fn to_drop_the_upstream_is_to_close_it_when_its_calls_have_ended() {
    let server = Own::start(Handler::endless()).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let mut response = call(&upstream).await.unwrap();
    drop(upstream);
    // The call goes on.
    response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(server.open(), 1);
    drop(response);
    eventually("the connection is closed", || server.open() == 0).await;

    let upstream = common::upstream(server.address, UpstreamOptions::default());
    drop(call(&upstream).await.unwrap());
    drop(upstream);
    eventually("an idle connection is closed too", || server.open() == 0).await;
}

#[tokio::test]
async fn a_closed_upstream_takes_no_calls() {
    let server = Own::start(Handler::unary()).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    call(&upstream).await.unwrap().into_body().collect().await.unwrap();
    upstream.close();
    tokio::time::timeout(Duration::from_secs(10), upstream.closed()).await.unwrap();
    let status = call(&upstream).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the connections to the upstream are being closed");
}

#[tokio::test]
async fn a_waiting_call_ends_with_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = common::upstream(listener.local_addr().unwrap(), UpstreamOptions::default());
    let waits = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream).await }
    });
    eventually("the call waits", || upstream.stats().waiting == 1).await;
    upstream.close();
    assert_eq!(waits.await.unwrap().unwrap_err().code(), Code::Unavailable);
    tokio::time::timeout(Duration::from_secs(10), upstream.closed()).await.unwrap();
}

/// A server that answers each connection with these bytes, and leaves it open or closes it.
async fn saying(bytes: &'static [u8], closes: bool) -> (std::net::SocketAddr, AbortOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut io, _) = listener.accept().await.unwrap();
            // Read something first, or closing would be a reset that destroys the answer.
            let _ = io.read(&mut [0; 1_024]).await;
            io.write_all(bytes).await.unwrap();
            if !closes {
                open.push(io);
            }
        }
    });
    (address, AbortOnDrop(task))
}

#[tokio::test]
async fn what_is_no_http2_server_is_named() {
    let no_http2 = "the upstream does not speak HTTP/2";
    let closed =
        "the upstream closed the connection before HTTP/2 began; perhaps it does not speak it, or wants TLS";
    let silent =
        "the upstream sent no HTTP/2 settings in time; perhaps it does not speak HTTP/2, or wants TLS";
    for (bytes, closes, message) in [
        (&b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"[..], true, no_http2),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false, no_http2),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", false, no_http2),
        (b"", true, closed),
        (b"", false, silent),
    ] {
        let (address, _server) = saying(bytes, closes).await;
        let options = UpstreamOptions::builder()
            .dial_timeout(Duration::from_millis(300))
            .build()
            .expect("valid options");
        let upstream = common::upstream(address, options);
        let status = call(&upstream).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, message), "{bytes:?}, {closes}");
        upstream.close();
        tokio::time::timeout(Duration::from_secs(10), upstream.closed()).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    let upstream = Upstream::new("http://nowhere.invalid:1", UpstreamOptions::default()).unwrap();
    let status = call(&upstream).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the name of the upstream cannot be resolved")
    );
}

#[tokio::test]
async fn a_name_with_a_dead_address_works_by_the_other() {
    // Where `localhost` is both ::1 and 127.0.0.1, nobody listens on the first.
    let server = Own::start(Handler::unary()).await;
    let endpoint = format!("http://localhost:{}", server.address.port());
    let upstream = Upstream::new(&endpoint, UpstreamOptions::default()).unwrap();
    for _ in 0..10 {
        call(&upstream).await.unwrap().into_body().collect().await.unwrap();
    }
    let stats = upstream.stats();
    assert_eq!((stats.connections, server.accepted()), (1, 1), "{stats:?}");
    assert!(stats.lookups >= 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_works() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("grpcws-{}-{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let endpoint = format!("unix:{}", path.display());
    let upstream = Upstream::new(&endpoint, UpstreamOptions::default()).unwrap();
    let status = call(&upstream).await.unwrap_err();
    assert_eq!(status.message(), "the unix socket of the upstream does not exist");

    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let authorities = Arc::new(std::sync::Mutex::new(Vec::new()));
    let handler = Handler::new({
        let authorities = Arc::clone(&authorities);
        move |_, request, respond| {
            authorities.lock().unwrap().push(request.uri().to_string());
            async move { common::own::answer(respond) }
        }
    });
    let _server = AbortOnDrop(tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        common::own::serve(io, 0, Manners::default(), handler).await;
    }));
    calls_until_one_succeeds(&upstream).await;
    assert_eq!(*authorities.lock().unwrap(), ["http://localhost/own.v1.Own/Call"]);
    std::fs::remove_file(&path).unwrap();
}
