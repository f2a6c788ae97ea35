//! The JSON messages of the protocol (PROTOCOL §4).
//!
//! Messages are text frames that hold one JSON object with a string `type`. Payloads are never parsed
//! here: a `data` message is a place in the frame when it is read, and is written between the constants of
//! [`data`].

mod client;
pub mod data;
mod envelope;
mod from_gateway;
mod gateway;

pub use client::{CANCEL, ClientMessage, END_SEND};
pub use envelope::MessageError;
pub use from_gateway::GatewayMessage;
pub use gateway::{Open, credit, error, headers, ping, pong, stream_end};
