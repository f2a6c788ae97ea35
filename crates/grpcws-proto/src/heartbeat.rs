//! The schedule of pings, and when a silent peer is taken for dead (PROTOCOL §8).

use std::time::{Duration, Instant};

use crate::progress::{Progress, Stall};

/// The pings of one side, and what the other side answers.
///
/// ```text
///            a ping is due                      its bytes are acknowledged
///   answered ─────────────▶ unanswered, on its way ─────────────▶ unanswered, arrived ──▶ dead
///      ▲                         │ bytes are acknowledged: the timeout starts again        after the timeout
///      └───── bytes from the peer ───────────────────────────────────────┘
/// ```
#[derive(Debug)]
pub(crate) struct Heartbeat {
    period: Option<Duration>,
    timeout: Option<Duration>,
    next_ping: Option<Instant>,
    next_id: u64,
    last_heard: Instant,
    /// Since the oldest ping that the peer has not answered.
    unanswered: Option<Unanswered>,
}

/// The oldest ping without an answer.
#[derive(Debug)]
struct Unanswered {
    stall: Stall,
    /// How many bytes of the WebSocket end with the ping; `None` until the driver has told.
    position: Option<u64>,
    /// How many bytes of the connection were acknowledged when the ping was seen to have arrived.
    acknowledged_at_arrival: Option<u64>,
}

impl Heartbeat {
    /// Pings every `period` and waits for an answer for `timeout`. `None` turns each of them off.
    pub(crate) fn new(period: Option<Duration>, timeout: Option<Duration>, now: Instant) -> Self {
        let next_ping = period.and_then(|period| now.checked_add(period));
        Self { period, timeout, next_ping, next_id: 1, last_heard: now, unanswered: None }
    }

    /// Bytes came from the peer.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.unanswered = None;
    }

    /// When the peer was heard last.
    pub(crate) const fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// The pong timeout, unless it is off.
    pub(crate) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// When to look for a sign of life next; `None` while no ping waits for an answer.
    pub(crate) fn look_at(&self) -> Option<Instant> {
        self.unanswered.as_ref()?.stall.due()
    }

    /// Looks for a sign of life, and returns whether the peer is dead.
    ///
    /// Bytes that the peer's TCP acknowledges are a sign of life until the ping itself is among them. From then on only
    /// bytes from the peer are, since a proxy acknowledges for a dead peer too.
    pub(crate) fn is_dead(&mut self, progress: Progress, now: Instant) -> bool {
        let Some(ping) = &mut self.unanswered else { return false };
        // When the ping has arrived, this number no longer changes, and so is no progress.
        let acknowledged = ping.acknowledged_at_arrival.unwrap_or(progress.acknowledged);
        if ping.position.is_some_and(|position| position <= progress.arrived()) {
            ping.acknowledged_at_arrival = Some(acknowledged);
        }
        ping.stall.is_over(acknowledged, now)
    }

    /// Does not count the time in which the process stood still.
    pub(crate) fn postpone(&mut self, by: Duration) {
        self.last_heard = self.last_heard.checked_add(by).unwrap_or(self.last_heard);
        if let Some(ping) = &mut self.unanswered {
            ping.stall.postpone(by);
        }
    }

    pub(crate) const fn next_ping(&self) -> Option<Instant> {
        self.next_ping
    }

    /// The number of the ping that is due, if one is. Periods that were missed are not made up for.
    pub(crate) fn due(&mut self, progress: Progress, now: Instant) -> Option<u64> {
        let (due, period) = (self.next_ping?, self.period?);
        if now < due {
            return None;
        }
        self.next_ping =
            due.checked_add(period).filter(|next| *next > now).or_else(|| now.checked_add(period));
        let id = self.next_id;
        self.next_id += 1;
        if self.unanswered.is_none() {
            self.unanswered = self.timeout.map(|timeout| Unanswered {
                stall: Stall::new(timeout, Some(progress.acknowledged), now),
                position: None,
                acknowledged_at_arrival: None,
            });
        }
        Some(id)
    }

    /// A ping is queued for the transport: it ends at this number of bytes of the WebSocket.
    pub(crate) fn ping_queued(&mut self, position: u64) {
        if let Some(ping) = &mut self.unanswered {
            ping.position.get_or_insert(position);
        }
    }
}
