//! From the socket to the application.

use std::borrow::Cow;
use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::client::{ClientSession, Event, Frame, Payload};

use super::{BUDGET, Driver, Life, Requests};
use crate::call::queue::{Deliveries, Item};
use crate::socket::{Broken, Incoming};

impl<R: Requests> Driver<R> {
    /// Reads frames while the application keeps up. Returns whether it stopped only to give other tasks their turn.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let more = self.read_frames(cx, now);
        let bytes_read = self.socket.bytes_read();
        if bytes_read != self.bytes_read {
            self.bytes_read = bytes_read;
            self.session.bytes_received(now);
        }
        more
    }

    fn read_frames(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..BUDGET {
            if self.life == Life::Closing {
                return false;
            }
            // When the call is over nothing is delivered any more, and the close frame is still to come.
            let reading = self.session.outcome().is_some() || self.deliveries.held() < self.read_ahead;
            self.session.set_reading(reading, now);
            if !reading {
                self.life.heard();
                return false;
            }
            let Self { socket, session, deliveries, life, .. } = self;
            match socket.poll_read(cx) {
                Poll::Pending => {
                    self.expect_end(now);
                    return false;
                }
                Poll::Ready(Ok(incoming)) => {
                    life.heard();
                    Receiver { session, deliveries, life }.receive(incoming, now);
                }
                Poll::Ready(Err(broken)) => self.broken(broken, now),
            }
        }
        true
    }

    /// A connection that takes no more data is at its end, which is about to be read; it is not waited for without end.
    fn expect_end(&mut self, now: Instant) {
        let Life::ReadOnly { give_up_at } = &mut self.life else { return };
        match give_up_at {
            None => *give_up_at = now.checked_add(self.linger),
            Some(due) if *due <= now => {
                self.broken(Broken::Connection("it takes no more data".to_owned()), now)
            }
            Some(_) => {}
        }
    }

    pub(super) fn broken(&mut self, broken: Broken, now: Instant) {
        // Behind a message over a limit the gateway's close frame is still to come.
        if !matches!(broken, Broken::Gateway(..)) || !self.socket.can_read() {
            self.life = Life::Closing;
        }
        match broken {
            Broken::Gateway(status, close) => self.session.reject(status, close, now),
            Broken::Connection(reason) => self.session.connection_lost(&reason, now),
        }
    }
}

/// What takes a message of the gateway while that borrows from the socket.
struct Receiver<'a> {
    session: &'a mut ClientSession,
    deliveries: &'a Deliveries,
    life: &'a mut Life,
}

impl Receiver<'_> {
    fn receive(&mut self, incoming: Incoming<'_>, now: Instant) {
        match incoming {
            Incoming::Text(text) => {
                let event = self.session.receive(Frame::Text(&text), now);
                let Event::Message { payload: Payload::Json(value), cost } = event else {
                    return self.deliver(event_without_payload(event));
                };
                let payload = match place(&text, value) {
                    Some(place) => part(text, place),
                    None => Bytes::copy_from_slice(value.as_bytes()),
                };
                self.deliver(Some(Item::Message { payload, cost }));
            }
            Incoming::Binary(bytes) => {
                let event = self.session.receive(Frame::Binary(&bytes), now);
                let Event::Message { cost, .. } = event else { return };
                let payload = match bytes {
                    Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
                    Cow::Owned(bytes) => bytes.into(),
                };
                self.deliver(Some(Item::Message { payload, cost }));
            }
            Incoming::Ping => _ = self.session.receive(Frame::Ping, now),
            Incoming::Pong => _ = self.session.receive(Frame::Pong, now),
            Incoming::Close(code, reason) => {
                *self.life = Life::Closing;
                let _ = self.session.receive(Frame::Close { code, reason: &reason }, now);
            }
        }
    }

    fn deliver(&self, item: Option<Item>) {
        if let Some(item) = item {
            self.deliveries.push(item);
        }
    }
}

fn event_without_payload(event: Event<'_>) -> Option<Item> {
    match event {
        Event::Headers(metadata) => Some(Item::Headers(metadata)),
        Event::Message { .. } | Event::None => None,
    }
}

/// Where in a frame a value stands; `None` where the session gives text of its own.
fn place(frame: &str, value: &str) -> Option<Range<usize>> {
    let begin = (value.as_ptr() as usize).checked_sub(frame.as_ptr() as usize)?;
    let end = begin.checked_add(value.len())?;
    (end <= frame.len()).then_some(begin..end)
}

/// A part of a frame: without a copy where the frame is owned, and without the rest of it where it is borrowed.
fn part(frame: Cow<'_, str>, place: Range<usize>) -> Bytes {
    match frame {
        Cow::Owned(frame) => Bytes::from(frame).slice(place),
        Cow::Borrowed(frame) => Bytes::copy_from_slice(frame.get(place).unwrap_or_default().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_frame_of_its_own_is_not_copied() {
        let text = "{\"data\":5}";
        let found = place(text, &text[8..9]).expect("it is a part");
        assert_eq!(part(Cow::Borrowed(text), found.clone()), "5");
        assert_eq!(place(text, "null"), None);

        let frame = text.to_owned();
        let address = frame.as_ptr();
        let value = part(Cow::Owned(frame), found);
        assert_eq!(value, "5");
        assert_eq!(value.as_ptr() as usize, address as usize + 8);
    }
}
