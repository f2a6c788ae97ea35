//! The hooks, and what they get.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use grpcws_proto::session::Outcome;
use grpcws_proto::{MethodKind, Mode, Status};
use http::StatusCode;

/// Watches the life of streams. Every method does nothing by default.
///
/// The methods run in the task of the socket, between two messages of it, or in that of the HTTP connection: they must
/// not block. One that panics ends its own stream with code 13, and no other.
///
/// An [`Arc`] of hooks is hooks too, so one object can serve handlers and a bridge. Several hooks are one as a tuple,
/// which calls them in their order: `(metrics, (audit, log))`.
pub trait StreamHooks: Send + Sync + 'static {
    /// A handshake is refused, so there is no call. If the refusal is a status and the client speaks v1, a stream
    /// follows that ends with this status; the other hooks are called for that stream as well.
    fn on_refused(&self, handshake: &RefusedHandshake<'_>) {
        let _ = handshake;
    }

    /// A stream begins: the handshake is done, and the call is about to start.
    fn on_start(&self, stream: &StreamInfo) {
        let _ = stream;
    }

    /// A `data` message was received from the client or handed to its socket; `bytes` is the length of its
    /// frame's payload.
    fn on_message(&self, stream: &StreamInfo, direction: Direction, bytes: usize) {
        let _ = (stream, direction, bytes);
    }

    /// The gateway sends a ping of its heartbeat.
    fn on_ping(&self, stream: &StreamInfo, ping_id: u64) {
        let _ = (stream, ping_id);
    }

    /// The client answers a ping, by message or by frame.
    fn on_pong(&self, stream: &StreamInfo) {
        let _ = stream;
    }

    /// A time limit ended the stream: deadline, heartbeat, init timeout or write stall.
    fn on_timeout(&self, stream: &StreamInfo, outcome: &Outcome) {
        let _ = (stream, outcome);
    }

    /// The stream ended with a status that is not OK.
    fn on_error(&self, stream: &StreamInfo, status: &Status) {
        let _ = (stream, status);
    }

    /// The stream is over. Called exactly once for each stream, and last. `outcome` is `None` where the
    /// task was dropped before the stream had ended, as at the end of a runtime.
    fn on_close(&self, stream: &StreamInfo, outcome: Option<&Outcome>, metrics: &StreamMetrics) {
        let _ = (stream, outcome, metrics);
    }
}

/// The stream that a hook is called for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamInfo {
    /// A number that no other stream of this process has.
    pub id: u64,
    /// The path of the request.
    pub path: String,
    /// The method: `package.Service/Method` for a bridge, the path of its route (`/games/{game_id}`) for a typed
    /// handler. It can be the label of a metric, with one caveat: a method that is not in the descriptors has the
    /// name that the client chose. Empty if the path is one of descriptors that have not been loaded yet.
    pub method: Arc<str>,
    /// The mode of the socket.
    pub mode: Mode,
    /// The kind of the method; bidi if it is not known.
    pub kind: MethodKind,
    /// The address of the client's end of the connection, if the server tells it: see
    /// [`PeerAddress`](crate::PeerAddress).
    pub peer: Option<SocketAddr>,
    /// The identity of the caller, set by the authorization check: see [`Authorize`](crate::Authorize).
    pub principal: Option<Arc<str>>,
}

/// A handshake that is refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefusedHandshake<'a> {
    /// The path of the request.
    pub path: &'a str,
    /// The method, as [`StreamInfo::method`] has it; `None` if the path names none.
    pub method: Option<&'a str>,
    /// The address of the client's end of the connection, if the server tells it.
    pub peer: Option<SocketAddr>,
    /// The status of the HTTP answer. It is one of success (101, or 200 over HTTP/2) if the client learns the refusal
    /// by the protocol.
    pub http_status: StatusCode,
    /// The status of the call, if it is one that refuses the handshake.
    pub status: Option<&'a Status>,
    /// Why, for people.
    pub reason: &'a str,
}

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// From the client.
    Received,
    /// To the client.
    Sent,
}

/// What went over a stream: `data` messages, and the payload bytes of their frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamMetrics {
    /// When the handshake was done.
    pub connected_at: SystemTime,
    /// Messages to the client.
    pub messages_sent: u64,
    /// Messages from the client.
    pub messages_received: u64,
    /// Payload bytes to the client.
    pub bytes_sent: u64,
    /// Payload bytes from the client.
    pub bytes_received: u64,
}

impl StreamMetrics {
    pub(crate) fn new() -> Self {
        Self {
            connected_at: SystemTime::now(),
            messages_sent: 0,
            messages_received: 0,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }
}
