//! The JSON messages of the protocol (PROTOCOL §4).
//!
//! Messages are text frames that hold one JSON object with a string `type`. Payloads are never parsed
//! here: a client's `data` is a place in the frame, and a response is written between the constants of
//! [`data`].

mod client;
pub mod data;
mod gateway;

pub use client::{ClientMessage, MessageError};
pub use gateway::{Open, credit, error, headers, ping, pong, stream_end};
