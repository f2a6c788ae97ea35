//! What happens when nothing happens: heartbeat, deadline and the other time limits.

use std::time::{Duration, Instant};

use super::{Phase, Requests, Session};
use crate::close::Cause;
use crate::progress::{Progress, Stall, stood_still};

impl Session {
    /// When [`Session::handle_timeout`] is to be called next; `None` for never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed => None,
            Phase::Live => earliest([
                self.heartbeat.next_ping(),
                self.pong_due(),
                self.deadline,
                self.drain_at,
                self.stall.as_ref().and_then(Stall::due),
                self.init_until(),
            ]),
            _ => self.end_due(),
        }
    }

    /// Does what is due. What has come from the client is to be read before.
    pub fn handle_timeout(&mut self, progress: Progress, now: Instant) {
        if let Some(by) = stood_still(self.poll_timeout(), now) {
            self.postpone(by);
        }
        if !self.is_live() {
            return self.handle_end_timeout(progress, now);
        }
        let passed = |instant: Option<Instant>| instant.is_some_and(|instant| instant <= now);
        if passed(self.deadline) {
            self.fail(Cause::Deadline, now);
        } else if passed(self.drain_at) {
            self.fail(Cause::Drain, now);
        } else if passed(self.init_until()) {
            let text = format!("no request message within {}", seconds(self.options.init_timeout));
            self.fail(Cause::InitTimeout(text), now);
        } else if self.stall.as_mut().is_some_and(|stall| stall.is_over(progress.delivered(), now)) {
            let text =
                format!("the client has not taken data for {}", seconds(self.options.write_stall_timeout));
            self.give_up(Cause::Policy(text), now);
        } else if self.reads() && self.heartbeat.is_dead(progress, now) {
            let text = format!("no pong within {}", seconds(self.options.pong_timeout));
            self.give_up(Cause::HeartbeatTimeout(text), now);
        } else if let Some(ping_id) = self.heartbeat.due(progress, now) {
            self.pending.ping = Some(ping_id);
        }
    }

    /// Does not count the time in which the gateway stood still against the client.
    fn postpone(&mut self, by: Duration) {
        let later = |instant: &mut Instant| *instant = instant.checked_add(by).unwrap_or(*instant);
        self.heartbeat.postpone(by);
        if let Some(stall) = &mut self.stall {
            stall.postpone(by);
        }
        if let Requests::Awaited { until: Some(until) } = &mut self.requests {
            later(until);
        }
        match &mut self.phase {
            Phase::Closing { since, heard } => {
                later(since);
                later(heard);
            }
            Phase::Finishing { until: Some(until) } => later(until),
            _ => {}
        }
    }

    /// The transport takes no more for now. If no byte is delivered for the write stall timeout, the stream ends.
    pub fn write_pending(&mut self, now: Instant) {
        if self.stall.is_none() && self.is_live() {
            self.stall = self.options.write_stall_timeout.map(|timeout| Stall::new(timeout, None, now));
        }
    }

    /// The transport has taken everything.
    pub fn write_complete(&mut self) {
        if self.is_live() {
            self.stall = None;
        }
    }

    /// A ping is queued for the transport. `position` counts the bytes of the WebSocket up to its end, as
    /// [`Progress::taken`] does.
    pub fn ping_queued(&mut self, position: u64) {
        self.heartbeat.ping_queued(position);
    }

    /// While the socket is not read, a client cannot be heard, and so is not taken for dead.
    fn pong_due(&self) -> Option<Instant> {
        if self.reads() { self.heartbeat.look_at() } else { None }
    }

    fn reads(&self) -> bool {
        self.receive_window.is_open()
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
