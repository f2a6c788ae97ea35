//! What one response may do to the other calls on its connection.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::own::{AbortOnDrop, Handler, Manners, Own, answer, head, read, serve};
use common::{message, request, upstream};
use grpcws_proto::{Code, Status};
use grpcws_upstream::{Upstream, UpstreamBody, UpstreamOptions};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_service::Service as _;

/// A server whose response is the one that the request names.
async fn server() -> Own {
    Own::start(Handler::new(|_, mut request, mut respond| async move {
        let asked = read(request.body_mut()).await.unwrap();
        let asked = String::from_utf8(asked[5..].to_vec()).unwrap();
        let (kind, size) = asked.split_once(' ').unwrap();
        let size: usize = size.parse().unwrap();
        let big = || HeaderValue::try_from("v".repeat(size)).unwrap();
        match kind {
            "running" => {
                let mut stream = respond.send_response(head(), false).unwrap();
                stream.send_data(message(b""), false).unwrap();
                std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
            }
            "headers" => {
                let mut response: Response<()> = head();
                response.headers_mut().insert("x-big", big());
                respond.send_response(response, false).unwrap();
            }
            "empty" => {
                let mut stream = respond.send_response(head(), false).unwrap();
                for _ in 0..size {
                    stream.send_data(Bytes::new(), false).unwrap();
                }
                stream.send_data(message(b""), false).unwrap();
                stream.send_trailers(status("0")).unwrap();
            }
            _ => {
                let mut trailers = status("9");
                match kind {
                    "one" => drop(trailers.insert("x-big", big())),
                    // HPACK makes one byte of each.
                    "same" => (0..size).for_each(|_| {
                        trailers.append("x-a", HeaderValue::from_static("b"));
                    }),
                    "names" => (0..size).for_each(|number| {
                        let name = HeaderName::try_from(format!("x-{number}")).unwrap();
                        trailers.insert(name, HeaderValue::from_static("b"));
                    }),
                    other => panic!("{other}"),
                }
                let mut stream = respond.send_response(head(), false).unwrap();
                stream.send_trailers(trailers).unwrap();
            }
        }
    }))
    .await
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers
}

fn one_connection() -> UpstreamOptions {
    UpstreamOptions::builder().max_connections(1).max_header_list_size(64 * 1024).build().unwrap()
}

async fn begin(upstream: &Upstream, what: &str) -> Result<Response<UpstreamBody>, Status> {
    upstream.clone().call(request(Full::new(message(what.as_bytes())))).await
}

/// The trailers of a response.
async fn call(upstream: &Upstream, what: &str) -> Result<HeaderMap, Status> {
    let body = begin(upstream, what).await?.into_body();
    Ok(body.collect().await?.trailers().unwrap().clone())
}

/// Whether a call still runs: its response has begun and does not end.
async fn runs(running: &mut UpstreamBody) -> bool {
    tokio::time::timeout(Duration::from_millis(100), running.frame()).await.is_err()
}

async fn running(upstream: &Upstream) -> UpstreamBody {
    let mut body = begin(upstream, "running 0").await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    body
}

#[tokio::test]
async fn headers_and_trailers_up_to_2_mib_cost_their_own_call_only() {
    let server = server().await;
    let upstream = upstream(server.address, one_connection());
    let mut neighbour = running(&upstream).await;
    for what in ["headers 65536", "headers 2000000", "one 65536", "one 200000", "one 2000000", "same 3000"] {
        let status = call(&upstream, what).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{what}: {status}");
        let text = "larger than the limit of 65536 bytes (max-header-list-size)";
        assert!(status.message().contains(text), "{what}: {status}");
        let said = status.message().ends_with("; the upstream ended the call with status 9");
        assert_eq!(said, !what.starts_with("headers"), "{what}: {status}");
    }
    assert!(runs(&mut neighbour).await);
    assert_eq!(upstream.stats().dials, 1);
}

#[tokio::test]
async fn all_trailers_arrive_or_the_call_fails_whatever_their_number_and_size() {
    let server = server().await;
    for limit in [300, 64 * 1024, 1 << 20, 4 << 20] {
        let options = UpstreamOptions::builder().max_header_list_size(limit).build().unwrap();
        let upstream = upstream(server.address, options);
        for size in [1, 100, 1_000, 20_000, 24_574, 24_575, 30_000, 60_000, 120_000] {
            for kind in ["one", "same", "names"] {
                // What the server's own HeaderMap cannot hold.
                if kind == "names" && size > 24_000 {
                    continue;
                }
                match call(&upstream, &format!("{kind} {size}")).await {
                    Ok(trailers) if kind == "one" => assert_eq!(trailers["x-big"].len(), size),
                    Ok(trailers) => assert_eq!(trailers.len(), size + 1, "{kind} {size}, limit {limit}"),
                    Err(status) => {
                        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                        assert!(
                            size * 40 > usize::try_from(limit).unwrap() || kind == "one",
                            "{kind} {size}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_limit_can_be_raised() {
    let server = server().await;
    let options = UpstreamOptions::builder().max_header_list_size(3 << 20).build().unwrap();
    let upstream = upstream(server.address, options);
    let mut neighbour = running(&upstream).await;
    assert_eq!(call(&upstream, "one 2900000").await.unwrap()["x-big"].len(), 2_900_000);
    assert_eq!(call(&upstream, "same 60000").await.unwrap().get_all("x-a").iter().count(), 60_000);
    assert!(runs(&mut neighbour).await);
}

#[tokio::test]
async fn error_details_of_700_kb_arrive_by_default() {
    let server = server().await;
    let upstream = upstream(server.address, UpstreamOptions::default());
    assert_eq!(call(&upstream, "one 1000000").await.unwrap()["x-big"].len(), 1_000_000);
    let mut headers = begin(&upstream, "headers 1000000").await.unwrap();
    assert_eq!(headers.headers_mut().remove("x-big").unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn what_is_too_large_to_be_read_is_named_to_all_calls_of_its_connection() {
    let server = server().await;
    let upstream = upstream(server.address, one_connection());
    let mut neighbour = running(&upstream).await;
    let text = "the connection to the upstream was given up: the upstream sent headers or trailers of more than \
                2097152 bytes in one response";
    let status = call(&upstream, "one 4000000").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, text));
    let status = neighbour.frame().await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, text));
}

#[tokio::test]
async fn empty_data_frames_end_no_call_however_many_there_are() {
    let server = server().await;
    let upstream = upstream(server.address, one_connection());
    let mut neighbour = running(&upstream).await;
    for what in ["empty 1", "empty 150", "empty 10000"] {
        assert_eq!(call(&upstream, what).await.unwrap()["grpc-status"], "0", "{what}");
    }
    assert!(runs(&mut neighbour).await);
    assert_eq!(upstream.stats().dials, 1);
}

/// A server behind a link on which a test can put frames of its own, when the server says nothing.
async fn injected() -> (SocketAddr, mpsc::Sender<Vec<u8>>, AbortOnDrop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut frames) = mpsc::channel::<Vec<u8>>(1);
    let handler = Handler::new(|_, mut request, mut respond| async move {
        let asked = read(request.body_mut()).await.unwrap();
        if asked.ends_with(b"answer") {
            return answer(respond);
        }
        let mut stream = respond.send_response(head(), false).unwrap();
        stream.send_data(message(b""), false).unwrap();
        std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
    });
    let task = tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = io.into_split();
        let (near, far) = tokio::io::duplex(1 << 20);
        let (mut from_server, mut to_server) = tokio::io::split(near);
        let requests = async move { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
        let responses = async move {
            let mut buffer = vec![0; 1 << 16];
            loop {
                tokio::select! {
                    biased;
                    read = from_server.read(&mut buffer) => {
                        to_client.write_all(&buffer[..read.unwrap()]).await.unwrap();
                    }
                    Some(frame) = frames.recv() => to_client.write_all(&frame).await.unwrap(),
                }
            }
        };
        tokio::join!(requests, responses, serve(far, 0, Manners::default(), handler));
    });
    (address, sender, AbortOnDrop(task))
}

#[tokio::test]
async fn a_window_update_by_nothing_ends_its_stream_only() {
    let (address, frames, _server) = injected().await;
    let upstream = upstream(address, one_connection());
    let mut first = running(&upstream).await;
    let mut second = running(&upstream).await;
    frames.send(vec![0, 0, 4, 8, 0, 0, 0, 0, 3, 0, 0, 0, 0]).await.unwrap();
    let (one, other) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(1), first.frame()),
        tokio::time::timeout(Duration::from_secs(1), second.frame()),
    );
    let ended: Vec<_> = [one, other].into_iter().flatten().map(|frame| frame.unwrap().unwrap_err()).collect();
    let [status] = &ended[..] else { panic!("{} calls have ended", ended.len()) };
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "the upstream broke HTTP/2 (PROTOCOL_ERROR)")
    );
    assert_eq!(call(&upstream, "answer").await.unwrap()["grpc-status"], "0");
    assert_eq!(upstream.stats().dials, 1);
}
