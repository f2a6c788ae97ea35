//! Connections that the upstream ends, and requests that it has not seen.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::own::{Handler, Manners, Own, answer, head, read};
use common::{call, eventually, message, request};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use grpcws_proto::Code;
use grpcws_upstream::{Upstream, UpstreamOptions};
use h2::Reason;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service as _;

/// How often the upstream ends a connection.
const ROTATIONS: usize = 1_000;

/// One call of several messages, to the end of its response.
async fn echo(upstream: &Upstream, number: usize, messages: usize) -> Result<(), grpcws_proto::Status> {
    let frames = futures_util::stream::iter(
        (0..messages).map(|index| Ok::<_, std::io::Error>(Frame::data(message(&index.to_be_bytes())))),
    );
    // Some messages are not there at once, so that they are sent while the response is awaited.
    let frames = frames.then(|frame| async {
        tokio::task::yield_now().await;
        frame
    });
    let mut request = request(StreamBody::new(frames));
    request.headers_mut().insert("x-call", number.into());
    let response = upstream.clone().call(request).await?;
    let collected = response.into_body().collect().await?;
    assert_eq!(collected.trailers().unwrap()["x-bytes"], (messages * (5 + 8)).to_string());
    Ok(())
}

/// Answers with the number of bytes. Refuses every seventh call once, before or after it has read the request.
fn moody() -> Handler {
    let refused = Arc::new(Mutex::new(HashSet::new()));
    Handler::new(move |_, mut request, mut respond| {
        let number: usize = request.headers()["x-call"].to_str().unwrap().parse().unwrap();
        let refuse = number.is_multiple_of(7) && refused.lock().unwrap().insert(number);
        async move {
            if refuse && number.is_multiple_of(2) {
                respond.send_reset(Reason::REFUSED_STREAM);
                return;
            }
            let Ok(body) = read(request.body_mut()).await else { return };
            if refuse {
                respond.send_reset(Reason::REFUSED_STREAM);
                return;
            }
            let Ok(mut stream) = respond.send_response(head(), false) else { return };
            let _ = stream.send_data(message(b""), false);
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-bytes", body.len().into());
            let _ = stream.send_trailers(trailers);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rotations_under_load_are_noticed_by_nobody() {
    let manners = Manners { requests: Some(8), ..Default::default() };
    let server = Own::mannered(manners, moody()).await;
    // Sixteen calls begin at once where eight are taken, so each is refused as by a coin; of ten thousand, some are more
    // often in a row than a call is tried by default.
    let options =
        UpstreamOptions::builder().max_streams_per_connection(20).retries(32).build().expect("valid options");
    let upstream = common::upstream(server.address, options);
    let calls = AtomicUsize::new(0);
    join_all((0..16).map(|worker| {
        let (upstream, server, calls) = (&upstream, &server, &calls);
        async move {
            while server.accepted() <= ROTATIONS {
                let number = calls.fetch_add(1, Ordering::Relaxed);
                echo(upstream, number, worker).await.unwrap();
            }
        }
    }))
    .await;
    let stats = upstream.stats();
    assert!(stats.lost_connections >= ROTATIONS as u64, "{stats:?}");
    assert!(stats.retries > 0, "{stats:?}");
    assert!(calls.into_inner() > ROTATIONS);
    upstream.close();
    upstream.closed().await;
    eventually("the server sees that", || server.open() == 0).await;
}

#[tokio::test]
async fn running_calls_outlive_a_goaway_and_new_ones_go_elsewhere() {
    let (sender, receiver) = tokio::sync::watch::channel(false);
    let handler = Handler::new(move |connection, mut request, respond| {
        let mut receiver = receiver.clone();
        async move {
            read(request.body_mut()).await.unwrap();
            if connection == 0 {
                receiver.wait_for(|over| *over).await.unwrap();
            }
            answer(respond);
        }
    });
    let server = Own::mannered(Manners { requests: Some(1), ..Default::default() }, handler).await;
    let upstream = common::upstream(server.address, UpstreamOptions::default());
    let running = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream).await?.into_body().collect().await }
    });
    eventually("the connection takes no more", || {
        let stats = upstream.stats();
        (stats.connections, stats.draining, stats.streams) == (0, 1, 1)
    })
    .await;
    call(&upstream).await.unwrap().into_body().collect().await.unwrap();
    sender.send(true).unwrap();
    assert!(running.await.unwrap().unwrap().trailers().is_some());
    eventually("the first connection is closed", || upstream.stats().draining == 0).await;
}

/// Reads what a client sends first, up to and including the headers of its first request, whose stream is 1.
async fn first_request(io: &mut TcpStream) {
    let mut preface = [0; 24];
    io.read_exact(&mut preface).await.unwrap();
    // Empty SETTINGS.
    io.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    loop {
        let mut header = [0; 9];
        io.read_exact(&mut header).await.unwrap();
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        io.read_exact(&mut vec![0; length]).await.unwrap();
        if header[3] == 1 {
            return;
        }
    }
}

#[tokio::test]
async fn a_goaway_below_the_stream_is_tried_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = common::upstream(listener.local_addr().unwrap(), UpstreamOptions::default());
    let call = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.clone().call(request(Full::new(message(b"all of it")))).await }
    });
    let (mut io, _) = listener.accept().await.unwrap();
    first_request(&mut io).await;
    // GOAWAY, last stream 0, NO_ERROR.
    io.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();

    let (io, _) = listener.accept().await.unwrap();
    let handler = Handler::new(|_, mut request, respond| async move {
        assert_eq!(read(request.body_mut()).await.unwrap(), message(b"all of it"));
        answer(respond);
    });
    let serving = tokio::spawn(common::own::serve(io, 1, Manners::default(), handler));
    call.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert_eq!(upstream.stats().retries, 1);
    serving.abort();
}

#[tokio::test]
async fn a_connection_that_is_lost_is_not_tried_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = common::upstream(listener.local_addr().unwrap(), UpstreamOptions::default());
    let call = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream).await }
    });
    let (mut io, _) = listener.accept().await.unwrap();
    first_request(&mut io).await;
    drop(io);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the connection to the upstream was lost");
    assert_eq!(upstream.stats().calls, 1);
}

/// A server that refuses every request after it has read so many bytes.
async fn refusing(bytes: usize) -> Own {
    Own::start(Handler::new(move |_, mut request, mut respond| async move {
        let body = request.body_mut();
        let mut read = 0;
        while read < bytes
            && let Some(Ok(data)) = body.data().await
        {
            read += data.len();
            let _ = body.flow_control().release_capacity(data.len());
        }
        respond.send_reset(Reason::REFUSED_STREAM);
    }))
    .await
}

#[tokio::test]
async fn a_refused_call_is_tried_a_few_times() {
    let server = refusing(0).await;
    let upstream = common::upstream(
        server.address,
        UpstreamOptions::builder().retries(3).build().expect("valid options"),
    );
    let status = call(&upstream).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the upstream reset the stream (REFUSED_STREAM)");
    assert_eq!(upstream.stats().calls, 4);
}

#[tokio::test]
async fn a_call_that_has_sent_more_than_is_kept_is_not_tried_anew() {
    let server = refusing(20_000).await;
    let upstream = common::upstream(
        server.address,
        UpstreamOptions::builder().retry_buffer(10_000).build().expect("valid options"),
    );
    let body = Full::new(Bytes::from(vec![0; 30_000]));
    let status = upstream.clone().call(request(body)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(upstream.stats().calls, 1);
}

#[tokio::test]
async fn other_resets_have_the_codes_of_grpc() {
    for (reason, code) in [
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::NO_ERROR, Code::Internal),
    ] {
        for begun in [false, true] {
            let server = Own::start(Handler::new(move |_, mut request, mut respond| async move {
                read(request.body_mut()).await.unwrap();
                if begun {
                    let mut stream = respond.send_response(head(), false).unwrap();
                    stream.send_data(message(b""), false).unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.send_reset(reason);
                } else {
                    respond.send_reset(reason);
                }
            }))
            .await;
            let upstream = common::upstream(server.address, UpstreamOptions::default());
            let status = match call(&upstream).await {
                Ok(response) => response.into_body().collect().await.unwrap_err(),
                Err(status) => status,
            };
            assert_eq!(status.code(), code, "{reason:?}, begun: {begun}");
            assert_eq!(upstream.stats().calls, 1);
        }
    }
}
