//! What the demo serves to plain HTTP.

use axum::Router;

use super::service::GameService;
use super::{page, rest};

/// The page at `/`, its assets under `/assets`, and the game as REST and SSE under `/v1/games`.
pub fn router(service: GameService) -> Router {
    page::router().merge(rest::router(service))
}
