//! Several methods at one path, bodies of every kind, and parameters of queries, seen from the socket.

mod common;
mod common_protos;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use common::raw::{Handshake, serve_app};
use common::whole::open;
use common_protos::compiled;
use futures_util::SinkExt as _;
use grpcws::bridge::{Bridge, RequestBody};
use grpcws::server::ServerOptions;
use grpcws::services::Services;
use grpcws::{ConnectionOptions, Shutdown, UnknownParameters};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use tokio_tungstenite::tungstenite::Message;

const JSON: &str = "grpcws.v1.json";
const PROTO: &str = "grpcws.v1.proto";
const END_SEND: &str = r#"{"type":"end_send"}"#;

fn data(json: &str) -> String {
    format!(r#"{{"type":"data","data":{json}}}"#)
}

/// A bridge of an upstream that answers each call with its requests, and with its method in a header.
async fn start_with(options: ConnectionOptions) -> SocketAddr {
    let echo = tower::service_fn(|request: Request<RequestBody>| async move {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().parse().expect("a name");
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
        let frames = [
            Ok::<_, Infallible>(http_body::Frame::data(body.unwrap_or_default())),
            Ok(http_body::Frame::trailers(HeaderMap::from_iter([(
                "grpc-status".parse().expect("a name"),
                "0".parse().expect("a value"),
            )]))),
        ];
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
        response.headers_mut().insert("content-type", "application/grpc".parse().expect("a value"));
        response.headers_mut().insert("x-method", method);
        Ok::<_, Infallible>(response)
    });
    let services = Services::from_file_descriptor_set(&compiled("books.proto")).expect("a descriptor set");
    let bridge = Bridge::new(echo).descriptors(services).options(options);
    let app = Router::new().nest_service("/ws", bridge);
    serve_app(app, ServerOptions::default(), &Shutdown::new()).await.0
}

async fn start() -> SocketAddr {
    start_with(ConnectionOptions::default()).await
}

/// What a v1 client gets that sends these texts: `METHOD DATA…`, or `CODE TEXT` of the error.
async fn call(address: SocketAddr, path: &str, texts: &[&str]) -> String {
    let mut client = open(address, &format!("/ws{path}"), JSON).await;
    for text in texts {
        // It may have been refused.
        let _ = client.socket.send(Message::text(*text)).await;
    }
    let mut result = String::new();
    for text in client.rest().await.0 {
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let at = |pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
        let text = |pointer: &str| at(pointer).as_str().unwrap_or("?").to_owned();
        match &*text("/type") {
            "headers" => result.push_str(&text("/headers/x-method/0")),
            "data" => result.push_str(&format!(" {}", at("/data"))),
            "error" => result.push_str(&format!("{} {}", at("/code"), text("/message"))),
            _ => {}
        }
    }
    result
}

#[tokio::test]
async fn the_http_method_chooses_among_those_of_a_path() {
    let address = start().await;
    for (path, texts, expected) in [
        ("/books?method=GET", &[][..], "List {}"),
        ("/books?method=get&title=t", &[], r#"List {"title":"t"}"#),
        ("/books?method=POST", &[&data(r#"{"name":"a"}"#)[..]], r#"Add {"author":{"name":"a"}}"#),
        ("/books/b?method=DELETE", &[], r#"Drop {"name":"b"}"#),
        ("/books/b?method=GET", &[], r#"Get {"name":"b"}"#),
        // The closest template that has the HTTP method.
        ("/books/new?method=WATCH", &[], "Watch {}"),
        ("/books/new?method=DELETE", &[], r#"Drop {"name":"new"}"#),
        ("/books/new", &[], "Watch {}"),
        // A custom kind `*` has every method that no other has.
        ("/any?method=PROPFIND", &[], "Any {}"),
        ("/any", &[], "Any {}"),
        // A field of this name is set, too.
        ("/pay?method=card", &[], r#"Pay {"method":"card"}"#),
        ("/pay?method=GET", &[], r#"Pay {"method":"GET"}"#),
        ("/pay?method=GET&done=1", &[], r#"Pay {"done":true,"method":"GET"}"#),
    ] {
        assert_eq!(call(address, path, texts).await, expected, "{path}");
    }
}

#[tokio::test]
async fn an_http_method_that_the_path_does_not_have_is_refused_with_those_that_it_has() {
    let address = start().await;
    let text = "query parameter \"method\": no method of this path is bound to \"PATCH\"; there is \
                PUT for books.v1.Books.Watch, GET for books.v1.Books.Get, DELETE for books.v1.Books.Drop";
    assert_eq!(call(address, "/books/b?method=PATCH", &[]).await, format!("3 {text}"));
    let answer = Handshake::new("/ws/books/b?method=PATCH").send(address).await.0;
    assert_eq!(
        (answer.status, answer.body.contains("GET for books.v1.Books.Get")),
        (400, true),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_stream_comes_before_a_unary_method_if_nothing_is_said() {
    let address = start().await;
    let message = data(r#"{"title":"t"}"#);
    assert_eq!(call(address, "/books/b", &[&message]).await, r#"Watch {"name":"b","title":"t"}"#);
    assert_eq!(call(address, "/books", &[END_SEND]).await, "List {}");
}

#[tokio::test]
async fn who_sends_a_body_is_not_answered_by_a_method_without_one() {
    let address = start().await;
    let expected = "books.v1.Books.List is called at this path, and takes no request message; add method= to \
                    the query to choose: POST for books.v1.Books.Add";
    let message = data(r#"{"name":"a"}"#);
    assert_eq!(call(address, "/books", &[&message]).await, format!("3 {expected}"));
    // In seed mode as well.
    let mut client = open(address, "/ws/books", "").await;
    client.send(&message).await;
    let (texts, code, _) = client.rest().await;
    assert_eq!((texts.len(), code), (1, 4003), "{texts:?}");
    assert!(texts[0].contains(expected), "{texts:?}");
    // And in binary frames.
    let mut client = open(address, "/ws/books", PROTO).await;
    client.socket.send(Message::binary(vec![0x0a, 0x01, b'a'])).await.expect("the socket is open");
    assert_eq!(client.rest().await.1, 4003);
}

#[tokio::test]
async fn who_sends_nothing_is_answered_after_a_moment_and_at_once_after_end_send_or_a_choice() {
    let address = start().await;
    for (path, texts, waits) in [
        ("/books?title=t", &[][..], true),
        ("/books?title=t", &[END_SEND], false),
        ("/books?title=t&method=GET", &[], false),
    ] {
        let begun = Instant::now();
        assert_eq!(call(address, path, texts).await, r#"List {"title":"t"}"#);
        assert_eq!(begun.elapsed() >= Duration::from_secs(1), waits, "{path} {texts:?}");
    }
}

#[tokio::test]
async fn one_method_is_called_with_a_body_or_without() {
    let address = start().await;
    let message = data(r#"{"pages":"3"}"#);
    // The route without a body sets another field by the path than the one with a body.
    assert_eq!(
        call(address, "/find/x?kind=POEM", &[&message]).await,
        r#"Find {"kind":"POEM","pages":"3","title":"x"}"#
    );
    assert_eq!(call(address, "/find/x?kind=POEM", &[END_SEND]).await, r#"Find {"kind":"POEM","name":"x"}"#);
    assert_eq!(call(address, "/find/x?kind=POEM", &[]).await, r#"Find {"kind":"POEM","name":"x"}"#);
}

#[tokio::test]
async fn a_body_that_comes_too_late_is_refused_as_the_call_has_begun() {
    let slow = tower::service_fn(|_: Request<RequestBody>| async {
        std::future::pending::<Result<Response<http_body_util::Empty<bytes::Bytes>>, Infallible>>().await
    });
    let services = Services::from_file_descriptor_set(&compiled("books.proto")).expect("a descriptor set");
    let app = Router::new().nest_service("/ws", Bridge::new(slow).descriptors(services));
    let address = serve_app(app, ServerOptions::default(), &Shutdown::new()).await.0;
    for (path, text) in
        [("/ws/find/x", "the call had begun without one"), ("/ws/books", "POST for books.v1.Books.Add")]
    {
        let mut client = open(address, path, JSON).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        client.send(&data("{}")).await;
        let (texts, code, _) = client.rest().await;
        assert_eq!((texts[1].contains(text), code), (true, 4003), "{path}: {texts:?}");
    }
}

#[tokio::test]
async fn a_body_may_be_a_field_of_any_kind_and_so_may_the_answer() {
    let address = start().await;
    for (path, value) in [
        ("/b/tags", r#"["x","y"]"#),
        ("/b/tags", "[]"),
        ("/b/labels", r#"{"k":"v","l":""}"#),
        ("/b/labels", "{}"),
        ("/b/pages", r#""7""#),
        ("/b/pages", r#""0""#),
        ("/b/parts", r#"[{"name":"a"},{}]"#),
        ("/b/author", r#"{"name":"a"}"#),
        ("/b/note", r#""n""#),
        ("/b/note", r#""""#),
        ("/b/extra", r#"[1,null,{"a":true}]"#),
        ("/b/extra", "null"),
        ("/b/kind", r#""POEM""#),
        ("/b/kind", r#""NOVEL""#),
        ("/b/cover", r#""/+8=""#),
        ("/b/maybe", "0"),
        ("/b/maybe", "null"),
    ] {
        let texts = [data(value), END_SEND.to_owned()];
        let answer = call(address, path, &texts.each_ref().map(|text| &**text)).await;
        let (_, found) = answer.split_once(' ').expect("data");
        let [found, expected] =
            [found, value].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default());
        assert_eq!(found, expected, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_the_body_is_told_with_its_place() {
    let address = start().await;
    for (path, value, text) in [
        ("/b/tags", r#"["x",5]"#, "[1]"),
        ("/b/tags", r#"{"tags":["x"]}"#, "an array"),
        ("/b/labels", r#"{"k":5}"#, "column"),
        ("/b/pages", r#""x""#, "line 1 column 23"),
        ("/b/tags?tags=x", r#"["y"]"#, "it is part of the body"),
    ] {
        let answer = call(address, path, &[&data(value)]).await;
        assert!(answer.starts_with("3 ") && answer.contains(text), "{path}: {answer}");
    }
}

/// In `grpcws.v1.proto` a message is a message: the field itself if it is one, and else a request with that field alone.
#[tokio::test]
async fn a_binary_body_is_the_field_if_that_is_one_message_and_else_a_request_with_it_alone() {
    let address = start().await;
    let tags = [0x22, 1, b'x', 0x22, 1, b'y'];
    for (path, message, expected) in [
        ("/ws/b/author", &[0x0a, 1, b'a'][..], &[0x1a, 3, 0x0a, 1, b'a', 0x0a, 1, b'b'][..]),
        ("/ws/b/tags", &tags, &[0x22, 1, b'x', 0x22, 1, b'y', 0x0a, 1, b'b']),
        ("/ws/b/tags", &[], &[0x0a, 1, b'b']),
    ] {
        let mut client = open(address, path, PROTO).await;
        client.socket.send(Message::binary(message.to_vec())).await.expect("the socket is open");
        let answer = loop {
            match client.next().await {
                common::Received::Binary(message) => break message,
                common::Received::Text(_) => {}
                other => panic!("{path}: {other:?}"),
            }
        };
        assert_eq!(answer, expected, "{path}");
    }
    // Title and tags.
    let mut client = open(address, "/ws/b/tags", PROTO).await;
    client.socket.send(Message::binary([&[0x12, 1, b't'][..], &tags].concat())).await.expect("it is open");
    let (texts, code, _) = client.rest().await;
    assert_eq!(code, 4003);
    assert!(texts[1].contains(r#"has the field 2, but only \"tags\" (4) is the body here"#), "{texts:?}");
}

#[tokio::test]
async fn unknown_parameters_are_ignored_in_seed_mode_refused_in_v1_and_both_by_option() {
    let path = "/ws/books?method=GET&utm_source=mail&access_token=x&_=17&title=t";
    for (rule, seed, v1) in [
        (UnknownParameters::RefusedInV1, true, false),
        (UnknownParameters::Ignored, true, true),
        (UnknownParameters::Refused, false, false),
    ] {
        let options = ConnectionOptions::builder().unknown_parameters(rule).build().expect("valid");
        let address = start_with(options).await;
        let answer = Handshake::new(path).send(address).await.0;
        assert_eq!(answer.status == 101, seed, "{rule:?}: {answer:?}");
        let (texts, code, _) = open(address, path, JSON).await.rest().await;
        assert_eq!(code == 1000, v1, "{rule:?}: {texts:?}");
        assert!(v1 || texts[1].contains("utm_source"), "{texts:?}");
        // What a field has is checked all the same.
        let answer = Handshake::new("/ws/books?method=GET&pages=many").send(address).await.0;
        assert_eq!(answer.status, 400, "{rule:?}");
    }
}

/// An HTTP method, a path or a service that may come with the descriptors of another upstream is not refused for good.
#[tokio::test]
async fn while_services_are_to_come_what_is_not_there_is_refused_for_now() {
    let never = tower::service_fn(|_: Request<RequestBody>| async {
        std::future::pending::<Result<Response<http_body_util::Empty<bytes::Bytes>>, Infallible>>().await
    });
    let services = Services::from_file_descriptor_set(&compiled("books.proto")).expect("a descriptor set");
    let bridge = Bridge::new(never).descriptors(services.incomplete(|name| name.starts_with("to.come.")));
    let app = Router::new().nest_service("/ws", bridge);
    let address = serve_app(app, ServerOptions::default(), &Shutdown::new()).await.0;
    for (path, status) in [
        ("/ws/books/b?method=PATCH", 503),
        ("/ws/films", 503),
        ("/ws/to.come.Films/Get", 503),
        ("/ws/books.v1.Nope/Get", 404),
        ("/ws/books?method=GET&pages=x", 400),
    ] {
        let answer = Handshake::new(path).send(address).await.0;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_names_of_a_generic_route_may_be_percent_encoded() {
    let address = start().await;
    let message = data(r#"{"title":"t"}"#);
    assert_eq!(call(address, "/books%2Ev1.Books/%47et", &[&message]).await, r#"Get {"title":"t"}"#);
    let answer = Handshake::new("/ws/books.v1.Books%2FGet").send(address).await.0;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_field_mask_without_a_json_form_is_told_with_its_path() {
    let address = start().await;
    let answer = call(address, "/mask?mask=display_name,custom_label_0", &[]).await;
    assert!(answer.contains("13 ") && answer.contains(r#""custom_label_0""#), "{answer}");
}
