//! The demo: a small real-time game, as gRPC, WebSocket, REST and SSE.
//!
//! The path of a command: `command` checks it, `room` finds its game and tells everyone what came of it, `game`
//! holds the state and `rules` changes it, on a `board`. `stream` and `service` make the service of `game.v1` from that,
//! `picture` the one for pictures in the chat, `rest` and `page` what plain HTTP sees of it,
//! `websocket` what a socket sees of it. `serve` puts all of that on two listeners.

mod board;
mod command;
mod error;
mod game;
mod json;
mod page;
mod picture;
pub mod proto;
mod rest;
mod room;
mod router;
mod rules;
mod serve;
mod service;
mod stream;
mod websocket;

pub use command::Caller;
pub use error::GameError;
pub use picture::{PictureService, PictureStream};
pub use router::router;
pub use serve::{DemoOptions, serve};
pub use service::GameService;
pub use stream::{EventStream, UpdateStream};
