//! The end of a stream: the first cause wins, and what the client is told of it is delivered (PROTOCOL §5 and §6).

use std::time::{Duration, Instant};

use super::{Delivery, Outcome, Phase, Session};
use crate::close::Cause;
use crate::progress::{Outstanding, Progress, Stall};
use crate::{DebugDetail, message};

/// How long a client that takes nothing, or does not answer, is offered its terminal message.
const LAST_OFFER: Duration = Duration::from_secs(2);

/// How long the client's end of the connection is waited for after FIN.
const FINISH: Duration = Duration::from_secs(2);

impl Session {
    /// Ends the stream for a cause of the gateway's, or for one of the client's that only the socket can see: a
    /// violation of RFC 6455, a message over the limit, a lost connection. Does nothing if the stream has ended.
    pub fn fail(&mut self, cause: Cause, now: Instant) {
        self.end(cause, &(), now);
    }

    /// The connection is over: nothing more can be delivered. A live stream ends as lost.
    pub fn connection_lost(&mut self, progress: Progress, now: Instant) {
        self.fail(Cause::ConnectionLost, now);
        self.close(progress);
    }

    /// Shuts the stream down: it may go on until `at` and is then ended, and its socket is closed at `gone_by` at the
    /// latest, whatever is not delivered by then.
    pub fn drain(&mut self, at: Instant, gone_by: Instant) {
        self.drain_at = Some(at);
        self.gone_by = Some(self.gone_by.map_or(gone_by, |earlier| earlier.min(gone_by)));
    }

    /// The transport has taken the terminal message and the close frame. From now on the client's close frame is waited
    /// for, and everything else that the client sends is to be discarded.
    pub fn close_sent(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Ending) {
            return;
        }
        // No frame can be read behind a violation, so no close frame would be seen.
        if self.client_closed || self.violated() {
            return self.finish(now);
        }
        self.phase = Phase::Closing { since: now, heard: now };
        self.stall = self.end_stall(now);
    }

    /// The client has closed its end of the connection, after everything that it sent.
    pub fn finished(&mut self, progress: Progress) {
        self.close(progress);
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
        self.phase = if matches!(cause, Cause::ConnectionLost) { Phase::Closed } else { Phase::Ending };
        // What led to the end took its own time; delivering the end takes another.
        self.stall = self.end_stall(now);
        self.outcome = Some(Box::new(Outcome { cause, status, close, delivery: Delivery::Lost }));
    }

    /// Ends the stream of a client that takes nothing, or does not answer: it is offered the end, but not for long.
    pub(super) fn give_up(&mut self, cause: Cause, now: Instant) {
        self.fail(cause, now);
        let last_offer = now.checked_add(LAST_OFFER);
        self.gone_by = [self.gone_by, last_offer].into_iter().flatten().min();
    }

    /// Bounds the time that the end may take without progress, also where no write stall is looked for.
    fn end_stall(&self, now: Instant) -> Option<Stall> {
        let timeout = self.options.write_stall_timeout.unwrap_or(self.options.max_linger);
        Some(Stall::new(timeout, None, now))
    }

    /// Whether the client broke RFC 6455.
    fn violated(&self) -> bool {
        let cause = self.outcome.as_ref().map(|outcome| &outcome.cause);
        matches!(cause, Some(Cause::ProtocolViolation(_) | Cause::InvalidUtf8))
    }

    /// When the client's close frame is no longer waited for.
    fn lingered(&self, since: Instant, heard: Instant) -> Option<Instant> {
        let silent = heard.checked_add(self.options.linger);
        let longest = since.checked_add(self.options.max_linger);
        [silent, longest].into_iter().flatten().min()
    }

    /// The client's close frame has come, or was waited for long enough: FIN may be sent.
    pub(super) fn finish(&mut self, now: Instant) {
        self.stall = self.end_stall(now);
        self.phase = Phase::Finishing { until: now.checked_add(FINISH) };
    }

    /// Nothing is left to be done. What is known of the delivery now is known for good.
    pub(super) fn close(&mut self, progress: Progress) {
        let sent = matches!(self.phase, Phase::Closing { .. } | Phase::Finishing { .. });
        self.phase = Phase::Closed;
        let answered = self.client_closed;
        let Some(outcome) = &mut self.outcome else { return };
        outcome.delivery = match progress.outstanding {
            _ if !sent || outcome.close.is_none() => Delivery::Lost,
            _ if answered => Delivery::Confirmed,
            Outstanding::Exactly(0) => Delivery::Acknowledged,
            Outstanding::Exactly(_) => Delivery::Lost,
            Outstanding::Estimated(_) | Outstanding::Unknown => Delivery::Unknown,
        };
    }

    /// When the phases after the end are due.
    pub(super) fn end_due(&self) -> Option<Instant> {
        let stall = self.stall.as_ref().and_then(Stall::due);
        let phase = match self.phase {
            Phase::Live | Phase::Ending | Phase::Closed => None,
            Phase::Closing { since, heard } => self.lingered(since, heard),
            Phase::Finishing { until } => until,
        };
        [phase, stall, self.gone_by].into_iter().flatten().min()
    }

    /// Does what is due after the end.
    pub(super) fn handle_end_timeout(&mut self, progress: Progress, now: Instant) {
        let passed = |instant: Option<Instant>| instant.is_some_and(|instant| instant <= now);
        if passed(self.gone_by) {
            return self.close(progress);
        }
        match self.phase {
            Phase::Live | Phase::Closed => {}
            Phase::Ending => {
                if self.stall.as_mut().is_some_and(|stall| stall.is_over(progress.delivered(), now)) {
                    self.close(progress);
                }
            }
            Phase::Closing { .. } if progress.is_under_way() => {
                // The linger begins when the client has everything.
                self.phase = Phase::Closing { since: now, heard: now };
                if self.stall.as_mut().is_some_and(|stall| stall.is_over(progress.acknowledged, now)) {
                    self.close(progress);
                }
            }
            Phase::Closing { since, heard } => {
                self.stall = None;
                if passed(self.lingered(since, heard)) {
                    self.finish(now);
                }
            }
            Phase::Finishing { until } => {
                if self.stall.as_mut().is_some_and(|stall| stall.is_over(progress.acknowledged, now)) {
                    self.close(progress);
                } else if progress.is_under_way() {
                    // The client still takes what came before FIN.
                    self.phase = Phase::Finishing { until: now.checked_add(FINISH) };
                } else if passed(until) {
                    self.close(progress);
                }
            }
        }
    }
}
