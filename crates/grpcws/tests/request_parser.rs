//! Request messages from HTTP requests: extractors, and what becomes of their rejections.

mod common;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, any};
use common::app;
use common::raw::{Handshake, serve_app};
use grpcws::server::ServerOptions;
use grpcws::{CallContext, Code, ConnectionOptions, GrpcWs, ServerStreamHandler, Shutdown, Status};
use grpcws_test::pb::{ServerStreamRequest, ServerStreamResponse};
use tokio_stream::Once;

type Answers = Once<Result<ServerStreamResponse, Status>>;

/// Answers with the numbers of the request.
async fn answer(request: ServerStreamRequest, _: CallContext) -> Result<Answers, Status> {
    let response =
        ServerStreamResponse { sequence: request.count + request.first_sequence, ..Default::default() };
    Ok(tokio_stream::once(Ok(response)))
}

/// What the requests of a test app are made with.
#[derive(Clone)]
struct AppState {
    first: i64,
}

async fn parse(
    State(state): State<AppState>,
    Path((room, count)): Path<(String, i64)>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<ServerStreamRequest, (StatusCode, String)> {
    match query.first().map(|(name, value)| (name.as_str(), value.as_str())) {
        None => Ok(ServerStreamRequest { count, first_sequence: state.first, ..Default::default() }),
        Some(("long", _)) => Err((StatusCode::UNPROCESSABLE_ENTITY, "é".repeat(5_000))),
        Some(("empty", _)) => Err((StatusCode::CONFLICT, String::new())),
        Some(("status", code)) => {
            let code = code.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok());
            Err((code.expect("a status"), format!("no {room}")))
        }
        Some((other, _)) => Err((StatusCode::UNPROCESSABLE_ENTITY, format!("what is {other}?"))),
    }
}

async fn serve() -> SocketAddr {
    let shutdown = Shutdown::new();
    let ws = app::grpcws(ConnectionOptions::default(), &shutdown);
    let refuse = || async { Err::<ServerStreamRequest, _>(Status::new(Code::NotFound, "no such game")) };
    let app = Router::new()
        .route("/rooms/{room}/{count}", any(ServerStreamHandler::new(&ws, answer, parse).expect("known")))
        .route("/no-parameter", parameter(&ws))
        .route("/refuse", any(ServerStreamHandler::new(&ws, answer, refuse).expect("known")))
        .route("/context/{room}", context(&ws))
        .with_state(AppState { first: 40 });
    serve_app(app, ServerOptions::default(), &shutdown).await.0
}

/// A handler that asks for a path parameter, wherever it is mounted.
fn parameter(ws: &GrpcWs) -> MethodRouter<AppState> {
    let parse = |Path(tag): Path<String>| async move { ServerStreamRequest { tag, ..Default::default() } };
    any(ServerStreamHandler::new(ws, answer, parse).expect("known"))
}

/// A handler that reads the path where the call starts.
fn context(ws: &GrpcWs) -> MethodRouter<AppState> {
    let answer = |_: ServerStreamRequest, call: CallContext| async move {
        let Path(room) = call
            .extract::<Path<String>>()
            .await
            .map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        let wrong = call.extract::<Path<i64>>().await.expect_err("no number").into_response().status();
        let status = Status::new(Code::Aborted, format!("{room} {} {}", wrong.as_u16(), call.request.uri));
        Err::<Answers, _>(status)
    };
    any(ServerStreamHandler::new(ws, answer, || async { ServerStreamRequest::default() }).expect("known"))
}

fn v1(path: &str) -> Handshake {
    Handshake::new(path).with("Sec-WebSocket-Protocol", "grpcws.v1.json")
}

#[tokio::test]
async fn extractors_of_state_path_and_query_make_the_request() {
    let address = serve().await;
    let (texts, code, _) = Handshake::new("/rooms/blue/2").open(address).await.rest().await;
    assert_eq!(texts, [r#"{"type":"data","data":{"sequence":"42"}}"#, r#"{"type":"stream_end"}"#]);
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn a_rejection_is_an_http_answer_in_seed_mode_and_an_error_in_v1() {
    let address = serve().await;
    for (path, http, text, code) in [
        ("/rooms/blue/two", 400, "with value `two` to a `i64`", 3),
        ("/rooms/blue/2?colour", 422, "what is colour?", 3),
        ("/rooms/blue/2?status=404", 404, "no blue", 3),
        ("/rooms/blue/2?status=401", 401, "no blue", 16),
        ("/rooms/blue/2?status=403", 403, "no blue", 7),
        ("/rooms/blue/2?status=429", 429, "no blue", 8),
        ("/rooms/blue/2?status=503", 503, "no blue", 14),
        ("/rooms/blue/2?status=500", 500, "no blue", 13),
        // Rejected before the program sees it, with a text of axum's own.
        ("/no-parameter", 500, "Wrong number of path arguments", 13),
        // A status keeps its code, and has its own answer over HTTP.
        ("/refuse", 404, "no such game", 5),
    ] {
        let (answer, mut raw) = Handshake::new(path).send(address).await;
        assert_eq!((answer.status, answer.body.contains(text)), (http, true), "{path}: {answer:?}");
        assert_eq!(answer.header("connection").as_deref(), Some("close"), "{path}");
        assert!(raw.rest().await.is_empty(), "{path}");

        let (texts, close_code, _) = v1(path).open(address).await.rest().await;
        assert!(texts[0].starts_with(r#"{"type":"open""#), "{texts:?}");
        assert!(texts[1].contains(&format!(r#""code":{code},"#)), "{path}: {texts:?}");
        assert!(texts[1].contains(text), "{path}: {texts:?}");
        assert_eq!(close_code, 4000 + code, "{path}");
    }
}

#[tokio::test]
async fn the_text_of_a_rejection_is_cut_and_never_left_out() {
    let address = serve().await;
    let (texts, ..) = v1("/rooms/blue/2?long").open(address).await.rest().await;
    let expected = format!(r#""message":"{}""#, "é".repeat(512));
    assert!(texts[1].contains(&expected), "{}", texts[1]);

    let (texts, ..) = v1("/rooms/blue/2?empty").open(address).await.rest().await;
    assert!(texts[1].contains(r#""message":"Conflict""#), "{}", texts[1]);
}

#[tokio::test]
async fn a_call_reads_the_http_request_by_extractors() {
    let address = serve().await;
    let (texts, code, _) = Handshake::new("/context/blue?a=b").open(address).await.rest().await;
    assert!(texts[0].contains(r#""message":"blue 400 /context/blue?a=b""#), "{texts:?}");
    assert_eq!(code, 4010);
}
