//! A gateway without sockets: a session, driven as the rules of its documentation ask, with an upstream
//! that does what a test says. Shared by the tests that run whole lifecycles.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use grpcws_proto::close::Cause;
use grpcws_proto::message::data;
use grpcws_proto::session::{Event, Frame, Payload, Session, SessionOptions, Start, Transmit};
use grpcws_proto::{DebugDetail, MethodKind, Mode, Progress, Status};
use http::HeaderMap;

/// What leaves the gateway towards the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToClient {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Close { code: u16, reason: String },
}

/// What the upstream sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToUpstream {
    Start,
    Message(Message),
    HalfClose,
    Cancel,
}

/// What the upstream sends. It waits there until the gateway takes it.
#[derive(Debug, Clone)]
pub(crate) enum FromUpstream {
    Headers(HeaderMap),
    Message(Message),
    End(Status),
}

/// A request or response message in the form of the mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Json(String),
    Proto(Vec<u8>),
}

/// A frame of the client on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromClient {
    Text(String),
    Binary(Vec<u8>),
    Pong,
    Close(Option<u16>),
    /// The end of the connection.
    Lost,
    /// A frame of so many bytes.
    TooLarge(u64),
}

/// A request message that the gateway has read and the upstream not yet taken.
struct Held {
    message: Message,
    cost: u64,
    last: bool,
}

/// The gateway, its socket towards the client as two queues, and its upstream.
pub(crate) struct Gateway {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    pub(crate) begin: Instant,
    /// Frames of the client that the gateway has not read yet.
    pub(crate) socket: VecDeque<FromClient>,
    pub(crate) to_client: Vec<ToClient>,
    pub(crate) to_upstream: Vec<ToUpstream>,
    pub(crate) upstream: VecDeque<FromUpstream>,
    /// Whether the upstream takes request messages by itself.
    pub(crate) takes_at_once: bool,
    /// Makes the next request message one that does not fit its type, with this text.
    pub(crate) misfit: Option<String>,
    pub(crate) debug: Box<dyn DebugDetail>,
    mode: Mode,
    held: VecDeque<Held>,
    half_close_held: bool,
    started: bool,
    call_over: bool,
}

impl Gateway {
    pub(crate) fn new(options: SessionOptions, start: Start, bound: Option<Message>) -> Self {
        let now = Instant::now();
        let (mode, kind) = (start.mode, start.kind);
        let session = Session::new(options, start, now);
        let mut gateway = Self {
            session,
            now,
            begin: now,
            socket: VecDeque::new(),
            to_client: Vec::new(),
            to_upstream: Vec::new(),
            upstream: VecDeque::new(),
            takes_at_once: true,
            misfit: None,
            debug: Box::new(()),
            mode,
            held: VecDeque::new(),
            half_close_held: false,
            started: false,
            call_over: false,
        };
        gateway.advance(Duration::ZERO);
        if gateway.session.is_live() {
            if let Some(message) = bound {
                gateway.start();
                gateway.to_upstream.extend([ToUpstream::Message(message), ToUpstream::HalfClose]);
            } else if matches!(kind, MethodKind::ClientStreaming | MethodKind::Bidi) {
                gateway.start();
            }
        }
        gateway.pump();
        gateway
    }

    /// Moves the clock to a time since the beginning, with every timer on the way.
    pub(crate) fn advance(&mut self, since_begin: Duration) {
        let target = self.begin + since_begin;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= target) {
            self.now = due.max(self.now);
            self.session.handle_timeout(Progress::default(), self.now);
            self.pump();
        }
        self.now = target;
    }

    pub(crate) fn fail(&mut self, cause: Cause) {
        self.session.fail(cause, self.now);
        self.pump();
    }

    pub(crate) fn drain(&mut self) {
        self.session.drain(self.now, self.now + Duration::from_secs(2));
        self.session.handle_timeout(Progress::default(), self.now);
        self.pump();
    }

    /// The upstream takes the oldest request message, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let Some(held) = self.held.pop_front() else { return false };
        self.to_upstream.push(ToUpstream::Message(held.message));
        if held.last {
            self.to_upstream.push(ToUpstream::HalfClose);
        }
        self.session.message_taken(held.cost, self.now);
        self.pump();
        true
    }

    /// The payload bytes that were read and that the upstream has not taken.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.iter().map(|held| held.cost).sum()
    }

    /// Does all that can be done without another input.
    pub(crate) fn pump(&mut self) {
        loop {
            self.transmit();
            if (self.session.wants_input() || !self.session.is_live())
                && let Some(frame) = self.socket.pop_front()
            {
                self.read(frame);
                continue;
            }
            if self.takes_at_once && !self.call_over && self.take() {
                continue;
            }
            if self.half_close_held && self.held.is_empty() && !self.call_over {
                self.half_close_held = false;
                self.to_upstream.push(ToUpstream::HalfClose);
            }
            // A message without credit waits; the end behind no message does not.
            let may_pass = self.session.can_send_data()
                || !matches!(self.upstream.front(), Some(FromUpstream::Message(_)));
            if self.started
                && self.session.is_live()
                && may_pass
                && let Some(answer) = self.upstream.pop_front()
            {
                self.answer(answer);
                continue;
            }
            if !self.session.is_live() && !self.call_over {
                self.end_call();
                continue;
            }
            return;
        }
    }

    fn start(&mut self) {
        self.started = true;
        self.to_upstream.push(ToUpstream::Start);
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.session.poll_transmit() {
            match transmit {
                Transmit::Text(text) => self.to_client.push(ToClient::Text(text)),
                Transmit::Ping { text, .. } => self.to_client.extend([ToClient::Text(text), ToClient::Ping]),
                Transmit::Close(close) => {
                    let (code, reason) = (close.code.number(), close.reason);
                    self.to_client.push(ToClient::Close { code, reason });
                    self.session.close_sent(self.now);
                }
            }
        }
    }

    fn read(&mut self, frame: FromClient) {
        let was_live = self.session.is_live();
        let event = match &frame {
            FromClient::Text(text) => self.session.receive(Frame::Text(text), self.now),
            FromClient::Binary(bytes) => self.session.receive(Frame::Binary(bytes), self.now),
            FromClient::Pong => self.session.receive(Frame::Pong, self.now),
            FromClient::Close(code) => {
                if was_live {
                    // A WebSocket answers a close frame by itself.
                    let answer = ToClient::Close { code: code.unwrap_or(1005), reason: String::new() };
                    self.to_client.push(answer);
                }
                self.session.receive(Frame::Close(*code), self.now)
            }
            FromClient::Lost => {
                self.session.fail(Cause::ConnectionLost, self.now);
                Event::None
            }
            FromClient::TooLarge(length) => {
                assert!(*length > 4 * 1024 * 1024, "a frame of {length} bytes is not too large");
                self.session.fail(Cause::MessageTooLarge(4 * 1024 * 1024), self.now);
                Event::None
            }
        };
        match event {
            Event::Message { payload, last, cost } => {
                let message = match payload {
                    Payload::Json { value, .. } => Message::Json(value.to_owned()),
                    Payload::Proto(bytes) => Message::Proto(bytes.to_owned()),
                };
                self.hold(Held { message, cost, last });
            }
            Event::HalfClose => self.half_close_held = true,
            Event::None | Event::Ping | Event::Pong => {}
        }
    }

    fn hold(&mut self, held: Held) {
        if let Some(text) = self.misfit.take() {
            self.session.fail(Cause::InvalidMessage(text), self.now);
            return;
        }
        if !self.started {
            self.start();
        }
        self.held.push_back(held);
    }

    fn answer(&mut self, answer: FromUpstream) {
        match answer {
            FromUpstream::Headers(metadata) => self.session.upstream_headers(&metadata),
            FromUpstream::Message(Message::Json(value)) => {
                let text = [data::PREFIX, value.as_bytes(), data::SUFFIX].concat();
                self.session.data_sent(text.len());
                self.to_client.push(ToClient::Text(String::from_utf8(text).expect("made of text")));
            }
            FromUpstream::Message(Message::Proto(bytes)) => {
                self.session.data_sent(bytes.len());
                self.to_client.push(ToClient::Binary(bytes));
            }
            FromUpstream::End(status) => {
                self.call_over = true;
                self.session.upstream_end(status, &*self.debug, self.now);
            }
        }
    }

    /// The stream has ended for another reason than the call's own end.
    fn end_call(&mut self) {
        self.call_over = true;
        self.held.clear();
        self.upstream.clear();
        if self.started {
            self.to_upstream.push(ToUpstream::Cancel);
        }
    }

    /// A request or response message in the form of this stream's mode.
    pub(crate) fn message(&self, json: &str, proto: &[u8]) -> Message {
        if self.mode.is_json() { Message::Json(json.to_owned()) } else { Message::Proto(proto.to_owned()) }
    }
}
