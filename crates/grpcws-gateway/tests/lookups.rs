//! Types that no file of a service imports, and that only the upstream's reflection knows (findings F5 and R4).

mod scripted;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _};
use grpcws::bridge::Bridge;
use grpcws::json::{MarshalOptions, UnmarshalOptions};
use grpcws::server::ServerOptions;
use grpcws::services::Descriptors;
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_gateway::descriptors::{DescriptorOptions, Loader, refresh};
use http_body_util::StreamBody;
use prost::Message as _;
use scripted::{Scripted, compiled, files, not_found, services};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

const SOON: Duration = Duration::from_secs(20);

/// A gateway before a server that knows more types than its service's file does.
struct World {
    address: SocketAddr,
    descriptors: Descriptors,
    /// The names of types that reflection was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

/// Sends back what it is sent.
async fn echo(request: axum::extract::Request) -> Response {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    let data = request.into_body().into_data_stream().map(|data| data.map(http_body::Frame::data));
    let end = futures_util::stream::iter([Ok(http_body::Frame::trailers(trailers))]);
    let body = Body::new(StreamBody::new(data.chain(end)));
    Response::builder().header("content-type", "application/grpc").body(body).expect("a response")
}

/// Answers with two extensions.
async fn extended(request: axum::extract::Request) -> Response {
    const EVENT: &[u8] = b"\0\0\0\0\x0b\x0a\x011\xa2\x06\x02\x08\x07\xa8\x06\x01";
    to_bytes(request.into_body(), usize::MAX).await.expect("a request");
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    let frames =
        [http_body::Frame::data(axum::body::Bytes::from_static(EVENT)), http_body::Frame::trailers(trailers)];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, axum::Error>))));
    Response::builder().header("content-type", "application/grpc").body(body).expect("a response")
}

/// Fails with the request's payload as its detail.
async fn fail(request: axum::extract::Request) -> Response {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Event {
        #[prost(bytes = "vec", optional, tag = "2")]
        payload: Option<Vec<u8>>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(bytes = "vec", repeated, tag = "3")]
        details: Vec<Vec<u8>>,
    }
    let body = to_bytes(request.into_body(), usize::MAX).await.expect("a request");
    let event = Event::decode(body.get(5..).expect("its length")).expect("a message");
    let status = RpcStatus { code: 9, details: event.payload.into_iter().collect() };
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "9")
        .header("grpc-status-details-bin", STANDARD_NO_PAD.encode(status.encode_to_vec()))
        .body(Body::empty())
        .expect("a response")
}

impl World {
    /// `refuse` is what reflection says of a name, in the place of an answer.
    async fn start(listed: &'static [&'static str], refuse: fn(&str) -> Option<tonic::Status>) -> Self {
        let known: HashMap<String, Vec<u8>> = compiled(&["hidden.proto"]);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let file = move |name: &str| {
            known.get(name).cloned().map_or_else(|| not_found(name), |file| files(vec![file]))
        };
        let reflection = Scripted::new(move |question| match question {
            MessageRequest::ListServices(_) => services(listed),
            MessageRequest::FileByFilename(name) => file(&name),
            MessageRequest::FileContainingSymbol(name) => {
                if let Some(status) = refuse(&name) {
                    return Err(status);
                }
                if !name.starts_with("met.v1.") {
                    log.lock().expect("no panic").push(name.clone());
                }
                match name.as_str() {
                    "met.v1.Met" | "met.v1.Unregistered" | "met.v1.Event" => file("met.proto"),
                    "met.hidden.Order" | "met.hidden.order" => file("hidden.proto"),
                    "met.deep.Address" => file("deep.proto"),
                    _ => not_found(&name),
                }
            }
            MessageRequest::FileContainingExtension(extension) => {
                log.lock()
                    .expect("no panic")
                    .push(format!("{} {}", extension.containing_type, extension.extension_number));
                if extension.extension_number == 100 { file("hidden.proto") } else { not_found("it") }
            }
            other => panic!("{other:?}"),
        });
        let router = Router::new()
            .route("/met.v1.Met/Echo", post(echo))
            .route("/met.v1.Met/Fail", post(fail))
            .route("/met.v1.Met/Extended", post(extended));
        let server = Routes::from(router.merge(reflection.routes().prepare().into_axum_router()));
        let descriptors = Descriptors::pending();
        descriptors.enable_lookups();
        let loader = Loader::new(DescriptorOptions::default()).upstream("the upstream", server.clone());
        tokio::spawn(refresh(loader, descriptors.clone(), Arc::default()));
        let options = ConnectionOptions::builder()
            .marshal(MarshalOptions::default().opaque_any(true))
            .unmarshal(UnmarshalOptions::default().opaque_any(true))
            .build()
            .expect("valid options");
        let bridge = Bridge::new(server).prefix("/ws").descriptors(descriptors.clone()).options(options);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = Router::new().fallback_service(bridge);
        tokio::spawn(grpcws::server::serve(listener, app, ServerOptions::default(), Shutdown::new()));
        tokio::time::timeout(SOON, descriptors.loaded()).await.expect("the upstream describes itself");
        Self { address, descriptors, asked }
    }

    async fn open(&self, method: &str) -> Socket {
        let url = format!("ws://{}/ws/met.v1.Met/{method}", self.address);
        let mut request = url.into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", "grpcws.v1.json".parse().expect("a value"));
        Socket(connect_async(request).await.expect("it opens").0)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn send(&mut self, data: &str) {
        let text = format!(r#"{{"type":"data","data":{data}}}"#);
        self.0.send(Message::text(text)).await.expect("the socket is open");
    }

    /// The next message that is not about the stream itself.
    async fn next(&mut self) -> String {
        loop {
            let message = tokio::time::timeout(SOON, self.0.next()).await.expect("an answer");
            let text =
                message.expect("not the end").expect("a frame").into_text().expect("a text").to_string();
            if !["open", "headers", "credit"]
                .iter()
                .any(|kind| text.starts_with(&format!(r#"{{"type":"{kind}""#)))
            {
                return text;
            }
        }
    }

    async fn data(&mut self) -> String {
        let text = self.next().await;
        let data = text.strip_prefix(r#"{"type":"data","data":"#).and_then(|rest| rest.strip_suffix('}'));
        data.unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// Sends a message and gets it back.
    async fn echo(&mut self, data: &str) -> String {
        self.send(data).await;
        self.data().await
    }
}

fn nothing(_: &str) -> Option<tonic::Status> {
    None
}

const ORDER: &str = r#"{"id":"1","payload":{"@type":"a/met.hidden.Order","number":"5"}}"#;
/// The same, as its bytes.
const OPAQUE: &str = r#"{"id":"1","payload":{"@type":"a/met.hidden.Order","@value":"CAU="}}"#;

#[tokio::test]
async fn a_type_of_an_any_is_asked_for_when_a_request_has_it_and_once() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Echo").await;
    assert_eq!(socket.echo(ORDER).await, ORDER);
    assert_eq!(world.asked(), ["met.hidden.Order"]);
    assert_eq!(socket.echo(ORDER).await, ORDER);
    assert_eq!(world.open("Echo").await.echo(ORDER).await, ORDER);
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn a_type_of_an_any_is_asked_for_when_a_response_has_it_and_the_order_stays() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Echo").await;
    for data in [r#"{"id":"0"}"#, OPAQUE, r#"{"id":"2"}"#] {
        socket.send(data).await;
    }
    assert_eq!(socket.data().await, r#"{"id":"0"}"#);
    assert_eq!(socket.data().await, ORDER);
    assert_eq!(socket.data().await, r#"{"id":"2"}"#);
    assert_eq!(world.asked(), ["met.hidden.Order"]);
}

#[tokio::test]
async fn an_any_within_an_any_is_asked_for_too() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Echo").await;
    let nested =
        r#"{"payload":{"@type":"a/met.hidden.Order","more":{"@type":"a/met.deep.Address","street":"s"}}}"#;
    assert_eq!(socket.echo(nested).await, nested);
    // The file of the first type imports that of the second.
    assert_eq!(world.asked(), ["met.hidden.Order"]);
}

#[tokio::test]
async fn what_nobody_knows_is_asked_for_once_and_shown_as_its_bytes() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Echo").await;
    let unknown = r#"{"payload":{"@type":"a/no.Such","@value":"CAE="}}"#;
    for _ in 0..3 {
        let data = socket.echo(unknown).await;
        assert!(data.contains(r#""@value":"CAE=""#) && data.contains("@error"), "{data}");
    }
    assert_eq!(world.asked(), ["no.Such"]);
    socket.send(r#"{"payload":{"@type":"a/no.Such","x":1}}"#).await;
    let error = socket.next().await;
    assert!(error.contains(r#""code":3"#) && error.contains("no.Such"), "{error}");
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn extensions_are_asked_for_by_name_and_by_number() {
    let extended = r#"{"id":"1","[met.hidden.order]":{"number":"7"}}"#;
    let world = World::start(&["met.v1.Met"], nothing).await;
    assert_eq!(world.open("Echo").await.echo(extended).await, extended);
    assert_eq!(world.asked(), ["met.hidden.order"]);

    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Extended").await;
    socket.send("{}").await;
    assert_eq!(socket.data().await, extended);
    // One of them is not there.
    assert_eq!(world.asked(), ["met.v1.Event 100", "met.v1.Event 101"]);
}

#[tokio::test]
async fn details_of_an_error_are_readable_though_no_file_imports_their_types() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let mut socket = world.open("Fail").await;
    socket.send(OPAQUE).await;
    let error = socket.next().await;
    assert!(error.contains(r#""code":9"#) && error.contains(r#""debug":{"number":"5"}"#), "{error}");
}

#[tokio::test]
async fn a_look_up_that_fails_costs_nothing_else() {
    let refuse = |name: &str| name.starts_with("met.hidden").then(|| tonic::Status::unknown("an exception"));
    let world = World::start(&["met.v1.Met"], refuse).await;
    let mut socket = world.open("Echo").await;
    assert!(socket.echo(OPAQUE).await.contains("@error"));
    assert_eq!(socket.echo(r#"{"id":"2"}"#).await, r#"{"id":"2"}"#);
}

#[tokio::test]
async fn services_that_are_declared_and_not_registered_are_not_shown() {
    let world = World::start(&["met.v1.Met"], nothing).await;
    let loaded = world.descriptors.current().expect("they are loaded");
    assert!(loaded.service("met.v1.Met").is_some() && loaded.service("met.v1.Unregistered").is_none());
}
