//! From the socket to the application.

use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::client::{Event, Frame, Payload};

use super::{BUDGET, Driver, Requests};
use crate::call::queue::Item;
use crate::socket::{Broken, Incoming};

impl<R: Requests> Driver<R> {
    /// Reads frames while the application keeps up. Returns whether it stopped only to give other tasks their turn.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..BUDGET {
            if self.closing {
                return false;
            }
            // When the call is over nothing is delivered any more, and the close frame is still to come.
            let reading = self.session.outcome().is_some() || self.deliveries.held() < self.read_ahead;
            self.session.set_reading(reading, now);
            if !reading {
                self.give_up_at = None;
                return false;
            }
            match self.socket.poll_read(cx) {
                Poll::Pending => {
                    self.expect_end(now);
                    return false;
                }
                Poll::Ready(Ok(incoming)) => {
                    self.give_up_at = None;
                    self.receive(incoming, now);
                }
                Poll::Ready(Err(broken)) => self.broken(broken, now),
            }
        }
        true
    }

    /// A connection that takes no more data is at its end, which is about to be read; it is not waited for for ever.
    fn expect_end(&mut self, now: Instant) {
        if !self.write_broken {
            return;
        }
        match self.give_up_at {
            None => self.give_up_at = now.checked_add(self.linger),
            Some(due) if due <= now => {
                self.broken(Broken::Connection("it takes no more data".to_owned()), now)
            }
            Some(_) => {}
        }
    }

    fn receive(&mut self, incoming: Incoming, now: Instant) {
        match incoming {
            Incoming::Text(text) => {
                let event = self.session.receive(Frame::Text(text.as_str()), now);
                let Event::Message { payload: Payload::Json(value), cost } = event else {
                    return self.deliver(event_without_payload(event));
                };
                let payload = part(&text.clone().into(), value);
                self.deliver(Some(Item::Message { payload, cost }));
            }
            Incoming::Binary(bytes) => {
                let event = self.session.receive(Frame::Binary(&bytes), now);
                let Event::Message { cost, .. } = event else { return };
                self.deliver(Some(Item::Message { payload: bytes.clone(), cost }));
            }
            Incoming::Ping => _ = self.session.receive(Frame::Ping, now),
            Incoming::Pong => _ = self.session.receive(Frame::Pong, now),
            Incoming::Close(code, reason) => {
                self.closing = true;
                let _ = self.session.receive(Frame::Close { code, reason: reason.as_str() }, now);
            }
        }
    }

    fn deliver(&self, item: Option<Item>) {
        if let Some(item) = item {
            self.deliveries.push(item);
        }
    }

    pub(super) fn broken(&mut self, broken: Broken, now: Instant) {
        self.closing = true;
        match broken {
            Broken::Gateway(status, close) => self.session.reject(status, close, now),
            Broken::Connection(reason) => self.session.connection_lost(&reason, now),
        }
    }
}

fn event_without_payload(event: Event<'_>) -> Option<Item> {
    match event {
        Event::Headers(metadata) => Some(Item::Headers(metadata)),
        Event::Message { .. } | Event::None => None,
    }
}

/// A part of a frame without a copy, or with one where the session gives text of its own.
fn part(frame: &Bytes, value: &str) -> Bytes {
    let begin = (value.as_ptr() as usize).checked_sub(frame.as_ptr() as usize);
    match begin.and_then(|begin| Some(begin..begin.checked_add(value.len())?)) {
        Some(range) if range.end <= frame.len() => frame.slice(range),
        _ => Bytes::copy_from_slice(value.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_frame_is_not_copied() {
        let frame = Bytes::from_static(b"{\"data\":5}");
        let text = std::str::from_utf8(&frame).expect("text");
        let value = part(&frame, &text[8..9]);
        assert_eq!(value, "5");
        assert_eq!(value.as_ptr(), frame[8..].as_ptr());
        assert_eq!(part(&frame, "null"), "null");
    }
}
