//! What goes into a session and what comes out of it.

use crate::Status;
use crate::close::{Cause, Close};

/// A frame of the client; fragments are put together before.
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
    Close(Option<u16>),
}

/// What a frame means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing to do. The session may have ended: see [`Session::is_live`](super::Session::is_live).
    None,
    /// A request message. When the upstream has taken it, its `cost` goes to
    /// [`Session::message_taken`](super::Session::message_taken).
    Message {
        /// The message.
        payload: Payload<'a>,
        /// Whether it is the only one: the call is half-closed behind it.
        last: bool,
        /// The bytes by which it counts against the receive window.
        cost: u64,
    },
    /// The client has sent its last message: half-close the call.
    HalfClose,
    /// A client's `ping`; the session answers it.
    Ping,
    /// An answer to a ping, as a message or as a frame.
    Pong,
}

/// A request message, as its frame has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Protojson.
    Json {
        /// The value.
        value: &'a str,
        /// The frame that it stands in, for the places in error texts.
        frame: &'a str,
        /// Where in the frame the value begins; `None` where the member is absent and means `null`.
        offset: Option<usize>,
    },
    /// The bytes of a protobuf message: the whole frame.
    Proto(&'a [u8]),
}

/// What the client is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// A text message.
    Text(String),
    /// The heartbeat: a `ping` message with this number, and a WebSocket ping frame.
    Ping {
        /// The number of the ping.
        ping_id: u64,
        /// The text of the message.
        text: String,
    },
    /// A close frame. Nothing follows it.
    Close(Close),
}

/// How a stream ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// Why.
    pub cause: Cause,
    /// The status that the client was told, or would have been.
    pub status: Status,
    /// The close frame for the client; `None` if the client left first.
    pub close: Option<Close>,
    /// Whether the client got all of it: every message, the terminal message and the close frame. It is settled when
    /// the socket is closed, and `Lost` until then.
    pub delivery: Delivery,
}

/// What is known of the delivery of a stream to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The client answered the close frame with its own.
    Confirmed,
    /// The client's TCP acknowledged everything, and no close frame came back.
    Acknowledged,
    /// The transport took everything, and cannot tell what became of it: a stream of an HTTP/2 connection.
    Unknown,
    /// A part is lost, or may be: the client left first, or took no more.
    Lost,
}
