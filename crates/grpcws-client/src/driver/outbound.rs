//! From the application to the socket.

use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::client::Transmit;

use super::{BUDGET, Driver, Life, Requests};
use crate::{Code, Status};

impl<R: Requests> Driver<R> {
    /// Feeds the socket for as long as there is something to say and it takes it, then flushes once. Returns whether
    /// it stopped only to give other tasks their turn.
    pub(super) fn poll_outbound(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut more = true;
        for _ in 0..BUDGET {
            if self.socket.is_blocked() && self.socket.poll_flush(cx).is_pending() {
                return false;
            }
            if !self.feed_next(cx, now) {
                more = false;
                break;
            }
        }
        let _ = self.socket.poll_flush(cx);
        more | self.heed_broken_writing()
    }

    /// When the connection takes no more data, drops the source of the requests, so that it makes no more. Returns
    /// whether this is new. Reading goes on, and finds how the call ended.
    fn heed_broken_writing(&mut self) -> bool {
        let new = self.socket.is_write_broken() && self.life == Life::Open;
        if new {
            self.life = Life::ReadOnly { give_up_at: None };
            self.requests = None;
            self.held = None;
        }
        new
    }

    /// Feeds one message: what the session has to say comes before the next request.
    fn feed_next(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if let Some(transmit) = self.session.poll_transmit() {
            match transmit {
                Transmit::Text(text) => self.socket.feed_text(cx, &text),
                Transmit::Ping(text) => {
                    self.socket.feed_text(cx, &text);
                    self.session.ping_queued(self.socket.bytes_queued());
                }
                Transmit::Close(code) => self.socket.feed_close(cx, code),
            }
            return true;
        }
        if !self.session.is_live() {
            return false;
        }
        let Some(payload) = self.held.take() else { return self.poll_request(cx, now) };
        if !self.session.can_send() {
            self.held = Some(payload);
            return false;
        }
        self.send(cx, payload, now);
        true
    }

    /// Takes a request message even where the window has no room for it, one at most: the half-close may come
    /// instead, which needs no room.
    fn poll_request(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(requests) = &mut self.requests else { return false };
        match requests.poll_request(cx) {
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(payload))) => self.held = Some(payload),
            Poll::Ready(Some(Err(status))) => self.session.abort(status, now),
            Poll::Ready(None) => {
                self.requests = None;
                self.session.half_close();
            }
        }
        true
    }

    fn send(&mut self, cx: &mut Context<'_>, payload: Bytes, now: Instant) {
        let length = payload.len();
        let most = self.session.max_message_bytes().unwrap_or(u64::MAX);
        if u64::try_from(length).unwrap_or(u64::MAX) > most {
            let text = format!("request message is larger than the {most} bytes that the gateway takes");
            self.session.abort(Status::new(Code::ResourceExhausted, text), now);
            return;
        }
        if self.session.mode().is_json() {
            let Ok(text) = std::str::from_utf8(&payload) else {
                let status = Status::invalid_argument("request message is not UTF-8");
                return self.session.abort(status, now);
            };
            self.socket.feed_text(cx, text);
        } else {
            self.socket.feed_binary(cx, &payload);
        }
        self.session.message_sent(length);
    }
}
