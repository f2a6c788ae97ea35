//! Times and windows of a client's session.

use std::time::{Duration, Instant};

use crate::metadata::MAX_SAFE_INTEGER;

/// Times and windows of a client's session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// When the call ends with code 4, whatever the gateway does. Default: never.
    pub deadline: Option<Instant>,
    /// The bytes of response messages that the gateway may send ahead of the application: what the
    /// handshake offered as `grpcws-credit`. One message may overdraw it. Default: none offered, no limit.
    pub credit: Option<u64>,
    /// The time between two `ping` messages of the client; `None` or zero for none. Default: none.
    pub ping_period: Option<Duration>,
    /// How long the gateway may be silent before the call ends with code 14; `None` for ever. It counts where the
    /// client or the gateway sends pings, and is never shorter than three ping periods of the gateway where only
    /// that does. Time in which the socket is not read does not count. Default: for ever.
    pub pong_timeout: Option<Duration>,
    /// How long a cancelled call waits for the gateway's terminal message, and an ended one for its close.
    /// Default: 2 s.
    pub linger: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            deadline: None,
            credit: None,
            ping_period: None,
            pong_timeout: None,
            linger: Duration::from_secs(2),
        }
    }
}

impl ClientOptions {
    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub const fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets [`credit`](Self::credit); a number that the protocol cannot carry becomes the nearest that it can.
    #[must_use]
    pub fn credit(mut self, credit: Option<u64>) -> Self {
        self.credit = credit.map(|credit| credit.clamp(1, MAX_SAFE_INTEGER));
        self
    }

    /// Sets [`ping_period`](Self::ping_period).
    #[must_use]
    pub const fn ping_period(mut self, period: Option<Duration>) -> Self {
        self.ping_period = period;
        self
    }

    /// Sets [`pong_timeout`](Self::pong_timeout).
    #[must_use]
    pub const fn pong_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.pong_timeout = timeout;
        self
    }

    /// Sets [`linger`](Self::linger).
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }
}
