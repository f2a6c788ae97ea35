//! The handshake: what is checked before a socket exists, and how it comes to be.

mod accept;
mod refusal;
mod request;

pub(crate) use accept::{Accepted, accept};
pub(crate) use refusal::Refusal;
#[cfg(any(feature = "axum", feature = "server"))]
pub(crate) use refusal::close_connection;
pub use request::is_handshake;
pub(crate) use request::{Handshake, single};
