//! What happens when nothing happens: heartbeat, deadline and the other time limits.

use std::time::Instant;

use super::{Phase, Requests, Session};
use crate::close::Cause;

impl Session {
    /// When [`Session::handle_timeout`] is to be called next; `None` for never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed => None,
            Phase::Ending { until } => earliest([until, self.stalled_at]),
            Phase::Live => earliest([
                self.heartbeat.next_ping(),
                self.dead_at(),
                self.deadline,
                self.drain_at,
                self.stalled_at,
                self.init_until(),
            ]),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let passed = |instant: Option<Instant>| instant.is_some_and(|instant| instant <= now);
        if let Phase::Ending { until } = self.phase {
            if passed(until) || passed(self.stalled_at) {
                self.phase = Phase::Closed;
            }
            return;
        }
        if passed(self.deadline) {
            self.fail(Cause::Deadline, now);
        } else if passed(self.drain_at) {
            self.fail(Cause::Drain, now);
        } else if passed(self.init_until()) {
            let text = format!("no request message within {}", seconds(self.options.init_timeout));
            self.fail(Cause::InitTimeout(text), now);
        } else if passed(self.stalled_at) {
            let text =
                format!("the client has not taken data for {}", seconds(self.options.write_stall_timeout));
            self.fail(Cause::Policy(text), now);
        } else if passed(self.dead_at()) {
            let text = format!("no pong within {}", seconds(self.options.pong_timeout));
            self.fail(Cause::HeartbeatTimeout(text), now);
        } else if let Some(ping_id) = self.heartbeat.due(now) {
            self.pending.ping = Some(ping_id);
        }
    }

    /// The socket takes no more for now. `progressed` says whether it took anything since the last call;
    /// a write that makes no progress for the write-stall timeout ends the stream.
    pub fn write_pending(&mut self, progressed: bool, now: Instant) {
        if progressed || self.stalled_at.is_none() {
            self.stalled_at = self.options.write_stall_timeout.and_then(|timeout| now.checked_add(timeout));
        }
    }

    /// The socket has taken everything.
    pub fn write_complete(&mut self) {
        self.stalled_at = None;
    }

    /// While the socket is not read, a client cannot be heard, and so is not taken for dead.
    fn dead_at(&self) -> Option<Instant> {
        if self.receive_window.is_open() { self.heartbeat.dead_at() } else { None }
    }

    fn init_until(&self) -> Option<Instant> {
        match self.requests {
            Requests::Awaited { until } => until,
            _ => None,
        }
    }
}

fn earliest<const N: usize>(instants: [Option<Instant>; N]) -> Option<Instant> {
    instants.into_iter().flatten().min()
}

fn seconds(duration: Option<std::time::Duration>) -> String {
    let duration = duration.unwrap_or_default();
    if duration.subsec_nanos() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
