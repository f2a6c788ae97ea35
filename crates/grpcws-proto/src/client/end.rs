//! The end of a stream: the first thing that ends it is its outcome (PROTOCOL §6.3).

use std::time::Instant;

use super::{ClientSession, Phase};
use crate::close::{CloseCode, code_for_close};
use crate::{Code, Status};

impl ClientSession {
    /// The application cancels the call. Its outcome is what the gateway says of it, or code 1 where it says
    /// nothing within the linger time. Without effect on a call that has ended.
    pub fn cancel(&mut self, now: Instant) {
        if self.is_live() {
            self.pending.cancel = true;
            self.phase = Phase::Cancelling { until: self.lingered(now) };
        }
    }

    /// The client gives the call up with this status, at once: the gateway is sent `cancel` and the close frame.
    /// Without effect on a call that has ended.
    pub fn abort(&mut self, status: Status, now: Instant) {
        if self.outcome.is_none() {
            self.pending.cancel |= self.is_live();
            self.pending.close = Some(CloseCode::NORMAL);
            self.end(status, now);
        }
    }

    /// The gateway breaks RFC 6455 or a limit: it is sent a close frame with this code, which cancels the call.
    /// Without effect on a call that has ended.
    pub fn reject(&mut self, status: Status, close: CloseCode, now: Instant) {
        if self.outcome.is_none() {
            self.pending.close = Some(close);
            self.end(status, now);
        }
    }

    /// The connection ended without a close frame; the text says how. Nothing more can be done.
    pub fn connection_lost(&mut self, reason: &str, now: Instant) {
        let status = if self.is_cancelling() {
            cancelled()
        } else {
            Status::new(Code::Unavailable, format!("the connection to the gateway was lost: {reason}"))
        };
        self.end(status, now);
        self.phase = Phase::Closed;
    }

    pub(super) fn closed_by_gateway(&mut self, code: Option<u16>, reason: &str, now: Instant) {
        if self.outcome.is_none() {
            let status = if self.is_cancelling() { cancelled() } else { status_for_close(code, reason) };
            self.end(status, now);
        }
        // The socket answers the close frame; nothing else may be sent after it.
        self.pending = super::send::Pending::default();
    }

    pub(super) fn end(&mut self, status: Status, now: Instant) {
        if self.outcome.is_none() {
            self.outcome = Some(status);
            self.phase = Phase::Ended { until: self.lingered(now) };
            self.pending.forget_data();
        }
    }

    pub(super) fn end_cancelled(&mut self, now: Instant) {
        self.pending.close = Some(CloseCode::NORMAL);
        self.end(cancelled(), now);
    }

    const fn is_cancelling(&self) -> bool {
        matches!(self.phase, Phase::Cancelling { .. })
    }

    fn lingered(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.options.linger)
    }
}

fn cancelled() -> Status {
    Status::new(Code::Cancelled, "call cancelled by the client")
}

/// The status for a close without a terminal message. The reason mirrors a status where the gateway knew one.
fn status_for_close(number: Option<u16>, reason: &str) -> Status {
    let code = code_for_close(number);
    if let Some(message) = reason.strip_prefix(code.name()).and_then(|rest| rest.strip_prefix(": ")) {
        return Status::new(code, message);
    }
    let mut text = "the gateway closed the socket without a status".to_owned();
    if let Some(number) = number {
        text.push_str(&format!(", close code {number}"));
    }
    if !reason.is_empty() {
        text.push_str(&format!(": {reason}"));
    }
    Status::new(code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_mirrors_a_status_is_its_message() {
        let status = status_for_close(Some(4005), "NOT_FOUND: game not found");
        assert_eq!((status.code(), status.message()), (Code::NotFound, "game not found"));
        let status = status_for_close(Some(1000), "OK");
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().ends_with("close code 1000: OK"), "{}", status.message());
        assert_eq!(status_for_close(None, "").code(), Code::Unavailable);
    }
}
