//! What hooks get for handshakes and streams, and composed hooks.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::both::both;
use common::raw::{Handshake, Raw};
use common::{Bridge, SOON};
use grpcws::proto::session::Outcome;
use grpcws::{
    CallContext, Code, ConnectionOptions, Direction, MethodKind, Mode, RefusedHandshake, Shutdown, Status,
    StreamHooks, StreamInfo, StreamMetrics,
};
use tokio::sync::mpsc;

const V1: (&str, &str) = ("Sec-WebSocket-Protocol", "grpcws.v1.json");

/// What a hook gets of a refused handshake.
#[derive(Debug, PartialEq)]
struct Refused {
    path: String,
    method: Option<String>,
    peer: Option<SocketAddr>,
    http_status: u16,
    code: Option<Code>,
    reason: String,
}

/// Writes down what is refused, and which streams there are.
struct Recorder {
    refused: mpsc::Sender<Refused>,
    started: mpsc::Sender<StreamInfo>,
}

struct Recorded {
    refused: mpsc::Receiver<Refused>,
    started: mpsc::Receiver<StreamInfo>,
}

fn recorder() -> (Recorder, Recorded) {
    let (refused, refused_by) = mpsc::channel(100);
    let (started, started_by) = mpsc::channel(100);
    (Recorder { refused, started }, Recorded { refused: refused_by, started: started_by })
}

impl StreamHooks for Recorder {
    fn on_refused(&self, handshake: &RefusedHandshake<'_>) {
        let refused = Refused {
            path: handshake.path.to_owned(),
            method: handshake.method.map(str::to_owned),
            peer: handshake.peer,
            http_status: handshake.http_status.as_u16(),
            code: handshake.status.map(Status::code),
            reason: handshake.reason.to_owned(),
        };
        self.refused.try_send(refused).expect("there is room");
    }

    fn on_start(&self, stream: &StreamInfo) {
        self.started.try_send(stream.clone()).expect("there is room");
    }
}

async fn next<T>(receiver: &mut mpsc::Receiver<T>) -> T {
    tokio::time::timeout(SOON, receiver.recv()).await.expect("a hook is called").expect("the hooks live")
}

fn check(call: CallContext) -> std::future::Ready<Result<CallContext, Status>> {
    let refused = call.request.headers.contains_key("x-refuse");
    std::future::ready(if refused { Err(Status::new(Code::PermissionDenied, "not you")) } else { Ok(call) })
}

#[tokio::test]
async fn every_refused_handshake_is_reported() {
    let (hooks, mut recorded) = recorder();
    for server in both(check, Arc::new(hooks)).await {
        let path = server.path("bidi");
        let good = || Handshake::new(&path);
        let invalid = Some(Code::InvalidArgument);
        let denied = Some(Code::PermissionDenied);
        for (handshake, http_status, code, reason) in [
            (good().without("Upgrade"), 426, None, "not a WebSocket handshake"),
            (good().without("Sec-WebSocket-Key"), 400, None, "Sec-WebSocket-Key"),
            (good().with("Origin", "https://evil.example"), 403, None, "origin not allowed"),
            (good().with("Sec-WebSocket-Protocol", "chat"), 400, None, "no supported sub-protocol in chat"),
            (good().with("Grpc-Timeout", "soon"), 400, invalid, "grpc-timeout"),
            (good().with("Grpc-Timeout", "soon").with(V1.0, V1.1), 101, invalid, "grpc-timeout"),
            (good().with("X-Refuse", "1"), 403, denied, "not you"),
            (good().with("X-Refuse", "1").with(V1.0, V1.1), 101, denied, "not you"),
        ] {
            let mut raw = Raw::connect(server.address).await;
            let peer = raw.stream.local_addr().expect("it is connected");
            raw.send(handshake.bytes()).await;
            assert_eq!(raw.answer().await.status, http_status, "{reason}");
            let refused = next(&mut recorded.refused).await;
            assert!(refused.reason.contains(reason), "{refused:?}");
            let Refused {
                path: told,
                method,
                peer: told_peer,
                http_status: told_status,
                code: told_code,
                ..
            } = refused;
            assert_eq!((told, method.as_deref()), (path.clone(), Some(server.bidi)));
            assert_eq!((told_peer, told_status, told_code), (Some(peer), http_status, code), "{reason}");
            if http_status == 101 {
                // A stream follows, which ends with the status.
                assert_eq!(next(&mut recorded.started).await.path, path);
            }
        }
        assert!(recorded.started.try_recv().is_err(), "no other stream has begun");
    }
}

#[tokio::test]
async fn a_handshake_during_a_drain_is_reported() {
    let (hooks, mut recorded) = recorder();
    let shutdown = Shutdown::new();
    let of_route = shutdown.clone();
    let bridge =
        Bridge::start_with(ConnectionOptions::default(), |ws| ws.shutdown(of_route).hooks(hooks)).await;
    shutdown.begin(SOON);
    assert_eq!(Handshake::new("/ws/test/bidi").send(bridge.address).await.0.status, 503);
    let refused = next(&mut recorded.refused).await;
    assert_eq!((refused.http_status, refused.code), (503, None));
    assert_eq!(refused.reason, "the gateway is shutting down");
}

#[tokio::test]
async fn paths_requests_and_methods_that_do_not_fit_are_reported() {
    let (hooks, mut recorded) = recorder();
    let [typed, bridge] = both(check, Arc::new(hooks)).await;
    let unimplemented = Some(Code::Unimplemented);
    for (server, path, http_status, method, code) in [
        (
            &typed,
            "/ws/test/server-stream?nonsense=1",
            400,
            Some("/ws/test/server-stream"),
            Some(Code::InvalidArgument),
        ),
        (&bridge, "/ws/nowhere", 404, None, None),
        (&bridge, "/ws/a.B/C", 404, Some("a.B/C"), unimplemented),
        (
            &bridge,
            "/ws/server-stream?count=many",
            400,
            Some("grpcws.test.v1.TestService/ServerStream"),
            Some(Code::InvalidArgument),
        ),
    ] {
        let (answer, _) = Handshake::new(path).send(server.address).await;
        assert_eq!(answer.status, http_status, "{path}: {answer:?}");
        let refused = next(&mut recorded.refused).await;
        assert_eq!(refused.path, path.split('?').next().expect("a path"));
        assert_eq!(
            (refused.method.as_deref(), refused.http_status, refused.code),
            (method, http_status, code)
        );
    }
}

#[tokio::test]
async fn a_stream_is_reported_with_its_method_its_peer_and_its_principal() {
    let check = |mut call: CallContext| async move {
        call.principal = Some("alice".into());
        Ok(call)
    };
    let (hooks, mut recorded) = recorder();
    for server in both(check, Arc::new(hooks)).await {
        let mut raw = Raw::connect(server.address).await;
        let peer = raw.stream.local_addr().expect("it is connected");
        raw.send(Handshake::new(&server.path("bidi")).with(V1.0, V1.1).bytes()).await;
        assert_eq!(raw.answer().await.status, 101);
        let stream = next(&mut recorded.started).await;
        assert_eq!((stream.path.as_str(), &*stream.method), (server.path("bidi").as_str(), server.bidi));
        assert_eq!((stream.mode, stream.kind, stream.peer), (Mode::V1Json, MethodKind::Bidi, Some(peer)));
        assert_eq!(stream.principal.as_deref(), Some("alice"));
    }
}

#[tokio::test]
async fn a_panic_at_a_refused_handshake_disturbs_nothing() {
    struct Panics;
    impl StreamHooks for Panics {
        fn on_refused(&self, _: &RefusedHandshake<'_>) {
            panic!("a panic that the test asks for")
        }
    }
    for server in both(check, Arc::new(Panics)).await {
        let (answer, _) =
            Handshake::new(&server.path("bidi")).with("X-Refuse", "1").send(server.address).await;
        assert_eq!(answer.status, 403);
        let v1 = Handshake::new(&server.path("bidi")).with("X-Refuse", "1").with(V1.0, V1.1);
        let (texts, code, _) = v1.open(server.address).await.rest().await;
        assert_eq!(code, 4007, "{texts:?}");
    }
}

/// Writes down the names of the hooks that are called, and panics in one of them.
struct Named {
    name: &'static str,
    calls: mpsc::Sender<(&'static str, &'static str)>,
    panics: Option<&'static str>,
}

impl Named {
    fn call(&self, hook: &'static str) {
        self.calls.try_send((self.name, hook)).expect("there is room");
        assert!(self.panics != Some(hook), "a panic that the test asks for");
    }
}

impl StreamHooks for Named {
    fn on_refused(&self, _: &RefusedHandshake<'_>) {
        self.call("refused");
    }

    fn on_start(&self, _: &StreamInfo) {
        self.call("start");
    }

    fn on_message(&self, _: &StreamInfo, direction: Direction, _: usize) {
        self.call(if direction == Direction::Sent { "sent" } else { "received" });
    }

    fn on_ping(&self, _: &StreamInfo, _: u64) {
        self.call("ping");
    }

    fn on_pong(&self, _: &StreamInfo) {
        self.call("pong");
    }

    fn on_timeout(&self, _: &StreamInfo, _: &Outcome) {
        self.call("timeout");
    }

    fn on_error(&self, _: &StreamInfo, _: &Status) {
        self.call("error");
    }

    fn on_close(&self, _: &StreamInfo, _: Option<&Outcome>, _: &StreamMetrics) {
        self.call("close");
    }
}

/// Two hooks as one, of which the first may panic, and what is called.
fn pair(panics: Option<&'static str>) -> (impl StreamHooks, mpsc::Receiver<(&'static str, &'static str)>) {
    let (calls, called) = mpsc::channel(1000);
    let first = Named { name: "first", calls: calls.clone(), panics };
    let second = Arc::new(Named { name: "second", calls, panics: None });
    ((first, second), called)
}

/// Refuses a handshake, then opens a stream that is answered, pinged and ended by its deadline.
async fn walk(bridge: &Bridge) {
    let (answer, _) = Handshake::new("/ws/test/bidi").without("Upgrade").send(bridge.address).await;
    assert_eq!(answer.status, 426);
    let mut client = Handshake::new("/ws/test/bidi").with("Grpc-Timeout", "1S").open(bridge.address).await;
    client.send(r#"{"type":"data","data":{"sequence":"7"}}"#).await;
    client.send(r#"{"type":"pong","pingId":1}"#).await;
    client.rest().await;
}

#[tokio::test]
async fn two_hooks_as_one_are_both_called_in_their_order() {
    let (hooks, mut called) = pair(None);
    let options = ConnectionOptions::builder().ping_period(std::time::Duration::from_millis(200));
    let options = options.build().expect("valid options");
    let bridge = Bridge::start_with(options, |ws| ws.hooks(hooks)).await;
    walk(&bridge).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&"close") {
        let (name, hook) = next(&mut called).await;
        assert_eq!((name, next(&mut called).await), ("first", ("second", hook)));
        seen.push(hook);
    }
    for hook in ["refused", "start", "received", "sent", "ping", "pong", "timeout", "error", "close"] {
        assert!(seen.contains(&hook), "{hook} is not in {seen:?}");
    }
}

#[tokio::test]
async fn a_hook_that_panics_hides_nothing_from_the_one_beside_it() {
    for hook in ["refused", "start", "received", "error", "close"] {
        let (hooks, mut called) = pair(Some(hook));
        let bridge = Bridge::start_with(ConnectionOptions::default(), |ws| ws.hooks(hooks)).await;
        let (answer, _) = Handshake::new("/ws/test/bidi").without("Upgrade").send(bridge.address).await;
        assert_eq!(answer.status, 426);
        let (answer, raw) =
            Handshake::new("/ws/test/bidi").with("Grpc-Timeout", "50m").send(bridge.address).await;
        assert_eq!(answer.status, 101);
        let mut client = raw.into_client().await;
        // The socket may have ended already.
        if hook == "received" {
            client.send(r#"{"type":"data","data":{"sequence":"7"}}"#).await;
        }
        client.rest().await;
        drop(client);
        let mut seen = Vec::new();
        while seen.last() != Some(&"close") {
            let (name, called) = next(&mut called).await;
            if name == "second" {
                seen.push(called);
            }
        }
        for hook in ["refused", "start", hook, "error", "close"] {
            assert!(seen.contains(&hook), "{hook} is not in {seen:?}");
        }
    }
}

#[tokio::test]
async fn one_object_serves_handlers_and_a_bridge() {
    let (hooks, mut recorded) = recorder();
    let hooks = Arc::new(hooks);
    let typed = Bridge::start_with(ConnectionOptions::default(), |ws| ws.hooks(Arc::clone(&hooks))).await;
    let whole = common::whole::Whole::start_with(ConnectionOptions::default(), |bridge| {
        bridge.descriptors(common::whole::services()).hooks(hooks)
    })
    .await;
    let _first = typed.connect("bidi", "").await;
    assert_eq!(&*next(&mut recorded.started).await.method, "/ws/test/bidi");
    let _second = whole.open("Bidi", "").await;
    assert_eq!(&*next(&mut recorded.started).await.method, "grpcws.test.v1.TestService/Bidi");
}
