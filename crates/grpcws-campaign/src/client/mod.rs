//! A WebSocket client that hides nothing: every byte of the gateway passes through the project's own reader.
//!
//! [`transport`] carries bytes over HTTP/1.1 and HTTP/2, [`handshake`] writes the request, [`frame`] reads and writes
//! frames, [`view`] notes what they say and whether it may be said.

pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod transport;
pub(crate) mod view;
