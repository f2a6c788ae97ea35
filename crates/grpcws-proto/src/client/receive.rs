//! What a frame of the gateway means (PROTOCOL §4.2 and §6.3).

use std::time::Instant;

use super::{ClientSession, Event, Frame, Payload, Phase};
use crate::message::{GatewayMessage, Open};
use crate::{Code, Mode, Status};

impl ClientSession {
    /// Takes a frame of the gateway. After the terminal message only the close frame means anything.
    pub fn receive<'a>(&mut self, frame: Frame<'a>, now: Instant) -> Event<'a> {
        self.heartbeat.heard(now);
        if let Frame::Close { code, reason } = frame {
            self.closed_by_gateway(code, reason, now);
            return Event::None;
        }
        if self.outcome.is_some() {
            return Event::None;
        }
        match frame {
            Frame::Text(text) => self.receive_text(text, now),
            Frame::Binary(bytes) if self.mode == Mode::V1Proto => {
                self.receive_message(Payload::Proto(bytes), bytes.len(), now)
            }
            Frame::Binary(_) => self.violation("a binary frame in a JSON mode", now),
            Frame::Ping | Frame::Pong | Frame::Close { .. } => Event::None,
        }
    }

    fn receive_text<'a>(&mut self, text: &'a str, now: Instant) -> Event<'a> {
        let message = match GatewayMessage::parse(text) {
            Ok(message) => message,
            Err(error) => return self.violation(&error.to_string(), now),
        };
        match message {
            GatewayMessage::Data { .. } if self.mode == Mode::V1Proto => {
                self.violation("data as text in grpcws.v1.proto", now)
            }
            GatewayMessage::Data { value } => self.receive_message(Payload::Json(value), text.len(), now),
            GatewayMessage::Open(open) => self.receive_open(open, now),
            GatewayMessage::Headers(_) if std::mem::replace(&mut self.headers_seen, true) => {
                self.violation("headers come a second time", now)
            }
            GatewayMessage::Headers(metadata) => Event::Headers(metadata),
            GatewayMessage::End(status) => {
                self.end(status, now);
                Event::None
            }
            GatewayMessage::Credit { bytes } if self.send_window.grant(bytes) => Event::None,
            GatewayMessage::Credit { .. } => self.violation("credit window above 2^53-1", now),
            GatewayMessage::Ping { ping_id } => {
                self.pending.pong = Some(ping_id);
                Event::None
            }
            GatewayMessage::Pong | GatewayMessage::Unknown { .. } => Event::None,
        }
    }

    fn receive_open<'a>(&mut self, open: Open, now: Instant) -> Event<'a> {
        if self.open.is_some() || !self.send_window.grant(open.receive_window) {
            return self.violation("open comes a second time, or with a window above 2^53-1", now);
        }
        self.open = Some(open);
        Event::None
    }

    fn receive_message<'a>(&mut self, payload: Payload<'a>, length: usize, now: Instant) -> Event<'a> {
        // An empty frame counts as well (PROTOCOL §7).
        let cost = u64::try_from(length.max(1)).unwrap_or(u64::MAX);
        if let Some(window) = &mut self.receive_window {
            window.hold(cost);
            if !window.is_open() {
                return self.violation("a response message beyond the credit", now);
            }
        }
        Event::Message { payload, cost }
    }

    /// The gateway breaks the protocol, so nothing that it says later can be trusted.
    fn violation<'a>(&mut self, what: &str, now: Instant) -> Event<'a> {
        self.abort(Status::new(Code::Internal, format!("the gateway broke the protocol: {what}")), now);
        Event::None
    }

    /// The application took a response message: the gateway is granted as much again.
    pub fn message_taken(&mut self, cost: u64) {
        let grant = self.receive_window.as_mut().and_then(|window| window.release(cost));
        if matches!(self.phase, Phase::Live | Phase::Cancelling { .. }) {
            self.pending.credit += grant.unwrap_or(0);
        }
    }
}
