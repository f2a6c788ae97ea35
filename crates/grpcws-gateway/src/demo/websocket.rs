//! The game over WebSocket: a typed handler for each of its streaming methods.

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::any;
use grpcws::{
    BidiStreamHandler, CallContext, ClientStreamHandler, GrpcWs, Requests, ServerStreamHandler, Status,
    UnknownMessage,
};
use serde::Deserialize;
use tokio_stream::{Stream, StreamExt};

use super::command::Caller;
use super::proto::{GameCommand, PlayerAction, SubscribeRequest};
use super::service::GameService;

/// The query of the route that subscribes.
#[derive(Debug, Deserialize)]
struct SubscribeQuery {
    #[serde(default)]
    player_id: String,
    #[serde(default)]
    max_events: i32,
}

/// The query of the routes that play.
#[derive(Debug, Default, Deserialize)]
struct PlayerQuery {
    #[serde(default)]
    player_id: String,
}

/// `/ws/v1/games/{game_id}/subscribe`, `…/commands` and `…/sync`.
///
/// The handlers call the service in this process. Where it runs elsewhere, they call a tonic client in its
/// place; nothing else changes.
pub(super) fn router(ws: &GrpcWs, service: &GameService) -> Result<Router, UnknownMessage> {
    let events = service.clone();
    let subscribe = ServerStreamHandler::new(
        ws,
        move |request: SubscribeRequest, _call| {
            let events = events.events(&request).map_err(tonic::Status::from);
            async move { events }
        },
        |Path(game_id): Path<String>, Query(query): Query<SubscribeQuery>| async move {
            SubscribeRequest { game_id, player_id: query.player_id, max_events: query.max_events }
        },
    )?;

    let commands = service.clone();
    let send_commands = ClientStreamHandler::new(ws, move |requests: Requests<GameCommand>, call| {
        let commands = commands.clone();
        async move { commands.run_commands(caller(&call).await?, for_tonic(requests)).await }
    })?;

    let actions = service.clone();
    let sync = BidiStreamHandler::new(ws, move |requests: Requests<PlayerAction>, call| {
        let actions = actions.clone();
        async move { Ok::<_, tonic::Status>(actions.play(caller(&call).await?, for_tonic(requests))) }
    })?;

    Ok(Router::new()
        .route("/ws/v1/games/{game_id}/subscribe", any(subscribe))
        .route("/ws/v1/games/{game_id}/commands", any(send_commands))
        .route("/ws/v1/games/{game_id}/sync", any(sync)))
}

/// The game of the path, and the player of the query.
async fn caller(call: &CallContext) -> Result<Caller, tonic::Status> {
    let invalid = |text: String| tonic::Status::invalid_argument(text);
    let Path(game_id) = call.extract::<Path<String>>().await.map_err(|error| invalid(error.to_string()))?;
    let Query(query) =
        call.extract::<Query<PlayerQuery>>().await.map_err(|error| invalid(error.to_string()))?;
    Ok(Caller::new(game_id, query.player_id))
}

fn for_tonic<T>(requests: Requests<T>) -> impl Stream<Item = Result<T, tonic::Status>> + Send + Unpin
where
    T: Send + 'static,
{
    requests.map(|request| request.map_err(|status: Status| status.into()))
}
