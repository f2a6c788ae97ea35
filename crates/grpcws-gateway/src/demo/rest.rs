//! The game for clients that speak plain HTTP: its state, its events as server-sent events, and single commands.
//!
//! | request | gRPC method | answer |
//! | --- | --- | --- |
//! | `GET /v1/games/{game_id}` | `GetGame` | `GameSnapshot` |
//! | `GET /v1/games/{game_id}/events?player_id=…&max_events=…` | `Subscribe` | `GameEvent`s, `id` is the version |
//! | `POST /v1/games/{game_id}/commands` | `SendCommands` with one `GameCommand` | `CommandSummary` |
//!
//! Bodies are protojson. An error is `{"code":5,"message":"game not found"}` with the HTTP status of its gRPC code.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::{get, post};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};

use super::command::Caller;
use super::error::GameError;
use super::json::{from_json, to_json};
use super::proto::{GameCommand, GetGameRequest, SubscribeRequest};
use super::service::GameService;
use super::stream::EventStream;

/// A command is far smaller than this.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The routes under `/v1`.
pub(super) fn router(service: GameService) -> Router {
    Router::new()
        .route("/v1/games/{game_id}", get(game))
        .route("/v1/games/{game_id}/events", get(events))
        .route("/v1/games/{game_id}/commands", post(command))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(service)
}

async fn game(
    State(service): State<GameService>,
    Path(game_id): Path<String>,
) -> Result<impl IntoResponse, RestError> {
    Ok(json_response(to_json(&service.game(&GetGameRequest { game_id })?)))
}

#[derive(Deserialize)]
struct EventsQuery {
    #[serde(default)]
    player_id: String,
    #[serde(default)]
    max_events: i32,
}

async fn events(
    State(service): State<GameService>,
    Path(game_id): Path<String>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<impl IntoResponse, RestError> {
    let Query(EventsQuery { player_id, max_events }) =
        query.map_err(|rejection| RestError(Status::invalid_argument(rejection.body_text())))?;
    let events = service.events(&SubscribeRequest { game_id, player_id, max_events })?;
    Ok(Sse::new(ServerSentEvents(events)).keep_alive(KeepAlive::default()))
}

async fn command(
    State(service): State<GameService>,
    Path(game_id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, RestError> {
    let body = body.map_err(|rejection| RestError(Status::resource_exhausted(rejection.body_text())))?;
    let command: GameCommand =
        from_json(&body).map_err(|error| RestError(Status::invalid_argument(error.to_string())))?;
    let caller = Caller::new(game_id, "");
    let summary = service
        .run_commands(caller, tokio_stream::once(Ok::<_, Status>(command)))
        .await
        .map_err(RestError)?;
    Ok(json_response(to_json(&summary)))
}

fn json_response(json: Vec<u8>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json)
}

/// Turns the events of a game into server-sent ones.
struct ServerSentEvents(EventStream);

impl Stream for ServerSentEvents {
    type Item = Result<Event, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // `EventStream` has no failing items: a game does not break.
        Pin::new(&mut self.get_mut().0).poll_next(context).map(|event| {
            let event = event?.ok()?;
            let json = String::from_utf8_lossy(&to_json(&event)).into_owned();
            Some(Ok(Event::default().id(event.version.to_string()).data(json)))
        })
    }
}

/// A status as an HTTP answer.
struct RestError(Status);

impl From<GameError> for RestError {
    fn from(error: GameError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            code: i32,
            message: &'a str,
        }
        let body = Body { code: self.0.code().into(), message: self.0.message() };
        (http_status(self.0.code()), axum::Json(body)).into_response()
    }
}

/// The HTTP status that API gateways give a gRPC code.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;

    async fn answer(service: &GameService, request: Request<Body>) -> (StatusCode, String) {
        let response = router(service.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn fetch(service: &GameService, path: &str) -> (StatusCode, String) {
        answer(service, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn send(service: &GameService, body: &str) -> (StatusCode, Value) {
        let request = Request::post("/v1/games/lobby/commands").body(Body::from(body.to_owned())).unwrap();
        let (status, body) = answer(service, request).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    #[tokio::test]
    async fn a_command_shows_in_the_state() {
        let service = GameService::default();
        let (status, summary) = send(&service, r#"{"playerId":"ada","say":{"text":"hi"}}"#).await;
        assert_eq!(status, StatusCode::OK, "{summary}");
        assert_eq!((&summary["received"], &summary["applied"]), (&json!("1"), &json!("1")));

        let (status, body) = fetch(&service, "/v1/games/lobby").await;
        let state: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(state["gameId"], "lobby");
        assert_eq!(state["players"][0]["color"], "COLOR_RED");
        assert_eq!(state["recentChat"][0]["text"], "hi");
        assert!(state["startedAt"].as_str().unwrap().ends_with('Z'));
    }

    #[tokio::test]
    async fn events_are_server_sent_and_numbered() {
        let service = GameService::default();
        send(&service, r#"{"playerId":"ada","join":{}}"#).await;
        let (status, body) = fetch(&service, "/v1/games/lobby/events?max_events=1").await;
        assert_eq!(status, StatusCode::OK);
        let (id, data) = body.trim().split_once('\n').unwrap();
        assert_eq!(id, "id: 1");
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["snapshot"]["players"][0]["playerId"], "ada");
    }

    #[tokio::test]
    async fn errors_have_the_status_of_their_code() {
        let service = GameService::default();
        let not_found = r#"{"code":5,"message":"game not found"}"#.to_owned();
        assert_eq!(fetch(&service, "/v1/games/never").await, (StatusCode::NOT_FOUND, not_found.clone()));
        assert_eq!(fetch(&service, "/v1/games/missing/events").await, (StatusCode::NOT_FOUND, not_found));
        for path in
            ["/v1/games/A", "/v1/games/lobby/events?max_events=-1", "/v1/games/lobby/events?max_events=x"]
        {
            let (status, body) = fetch(&service, path).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
        }
        let (status, body) = send(&service, r#"{"playerId":"ada","jion":{}}"#).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(body["message"], "line 1 column 19: unknown field \"jion\" in game.v1.GameCommand");
        let (status, _) = send(&service, &" ".repeat(MAX_BODY_BYTES + 1)).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    }
}
