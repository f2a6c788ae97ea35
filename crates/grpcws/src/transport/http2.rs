//! What a WebSocket over HTTP/2 knows of the connection that it is a stream of.

use grpcws_proto::{Outstanding, Progress};

use super::TcpProgress;

/// The connection of a request over HTTP/2, if the server tells of it: an extension of the request.
#[derive(Debug, Clone)]
pub(crate) struct Http2Connection {
    /// How many bytes HTTP/2 keeps in memory of each stream that is not read.
    pub(crate) stream_window: u32,
    pub(crate) tcp: TcpProgress,
}

/// The most bytes that may stand before those of a stream, for each stream of the connection: four pieces of 16 KiB in
/// hyper, 32 KiB in h2, and the heads of their frames.
const QUEUED: u64 = 128 * 1024;

/// Estimates how many bytes of one stream the client's TCP has not acknowledged, by what the connection has written and
/// what is acknowledged of that. HTTP/2 does not tell which stream a byte was of.
///
/// It is wrong in one case: bytes that HTTP/2 holds back because the client's window is full, while those of other streams
/// flow, count as arrived too early.
#[derive(Debug)]
pub(super) struct Shared {
    tcp: TcpProgress,
    /// The bytes of the connection that are acknowledged.
    acknowledged: u64,
    /// The bytes of the stream that have arrived.
    arrived: u64,
    /// A number of bytes of the stream that is waited for.
    mark: Option<Mark>,
    /// What the connection had written before the last bytes of the stream.
    before_last: u64,
    /// When everything had arrived last: what HTTP/2 had taken of the stream, and what the connection had written.
    settled: (u64, u64),
}

/// So many bytes of the stream have arrived when so many of the connection have.
#[derive(Debug, Clone, Copy)]
struct Mark {
    of_stream: u64,
    of_connection: u64,
}

impl Shared {
    /// `None` if the system does not tell what is acknowledged.
    pub(super) fn new(tcp: TcpProgress) -> Option<Self> {
        tcp.outstanding()?;
        let settled = (0, tcp.written());
        Some(Self { tcp, acknowledged: 0, arrived: 0, mark: None, before_last: 0, settled })
    }

    /// HTTP/2 has taken bytes of the stream, `taken` in all.
    pub(super) fn wrote(&mut self, taken: u64) {
        self.before_last = self.tcp.written();
        if self.mark.is_none() {
            self.mark = Some(self.mark(taken));
        }
    }

    fn mark(&self, taken: u64) -> Mark {
        let queued = self.tcp.sharers().saturating_mul(QUEUED);
        Mark { of_stream: taken, of_connection: self.tcp.written().saturating_add(queued) }
    }

    /// How far the bytes of the stream have come, of which HTTP/2 has taken `taken`.
    pub(super) fn progress(&mut self, taken: u64) -> Progress {
        // In this order: another thread may write in between.
        let written = self.tcp.written();
        // A connection that is gone acknowledges nothing more.
        let outstanding = self.tcp.outstanding().unwrap_or(u64::MAX);
        self.acknowledged = self.acknowledged.max(written.saturating_sub(outstanding));
        let acknowledged = self.acknowledged;
        // As much as the stream has taken since, and more than when it took the last of it.
        let has_left = written > self.before_last
            && written.saturating_sub(self.settled.1) >= taken.saturating_sub(self.settled.0);
        if outstanding == 0 && has_left {
            (self.arrived, self.mark, self.settled) = (taken, None, (taken, written));
        } else if let Some(mark) = self.mark
            && mark.of_connection <= acknowledged
        {
            self.arrived = mark.of_stream;
            self.mark = (mark.of_stream < taken).then(|| self.mark(taken));
        }
        let outstanding = Outstanding::Estimated(taken.saturating_sub(self.arrived));
        Progress { taken, outstanding, acknowledged }
    }
}
