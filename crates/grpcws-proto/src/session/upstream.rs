//! What the upstream answers.

use std::time::Instant;

use http::HeaderMap;

use super::Session;
use crate::close::Cause;
use crate::{DebugDetail, Status, message};

impl Session {
    /// The upstream's response headers have come. They are sent once, and in the v1 protocol only.
    pub fn upstream_headers(&mut self, metadata: &HeaderMap) {
        if self.is_live() && self.mode.is_v1() && !self.headers_sent {
            self.headers_sent = true;
            self.pending.headers = Some(message::headers(metadata));
        }
    }

    /// A `data` message is in the socket; `bytes` is the length of its frame's payload.
    pub fn data_sent(&mut self, bytes: usize) {
        self.send_window.take(bytes.max(1));
    }

    /// The upstream has ended the call. All of its messages are in the socket before.
    pub fn upstream_end(&mut self, status: Status, debug: &dyn DebugDetail, now: Instant) {
        self.end(Cause::Upstream(status), debug, now);
    }
}
