//! What goes into a client's session and what comes out of it.

use http::HeaderMap;

use crate::close::CloseCode;

/// A frame of the gateway; fragments are put together before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A WebSocket ping; the socket answers it by itself.
    Ping,
    /// A WebSocket pong.
    Pong,
    /// A close frame, with its code where it has one.
    Close {
        /// The code.
        code: Option<u16>,
        /// The reason, possibly empty.
        reason: &'a str,
    },
}

/// What a frame means for the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing to do. The call may have ended: see [`ClientSession::outcome`](super::ClientSession::outcome).
    None,
    /// The response headers.
    Headers(HeaderMap),
    /// A response message. When the application has taken it, its `cost` goes to
    /// [`ClientSession::message_taken`](super::ClientSession::message_taken).
    Message {
        /// The message.
        payload: Payload<'a>,
        /// The bytes by which it counts against the window.
        cost: u64,
    },
}

/// A response message, as its frame has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Protojson, a part of the frame.
    Json(&'a str),
    /// The bytes of a protobuf message: the whole frame.
    Proto(&'a [u8]),
}

/// What the gateway is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// A text message.
    Text(String),
    /// The client's `ping`, a text message. Where it ends goes to
    /// [`ClientSession::ping_queued`](super::ClientSession::ping_queued).
    Ping(String),
    /// A close frame. Nothing follows it.
    Close(CloseCode),
}
