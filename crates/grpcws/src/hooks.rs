//! What a program may watch of its streams.

use std::time::SystemTime;

use grpcws_proto::session::Outcome;
use grpcws_proto::{MethodKind, Mode, Status};

/// Watches the life of streams. Every method does nothing by default.
///
/// The methods run in the task of the socket, between two messages of it: they must not block. One that
/// panics ends its own stream with code 13, and no other.
pub trait StreamHooks: Send + Sync + 'static {
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

/// Which stream a hook is told of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamInfo {
    /// A number that no other stream of this process has.
    pub id: u64,
    /// The path of the request.
    pub path: String,
    /// The mode of the socket.
    pub mode: Mode,
    /// The kind of the method.
    pub kind: MethodKind,
}

/// Whither a message goes.
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
