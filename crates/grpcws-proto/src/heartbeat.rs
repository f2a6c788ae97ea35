//! The schedule of pings, and when a silent client is taken for dead (PROTOCOL §8).

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Heartbeat {
    period: Option<Duration>,
    timeout: Option<Duration>,
    next_ping: Option<Instant>,
    next_id: u64,
    last_heard: Instant,
}

impl Heartbeat {
    pub(crate) fn new(period: Option<Duration>, timeout: Option<Duration>, now: Instant) -> Self {
        Self { period, timeout, next_ping: period.map(|period| now + period), next_id: 1, last_heard: now }
    }

    /// A sign of life.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// When the client counts as dead.
    pub(crate) fn dead_at(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.last_heard + timeout)
    }

    pub(crate) const fn next_ping(&self) -> Option<Instant> {
        self.next_ping
    }

    /// The number of the ping that is due, if one is. Periods that were missed are not made up for.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        let (due, period) = (self.next_ping?, self.period?);
        if now < due {
            return None;
        }
        self.next_ping = Some(if due + period > now { due + period } else { now + period });
        let id = self.next_id;
        self.next_id += 1;
        Some(id)
    }
}
