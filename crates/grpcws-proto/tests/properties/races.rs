//! Half-close, cancel, status, close, violations, credit, drain and time in every order, against a model.

use std::collections::VecDeque;
use std::time::Duration;

use grpcws_proto::session::{SessionOptions, Start};
use grpcws_proto::{Code, MethodKind, Mode, Status};
use proptest::prelude::*;
use serde_json::Value;

use super::support::{FromClient, FromUpstream, Gateway, ToClient, ToUpstream};

#[derive(Debug, Clone)]
enum Step {
    Data,
    EndSend,
    Cancel,
    Malformed,
    UnknownType,
    Binary,
    Ping,
    Credit(u64),
    Close(Option<u16>),
    Lost,
    Answer,
    End(u8),
    Drain,
    /// So many milliseconds pass.
    Wait(u64),
}

/// What the client is shown at the end: `stream_end` (0), `error` with a code, or no terminal message;
/// and the code of the close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ending {
    terminal: Option<u8>,
    close: Option<u16>,
}

/// What the protocol says of a bidi stream, with nothing of how it is built.
struct Model {
    mode: Mode,
    now: u64,
    deadline: Option<u64>,
    heard: u64,
    half_closed: bool,
    window: Option<i64>,
    /// What the upstream has sent and the gateway has not taken; `Some` is its status.
    upstream: VecDeque<Option<u8>>,
    requests: usize,
    answers: usize,
    pings: u64,
    pongs: usize,
    ending: Option<Ending>,
    by_upstream: bool,
}

const PONG_TIMEOUT: u64 = 90_000;
const PING_PERIOD: u64 = 30_000;
/// The length of `{"type":"data","data":{"n":"1"}}`.
const JSON_FRAME: i64 = 32;

impl Model {
    fn new(mode: Mode, deadline: Option<u64>, window: Option<i64>) -> Self {
        Self {
            mode,
            now: 0,
            deadline,
            heard: 0,
            half_closed: false,
            window,
            upstream: VecDeque::new(),
            requests: 0,
            answers: 0,
            pings: 0,
            pongs: 0,
            ending: None,
            by_upstream: false,
        }
    }

    fn end(&mut self, terminal: Option<u8>, close: Option<u16>) {
        self.ending.get_or_insert(Ending { terminal, close });
    }

    fn step(&mut self, step: &Step) {
        if let Step::Wait(milliseconds) = step {
            self.wait(*milliseconds);
        } else if self.ending.is_none() {
            self.client(step);
        }
        match step {
            Step::Answer => self.upstream.push_back(None),
            Step::End(code) => self.upstream.push_back(Some(*code)),
            Step::Drain => self.end(Some(14), Some(1012)),
            _ => {}
        }
        while self.ending.is_none() {
            // Only a message needs credit.
            let blocked = self.window.is_some_and(|window| window <= 0);
            if blocked && matches!(self.upstream.front(), Some(None)) {
                return;
            }
            match self.upstream.pop_front() {
                None => return,
                Some(None) => {
                    self.answers += 1;
                    let length = if self.mode.is_json() { JSON_FRAME } else { 2 };
                    self.window = self.window.map(|window| window - length);
                }
                Some(Some(code)) => {
                    self.by_upstream = true;
                    self.end(Some(code), Some(if code == 0 { 1000 } else { 4000 + u16::from(code) }));
                }
            }
        }
    }

    fn client(&mut self, step: &Step) {
        let v1 = self.mode.is_v1();
        let frame = !matches!(step, Step::Lost | Step::Answer | Step::End(_) | Step::Drain);
        if frame {
            self.heard = self.now;
        }
        match step {
            Step::Data if self.half_closed => self.end(Some(3), Some(4003)),
            Step::Data => self.requests += 1,
            Step::EndSend => self.half_closed = true,
            Step::Cancel => self.end(v1.then_some(1), Some(1000)),
            Step::Malformed => self.end(Some(3), Some(4003)),
            Step::UnknownType if v1 => self.end(Some(3), Some(4003)),
            Step::Binary => match self.mode {
                Mode::Seed => self.end(Some(3), Some(4003)),
                Mode::V1Json => self.end(Some(3), Some(1003)),
                Mode::V1Proto if self.half_closed => self.end(Some(3), Some(4003)),
                Mode::V1Proto => self.requests += 1,
                other => panic!("the model does not know {other:?}"),
            },
            Step::Ping => self.pongs += 1,
            Step::Credit(_) if !v1 => self.end(Some(3), Some(4003)),
            Step::Credit(bytes) => {
                self.window = self.window.map(|window| window + i64::try_from(*bytes).unwrap());
            }
            Step::Close(code) => self.end(None, Some(code.unwrap_or(1005))),
            Step::Lost => self.end(None, None),
            _ => {}
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let target = self.now + milliseconds;
        // The first ping that is not answered.
        let ping = (self.heard / PING_PERIOD + 1) * PING_PERIOD;
        let dead = ping + PONG_TIMEOUT;
        let first = self.deadline.map_or(dead, |deadline| deadline.min(dead));
        let ends = self.ending.is_none() && first <= target;
        let last = if ends { first - 1 } else { target };
        if self.ending.is_none() {
            self.pings = last / PING_PERIOD;
        }
        if ends && self.deadline.is_some_and(|deadline| deadline <= dead) {
            self.end(Some(4), Some(4004));
        } else if ends {
            self.end(Some(14), Some(4408));
        }
        self.now = target;
    }
}

fn apply(gateway: &mut Gateway, mode: Mode, step: &Step, clock: &mut u64) {
    let text = |text: &str| FromClient::Text(text.to_owned());
    let frame = match step {
        Step::Data if mode.is_json() => text(r#"{"type":"data","data":{"n":"1"}}"#),
        Step::Data => FromClient::Binary(vec![8, 1]),
        Step::Binary => FromClient::Binary(vec![8, 1]),
        Step::EndSend => text(r#"{"type":"end_send"}"#),
        Step::Cancel => text(r#"{"type":"cancel"}"#),
        Step::Malformed => text(r#"{"type":"cancel""#),
        Step::UnknownType => text(r#"{"type":"dta"}"#),
        Step::Ping => text(r#"{"type":"ping","pingId":1}"#),
        Step::Credit(bytes) => FromClient::Text(format!(r#"{{"type":"credit","bytes":{bytes}}}"#)),
        Step::Close(code) => FromClient::Close(*code),
        Step::Lost => FromClient::Lost,
        Step::Answer => {
            let message = gateway.message(r#"{"n":"1"}"#, &[8, 1]);
            gateway.upstream.push_back(FromUpstream::Message(message));
            return gateway.pump();
        }
        Step::End(code) => {
            let status = Status::new(Code::from_number(i64::from(*code)), "");
            gateway.upstream.push_back(FromUpstream::End(status));
            return gateway.pump();
        }
        Step::Drain => return gateway.drain(),
        Step::Wait(milliseconds) => {
            *clock += milliseconds;
            return gateway.advance(Duration::from_millis(*clock));
        }
    };
    gateway.socket.push_back(frame);
    gateway.pump();
}

/// What a client has been shown, in the terms of the model.
#[derive(Debug, Default)]
struct Shown {
    answers: usize,
    pings: u64,
    pongs: usize,
    terminals: Vec<u8>,
    closes: Vec<u16>,
}

impl Shown {
    fn of(sent: &[ToClient]) -> Self {
        let mut shown = Self::default();
        for frame in sent {
            assert!(shown.closes.is_empty(), "{frame:?} after the close frame");
            match frame {
                ToClient::Binary(_) => shown.answers += 1,
                ToClient::Ping => shown.pings += 1,
                ToClient::Close { code, .. } => shown.closes.push(*code),
                ToClient::Text(text) => {
                    let message: Value = serde_json::from_str(text).unwrap();
                    let kind = message["type"].as_str().unwrap();
                    assert!(shown.terminals.is_empty(), "{text} after the terminal message");
                    match kind {
                        "data" => shown.answers += 1,
                        "pong" => shown.pongs += 1,
                        "stream_end" => shown.terminals.push(0),
                        "error" => {
                            shown.terminals.push(u8::try_from(message["code"].as_u64().unwrap()).unwrap())
                        }
                        _ => {}
                    }
                }
            }
        }
        shown
    }
}

fn check(gateway: &Gateway, model: &Model) {
    let shown = Shown::of(&gateway.to_client);
    let ending = model.ending.unwrap_or(Ending { terminal: None, close: None });
    assert_eq!(shown.terminals, Vec::from_iter(ending.terminal));
    assert_eq!(shown.closes, Vec::from_iter(ending.close));
    assert_eq!((shown.answers, shown.pings, shown.pongs), (model.answers, model.pings, model.pongs));
    assert_eq!(gateway.session.is_live(), model.ending.is_none());

    let cancelled = model.ending.is_some() && !model.by_upstream;
    let mut seen = vec![ToUpstream::Start];
    let request = |_| ToUpstream::Message(gateway.message(r#"{"n":"1"}"#, &[8, 1]));
    seen.extend((0..model.requests).map(request));
    seen.extend(model.half_closed.then_some(ToUpstream::HalfClose));
    seen.extend(cancelled.then_some(ToUpstream::Cancel));
    assert_eq!(gateway.to_upstream, seen);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Data),
        3 => Just(Step::EndSend),
        1 => Just(Step::Cancel),
        1 => Just(Step::Malformed),
        1 => Just(Step::UnknownType),
        1 => Just(Step::Binary),
        2 => Just(Step::Ping),
        2 => (1u64..100).prop_map(Step::Credit),
        1 => prop_oneof![Just(None), Just(Some(1000)), Just(Some(1001)), Just(Some(1008)), Just(Some(4000))]
            .prop_map(Step::Close),
        1 => Just(Step::Lost),
        6 => Just(Step::Answer),
        2 => (0u8..=16).prop_map(Step::End),
        1 => Just(Step::Drain),
        3 => (1u64..90_000).prop_map(Step::Wait),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Seed), Just(Mode::V1Json), Just(Mode::V1Proto)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_events_ends_as_the_model_says(
        mode in mode(),
        deadline in proptest::option::of(1u64..100_000),
        window in proptest::option::of(1u64..100),
        steps in proptest::collection::vec(step(), 0..24),
    ) {
        // Seed mode has no credit.
        let window = window.filter(|_| mode.is_v1());
        let start = Start::new(mode, MethodKind::Bidi)
            .timeout(deadline.map(Duration::from_millis))
            .credit(window);
        // A window that is used up and grows, which changes nothing of how the stream ends.
        let mut options = SessionOptions::default();
        (options.receive_window, options.receive_window_max) = (64, 256);
        let mut gateway = Gateway::new(options, start, None);
        let mut model = Model::new(mode, deadline, window.map(|window| i64::try_from(window).unwrap()));
        let mut clock = 0;
        for step in &steps {
            model.step(step);
            apply(&mut gateway, mode, step, &mut clock);
            check(&gateway, &model);
        }
    }
}

/// The race that matters most, without chance: every order of the five ways in which a stream can end.
#[test]
fn every_order_of_the_five_ends_has_one_outcome() {
    let ends = [Step::EndSend, Step::Cancel, Step::End(0), Step::Close(Some(1000)), Step::Wait(1_000)];
    let mut orders = 0;
    for mode in [Mode::Seed, Mode::V1Json, Mode::V1Proto] {
        for order in permutations(ends.len()) {
            let start = Start::new(mode, MethodKind::Bidi).timeout(Some(Duration::from_millis(500)));
            let mut gateway = Gateway::new(SessionOptions::default(), start, None);
            let mut model = Model::new(mode, Some(500), None);
            let mut clock = 0;
            for index in order {
                model.step(&ends[index]);
                apply(&mut gateway, mode, &ends[index], &mut clock);
                check(&gateway, &model);
            }
            assert!(model.ending.is_some());
            orders += 1;
        }
    }
    assert_eq!(orders, 3 * 120);
}

fn permutations(length: usize) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |shorter, next| {
        let insert = |order: &Vec<usize>, at: usize| {
            let mut longer = order.clone();
            longer.insert(at, next);
            longer
        };
        shorter.iter().flat_map(|order| (0..=order.len()).map(move |at| insert(order, at))).collect()
    })
}
