//! From the socket to the call.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::close::Cause;
use grpcws_proto::session::{Event, Frame, Payload};

use super::{BUDGET, Driver};
use crate::call::{Call, Room};
use crate::socket::Incoming;

/// Request messages that the call has not taken yet, each with its cost in the receive window.
///
/// The session stops the reading of the socket at the receive window, which bounds this queue.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: VecDeque<(Bytes, u64)>,
    half_close: HalfClose,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum HalfClose {
    #[default]
    Open,
    /// Behind the messages that are queued.
    Wanted,
    Done,
}

impl<C: Call + Unpin> Driver<C> {
    /// Reads what the client sends for as long as the session wants it, and moves it on to the call.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..BUDGET {
            if !self.session.wants_input() {
                break;
            }
            self.socket.stop_watching();
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(message)) => self.receive(&message, now),
                Poll::Ready(Err(cause)) => self.session.fail(cause, now),
                Poll::Pending => {
                    self.poll_outbox(cx, now);
                    return;
                }
            }
            self.poll_outbox(cx, now);
        }
        if self.session.wants_input() {
            cx.waker().wake_by_ref();
        } else if self.session.is_live() {
            // The client has filled its window: only the end of the connection is still seen.
            self.poll_outbox(cx, now);
            if self.session.wants_input() {
                cx.waker().wake_by_ref();
            } else if self.socket.poll_peer_closed(cx).is_ready() {
                self.session.fail(Cause::ConnectionLost, now);
            }
        } else {
            self.discard_input(cx, now);
        }
    }

    fn receive(&mut self, message: &Incoming, now: Instant) {
        let (frame, bytes) = match message {
            Incoming::Text(text) => (Frame::Text(text), None),
            Incoming::Binary(bytes) => (Frame::Binary(bytes), Some(bytes)),
            Incoming::Ping => (Frame::Ping, None),
            Incoming::Pong => (Frame::Pong, None),
            Incoming::Close(code) => (Frame::Close(*code), None),
        };
        match self.session.receive(frame, now) {
            Event::None | Event::Ping => {}
            Event::Pong => self.observer.pong(),
            Event::HalfClose => self.outbox.half_close = HalfClose::Wanted,
            Event::Message { payload, last, cost } => {
                self.observer.received(usize::try_from(cost).unwrap_or(usize::MAX));
                let message = match (payload, bytes) {
                    // The whole frame is the message.
                    (Payload::Proto(_), Some(frame)) => Ok(frame.clone()),
                    (payload, _) => self.codec.decode_request(payload),
                };
                match message {
                    Ok(message) => self.outbox.messages.push_back((message, cost)),
                    Err(error) => self.session.fail(Cause::InvalidMessage(error.to_string()), now),
                }
                if last {
                    self.outbox.half_close = HalfClose::Wanted;
                }
            }
        }
    }

    /// Hands on what the call takes.
    fn poll_outbox(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(call) = self.call.as_mut().filter(|_| self.session.is_live()) else { return };
        while !self.outbox.messages.is_empty() {
            let room = match call.poll_ready(cx) {
                Poll::Ready(room) => room,
                Poll::Pending => return,
            };
            let Some((message, cost)) = self.outbox.messages.pop_front() else { break };
            if room == Room::Open
                && let Err(status) = call.send(message)
            {
                self.session.fail(Cause::InvalidMessage(status.message().to_owned()), now);
                return;
            }
            self.session.message_taken(cost, now);
        }
        if self.outbox.half_close == HalfClose::Wanted {
            self.outbox.half_close = HalfClose::Done;
            call.half_close();
        }
    }

    /// After the end, what the client still sends is thrown away; its close or its loss still counts.
    fn discard_input(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.close_flushed {
            return;
        }
        for _ in 0..BUDGET {
            if !self.socket.can_read() {
                return;
            }
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(Cause::ConnectionLost)) => return self.session.abandon(now),
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }
}
