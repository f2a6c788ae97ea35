//! The one way from an HTTP request to a call: what every handler and the bridge do with a handshake.
//!
//! ```text
//!   resolve ──▶ open ──────────▶ authorize ──▶ accept
//!   method,     origin, mode,    the program's  101 or 200, and the task of the socket;
//!   codec       metadata         own check      or a refusal
//! ```
//!
//! A probe, `GET` without an upgrade, goes the same way, and is told at its end what the answer would be.
//!
//! [`Resolved`] says what is known of the method: statically for a typed handler, by the descriptors for the bridge.
//! [`Endpoint::open`] makes a [`Handshake`] of the request and a [`CallContext`](crate::CallContext), which the
//! program may see and change before [`Handshake::accept`] takes the call that was made of it.

mod accept;
mod authorize;
mod endpoint;
mod future;
mod open;
mod panics;
mod probe;
mod refusal;
mod request;
mod resolved;

pub use authorize::Authorize;
pub(crate) use authorize::Authorizer;
pub(crate) use endpoint::Endpoint;
pub use future::ResponseFuture;
#[cfg(feature = "axum")]
pub(crate) use open::Begun;
pub(crate) use open::Handshake;
pub use probe::is_probe;
#[cfg(any(feature = "axum", feature = "server"))]
pub(crate) use refusal::close_connection;
pub(crate) use refusal::{Client, Refusal};
pub use request::is_handshake;
pub(crate) use request::{asks_for_websocket, single};
pub(crate) use resolved::{OnMessage, Resolved, Unresolved};
