//! What happens when nothing happens: the deadline, the client's own pings, the time for an end.

use std::time::{Duration, Instant};

use super::{ClientSession, Phase};
use crate::{Code, Status};

impl ClientSession {
    /// When [`ClientSession::handle_timeout`] is to be called next; `None` for never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed => None,
            Phase::Ended { until } => until,
            Phase::Cancelling { until } => [until, self.options.deadline].into_iter().flatten().min(),
            Phase::Live => [self.options.deadline, self.heartbeat.next_ping(), self.dead_at()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let passed = |instant: Option<Instant>| instant.is_some_and(|instant| instant <= now);
        match self.phase {
            Phase::Closed => {}
            Phase::Ended { until } if passed(until) => self.phase = Phase::Closed,
            Phase::Ended { .. } => {}
            Phase::Cancelling { until } if passed(until) => self.end_cancelled(now),
            _ if passed(self.options.deadline) => {
                self.abort(Status::new(Code::DeadlineExceeded, "deadline exceeded"), now);
            }
            Phase::Cancelling { .. } => {}
            Phase::Live if passed(self.dead_at()) => {
                let silence = self.options.pong_timeout.unwrap_or_default();
                let text = format!("nothing was heard of the gateway for {silence:?}");
                self.abort(Status::new(Code::Unavailable, text), now);
            }
            Phase::Live => {
                if let Some(ping_id) = self.heartbeat.due(now) {
                    self.pending.ping = Some(ping_id);
                }
            }
        }
    }

    /// Tells whether the socket is read. While it is not, because the application takes nothing, the gateway cannot
    /// be heard, and so is not taken for dead.
    pub fn set_reading(&mut self, reading: bool, now: Instant) {
        if reading && !self.reading {
            self.heartbeat.heard(now);
        }
        self.reading = reading;
    }

    /// When silence means that the gateway is dead. It is only expected to say something where one side sends pings,
    /// and before it has said `open`, which it does at once.
    fn dead_at(&self) -> Option<Instant> {
        let dead_at = self.heartbeat.dead_at().filter(|_| self.reading)?;
        if self.heartbeat.next_ping().is_some() || (self.open.is_none() && self.mode.is_v1()) {
            return Some(dead_at);
        }
        let period = Duration::from_millis(self.open.as_ref()?.ping_period_ms);
        if period.is_zero() {
            return None;
        }
        // A gateway whose pings are rarer than that is given the time for three of them.
        let longer = period.saturating_mul(3).saturating_sub(self.options.pong_timeout.unwrap_or_default());
        dead_at.checked_add(longer)
    }
}
