//! What happens when nothing happens: the deadline, the client's own pings, the time for an end.

use std::time::{Duration, Instant};

use super::{ClientSession, Phase};
use crate::progress::{Progress, stood_still};
use crate::{Code, Status};

impl ClientSession {
    /// When [`ClientSession::handle_timeout`] is to be called next; `None` for never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed => None,
            Phase::Ended { until } => until,
            Phase::Cancelling { until } => earliest([until, self.options.deadline]),
            Phase::Live => {
                let next_ping = self.heartbeat.next_ping();
                earliest([self.options.deadline, next_ping, self.pong_due(), self.silent_at()])
            }
        }
    }

    /// Does what is due. What has come from the gateway is to be read before.
    pub fn handle_timeout(&mut self, progress: Progress, now: Instant) {
        if let Some(by) = stood_still(self.poll_timeout(), now) {
            self.heartbeat.postpone(by);
        }
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
            Phase::Live => {
                if passed(self.silent_at()) || self.is_dead(progress, now) {
                    let silence = self.heartbeat.timeout().unwrap_or_default();
                    let text = format!("nothing was heard of the gateway for {silence:?}");
                    self.abort(Status::new(Code::Unavailable, text), now);
                } else if let Some(ping_id) = self.heartbeat.due(progress, now) {
                    self.pending.ping = Some(ping_id);
                }
            }
        }
    }

    /// Bytes came from the gateway, of a frame or of a part of one.
    pub fn bytes_received(&mut self, now: Instant) {
        self.heartbeat.heard(now);
    }

    /// A ping is queued for the transport. `position` counts the bytes of the WebSocket up to its end, as
    /// [`Progress::taken`] does.
    pub fn ping_queued(&mut self, position: u64) {
        self.heartbeat.ping_queued(position);
    }

    /// Tells whether the socket is read. While it is not, because the application takes nothing, the gateway cannot
    /// be heard, and so is not taken for dead.
    pub fn set_reading(&mut self, reading: bool, now: Instant) {
        if reading && !self.reading {
            self.heartbeat.heard(now);
        }
        self.reading = reading;
    }

    fn is_dead(&mut self, progress: Progress, now: Instant) -> bool {
        self.reading && self.heartbeat.is_dead(progress, now)
    }

    /// When to look whether the client's own ping is answered.
    fn pong_due(&self) -> Option<Instant> {
        self.heartbeat.look_at().filter(|_| self.reading)
    }

    /// When the gateway has said nothing for too long, though it was to speak by itself: it says `open` at once, and
    /// then sends pings.
    fn silent_at(&self) -> Option<Instant> {
        let timeout = self.heartbeat.timeout().filter(|_| self.reading)?;
        if self.open.is_none() {
            return self.heartbeat.last_heard().checked_add(timeout).filter(|_| self.mode.is_v1());
        }
        if self.heartbeat.next_ping().is_some() {
            return None;
        }
        let period = Duration::from_millis(self.open.as_ref()?.ping_period_ms);
        // A gateway whose pings are rarer than the timeout is given the time for three of them.
        let timeout = timeout.max(period.saturating_mul(3));
        self.heartbeat.last_heard().checked_add(timeout).filter(|_| !period.is_zero())
    }
}

fn earliest<const N: usize>(instants: [Option<Instant>; N]) -> Option<Instant> {
    instants.into_iter().flatten().min()
}
