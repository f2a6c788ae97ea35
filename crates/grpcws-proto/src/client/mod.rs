//! The client's side of one stream: frames of the gateway and what the application wants go in, what the
//! application is to see and what the gateway is to be sent come out.
//!
//! ```text
//!   ┌──────┐   cancel   ┌────────────┐  a terminal message, a close,   ┌───────┐  close, linger over  ┌────────┐
//!   │ Live │ ─────────▶ │ Cancelling │ ──────────────────────────────▶ │ Ended │ ───────────────────▶ │ Closed │
//!   └──────┘            └────────────┘  or the linger time is over     └───────┘                      └────────┘
//!       │ a terminal message, a close, the deadline, a violation           ▲
//!       └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The first thing that ends a stream is its outcome (PROTOCOL §6.3), and all later ones are ignored: an
//! application is told exactly one end. `OK` comes from `stream_end` and from nothing else.
//!
//! The driver of a session keeps to these rules:
//!
//! 1. After each input, take everything from [`ClientSession::poll_transmit`] before anything else is sent.
//! 2. Send a request message only while [`ClientSession::can_send`] holds, and report it by
//!    [`ClientSession::message_sent`].
//! 3. Report by [`ClientSession::message_taken`] what the application took. With a credit window, what is not
//!    taken is bounded by that window and one message; without one, stop to read instead.
//! 4. Read what has come before [`ClientSession::handle_timeout`]: a timer must not judge a gateway by what was not read.

mod end;
mod event;
mod options;
mod receive;
mod send;
mod time;

use std::time::Instant;

pub use event::{Event, Frame, Payload, Transmit};
pub use options::ClientOptions;

use crate::credit::{ReceiveWindow, SendWindow};
use crate::heartbeat::Heartbeat;
use crate::message::Open;
use crate::{Mode, Status};
use send::Pending;

/// The client's side of one stream.
#[derive(Debug)]
pub struct ClientSession {
    options: ClientOptions,
    mode: Mode,
    phase: Phase,
    /// What the gateway said of itself; in seed mode it says nothing.
    open: Option<Open>,
    headers_seen: bool,
    half_closed: bool,
    send_window: SendWindow,
    receive_window: Option<ReceiveWindow>,
    heartbeat: Heartbeat,
    /// Whether the driver reads the socket; while it does not, silence means nothing.
    reading: bool,
    pending: Pending,
    outcome: Option<Status>,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Live,
    /// `cancel` is on its way; the gateway says how the call ended, and has until then.
    Cancelling {
        until: Option<Instant>,
    },
    /// The outcome is known; until then the gateway's close is waited for.
    Ended {
        until: Option<Instant>,
    },
    Closed,
}

impl ClientSession {
    /// A session that begins now, with the WebSocket open.
    #[must_use]
    pub fn new(mode: Mode, options: ClientOptions, now: Instant) -> Self {
        let heartbeat = Heartbeat::new(options.ping_period, options.pong_timeout, now);
        Self {
            mode,
            phase: Phase::Live,
            open: None,
            headers_seen: false,
            half_closed: false,
            // The window is not known before `open`; in seed mode there is none.
            send_window: SendWindow::new(mode.is_v1().then_some(0)),
            receive_window: options.credit.filter(|_| mode.is_v1()).map(ReceiveWindow::new),
            heartbeat,
            reading: true,
            pending: Pending::default(),
            outcome: None,
            options,
        }
    }

    /// The mode of the socket.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What the gateway said of itself, once it has.
    #[must_use]
    pub const fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// How the call ended, once it has. Its metadata are the trailers.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Status> {
        self.outcome.as_ref()
    }

    /// Whether the call can still send and was not cancelled.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Whether nothing is left to be done, and the socket is to be dropped.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }
}
