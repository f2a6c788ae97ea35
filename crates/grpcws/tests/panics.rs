//! A panic of the program ends the stream in which it happens, with a status, and no other.

mod common;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::any;
use common::http2;
use common::raw::{Handshake, serve_app};
use common::recorder::{Recorded, recorder};
use common::{Bridge, Client, Received, app};
use grpcws::server::ServerOptions;
use grpcws::{ConnectionOptions, Requests, ServerStreamHandler, Shutdown, Status};
use grpcws_test::pb::{BidiRequest, BidiResponse, ServerStreamRequest, ServerStreamResponse};
use tokio::io::{AsyncRead, AsyncWrite};

const DATA: &str = r#"{"type":"data","data":{"sequence":"1"}}"#;

/// Reads to the end, which has to be a fault.
async fn assert_fault<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>, what: &str) {
    let (texts, code, reason) = client.rest().await;
    let error = texts.last().expect("a terminal message");
    assert!(
        error.contains(r#""code":13,"status":"INTERNAL","message":"internal error""#),
        "{what}: {texts:?}"
    );
    assert_eq!((code, reason.as_str()), (1011, "INTERNAL: internal error"), "{what}");
}

/// Another stream of the same process still does what it has to do.
async fn assert_goes_on<S: AsyncRead + AsyncWrite + Unpin>(mut client: Client<S>, what: &str) {
    client.send(r#"{"type":"end_send"}"#).await;
    let (texts, code, _) = client.rest().await;
    assert!(texts.iter().any(|text| text.contains(r#""messages":"1""#)), "{what}: {texts:?}");
    assert_eq!(code, 1000, "{what}");
}

/// The hooks of the stream were told of its end once.
async fn assert_closed_once(bridge: &Bridge, recorded: &mut Recorded, end: &str) {
    let events = recorded.until_close("/bidi").await;
    assert!(events.last().is_some_and(|close| close.starts_with(&format!("close {end}"))), "{events:?}");
    bridge.settle().await;
    let left = recorded.left();
    assert!(left.iter().all(|(path, _)| !path.ends_with("/bidi")), "{left:?}");
}

#[tokio::test]
async fn a_panic_in_a_hook_ends_its_own_stream_with_a_status() {
    for hook in ["start", "received", "sent", "ping", "pong"] {
        let (hooks, mut recorded) = recorder();
        let options = ConnectionOptions::builder()
            .ping_period(Some(Duration::from_millis(30)))
            .build()
            .expect("valid options");
        let hooks = hooks.panic_in(hook, "/bidi");
        let bridge = Bridge::start_with(options, |ws| ws.hooks(hooks)).await;
        let mut other = bridge.connect("client-stream", "").await;
        other.send(DATA).await;
        for subprotocol in ["", "grpcws.v1.json"] {
            let mut client = bridge.connect("bidi", subprotocol).await;
            // The socket may have ended already.
            if hook != "start" {
                client.send(DATA).await;
            }
            assert_fault(&mut client, hook).await;
            drop(client);
            let events = recorded.until_close("/bidi").await;
            let [.., panicked, error, close] = events.as_slice() else { panic!("{events:?}") };
            assert!(panicked.starts_with(hook) && error == "error 13", "{events:?}");
            assert!(close.starts_with("close Fault 13 1011"), "{events:?}");
        }
        assert_goes_on(other, hook).await;
        bridge.settle().await;
        let left = recorded.left();
        assert!(left.iter().all(|(path, _)| path.ends_with("/client-stream")), "{left:?}");
    }
}

#[tokio::test]
async fn a_panic_in_a_hook_of_the_end_keeps_no_other_from_being_told() {
    for hook in ["timeout", "error", "close"] {
        let (hooks, mut recorded) = recorder();
        let hooks = hooks.panic_in(hook, "/bidi");
        let bridge = Bridge::start_with(ConnectionOptions::default(), |ws| ws.hooks(hooks)).await;
        let mut other = bridge.connect("client-stream", "").await;
        other.send(DATA).await;
        let handshake = Handshake::new("/ws/test/bidi").with("Grpc-Timeout", "50m");
        let (texts, code, _) = handshake.open(bridge.address).await.rest().await;
        assert!(texts[0].contains(r#""code":4,"#), "{texts:?}");
        assert_eq!(code, 4004);
        assert_goes_on(other, hook).await;
        assert_closed_once(&bridge, &mut recorded, "Deadline 4 4004").await;
    }
}

/// A stream of responses that panics.
#[derive(Clone, Copy, PartialEq)]
enum Panics {
    InClosure,
    InFuture,
    AfterOneResponse,
    WhenDropped,
}

impl tokio_stream::Stream for Panics {
    type Item = Result<BidiResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match *self {
            Self::WhenDropped => Poll::Ready(None),
            Self::InFuture => panic!("a panic that the test asks for"),
            _ => {
                *self = Self::InFuture;
                Poll::Ready(Some(Ok(BidiResponse::default())))
            }
        }
    }
}

/// A guard that panics when it is dropped, where the test asks for it.
struct DropBomb(Panics);

impl tokio_stream::Stream for DropBomb {
    type Item = Result<BidiResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl Drop for DropBomb {
    fn drop(&mut self) {
        assert!(self.0 != Panics::WhenDropped, "a panic that the test asks for");
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_of_the_program_ends_it_with_a_status() {
    let shutdown = Shutdown::new();
    let (hooks, mut recorded) = recorder();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown).hooks(hooks);
    let mut app = Router::new();
    for (path, panics) in [
        ("/closure/bidi", Panics::InClosure),
        ("/future/bidi", Panics::InFuture),
        ("/stream/bidi", Panics::AfterOneResponse),
        ("/drop/bidi", Panics::WhenDropped),
    ] {
        let bidi = grpcws::BidiStreamHandler::new(&ws, move |requests: Requests<BidiRequest>, _| {
            assert!(panics != Panics::InClosure, "a panic that the test asks for");
            async move {
                drop(requests);
                assert!(panics != Panics::InFuture, "a panic that the test asks for");
                Ok::<_, Status>(DropBomb(panics))
            }
        });
        app = app.route(path, any(bidi.expect("known")));
    }
    // A stream that answers when the test says so.
    let (go, wait) = tokio::sync::watch::channel(false);
    let other = ServerStreamHandler::new(
        &ws,
        move |_: ServerStreamRequest, _| {
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|go| *go).await.expect("the test lives");
                Ok::<_, Status>(tokio_stream::once(Ok::<_, Status>(ServerStreamResponse::default())))
            }
        },
        || async { ServerStreamRequest::default() },
    );
    app = app.route("/other", any(other.expect("known")));
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    let mut other = Handshake::new("/other").open(address).await;

    for path in ["/closure/bidi", "/future/bidi", "/stream/bidi"] {
        let mut client = Handshake::new(path).open(address).await;
        if path == "/stream/bidi" {
            assert_eq!(client.next().await, Received::Text(r#"{"type":"data","data":{}}"#.to_owned()));
        }
        assert_fault(&mut client, path).await;
        drop(client);
        let events = recorded.until_close(path).await;
        assert!(events.last().is_some_and(|close| close.starts_with("close Fault 13 1011")), "{events:?}");
    }
    // The status was chosen before the stream was dropped.
    let (texts, code, _) = Handshake::new("/drop/bidi").open(address).await.rest().await;
    assert_eq!((texts, code), (vec![r#"{"type":"stream_end"}"#.to_owned()], 1000));
    let events = recorded.until_close("/drop/bidi").await;
    assert!(events.last().is_some_and(|close| close.starts_with("close Upstream 0 1000")), "{events:?}");

    go.send(true).expect("the stream waits");
    let (texts, code, _) = other.rest().await;
    assert_eq!((texts.len(), code), (2, 1000), "{texts:?}");
}

#[tokio::test]
async fn a_panic_in_a_request_parser_ends_its_own_handshake() {
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    let answer = |_: ServerStreamRequest, _| async {
        Ok::<_, Status>(tokio_stream::pending::<Result<ServerStreamResponse, Status>>())
    };
    let parse = |RawQuery(query): RawQuery| async move {
        assert!(query.is_none(), "a panic that the test asks for");
        ServerStreamRequest::default()
    };
    let handler = ServerStreamHandler::new(&ws, answer, parse).expect("known");
    let app = Router::new().route("/watch", any(handler));
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    let mut connection = http2::connect(address).await;
    let mut other = http2::open(&mut connection, address, "/watch", "").await;

    let (answer, _) = Handshake::new("/watch?panic").send(address).await;
    assert_eq!((answer.status, answer.body.as_str()), (500, "internal error\n"));
    let seed = http2::handshake(address, "/watch?panic", "");
    assert_eq!(http2::send(&mut connection, seed).await.0.status(), 500);
    let (texts, code, _) =
        http2::open(&mut connection, address, "/watch?panic", "grpcws.v1.json").await.rest().await;
    assert_eq!(code, 4013, "{texts:?}");

    // The other stream of the connection goes on.
    other.send(r#"{"type":"ping","pingId":7}"#).await;
    assert_eq!(other.next().await, Received::Text(r#"{"type":"pong","pingId":7}"#.to_owned()));
}
