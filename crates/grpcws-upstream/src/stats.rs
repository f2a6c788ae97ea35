//! What an upstream is doing.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What an [`Upstream`](crate::Upstream) is doing now, and has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamStats {
    /// Addresses in use.
    pub addresses: usize,
    /// Connections that take calls.
    pub connections: usize,
    /// Connections that only finish the calls that they have.
    pub draining: usize,
    /// Attempts to connect that are under way.
    pub dialing: usize,
    /// Calls that have a stream.
    pub streams: usize,
    /// Calls that wait for one.
    pub waiting: usize,
    /// Attempts to connect since the start.
    pub dials: u64,
    /// Those of them that failed.
    pub failed_dials: u64,
    /// Look-ups of the host name since the start.
    pub lookups: u64,
    /// Connections that were lost, or that the upstream has ended by GOAWAY, since the start.
    pub lost_connections: u64,
    /// Calls that were sent, since the start; one that was tried anew counts again.
    pub calls: u64,
    /// Calls that were tried anew, since the start.
    pub retries: u64,
}

/// Counts what happens.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dials: Counter,
    pub(crate) failed_dials: Counter,
    pub(crate) lookups: Counter,
    pub(crate) lost_connections: Counter,
    /// Whoever waits for the next one is told.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) calls: Counter,
    pub(crate) retries: Counter,
}

impl Counters {
    /// What answers may be another server than before.
    pub(crate) fn change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
