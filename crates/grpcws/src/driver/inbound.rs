//! From the socket to the call.

use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::close::Cause;
use grpcws_proto::session::{Event, Frame, Payload, Stage};

use super::{BUDGET, Driver};
use crate::call::Call;
use crate::socket::Incoming;

impl<C: Call + Unpin> Driver<C> {
    /// Reads what the client sends for as long as the session wants it, and hands it to the call.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>, now: Instant) {
        let drained = self.read_messages(cx, now);
        self.note_bytes_read(now);
        if drained {
            return;
        }
        if self.session.wants_input() {
            cx.waker().wake_by_ref();
        } else if !self.session.is_live() {
            self.discard_input(cx, now);
        } else if self.socket.poll_peer_closed(cx).is_ready() {
            // The client has sent more than its window: only the end of the connection is still seen.
            self.session.fail(Cause::ConnectionLost, now);
        }
    }

    /// Returns whether everything that has come was read.
    fn read_messages(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..BUDGET {
            self.poll_taken(cx, now);
            if !self.session.wants_input() {
                return false;
            }
            self.socket.stop_watching();
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(message)) => self.receive(&message, now),
                Poll::Ready(Err(cause)) => self.session.fail(cause, now),
                Poll::Pending => return true,
            }
        }
        false
    }

    /// Tells the session of bytes that came, if only a part of a frame.
    pub(super) fn note_bytes_read(&mut self, now: Instant) {
        let bytes_read = self.socket.bytes_read();
        if bytes_read != self.bytes_read {
            self.bytes_read = bytes_read;
            self.session.bytes_received(self.socket.is_inside_message(), now);
        }
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(call) = &mut self.call else { return };
        while let Poll::Ready(cost) = call.poll_taken(cx) {
            self.session.message_taken(cost, now);
        }
    }

    fn receive(&mut self, message: &Incoming, now: Instant) {
        let (frame, bytes, length) = match message {
            Incoming::Text(text) => (Frame::Text(text), None, text.len()),
            Incoming::Binary(bytes) => (Frame::Binary(bytes), Some(bytes), bytes.len()),
            Incoming::Ping => (Frame::Ping, None, 0),
            Incoming::Pong => (Frame::Pong, None, 0),
            Incoming::Close(code) => (Frame::Close(*code), None, 0),
        };
        match self.session.receive(frame, now) {
            Event::None | Event::Ping => {}
            Event::Pong => self.observer.pong(),
            Event::HalfClose => {
                if let Some(call) = &mut self.call {
                    call.half_close();
                }
            }
            Event::Message { payload, last, cost } => {
                self.observer.received(length);
                let message = match (payload, bytes) {
                    // The whole frame is the message.
                    (Payload::Proto(_), Some(frame)) => Ok(frame.clone()),
                    (payload, _) => self.decode(payload),
                };
                if let Err(text) = message.and_then(|message| self.send(message, cost, last)) {
                    self.session.fail(Cause::InvalidMessage(text), now);
                }
            }
        }
    }

    fn decode(&self, payload: Payload<'_>) -> Result<Bytes, String> {
        let codec = self.codec.as_ref().ok_or("the types of this method are not known")?;
        codec.decode_request(payload).map_err(|error| error.to_string())
    }

    fn send(&mut self, message: Bytes, cost: u64, last: bool) -> Result<(), String> {
        let Some(call) = &mut self.call else { return Ok(()) };
        call.send(message, cost).map_err(|status| status.message().to_owned())?;
        if last {
            call.half_close();
        }
        Ok(())
    }

    /// Reads and discards what the client still sends after the end. Only its close frame, and the end of the connection,
    /// mean something.
    pub(super) fn discard_input(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..BUDGET {
            if matches!(self.session.stage(), Stage::Finishing | Stage::Closed) {
                return;
            }
            let read = if self.socket.can_read() {
                self.socket.poll_read(cx)
            } else {
                // Nothing is read as frames after the client's close frame, or after a violation.
                self.socket.poll_discard(cx).map(|()| Err(Cause::ConnectionLost))
            };
            self.note_bytes_read(now);
            match read {
                Poll::Ready(Ok(Incoming::Close(code))) => {
                    let _ = self.session.receive(Frame::Close(code), now);
                }
                Poll::Ready(Err(Cause::ConnectionLost)) => self.connection_lost(now),
                Poll::Ready(Ok(_) | Err(_)) => {}
                Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }
}
