//! The end of a stream: the first cause wins.

use std::time::Instant;

use super::{Outcome, Phase, Session};
use crate::close::Cause;
use crate::{DebugDetail, message};

impl Session {
    /// Ends the stream for a cause of the gateway's, or of the client's that only the socket can see: a
    /// violation of RFC 6455, a message over the limit, a lost connection. Without effect on a stream
    /// that has ended already.
    pub fn fail(&mut self, cause: Cause, now: Instant) {
        self.end(cause, &(), now);
    }

    /// The connection broke while the end was being delivered: nothing more can be done. A live stream
    /// ends as lost.
    pub fn abandon(&mut self, now: Instant) {
        self.fail(Cause::ConnectionLost, now);
        self.phase = Phase::Closed;
    }

    /// The gateway shuts down: the stream may go on until `at`, and is then ended. One that has ended already
    /// may be delivered until then.
    pub fn drain(&mut self, at: Instant) {
        self.drain_at = Some(at);
        let lingered = self.lingered(at);
        if let Phase::Ending { until } = &mut self.phase {
            *until = [*until, lingered].into_iter().flatten().min();
        }
    }

    fn lingered(&self, from: Instant) -> Option<Instant> {
        from.checked_add(self.options.linger)
    }

    /// The close frame has left: from now on only the client is waited for, and not for long.
    pub fn close_sent(&mut self, now: Instant) {
        if let Phase::Ending { until } = &mut self.phase {
            *until = now.checked_add(self.options.linger);
            self.stalled_at = None;
        }
    }

    pub(super) fn end(&mut self, cause: Cause, debug: &dyn DebugDetail, now: Instant) {
        if !self.is_live() {
            return;
        }
        let (status, close) = (cause.status(), cause.close());
        if cause.has_terminal(self.mode) {
            self.pending.terminal = Some(if status.is_ok() {
                message::stream_end(status.metadata())
            } else {
                message::error(&status, debug)
            });
        }
        self.receive_window.close();
        self.pending.close.clone_from(&close);
        // The end has a time of its own; a stall that led to it must not cut that short.
        self.stalled_at = None;
        self.phase = match &cause {
            Cause::ConnectionLost => Phase::Closed,
            // The call's own end waits behind its data for as long as the client takes some.
            Cause::Upstream(_) => Phase::Ending { until: self.drain_at.and_then(|at| self.lingered(at)) },
            _ => Phase::Ending { until: now.checked_add(self.options.linger) },
        };
        self.outcome = Some(Box::new(Outcome { cause, status, close }));
    }
}
