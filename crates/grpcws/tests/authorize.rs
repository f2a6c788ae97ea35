//! The authorization check: what it sees, and the effects of its decision.

mod common;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::both::{Server, both};
use common::http2;
use common::raw::{Answer, Handshake, Raw};
use common::{Client, Received, SOON};
use grpcws::{Authorize, CallContext, Code, MethodKind, Mode, Status, StreamHooks, StreamInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
/// `grpcws.bearer.` with the token `secret-token`.
const BEARER: &str = "grpcws.bearer.c2VjcmV0LXRva2Vu";
const MODES: [&str; 3] = ["", "grpcws.v1.json", "grpcws.v1.proto"];
const ECHO: &str = "server-stream?count=1&echo_metadata=ECHO_METADATA_MESSAGE";

/// Hooks that do nothing.
struct Nothing;

impl StreamHooks for Nothing {}

fn handshake(server: &Server, route: &str, subprotocol: &str) -> Handshake {
    let handshake = Handshake::new(&server.path(route));
    if subprotocol.is_empty() { handshake } else { handshake.with(SUBPROTOCOL, subprotocol) }
}

/// Waits for the next thing that a check tells.
async fn told<T>(receiver: &mut mpsc::Receiver<T>) -> T {
    tokio::time::timeout(SOON, receiver.recv()).await.expect("the check is asked").expect("it lives")
}

/// The handshake is refused with this code, and the way depends on the mode.
async fn assert_refused(server: &Server, subprotocol: &str, http_status: u16, code: u16) {
    let (answer, raw) = handshake(server, "bidi", subprotocol).send(server.address).await;
    if subprotocol.is_empty() {
        assert_eq!(answer.status, http_status, "{answer:?}");
        assert_eq!(answer.header("connection").as_deref(), Some("close"), "{answer:?}");
    } else {
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_error(&mut raw.into_client().await, code).await;
    }
}

/// The stream is `open` and then the error.
async fn assert_error<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>, code: u16) {
    let (texts, close, _) = client.rest().await;
    assert_eq!(close, 4000 + code, "{texts:?}");
    let [open, error] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(open.starts_with(r#"{"type":"open""#), "{texts:?}");
    assert!(error.contains(&format!(r#""code":{code},"#)), "{texts:?}");
}

/// The first response message of a stream, which has what the upstream has received.
async fn first_data<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) -> String {
    loop {
        match client.next().await {
            Received::Text(text) if text.starts_with(r#"{"type":"data""#) => return text,
            Received::Text(text) if !text.contains(r#""type":"error""#) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Writes down who calls.
#[derive(Default)]
struct Principals(Mutex<Vec<Option<Arc<str>>>>);

impl StreamHooks for Principals {
    fn on_start(&self, stream: &StreamInfo) {
        self.0.lock().expect("no panic").push(stream.principal.clone());
    }
}

#[tokio::test]
async fn a_call_that_may_start_has_the_metadata_and_the_principal_of_the_check() {
    let check = |mut call: CallContext| async move {
        let token = call.bearer().ok_or_else(|| Status::new(Code::Unauthenticated, "no token"))?;
        assert_eq!(token, "secret-token");
        call.metadata.remove("authorization");
        call.metadata.insert("x-user", "alice".parse().expect("a value"));
        call.principal = Some("alice@example.com".into());
        // It has no effect.
        call.method = "a.B/C".into();
        Ok(call)
    };
    let principals = Arc::new(Principals::default());
    for server in both(check, principals.clone()).await {
        let offer = format!("grpcws.v1.json, {BEARER}");
        let text = first_data(&mut handshake(&server, ECHO, &offer).open(server.address).await).await;
        assert!(text.contains(r#""x-user":{"values":["alice"]}"#), "{text}");
        assert!(!text.contains("secret-token"), "{text}");

        let with_header = handshake(&server, ECHO, "").with("Authorization", "bearer secret-token");
        let text = first_data(&mut with_header.open(server.address).await).await;
        assert!(text.contains(r#""x-user":{"values":["alice"]}"#), "{text}");

        let mut connection = http2::connect(server.address).await;
        let mut request = http2::handshake(server.address, &server.path(ECHO), "");
        request.headers_mut().insert("authorization", "Bearer secret-token".parse().expect("a value"));
        let (response, to_server) = http2::send(&mut connection, request).await;
        assert_eq!(response.status(), 200);
        let text = first_data(&mut http2::into_client(response, to_server).await).await;
        assert!(text.contains(r#""x-user":{"values":["alice"]}"#), "{text}");
    }
    let principals = principals.0.lock().expect("no panic");
    assert_eq!(principals.len(), 6);
    assert!(principals.iter().all(|name| name.as_deref() == Some("alice@example.com")), "{principals:?}");
}

#[tokio::test]
async fn the_check_sees_all_of_the_handshake() {
    let (sender, mut seen) = mpsc::channel(10);
    let check = move |call: CallContext| {
        let sender = sender.clone();
        async move {
            sender.send(call.clone()).await.expect("the test lives");
            Ok(call)
        }
    };
    for server in both(check, Arc::new(Nothing)).await {
        let mut raw = Raw::connect(server.address).await;
        let request = handshake(&server, "bidi?x=1", &format!("grpcws.v1.proto, {BEARER}"))
            .with("X-Seen", "by-the-check")
            .with("Cookie", "session=1")
            .with("Grpc-Metadata-X-Game", "g1")
            .with("Grpc-Timeout", "50S");
        let request = if server.bidi.starts_with('/') {
            request
        } else {
            request.line(&format!("GET {} HTTP/1.1", server.path("bidi")))
        };
        raw.send(request.bytes()).await;
        assert_eq!(raw.answer().await.status, 101);
        let call = told(&mut seen).await;
        assert_eq!(&*call.method, server.bidi);
        assert_eq!((call.kind, call.mode), (Some(MethodKind::Bidi), Mode::V1Proto));
        assert_eq!(call.peer, Some(raw.stream.local_addr().expect("it is connected")));
        assert_eq!(call.request.uri.path(), server.path("bidi"));
        assert_eq!(call.request.headers["x-seen"], "by-the-check");
        assert_eq!(call.metadata["x-game"], "g1");
        assert_eq!((call.bearer(), call.principal.as_deref()), (Some("secret-token"), None));
        assert!(call.timeout().is_some_and(|left| left.as_secs() >= 30));
        // Nothing that it may print has the credentials.
        let printed = format!("{call:?} {:?} {:?}", call.request, call.metadata);
        for secret in ["secret-token", "c2Vjc", "session=1"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_refused_gets_the_status_by_the_protocol_or_by_http() {
    let check = |_: CallContext| async { Err(Status::new(Code::Unauthenticated, "who are you?")) };
    for server in both(check, Arc::new(Nothing)).await {
        for mode in MODES {
            assert_refused(&server, mode, 401, 16).await;
        }
        let mut connection = http2::connect(server.address).await;
        let seed = http2::handshake(server.address, &server.path("bidi"), "");
        assert_eq!(http2::send(&mut connection, seed).await.0.status(), 401);
        let mut client =
            http2::open(&mut connection, server.address, &server.path("bidi"), "grpcws.v1.json").await;
        assert_error(&mut client, 16).await;
        assert_eq!(server.service.stats().started, 0);
    }
}

#[tokio::test]
async fn an_error_with_status_ok_lets_nobody_in() {
    let check = |_: CallContext| async { Err(Status::ok()) };
    for server in both(check, Arc::new(Nothing)).await {
        assert_refused(&server, "", 500, 13).await;
        assert_refused(&server, "grpcws.v1.json", 500, 13).await;
        assert_eq!(server.service.stats().started, 0);
    }
}

#[tokio::test]
async fn an_unknown_method_is_reported_after_the_check() {
    let check = |call: CallContext| async move {
        let known = call.bearer().is_some();
        if known { Ok(call) } else { Err(Status::new(Code::Unauthenticated, "who are you?")) }
    };
    let [_, bridge] = both(check, Arc::new(Nothing)).await;
    let unknown = Handshake::new("/ws/grpcws.test.v1.TestService/Nope");
    assert_eq!(unknown.send(bridge.address).await.0.status, 401);
    let unknown = unknown.with("Authorization", "Bearer t");
    assert_eq!(unknown.send(bridge.address).await.0.status, 404);
}

/// A check that waits until it is let go, and tells when it is asked and when it is dropped.
#[derive(Clone)]
struct Waiting {
    told: mpsc::Sender<&'static str>,
    go: watch::Receiver<bool>,
}

impl Authorize for Waiting {
    async fn authorize(&self, call: CallContext) -> Result<CallContext, Status> {
        let _dropped = Dropped(self.told.clone());
        self.told.send("asked").await.expect("the test lives");
        self.go.clone().wait_for(|go| *go).await.expect("the test lives");
        Ok(call)
    }
}

struct Dropped(mpsc::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.try_send("dropped").expect("there is room");
    }
}

fn waiting() -> (Waiting, mpsc::Receiver<&'static str>, watch::Sender<bool>) {
    let (told, told_by) = mpsc::channel(10);
    let (let_go, go) = watch::channel(false);
    (Waiting { told, go }, told_by, let_go)
}

#[tokio::test]
async fn no_call_starts_and_no_socket_opens_before_the_decision() {
    let (check, mut told_by, go) = waiting();
    for server in both(check, Arc::new(Nothing)).await {
        go.send_replace(false);
        let mut raw = Raw::connect(server.address).await;
        // A message that comes early waits for the decision too.
        let early = common::raw::text_frame(r#"{"type":"data","data":{"sequence":"7"}}"#);
        raw.send(handshake(&server, "bidi", "").then(early).bytes()).await;
        assert_eq!(told(&mut told_by).await, "asked");
        // Others are not held up.
        let (answer, _) = Handshake::new("/nowhere").send(server.address).await;
        assert_eq!(answer.status, 404);
        assert_eq!((server.service.stats().started, server.shutdown.streams()), (0, 0));
        let mut nothing = [0];
        let read = raw.stream.try_read(&mut nothing);
        assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));

        go.send_replace(true);
        assert_eq!(raw.answer().await.status, 101);
        let text = first_data(&mut raw.into_client().await).await;
        assert!(text.contains(r#""requestSequence":"7""#), "{text}");
        assert_eq!(told(&mut told_by).await, "dropped");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_check() {
    let (check, mut told_by, _go) = waiting();
    for server in both(check, Arc::new(Nothing)).await {
        let mut raw = Raw::connect(server.address).await;
        raw.send(handshake(&server, "bidi", "grpcws.v1.json").bytes()).await;
        assert_eq!(told(&mut told_by).await, "asked");
        drop(raw);
        assert_eq!(told(&mut told_by).await, "dropped");

        let mut connection = http2::connect(server.address).await;
        let request = http2::handshake(server.address, &server.path("bidi"), "grpcws.v1.json");
        let (_response, mut stream) = connection.send_request(request, false).expect("it is open");
        assert_eq!(told(&mut told_by).await, "asked");
        stream.send_reset(h2::Reason::CANCEL);
        assert_eq!(told(&mut told_by).await, "dropped");
        server.settle().await;
        assert_eq!(server.service.stats().started, 0);
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_handshake_and_no_other_stream_of_the_connection() {
    let check = |call: CallContext| {
        let panics = call.request.headers.get("x-panic").map(|value| value.as_bytes().to_owned());
        assert!(panics.as_deref() != Some(b"at once"), "a panic that the test asks for");
        async move {
            tokio::task::yield_now().await;
            assert!(panics.is_none(), "a panic that the test asks for");
            Ok(call)
        }
    };
    for server in both(check, Arc::new(Nothing)).await {
        let mut connection = http2::connect(server.address).await;
        let mut other = http2::open(&mut connection, server.address, &server.path("bidi"), "").await;
        for panic in ["at once", "later"] {
            let seed = handshake(&server, "bidi", "").with("X-Panic", panic);
            let (answer, _) = seed.send(server.address).await;
            assert_eq!((answer.status, answer.body.as_str()), (500, "internal error\n"));

            let mut request = http2::handshake(server.address, &server.path("bidi"), "");
            request.headers_mut().insert("x-panic", panic.parse().expect("a value"));
            assert_eq!(http2::send(&mut connection, request).await.0.status(), 500);

            let v1 = handshake(&server, "bidi", "grpcws.v1.json").with("X-Panic", panic);
            assert_error(&mut v1.open(server.address).await, 13).await;
        }
        other.send(r#"{"type":"data","data":{"sequence":"7"}}"#).await;
        assert!(first_data(&mut other).await.contains(r#""requestSequence":"7""#));
        assert_eq!(server.service.stats().started, 1);
    }
}

#[tokio::test]
async fn the_deadline_of_the_call_bounds_the_check() {
    let check = |_: CallContext| pending::<Result<CallContext, Status>>();
    for server in both(check, Arc::new(Nothing)).await {
        let seed = handshake(&server, "bidi", "").with("Grpc-Timeout", "50m");
        assert_eq!(seed.send(server.address).await.0.status, 504);
        let v1 = handshake(&server, "bidi", "grpcws.v1.json").with("Grpc-Timeout", "50m");
        assert_error(&mut v1.open(server.address).await, 4).await;
        assert_eq!(server.service.stats().started, 0);
    }
}

#[tokio::test]
async fn a_check_may_set_the_deadline() {
    let check = |mut call: CallContext| async move {
        call.deadline = Some(std::time::Instant::now());
        Ok(call)
    };
    for server in both(check, Arc::new(Nothing)).await {
        let mut client = handshake(&server, "bidi", "grpcws.v1.json").open(server.address).await;
        assert_error(&mut client, 4).await;
    }
}

#[tokio::test]
async fn a_drain_that_begins_during_the_check_refuses_the_call() {
    let (check, mut told_by, go) = waiting();
    for server in both(check, Arc::new(Nothing)).await {
        go.send_replace(false);
        let mut raw = Raw::connect(server.address).await;
        raw.send(handshake(&server, "bidi", "grpcws.v1.json").bytes()).await;
        assert_eq!(told(&mut told_by).await, "asked");
        server.shutdown.begin(SOON);
        go.send_replace(true);
        let answer: Answer = raw.answer().await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")), "{answer:?}");
        assert_eq!(told(&mut told_by).await, "dropped");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_not_asked_about() {
    let asked = Arc::new(AtomicUsize::new(0));
    let check = {
        let asked = Arc::clone(&asked);
        move |call: CallContext| {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Ok(call) }
        }
    };
    for server in both(check, Arc::new(Nothing)).await {
        let other_origin = handshake(&server, "bidi", "").with("Origin", "https://evil.example");
        for (handshake, status) in [
            (handshake(&server, "bidi", "").without("Upgrade"), 426),
            (other_origin, 403),
            (handshake(&server, "bidi", "chat"), 400),
            (handshake(&server, "bidi", "").with("Grpc-Timeout", "soon"), 400),
        ] {
            assert_eq!(handshake.send(server.address).await.0.status, status);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        handshake(&server, "bidi", "").open(server.address).await;
        assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn the_request_parser_runs_after_the_check() {
    let check = |_: CallContext| async { Err(Status::new(Code::PermissionDenied, "not you")) };
    let [typed, _]: [Server; 2] = both(check, Arc::new(Nothing)).await;
    let address: SocketAddr = typed.address;
    // The parser would refuse it with 400.
    let (answer, _) = handshake(&typed, "server-stream?nonsense=1", "").send(address).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "not you\n"));
}
