//! What a client's frame means, by mode and by what may still come (PROTOCOL §4 and §5).

use std::time::Instant;

use super::{Event, Frame, Payload, Phase, Requests, Session};
use crate::Mode;
use crate::close::Cause;
use crate::message::ClientMessage;

impl Session {
    /// Bytes came from the client, of a frame or of a part of one. `in_message` says that they are a part of a message
    /// whose end has not come.
    pub fn bytes_received(&mut self, in_message: bool, now: Instant) {
        // Within a frame, a client has no way to answer a ping (RFC 6455 §5.4).
        if in_message || !self.options.require_json_pong {
            self.heartbeat.heard(now);
        }
        match (&mut self.phase, &mut self.requests) {
            (Phase::Live, Requests::Awaited { until }) if in_message => {
                *until = self.options.init_timeout.and_then(|timeout| now.checked_add(timeout));
            }
            (Phase::Closing { heard, .. }, _) => *heard = now,
            _ => {}
        }
    }

    /// Takes a frame of the client and says what the call has to do. Frames that come after the end of
    /// the stream are discarded, except the client's close frame.
    pub fn receive<'a>(&mut self, frame: Frame<'a>, now: Instant) -> Event<'a> {
        if !self.is_live() {
            if let Frame::Close(_) = frame {
                self.client_closed = true;
                if matches!(self.phase, Phase::Closing { .. }) {
                    self.finish(now);
                }
            }
            return Event::None;
        }
        if !self.options.require_json_pong {
            self.heartbeat.heard(now);
        }
        match frame {
            Frame::Ping => Event::None,
            Frame::Pong => Event::Pong,
            Frame::Close(code) => {
                self.client_closed = true;
                self.refuse(Cause::ClientClosed(code), now)
            }
            Frame::Text(text) => self.receive_text(text, now),
            Frame::Binary(bytes) => self.receive_binary(bytes, now),
        }
    }

    fn receive_text<'a>(&mut self, text: &'a str, now: Instant) -> Event<'a> {
        let message = match ClientMessage::parse(text) {
            Ok(message) => message,
            Err(error) => return self.refuse(Cause::InvalidMessage(error.to_string()), now),
        };
        match message {
            ClientMessage::Data { .. } if self.mode == Mode::V1Proto => {
                let text = "data as text in grpcws.v1.proto: send a binary frame";
                self.refuse(Cause::WrongFrame(text.to_owned()), now)
            }
            ClientMessage::Data { value, offset } => {
                self.receive_data(Payload::Json { value, frame: text, offset }, text.len(), now)
            }
            ClientMessage::EndSend => self.receive_end_send(now),
            ClientMessage::Cancel => self.refuse(Cause::Cancelled, now),
            ClientMessage::Pong => {
                self.heartbeat.heard(now);
                Event::Pong
            }
            ClientMessage::Ping { ping_id } => {
                self.pending.pong = Some(ping_id);
                Event::Ping
            }
            ClientMessage::Credit { bytes } => self.receive_credit(bytes, now),
            ClientMessage::Unknown { .. } if !self.mode.is_v1() => Event::None,
            ClientMessage::Unknown { kind } => {
                let kind: String = kind.chars().take(40).collect();
                self.refuse(Cause::InvalidMessage(format!("unknown message type {kind:?}")), now)
            }
        }
    }

    fn receive_binary<'a>(&mut self, bytes: &'a [u8], now: Instant) -> Event<'a> {
        match self.mode {
            Mode::V1Proto => self.receive_data(Payload::Proto(bytes), bytes.len(), now),
            Mode::V1Json => {
                let text = "binary frame in a JSON mode: send data as text";
                self.refuse(Cause::WrongFrame(text.to_owned()), now)
            }
            // The Go package reads binary frames as it reads text.
            Mode::Seed => match std::str::from_utf8(bytes) {
                Ok(text) => self.receive_text(text, now),
                Err(error) => {
                    let text = format!("binary frame is not UTF-8 at byte {}", error.valid_up_to());
                    self.refuse(Cause::InvalidMessage(text), now)
                }
            },
        }
    }

    fn receive_data<'a>(&mut self, payload: Payload<'a>, length: usize, now: Instant) -> Event<'a> {
        let last = match self.requests {
            Requests::Open => false,
            Requests::Awaited { .. } | Requests::Optional => {
                self.requests = Requests::Complete;
                true
            }
            // In the Go package such a route reads no data at all.
            Requests::Bound if !self.mode.is_v1() => return Event::None,
            Requests::Bound | Requests::Complete => {
                let text = "a second request message for a method that takes one";
                return self.refuse(Cause::InvalidMessage(text.to_owned()), now);
            }
            Requests::Closed => {
                return self.refuse(Cause::InvalidMessage("data after end_send".to_owned()), now);
            }
        };
        // An empty frame counts as well, or a flood of them would have no bound.
        let cost = u64::try_from(length.max(1)).unwrap_or(u64::MAX);
        self.pending.credit += self.receive_window.hold(cost, now);
        Event::Message { payload, last, cost }
    }

    fn receive_end_send<'a>(&mut self, now: Instant) -> Event<'a> {
        match self.requests {
            Requests::Open | Requests::Optional => {
                self.requests = Requests::Closed;
                self.receive_window.half_closed();
                Event::HalfClose
            }
            Requests::Awaited { .. } => {
                self.refuse(Cause::InvalidMessage("end_send before the request message".to_owned()), now)
            }
            Requests::Bound | Requests::Complete | Requests::Closed => Event::None,
        }
    }

    fn receive_credit<'a>(&mut self, bytes: u64, now: Instant) -> Event<'a> {
        if !self.mode.is_v1() {
            let text = "credit without a grpcws.v1 sub-protocol";
            return self.refuse(Cause::InvalidMessage(text.to_owned()), now);
        }
        if !self.send_window.grant(bytes) {
            return self.refuse(Cause::InvalidMessage("credit window above 2^53-1".to_owned()), now);
        }
        Event::None
    }

    fn refuse<'a>(&mut self, cause: Cause, now: Instant) -> Event<'a> {
        self.end(cause, &(), now);
        Event::None
    }

    /// The upstream has taken a request message: it no longer counts against the receive window, and
    /// the client is granted as much again.
    pub fn message_taken(&mut self, cost: u64, now: Instant) {
        if !self.receive_window.is_open() {
            // The heartbeat was suspended while the socket was not read.
            self.heartbeat.heard(now);
        }
        let grant = self.receive_window.release(cost, now);
        if self.mode.is_v1() && self.kind.is_client_streaming() {
            self.pending.credit += grant.unwrap_or(0);
        }
    }
}
