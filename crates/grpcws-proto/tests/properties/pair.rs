//! A client and a gateway with a network between them: nothing is lost, doubled or taken for success.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use grpcws_proto::client::{ClientOptions, ClientSession, Event, Frame, Payload, Transmit};
use grpcws_proto::session::{SessionOptions, Start, WindowBudget};
use grpcws_proto::{Code, MethodKind, Mode, Progress, Status};
use proptest::prelude::*;
use serde_json::Value;

use super::support::{FromClient, FromUpstream, Gateway, Message, ToClient, ToUpstream};

#[derive(Debug, Clone)]
enum Step {
    Send,
    EndSend,
    Cancel,
    Close,
    Break,
    /// The application takes so many responses.
    Read(usize),
    /// So many frames arrive at the gateway, at the client.
    Up(usize),
    Down(usize),
    Answer,
    End(u8),
    /// The upstream takes so many requests.
    Take(usize),
    Wait(u64),
    Drain,
}

const RECEIVE_WINDOW: u64 = 60;
const LARGEST_WINDOW: u64 = 500;
/// No frame of these tests is longer.
const LONGEST_FRAME: u64 = 64;

/// How a client sees the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// A terminal message, with its code.
    Told(Code),
    /// A close, a connection that broke, or a time limit, without a terminal message.
    Derived(Code),
    /// The client has left.
    Left,
}

/// A client's session, with an application that takes responses when a test says so.
struct Client {
    session: ClientSession,
    sent: u64,
    half_closed: bool,
    cancelled: bool,
    /// Sends whatever its window says.
    ignores_window: bool,
    credit: Option<u64>,
    received: u64,
    /// What the application has not taken yet, by its cost.
    unread: VecDeque<u64>,
    told: bool,
    left: bool,
}

impl Client {
    fn new(mode: Mode, credit: Option<u64>, now: Instant) -> Self {
        Self {
            session: ClientSession::new(mode, ClientOptions::default().credit(credit), now),
            sent: 0,
            half_closed: false,
            cancelled: false,
            ignores_window: false,
            credit,
            received: 0,
            unread: VecDeque::new(),
            told: false,
            left: false,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        if self.left {
            return Some(Outcome::Left);
        }
        let code = self.session.outcome()?.code();
        Some(if self.told { Outcome::Told(code) } else { Outcome::Derived(code) })
    }

    fn may_send(&self) -> bool {
        let beyond = self.ignores_window && self.session.is_live() && !self.half_closed;
        !self.left && (beyond || self.session.can_send())
    }

    fn send(&mut self) -> FromClient {
        let frame = frame(self.session.mode(), self.sent);
        let length = match &frame {
            FromClient::Text(text) => text.len(),
            FromClient::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        self.session.message_sent(length);
        self.sent += 1;
        frame
    }

    /// Takes a frame of the gateway, and says what the socket answers by itself.
    fn receive(&mut self, frame: &ToClient, now: Instant) -> Option<FromClient> {
        let was_over = self.session.outcome().is_some();
        let event = match frame {
            ToClient::Ping => self.session.receive(Frame::Ping, now),
            ToClient::Binary(bytes) => self.session.receive(Frame::Binary(bytes), now),
            ToClient::Text(text) => self.session.receive(Frame::Text(text), now),
            ToClient::Close { code, reason } => {
                self.session.receive(Frame::Close { code: Some(*code), reason }, now)
            }
        };
        match event {
            Event::Message { payload, cost } => {
                assert!(!was_over, "a response after the end");
                self.response(number(&payload), cost);
            }
            Event::Headers(_) | Event::None => {}
        }
        if let ToClient::Text(text) = frame {
            let message: Value = serde_json::from_str(text).unwrap();
            self.told |= !was_over && matches!(message["type"].as_str(), Some("stream_end" | "error"));
        }
        matches!(frame, ToClient::Ping).then_some(FromClient::Pong)
    }

    /// P1: responses come in order, each once. P5: the credit bounds what the application has not taken.
    fn response(&mut self, number: u64, cost: u64) {
        assert_eq!(number, self.received, "responses are lost or out of order");
        self.received += 1;
        self.unread.push_back(cost);
        let unread: u64 = self.unread.iter().sum();
        assert!(
            self.credit.is_none_or(|credit| unread <= credit + LONGEST_FRAME),
            "{unread} bytes are unread"
        );
    }
}

fn number(payload: &Payload<'_>) -> u64 {
    match payload {
        Payload::Json(value) => {
            serde_json::from_str::<Value>(value).unwrap()["n"].as_str().unwrap().parse().unwrap()
        }
        Payload::Proto(bytes) => u64::from_le_bytes(bytes[1..].try_into().unwrap()),
    }
}

/// The message with a number, in both forms.
fn json(number: u64) -> String {
    format!(r#"{{"n":"{number}"}}"#)
}

fn proto(number: u64) -> Vec<u8> {
    [&[9][..], &number.to_le_bytes()].concat()
}

fn frame(mode: Mode, number: u64) -> FromClient {
    if mode.is_json() {
        FromClient::Text(format!(r#"{{"type":"data","data":{}}}"#, json(number)))
    } else {
        FromClient::Binary(proto(number))
    }
}

/// Client, network, gateway and upstream.
struct World {
    client: Client,
    up: VecDeque<FromClient>,
    down: VecDeque<ToClient>,
    gateway: Gateway,
    /// What the receive window has grown by.
    budget: WindowBudget,
    clock: u64,
    answers: u64,
    upstream_end: Option<Code>,
    broken: bool,
}

impl World {
    fn new(mode: Mode, credit: Option<u64>) -> Self {
        let mut options = SessionOptions::default();
        let budget = WindowBudget::new(LARGEST_WINDOW - RECEIVE_WINDOW);
        options.receive_window = RECEIVE_WINDOW;
        options.receive_window_max = LARGEST_WINDOW;
        options.receive_window_budget = budget.clone();
        let credit = credit.filter(|_| mode.is_v1());
        let start = Start::new(mode, MethodKind::Bidi).credit(credit);
        let mut gateway = Gateway::new(options, start, None);
        gateway.takes_at_once = false;
        let mut world = Self {
            client: Client::new(mode, credit, gateway.now),
            up: VecDeque::new(),
            down: VecDeque::new(),
            gateway,
            budget,
            clock: 0,
            answers: 0,
            upstream_end: None,
            broken: false,
        };
        world.settle_step();
        world
    }

    /// Sends what the client's session has to say.
    fn transmit(&mut self) {
        while let Some(transmit) = self.client.session.poll_transmit() {
            if self.broken || self.client.left {
                continue;
            }
            self.up.push_back(match transmit {
                Transmit::Text(text) | Transmit::Ping(text) => FromClient::Text(text),
                Transmit::Close(code) => FromClient::Close(Some(code.number())),
            });
        }
    }

    fn step(&mut self, step: &Step) {
        let live = self.client.outcome().is_none();
        let now = self.gateway.now;
        match step {
            Step::Send if self.client.may_send() => {
                let frame = self.client.send();
                self.up.push_back(frame);
            }
            Step::EndSend if live && !self.client.cancelled && !self.client.half_closed => {
                self.client.half_closed = true;
                self.client.session.half_close();
            }
            Step::Cancel if live && !self.client.cancelled => {
                self.client.cancelled = true;
                self.client.session.cancel(now);
            }
            Step::Close if live => {
                self.client.left = true;
                self.up.push_back(FromClient::Close(Some(1000)));
            }
            Step::Break if live && !self.broken => {
                self.broken = true;
                self.up.clear();
                self.down.clear();
                self.client.session.connection_lost("it broke", now);
                self.up.push_back(FromClient::Lost);
            }
            Step::Read(messages) => {
                let messages = self.client.unread.len().min(*messages);
                self.client.unread.drain(..messages).for_each(|cost| self.client.session.message_taken(cost));
            }
            Step::Up(frames) => {
                let frames = self.up.len().min(*frames);
                self.gateway.socket.extend(self.up.drain(..frames));
            }
            Step::Down(frames) => {
                let frames = self.down.len().min(*frames);
                for frame in self.down.drain(..frames) {
                    self.up.extend(self.client.receive(&frame, now).filter(|_| !self.client.left));
                }
            }
            Step::Answer if self.upstream_end.is_none() => {
                let message = self.gateway.message(&json(self.answers), &proto(self.answers));
                self.gateway.upstream.push_back(FromUpstream::Message(message));
                self.answers += 1;
            }
            Step::End(code) if self.upstream_end.is_none() => {
                let code = Code::from_number(i64::from(*code));
                self.upstream_end = Some(code);
                self.gateway.upstream.push_back(FromUpstream::End(Status::new(code, "")));
            }
            Step::Take(messages) => _ = (0..*messages).all(|_| self.gateway.take()),
            Step::Wait(milliseconds) => {
                self.clock += milliseconds;
                self.gateway.advance(Duration::from_millis(self.clock));
                self.client.session.handle_timeout(Progress::default(), self.gateway.now);
            }
            Step::Drain => self.gateway.drain(),
            _ => {}
        }
        self.settle_step();
    }

    fn settle_step(&mut self) {
        self.transmit();
        self.gateway.pump();
        let sent = std::mem::take(&mut self.gateway.to_client);
        if !self.broken {
            self.down.extend(sent);
        }
        // P5, and below the window everything is read at once.
        let held = self.gateway.held_bytes();
        let window = RECEIVE_WINDOW + self.budget.used();
        assert!(window <= LARGEST_WINDOW, "a window of {window} bytes");
        assert!(held <= window + 2 * LONGEST_FRAME, "{held} bytes are held in a window of {window}");
        let live = self.gateway.session.is_live();
        assert!(live || self.budget.used() == 0, "a stream that is over keeps a part of the budget");
        let waiting = live && !self.gateway.socket.is_empty();
        assert!(!waiting || held >= window, "the gateway does not read, and holds {held} bytes of {window}");
    }

    /// Lets everything come to its end: the network delivers, the upstream takes, the client sends what
    /// it still has (`goal` messages in all) and half-closes, the upstream ends.
    fn finish(&mut self, goal: u64) {
        for _ in 0..1_000 {
            if self.client.outcome().is_some() && self.up.is_empty() && self.gateway.socket.is_empty() {
                return;
            }
            self.step(&Step::Up(usize::MAX));
            while self.gateway.take() {
                self.settle_step();
            }
            self.step(&Step::Down(usize::MAX));
            self.step(&Step::Read(usize::MAX));
            if self.client.sent < goal {
                self.step(&Step::Send);
            } else {
                self.step(&Step::EndSend);
            }
            let half_closed = self.gateway.to_upstream.contains(&ToUpstream::HalfClose);
            if half_closed || self.client.cancelled {
                self.step(&Step::End(0));
            }
        }
        panic!("the stream is stalled");
    }

    fn check(&self) {
        let outcome = self.client.outcome().expect("P3: an outcome");
        let by_upstream = self.gateway.session.outcome().is_some_and(|outcome| outcome.cause.is_upstream());
        assert!(self.client.received <= self.answers, "P1: more responses than were sent");
        if outcome == Outcome::Told(Code::Ok) {
            assert_eq!(self.upstream_end, Some(Code::Ok), "P4: a success that the upstream did not give");
            assert_eq!(self.client.received, self.answers, "P2: a success without all responses");
        }
        if let (Outcome::Told(code), true) = (outcome, by_upstream) {
            assert_eq!(Some(code), self.upstream_end, "the upstream's status is passed on");
            assert_eq!(self.client.received, self.answers, "the status overtook responses");
        }
        assert_ne!(outcome, Outcome::Derived(Code::Ok), "P4: a close taken for success");

        let mut seen = self.gateway.to_upstream.iter();
        assert_eq!(seen.next(), Some(&ToUpstream::Start));
        let (mut taken, mut half_closed, mut cancelled) = (0, false, false);
        for event in seen {
            assert!(!cancelled, "{event:?} after the cancellation");
            match event {
                ToUpstream::Message(message) => {
                    assert!(!half_closed, "P2: a message after half-close");
                    let (json, proto) = (Message::Json(json(taken)), Message::Proto(proto(taken)));
                    assert!(*message == json || *message == proto, "P1: {message:?} is not {taken}");
                    taken += 1;
                }
                ToUpstream::HalfClose => {
                    assert!(
                        !half_closed && self.client.half_closed,
                        "P4: a half-close that nobody asked for"
                    );
                    assert_eq!(taken, self.client.sent, "P2: a half-close without all messages");
                    half_closed = true;
                }
                ToUpstream::Cancel => cancelled = true,
                ToUpstream::Start => panic!("a second start"),
            }
        }
        assert!(!self.gateway.session.is_live(), "the call is left running");
        assert_eq!(cancelled, !by_upstream, "a call that does not end by itself is cancelled");
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Send),
        1 => Just(Step::EndSend),
        1 => Just(Step::Cancel),
        1 => Just(Step::Close),
        1 => Just(Step::Break),
        6 => (1usize..4).prop_map(Step::Read),
        10 => (1usize..4).prop_map(Step::Up),
        10 => (1usize..4).prop_map(Step::Down),
        10 => Just(Step::Answer),
        1 => (0u8..=16).prop_map(Step::End),
        8 => (1usize..6).prop_map(Step::Take),
        2 => (1u64..40_000).prop_map(Step::Wait),
        6 => (1u64..200).prop_map(Step::Wait),
        1 => Just(Step::Drain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_every_stream_has_one_outcome(
        mode in prop_oneof![Just(Mode::Seed), Just(Mode::V1Json), Just(Mode::V1Proto)],
        credit in proptest::option::of(1u64..200),
        goal in 0u64..40,
        steps in proptest::collection::vec(step(), 0..160),
    ) {
        let mut world = World::new(mode, credit);
        for step in &steps {
            world.step(step);
        }
        world.finish(goal);
        world.check();
    }
}

/// A client that keeps to its window is never stalled, whatever the size of window and messages.
#[test]
fn a_client_inside_its_window_gets_everything_through() {
    for mode in [Mode::V1Json, Mode::V1Proto] {
        let mut world = World::new(mode, Some(1));
        world.finish(900);
        world.check();
        assert_eq!(world.client.outcome(), Some(Outcome::Told(Code::Ok)));
        assert_eq!(world.client.sent, 900);
    }
}

/// P5 for a client that keeps to no window, and an upstream that takes nothing for a while.
#[test]
fn a_client_beyond_its_window_is_held_back_and_loses_nothing() {
    for mode in [Mode::Seed, Mode::V1Json, Mode::V1Proto] {
        let mut world = World::new(mode, None);
        world.client.ignores_window = true;
        for _ in 0..100 {
            // Every step checks what the gateway holds.
            world.step(&Step::Send);
            world.step(&Step::Up(1));
        }
        assert!(world.gateway.socket.len() > 50, "the gateway stops to read");
        world.step(&Step::Wait(10_000_000));
        assert_eq!(world.client.outcome(), None, "silence that the gateway caused is not counted");
        world.finish(100);
        world.check();
        assert_eq!(world.client.outcome(), Some(Outcome::Told(Code::Ok)));
    }
}
