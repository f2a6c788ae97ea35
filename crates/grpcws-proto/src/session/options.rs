//! Limits and times of a session.

use std::time::Duration;

use super::WindowBudget;
use crate::{MethodKind, Mode};

/// Limits and times of a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The time between two pings of the gateway. `None` or zero turns pings off. Default: 30 s.
    pub ping_period: Option<Duration>,
    /// How long the oldest ping may stay without a sign of life before the call is cancelled. Bytes from the client are
    /// a sign of life, and bytes that its TCP acknowledges are one until the ping itself is acknowledged. `None` or
    /// zero turns the timeout off, and so does a `ping_period` that is off. Default: 90 s.
    pub pong_timeout: Option<Duration>,
    /// Whether only the JSON `pong` counts as a sign of life, so that a page that hangs while its
    /// browser still answers is taken for dead. Default: off, all bytes count.
    pub require_json_pong: bool,
    /// How long a unary or server-streaming call waits for its request message. Bytes of the message start the wait
    /// again. `None` or zero turns the timeout off. Default: 30 s.
    pub init_timeout: Option<Duration>,
    /// How long data may wait for a client of which no byte is acknowledged before the call is cancelled. `None` or zero
    /// turns the timeout off. Default: 60 s.
    pub write_stall_timeout: Option<Duration>,
    /// How long the client may send nothing between the gateway's close frame, once it is acknowledged, and its own.
    /// Default: 10 s.
    pub linger: Duration,
    /// How long the client's close frame is waited for in all, after the gateway's is acknowledged. Default: 5 min.
    pub max_linger: Duration,
    /// How many payload bytes of the client are read ahead of the upstream, until the window grows. One message may
    /// overdraw it, and one more is read before the socket is left alone, so a client can make the gateway hold the
    /// window and two messages. Default: 64 KiB.
    pub receive_window: u64,
    /// The size up to which the receive window grows if the round trip to the client is what holds an upload back. It
    /// grows for client-streaming and bidi calls of clients that keep to their window (v1). Not above `receive_window`
    /// for a window that keeps its size. Default: 1 MiB.
    pub receive_window_max: u64,
    /// What the windows of all streams may grow by, together. Clones of these options share it. Default: 256 MiB.
    pub receive_window_budget: WindowBudget,
    /// The largest message of a client, in bytes. Default: 4 MiB.
    pub max_message_size: u64,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            ping_period: Some(Duration::from_secs(30)),
            pong_timeout: Some(Duration::from_secs(90)),
            require_json_pong: false,
            init_timeout: Some(Duration::from_secs(30)),
            write_stall_timeout: Some(Duration::from_secs(60)),
            linger: Duration::from_secs(10),
            max_linger: Duration::from_secs(300),
            receive_window: 64 * 1024,
            receive_window_max: 1024 * 1024,
            receive_window_budget: WindowBudget::default(),
            max_message_size: 4 * 1024 * 1024,
        }
    }
}

/// What the handshake settled of a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Start {
    /// The mode that was selected.
    pub mode: Mode,
    /// The kind of the method.
    pub kind: MethodKind,
    /// Whether the one request message came with the handshake (path and query).
    pub request_bound: bool,
    /// The client's `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// The client's `grpcws-credit`; `None` is unlimited.
    pub credit: Option<u64>,
}

impl Start {
    /// A session for a method of this kind, without deadline and credit, its requests sent as messages.
    #[must_use]
    pub const fn new(mode: Mode, kind: MethodKind) -> Self {
        Self { mode, kind, request_bound: false, timeout: None, credit: None }
    }

    /// Whether the client gets credit for the messages that the upstream takes (PROTOCOL §7.2).
    pub(super) const fn grants_credit(&self) -> bool {
        self.mode.is_v1() && self.kind.is_client_streaming()
    }

    /// The same, with the request bound by the handshake.
    #[must_use]
    pub const fn request_bound(mut self) -> Self {
        self.request_bound = true;
        self
    }

    /// The same with a deadline that is so far away.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with an initial credit; `None` is unlimited.
    #[must_use]
    pub const fn credit(mut self, credit: Option<u64>) -> Self {
        self.credit = credit;
        self
    }
}
