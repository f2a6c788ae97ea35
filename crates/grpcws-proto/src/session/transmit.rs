//! What waits to be sent: at most one message of each type, so that nothing piles up when the socket
//! takes nothing.

use super::{Phase, Session, Transmit};
use crate::close::Close;
use crate::message;

#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) open: Option<String>,
    pub(super) headers: Option<String>,
    /// The newest ping of the client; older ones that were not answered yet are covered by its answer.
    pub(super) pong: Option<u64>,
    pub(super) ping: Option<u64>,
    pub(super) credit: u64,
    pub(super) terminal: Option<String>,
    pub(super) close: Option<Close>,
}

impl Session {
    /// Whether the stream has ended and all that its end has to say was taken from
    /// [`Session::poll_transmit`].
    #[must_use]
    pub const fn end_is_said(&self) -> bool {
        let Pending { open, headers, terminal, close, .. } = &self.pending;
        !self.is_live() && open.is_none() && headers.is_none() && terminal.is_none() && close.is_none()
    }

    /// The next thing to send to the client, in the order in which it is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.is_closed() {
            return None;
        }
        let pending = &mut self.pending;
        if let Some(text) = pending.open.take().or_else(|| pending.headers.take()) {
            return Some(Transmit::Text(text));
        }
        if matches!(self.phase, Phase::Live) {
            if let Some(ping_id) = pending.pong.take() {
                return Some(Transmit::Text(message::pong(ping_id)));
            }
            if pending.credit > 0 {
                return Some(Transmit::Text(message::credit(std::mem::take(&mut pending.credit))));
            }
            let ping_id = pending.ping.take()?;
            return Some(Transmit::Ping { ping_id, text: message::ping(ping_id) });
        }
        let terminal = pending.terminal.take().map(Transmit::Text);
        terminal.or_else(|| pending.close.take().map(Transmit::Close))
    }
}
