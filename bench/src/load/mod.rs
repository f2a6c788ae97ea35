//! The load generator. It is one thread: with the two or more cores that a benchmark takes, the target and its
//! backend have the rest. Its own cost for each message is measured with every sample.

mod connection;
mod drive;
pub(crate) mod format;
pub(crate) mod frame;
pub(crate) mod handshake;
mod totals;

pub(crate) use connection::{Endpoint, http2};
pub(crate) use drive::start;
pub(crate) use totals::{Totals, histogram};

/// What a scenario does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// Server streams, as fast as they come, or paced: then the latency from the backend's stamp is taken.
    Subscribe { sockets: usize, size: i32, rate: f64 },
    /// Ping-pong on bidi streams.
    Echo { sockets: usize, in_flight: usize },
    /// Client streams of so many messages each.
    Collect { sockets: usize, messages: u64 },
    /// Opens a socket, takes the first message and closes, again and again.
    Connect { at_once: usize },
    /// Bidi sockets on which nothing is said.
    Idle { sockets: usize },
    /// A server stream of so many messages, each of which has to be there and in its place.
    Order { messages: i64 },
}

impl Work {
    /// How many sockets are open at the same time.
    pub(crate) const fn sockets(self) -> usize {
        match self {
            Self::Subscribe { sockets, .. }
            | Self::Echo { sockets, .. }
            | Self::Collect { sockets, .. }
            | Self::Idle { sockets } => sockets,
            Self::Connect { at_once } => at_once,
            Self::Order { .. } => 1,
        }
    }
}
