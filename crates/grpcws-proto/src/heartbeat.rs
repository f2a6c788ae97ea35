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
        // A period of zero is none: it would always be due.
        let period = period.filter(|period| !period.is_zero());
        let next_ping = period.and_then(|period| now.checked_add(period));
        Self { period, timeout, next_ping, next_id: 1, last_heard: now }
    }

    /// A sign of life.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// When the client counts as dead.
    pub(crate) fn dead_at(&self) -> Option<Instant> {
        self.last_heard.checked_add(self.timeout?)
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
        self.next_ping =
            due.checked_add(period).filter(|next| *next > now).or_else(|| now.checked_add(period));
        let id = self.next_id;
        self.next_id += 1;
        Some(id)
    }
}
