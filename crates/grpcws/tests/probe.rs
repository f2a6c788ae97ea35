//! `GET` without an upgrade, which asks what a handshake would get (PROTOCOL §3.5).

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::both::{Server, both};
use common::raw::Handshake;
use common::whole::{Whole, open, services};
use common::{SOON, http2};
use grpcws::bridge::GenericRoute;
use grpcws::routes::ExtraRoute;
use grpcws::{
    CallContext, Code, ConnectionOptions, RefusedHandshake, Shutdown, Status, StreamHooks, StreamInfo,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";

/// What a client gets for a probe.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The code of the JSON body.
    fn code(&self) -> u64 {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        for name in ["status", "message"] {
            assert!(body.get(name).is_some_and(serde_json::Value::is_string), "{self:?}");
        }
        body.get("code").and_then(serde_json::Value::as_u64).expect("a code")
    }

    fn has_cors(&self) -> bool {
        self.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
    }
}

/// Sends a request with hyper's client on a connection of its own.
async fn send(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = async {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<bytes::Bytes>::new()).expect("valid");
        let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    };
    tokio::time::timeout(SOON, answer).await.expect("the server answers")
}

async fn probe(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(address, Method::GET, path, headers).await
}

fn options() -> ConnectionOptions {
    ConnectionOptions::builder().allow_origin(APP).build().expect("valid options")
}

fn method(name: &str) -> String {
    format!("grpcws.test.v1.TestService/{name}")
}

fn path(name: &str) -> String {
    format!("/ws/{}", method(name))
}

async fn whole() -> Whole {
    Whole::start(options()).await
}

/// Hooks that count what they hear of.
#[derive(Default)]
struct Counts {
    refused: AtomicUsize,
    started: AtomicUsize,
}

impl StreamHooks for Counts {
    fn on_refused(&self, _: &RefusedHandshake<'_>) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn on_start(&self, _: &StreamInfo) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }
}

async fn check(call: CallContext) -> Result<CallContext, Status> {
    match call.bearer() {
        None => Err(Status::new(Code::Unauthenticated, "a token is required")),
        Some("good") => Ok(call),
        Some(_) => Err(Status::new(Code::PermissionDenied, "not you")),
    }
}

#[tokio::test]
async fn a_probe_is_told_that_a_handshake_would_be_accepted_and_starts_nothing() {
    let counts = Arc::new(Counts::default());
    for server in both(|call| async { Ok::<CallContext, Status>(call) }, counts.clone()).await {
        for route in ["bidi", "server-stream?count=3"] {
            for list in ["", "grpcws.v1.json", "grpcws.v1.proto"] {
                let answer = probe(server.address, &server.path(route), &[("grpcws-protocol", list)]).await;
                assert_eq!((answer.status, answer.code()), (426, 0), "{answer:?}");
                assert_eq!(answer.header("upgrade"), Some("websocket"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
        assert_eq!(server.service.stats().started, 0, "no call has reached the upstream");
        assert_eq!(server.shutdown.streams(), 0);
    }
    assert_eq!(counts.started.load(Ordering::Relaxed), 0);
    assert_eq!(counts.refused.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_probe_of_a_typed_handler_does_not_run_it() {
    let created = Arc::new(AtomicUsize::new(0));
    let of_handler = Arc::clone(&created);
    let table = grpcws_json::Table::from_file_descriptor_set(grpcws_test::FILE_DESCRIPTOR_SET)
        .expect("own descriptors");
    let ws = grpcws::GrpcWs::new(table);
    let handler = grpcws::BidiStreamHandler::new(&ws, move |_: grpcws::Requests<Message>, _| {
        of_handler.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Status>(tokio_stream::iter([Ok::<Message, Status>(Message::default())])) }
    });
    let app = axum::Router::new().route("/bidi", axum::routing::any(handler.expect("a known message")));
    let shutdown = Shutdown::new();
    let (address, _) = common::raw::serve_app(app, grpcws::server::ServerOptions::default(), &shutdown).await;
    let answer = probe(address, "/bidi", &[]).await;
    assert_eq!((answer.status, created.load(Ordering::Relaxed)), (426, 0), "{answer:?}");
    open(address, "/bidi", "").await.rest().await;
    assert_eq!(created.load(Ordering::Relaxed), 1);
}

type Message = grpcws_test::pb::BidiResponse;

#[tokio::test]
async fn a_probe_gets_the_refusal_of_the_authorization_check() {
    let counts = Arc::new(Counts::default());
    for server in both(check, counts.clone()).await {
        let path = server.path("bidi");
        // `grpcws.bearer.` with the tokens `bad` and `good`.
        for (headers, status, code) in [
            (&[][..], 401, 16),
            (&[("authorization", "Bearer bad")], 403, 7),
            (&[("authorization", "Bearer good")], 426, 0),
            (&[("grpcws-protocol", "grpcws.v1.json")], 401, 16),
            (&[("grpcws-protocol", "grpcws.v1.json, grpcws.bearer.YmFk")], 403, 7),
            (&[("grpcws-protocol", "grpcws.v1.json, grpcws.bearer.Z29vZA")], 426, 0),
        ] {
            let answer = probe(server.address, &path, headers).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{headers:?}: {answer:?}");
        }
    }
    assert_eq!(counts.refused.load(Ordering::Relaxed), 0, "a probe is no handshake");
}

#[tokio::test]
async fn a_probe_gets_the_status_of_a_seed_handshake_and_the_error_of_v1() {
    let bridge = whole().await;
    for path in ["/ws/nowhere".to_owned(), path("Nope"), "/ws/a.B/C".to_owned()] {
        let answer = probe(bridge.address, &path, &[]).await;
        let (handshake, _) = Handshake::new(&path).send(bridge.address).await;
        assert_eq!((answer.status, handshake.status), (404, 404), "{path}: {answer:?}");
        assert_eq!(answer.code(), 12, "{answer:?}");
        assert!(answer.body.starts_with(r#"{"type":"error","error":"rpc error: code = "#), "{answer:?}");
        let message: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(format!("{}\n", message["message"].as_str().expect("a text")), handshake.body);
    }
}

#[tokio::test]
async fn the_sub_protocols_of_a_probe_count_as_those_of_a_handshake() {
    let bridge = whole().await;
    let unknown = path("Nope");
    for (path, list, status, code) in [
        // Only the upstream knows whether it has a method that the descriptors do not have.
        (&unknown, "grpcws.v1.proto", 426, 0),
        (&unknown, "grpcws.v1.json", 404, 12),
        (&path("Bidi"), "chat", 400, 3),
        (&path("Bidi"), "grpcws.v1.json, grpcws.bearer.!", 400, 3),
        (&path("Bidi"), "grpcws.v1.json, grpcws.metadata.!", 400, 3),
    ] {
        let answer = probe(bridge.address, path, &[("grpcws-protocol", list)]).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{list}: {answer:?}");
    }
}

#[tokio::test]
async fn a_probe_of_a_bound_route_is_told_whether_the_request_binds() {
    for server in both(|call| async { Ok::<CallContext, Status>(call) }, Arc::new(Counts::default())).await {
        let refused = probe(server.address, &server.path("server-stream?count=many"), &[]).await;
        assert_eq!((refused.status, refused.code()), (400, 3), "{refused:?}");
    }
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_read_the_answer_whatever_it_is() {
    let bridge = whole().await;
    for path in [path("Bidi"), path("Nope"), "/ws/nowhere".to_owned()] {
        let answer = probe(bridge.address, &path, &[("origin", APP)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-expose-headers"), Some("retry-after"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // Not a page, or one of the same origin: nothing to share.
    assert!(!probe(bridge.address, &path("Bidi"), &[]).await.has_cors());
}

#[tokio::test]
async fn pages_of_another_origin_read_nothing_and_the_check_does_not_run() {
    let asked = Arc::new(AtomicUsize::new(0));
    let of_check = Arc::clone(&asked);
    let counting = move |call: CallContext| {
        of_check.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Status>(call) }
    };
    let bridge =
        Whole::start_with(options(), |bridge| bridge.descriptors(services()).authorize(counting)).await;
    let evil: [&[(&str, &str)]; 5] = [
        &[("origin", EVIL)],
        &[("origin", "null")],
        &[("origin", APP), ("origin", EVIL)],
        // A browser sends no Origin with `no-cors`.
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
    ];
    let mut bodies = Vec::new();
    for headers in evil {
        for path in [path("Bidi"), path("Nope")] {
            let answer = probe(bridge.address, &path, headers).await;
            assert_eq!((answer.status, answer.code()), (403, 7), "{headers:?}: {answer:?}");
            assert!(!answer.has_cors(), "{answer:?}");
            bodies.push(answer.body);
        }
        let nowhere = probe(bridge.address, "/ws/nowhere", headers).await;
        assert!(!nowhere.has_cors(), "{nowhere:?}");
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the same for every method: {bodies:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")];
    assert_eq!(probe(bridge.address, &path("Bidi"), &own).await.status, 426);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_preflight_is_allowed_for_allowed_origins_and_tells_nothing_of_the_path() {
    let [typed, bridge] = both(check, Arc::new(Counts::default())).await;
    let own = "http://localhost";
    let ask = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization,grpcws-protocol"),
        ]
    };
    let paths = [
        (typed.address, typed.path("bidi")),
        (bridge.address, bridge.path("bidi")),
        (bridge.address, "/ws/nowhere".to_owned()),
        (bridge.address, path("Nope")),
    ];
    for (address, path) in paths {
        let allowed = send(address, Method::OPTIONS, &path, &ask(own)).await;
        assert_eq!(allowed.status, 204, "{path}: {allowed:?}");
        assert_eq!(allowed.header("access-control-allow-origin"), Some(own));
        assert_eq!(allowed.header("access-control-allow-methods"), Some("GET"));
        assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,grpcws-protocol"));
        assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
        let refused = send(address, Method::OPTIONS, &path, &ask(EVIL)).await;
        assert!(refused.status == 403 && !refused.has_cors(), "{path}: {refused:?}");
    }
    let post = [("origin", own), ("access-control-request-method", "POST")];
    let answer = send(bridge.address, Method::OPTIONS, &bridge.path("bidi"), &post).await;
    assert!(answer.status == 426 && !answer.has_cors(), "{answer:?}");
}

#[tokio::test]
async fn a_draining_gateway_and_one_with_all_its_streams_say_so() {
    let options = ConnectionOptions::builder().max_streams(1).allow_origin(APP).build().expect("valid");
    // The server, which would take no new connection in a drain, has a handle of its own.
    let shutdown = Shutdown::new();
    let of_bridge = shutdown.clone();
    let bridge =
        Whole::start_with(options, |bridge| bridge.descriptors(services()).shutdown(of_bridge)).await;
    let from_app = [("origin", APP)];
    assert_eq!(probe(bridge.address, &path("Bidi"), &from_app).await.status, 426);
    assert_eq!(probe(bridge.address, &path("Bidi"), &from_app).await.status, 426, "a probe takes no place");
    let client = bridge.open("Bidi", "").await;
    for draining in [false, true] {
        if draining {
            shutdown.begin(SOON);
        }
        let answer = probe(bridge.address, &path("Bidi"), &from_app).await;
        assert_eq!((answer.status, answer.code()), (503, 14), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.body.contains("shutting down"), draining, "{answer:?}");
    }
    drop(client);
}

#[tokio::test]
async fn a_closed_generic_route_looks_as_it_does_to_a_handshake() {
    let bound = [ExtraRoute::new("/count/{count}", method("ServerStream"))];
    let services = services().with_routes(&bound).expect("valid routes");
    let bridge = Whole::start_with(options(), |bridge| {
        bridge.descriptors(services).generic_route(GenericRoute::Unbound)
    })
    .await;
    for (path, status) in [(path("ServerStream"), 404), ("/ws/count/2".to_owned(), 426), (path("Bidi"), 426)]
    {
        for list in ["", "grpcws.v1.json", "grpcws.v1.proto"] {
            let answer = probe(bridge.address, &path, &[("grpcws-protocol", list)]).await;
            assert_eq!(answer.status, status, "{path} {list}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_handshake_that_lost_its_upgrade_on_the_way_is_no_probe() {
    let counts = Arc::new(Counts::default());
    let [_, server] = both(check, counts.clone()).await;
    let stripped = Handshake::new(&server.path("bidi")).without("Upgrade").replace("Connection", "close");
    let (answer, _) = stripped.send(server.address).await;
    assert_eq!(answer.status, 426, "{answer:?}");
    assert!(answer.body.starts_with("not a WebSocket handshake"), "{answer:?}");
    assert_eq!(counts.refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_probe_works_over_http2() {
    let bridge = whole().await;
    let mut connection = http2::connect(bridge.address).await;
    for (path, status) in
        [(path("Bidi"), StatusCode::UPGRADE_REQUIRED), (path("Nope"), StatusCode::NOT_FOUND)]
    {
        let mut request = http2::request(bridge.address, Method::GET, &path);
        request.headers_mut().insert("origin", APP.parse().expect("valid"));
        let (response, _) = connection.send_request(request, true).expect("the connection is open");
        let response = tokio::time::timeout(SOON, response).await.expect("in time").expect("an answer");
        assert_eq!(response.status(), status, "{response:?}");
        assert_eq!(response.headers()["access-control-allow-origin"], APP);
        assert!(!response.headers().contains_key("connection"), "{response:?}");
    }
}

#[tokio::test]
async fn a_check_can_tell_a_probe_from_a_handshake() {
    let only_handshakes = |call: CallContext| async move {
        if call.is_probe() {
            Err(Status::new(Code::FailedPrecondition, "a ticket is good once"))
        } else {
            Ok(call)
        }
    };
    for server in both(only_handshakes, Arc::new(Counts::default())).await {
        let answer = probe(server.address, &server.path("bidi"), &[]).await;
        assert_eq!((answer.status, answer.code()), (400, 9), "{answer:?}");
        assert_opens(&server).await;
    }
}

async fn assert_opens(server: &Server) {
    let mut client = open(server.address, &server.path("bidi"), "grpcws.v1.json").await;
    client.send(r#"{"type":"cancel"}"#).await;
    client.rest().await;
    let mut connection = http2::connect(server.address).await;
    let handshake = http2::handshake(server.address, &server.path("bidi"), "grpcws.v1.json");
    assert_eq!(http2::send(&mut connection, handshake).await.0.status(), 200);
}

#[test]
fn only_a_get_that_says_so_and_its_preflight_are_told_apart_from_other_requests() {
    let request = |method: Method, name: &str, value: &str| {
        Request::builder().method(method).uri("/").header(name, value).body(()).expect("valid")
    };
    let asked = "access-control-request-headers";
    assert!(grpcws::is_probe(&request(Method::GET, "grpcws-protocol", "")));
    assert!(grpcws::is_probe(&request(Method::OPTIONS, asked, "authorization, Grpcws-Protocol")));
    assert!(!grpcws::is_probe(&request(Method::GET, "origin", APP)));
    assert!(!grpcws::is_probe(&request(Method::POST, "grpcws-protocol", "")));
    assert!(!grpcws::is_probe(&request(Method::OPTIONS, asked, "authorization")));
}
