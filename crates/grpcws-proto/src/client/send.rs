//! What the gateway is sent.

use super::{ClientSession, Transmit};
use crate::close::CloseCode;
use crate::message;

/// What waits to be sent: at most one message of each type.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The newest ping of the gateway.
    pub(super) pong: Option<u64>,
    pub(super) ping: Option<u64>,
    pub(super) credit: u64,
    pub(super) end_send: bool,
    pub(super) cancel: bool,
    pub(super) close: Option<CloseCode>,
}

impl Pending {
    /// Leaves only what ends the stream.
    pub(super) fn forget_data(&mut self) {
        *self = Self { cancel: self.cancel, close: self.close, ..Self::default() };
    }
}

impl ClientSession {
    /// Whether a request message may be sent now. Before `open` the window is not known, and so is closed.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.is_live() && !self.half_closed && self.send_window.is_open()
    }

    /// The largest frame that the gateway takes, once it has said so.
    #[must_use]
    pub fn max_message_bytes(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.max_message_bytes)
    }

    /// A request message is in the socket; `bytes` is the length of its frame's payload.
    pub fn message_sent(&mut self, bytes: usize) {
        self.send_window.take(bytes.max(1));
    }

    /// The application has sent its last request message.
    pub fn half_close(&mut self) {
        if self.is_live() && !std::mem::replace(&mut self.half_closed, true) {
            self.pending.end_send = true;
        }
    }

    /// The next thing to send to the gateway, in the order in which it is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.is_closed() {
            return None;
        }
        let text = |text: &str| Some(Transmit::Text(text.to_owned()));
        let pending = &mut self.pending;
        if std::mem::take(&mut pending.cancel) {
            // What was half-closed is cancelled now.
            pending.end_send = false;
            return text(message::CANCEL);
        }
        if let Some(code) = pending.close.take() {
            return Some(Transmit::Close(code));
        }
        if let Some(ping_id) = pending.pong.take() {
            return Some(Transmit::Text(message::pong(ping_id)));
        }
        if pending.credit > 0 {
            return Some(Transmit::Text(message::credit(std::mem::take(&mut pending.credit))));
        }
        if std::mem::take(&mut pending.end_send) {
            return text(message::END_SEND);
        }
        pending.ping.take().map(|ping_id| Transmit::Ping(message::ping(ping_id)))
    }

    /// Whether everything that is to be sent was taken from [`ClientSession::poll_transmit`].
    #[must_use]
    pub const fn all_is_said(&self) -> bool {
        let Pending { pong, ping, credit, end_send, cancel, close } = &self.pending;
        pong.is_none() && ping.is_none() && *credit == 0 && !*end_send && !*cancel && close.is_none()
    }
}
