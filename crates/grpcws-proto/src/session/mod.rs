//! The gateway's side of one stream: what the client sends and what the upstream answers go in, what
//! the call has to do and what the client is to be sent come out.
//!
//! ```text
//!   ┌──────┐ the upstream's end, a cause of the gateway, ┌────────┐ close_sent   ┌─────────┐
//!   │ Live │ ──────────────────────────────────────────▶ │ Ending │ ───────────▶ │ Closing │
//!   └──────┘ or the client's close                       └────────┘              └─────────┘
//!      │                             no byte of it is delivered │                     │ the client's close frame,
//!      │ the connection                   for the write stall   │                     ▼ or the end of the linger
//!      │ is lost           ┌────────┐    timeout, or a drain    │              ┌───────────┐
//!      └─────────────────▶ │ Closed │ ◀─────────────────────────┴───────────── │ Finishing │
//!                          └────────┘      the client's FIN, or 2 s            └───────────┘
//! ```
//!
//! | stage | what the driver does |
//! | --- | --- |
//! | `Live` | moves messages |
//! | `Ending` | writes the terminal message and the close frame, behind the responses that the upstream's own end waits for |
//! | `Closing` | reads, and discards everything but the client's close frame. It sends no FIN: some clients drop frames that they have not dispatched when FIN comes |
//! | `Finishing` | sends FIN, then reads and discards to the client's FIN. It comes at once behind a violation of RFC 6455, after which no close frame can be read |
//! | `Closed` | drops the socket |
//!
//! The first cause that ends a stream wins; all later ones are ignored. That alone makes the terminal
//! message come exactly once, in whatever order half-close, cancel, status, close and timeouts meet.
//!
//! The driver of a session keeps to these rules:
//!
//! 1. After each input, take everything from [`Session::poll_transmit`] before anything else is sent.
//! 2. When [`Session::is_live`] turns false, drop the call and what was not delivered to it.
//! 3. Send a response only while [`Session::can_send_data`] holds. One that comes without credit is kept, and
//!    the call is not polled again before it is sent; an end that comes instead needs no credit.
//! 4. Read what has come before [`Session::handle_timeout`]: a timer must not judge a client by what was not read.

mod budget;
mod end;
mod event;
mod options;
mod receive;
mod time;
mod transmit;
mod upstream;
mod window;

use std::time::Instant;

pub use budget::{Loan, WindowBudget};
pub use event::{Delivery, Event, Frame, Outcome, Payload, Transmit};
pub use options::{SessionOptions, SessionOptionsBuilder, Start};

use crate::credit::SendWindow;
use crate::heartbeat::Heartbeat;
use crate::message::Open;
use crate::progress::Stall;
use crate::{MethodKind, Mode};
use transmit::Pending;
use window::GrowingWindow;

/// The gateway's side of one stream.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    mode: Mode,
    kind: MethodKind,
    phase: Phase,
    requests: Requests,
    headers_sent: bool,
    send_window: SendWindow,
    receive_window: GrowingWindow,
    heartbeat: Heartbeat,
    deadline: Option<Instant>,
    /// When a drain ends the stream.
    drain_at: Option<Instant>,
    /// When the socket is closed, whatever is not delivered by then.
    gone_by: Option<Instant>,
    /// The wait for a client that takes data; set while a write is pending, and after the end.
    stall: Option<Stall>,
    /// The client has sent its close frame.
    client_closed: bool,
    pending: Pending,
    outcome: Option<Box<Outcome>>,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The call runs.
    Live,
    /// The outcome is known, and is on its way to the transport.
    Ending,
    /// The transport has taken the close frame. The client's close frame is waited for.
    Closing,
    /// FIN is to be sent. The client's FIN is waited for.
    Finishing,
    /// Nothing is left to be done, and the socket is to be dropped.
    Closed,
}

/// A stage, with what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Live,
    Ending,
    Closing {
        /// When the client had everything, as far as is known.
        since: Instant,
        /// When bytes came from the client last.
        heard: Instant,
    },
    Finishing {
        until: Option<Instant>,
    },
    Closed,
}

/// What may still come from the client towards the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    /// The one request came with the handshake.
    Bound,
    /// The one request came with the handshake, and may still be replaced.
    Optional,
    /// The one request is still to come, by this time.
    Awaited { until: Option<Instant> },
    /// The one request came.
    Complete,
    /// Any number may come.
    Open,
    /// The client has half-closed.
    Closed,
}

impl Session {
    /// A session that begins now. In the v1 protocol, `open` is the first thing to transmit.
    #[must_use]
    pub fn new(options: SessionOptions, start: Start, now: Instant) -> Self {
        let requests = if start.request_bound {
            Requests::Bound
        } else if start.request_optional {
            Requests::Optional
        } else if start.kind.is_client_streaming() {
            Requests::Open
        } else {
            Requests::Awaited { until: options.init_timeout.and_then(|timeout| now.checked_add(timeout)) }
        };
        let mut pending = Pending::default();
        if start.mode.is_v1() {
            let period =
                options.ping_period.map_or(0, |period| u64::try_from(period.as_millis()).unwrap_or(u64::MAX));
            pending.open =
                Some(Open::new(options.max_message_size, options.receive_window, period).to_text());
        }
        Self {
            mode: start.mode,
            kind: start.kind,
            phase: Phase::Live,
            requests,
            headers_sent: false,
            send_window: SendWindow::new(start.credit),
            receive_window: GrowingWindow::new(&options, start.grants_credit(), now),
            heartbeat: Heartbeat::new(options.ping_period, options.pong_timeout, now),
            deadline: start.timeout.and_then(|timeout| now.checked_add(timeout)),
            drain_at: None,
            gone_by: None,
            stall: None,
            client_closed: false,
            pending,
            outcome: None,
            options,
        }
    }

    /// The mode of the socket.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Where the stream is in its life.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self.phase {
            Phase::Live => Stage::Live,
            Phase::Ending => Stage::Ending,
            Phase::Closing { .. } => Stage::Closing,
            Phase::Finishing { .. } => Stage::Finishing,
            Phase::Closed => Stage::Closed,
        }
    }

    /// Whether the call is to go on. Once false, it is to be dropped.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Whether nothing is left to be done, and the socket is to be dropped.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether a `data` message may be sent now.
    #[must_use]
    pub fn can_send_data(&self) -> bool {
        self.is_live() && self.send_window.is_open()
    }

    /// Whether the socket is to be read. At the receive window it is not, until the upstream has taken
    /// something.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.is_live() && self.receive_window.is_open()
    }

    /// What the receive window borrows from.
    #[must_use]
    pub const fn receive_window_budget(&self) -> &WindowBudget {
        self.options.receive_window_budget()
    }

    /// How the stream ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_deref()
    }
}
