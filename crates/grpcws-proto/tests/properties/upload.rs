//! Uploads over a path with a round trip and a rate, in simulated time: how the receive window grows, and when not.

use std::collections::VecDeque;
use std::time::Duration;

use grpcws_proto::client::{ClientOptions, ClientSession, Frame, Transmit};
use grpcws_proto::session::{SessionOptions, Start, WindowBudget};
use grpcws_proto::{MethodKind, Mode, Status};
use proptest::prelude::*;
use serde_json::Value;

use super::support::{FromClient, FromUpstream, Gateway, ToClient, ToUpstream};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const INITIAL: u64 = 64 * KIB;
const MAX: u64 = MIB;

/// What an upload meets.
#[derive(Debug, Clone)]
struct Path {
    round_trip: Duration,
    /// Bytes a second that the client's link carries; `None` for any number.
    link: Option<u64>,
    /// Bytes a second that the upstream takes; `None` for all at once.
    upstream: Option<u64>,
    /// The time between two messages of the application; zero for one that always has the next.
    pause: Duration,
    /// The length of a request message.
    message: usize,
}

impl Path {
    fn new(round_trip_ms: u64) -> Self {
        Self {
            round_trip: Duration::from_millis(round_trip_ms),
            link: None,
            upstream: None,
            pause: Duration::ZERO,
            message: 16 * 1024,
        }
    }
}

fn options(budget: &WindowBudget) -> SessionOptions {
    let options = SessionOptions::builder().ping_period(None).receive_window(INITIAL).receive_window_max(MAX);
    options.receive_window_budget(budget.clone()).build().expect("valid options")
}

/// A client, a path, a gateway and an upstream.
struct World {
    path: Path,
    gateway: Gateway,
    client: ClientSession,
    ignores_window: bool,
    /// The time since the gateway has begun the stream.
    now: Duration,
    up: VecDeque<(Duration, FromClient)>,
    down: VecDeque<(Duration, ToClient)>,
    link_free: Duration,
    upstream_free: Duration,
    next_message: Duration,
    /// How many messages the application has left.
    to_send: u64,
    half_closes: bool,
    /// What the client may have sent in all, as far as the gateway has said it.
    granted: u64,
    taken: u64,
    largest_window: u64,
}

impl World {
    fn new(path: Path, options: SessionOptions, start: Start) -> Self {
        let window = options.receive_window();
        let mode = start.mode;
        let mut gateway = Gateway::new(options, start, None);
        gateway.takes_at_once = false;
        let mut world = Self {
            client: ClientSession::new(mode, ClientOptions::default(), gateway.now),
            ignores_window: false,
            now: Duration::ZERO,
            up: VecDeque::new(),
            down: VecDeque::new(),
            link_free: Duration::ZERO,
            upstream_free: Duration::ZERO,
            // The client knows that the socket is open half a round trip after the gateway.
            next_message: path.round_trip / 2,
            to_send: 0,
            half_closes: true,
            granted: window,
            taken: 0,
            largest_window: window,
            path,
            gateway,
        };
        world.gateway_said();
        world
    }

    fn bidi(path: Path, budget: &WindowBudget) -> Self {
        Self::new(path, options(budget), Start::new(Mode::V1Proto, MethodKind::Bidi))
    }

    /// Moves what the gateway has sent to the path, and counts its grants.
    fn gateway_said(&mut self) {
        for frame in std::mem::take(&mut self.gateway.to_client) {
            if let ToClient::Text(text) = &frame {
                let message: Value = serde_json::from_str(text).unwrap();
                if message["type"] == "credit" {
                    self.granted += message["bytes"].as_u64().unwrap();
                }
            }
            self.down.push_back((self.now + self.path.round_trip / 2, frame));
        }
        let window = self.granted.saturating_sub(self.taken);
        self.largest_window = self.largest_window.max(window);
        // The memory formula of PROTOCOL §7.3.
        let held = self.gateway.held_bytes();
        let message = u64::try_from(self.path.message).unwrap();
        assert!(held <= self.largest_window + 2 * message, "{held} bytes are held");
    }

    /// When something happens next, if something does.
    fn next(&self) -> Option<Duration> {
        let holds = self.gateway.held_bytes() > 0;
        let sends = self.may_send() && self.to_send > 0;
        let times = [
            self.up.front().map(|(at, _)| *at),
            self.down.front().map(|(at, _)| *at),
            holds.then_some(self.upstream_free),
            sends.then_some(self.next_message),
        ];
        times.into_iter().flatten().min().map(|at| at.max(self.now))
    }

    fn may_send(&self) -> bool {
        self.client.can_send() || (self.ignores_window && self.client.is_live())
    }

    /// Lets happen what happens next, and all that follows from it at the same time.
    fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        self.now = at;
        self.gateway.advance(at);
        while let Some(frame) = arrived(&mut self.up, at) {
            self.gateway.socket.push_back(frame);
            self.gateway.pump();
        }
        self.take();
        while let Some(frame) = arrived(&mut self.down, at) {
            let frame = match &frame {
                ToClient::Text(text) => Frame::Text(text),
                ToClient::Binary(bytes) => Frame::Binary(bytes),
                ToClient::Ping => Frame::Ping,
                ToClient::Close { code, reason } => Frame::Close { code: Some(*code), reason },
            };
            self.client.receive(frame, self.gateway.now);
        }
        self.send();
        self.gateway_said();
        true
    }

    /// The upstream takes what it can by now.
    fn take(&mut self) {
        while self.upstream_free <= self.now {
            if !self.gateway.take() {
                break;
            }
            let taken = u64::try_from(self.path.message).unwrap();
            self.taken += taken;
            if let Some(rate) = self.path.upstream {
                self.upstream_free = self.now + seconds(taken, rate);
            }
        }
        if self.gateway.to_upstream.contains(&ToUpstream::HalfClose) && self.gateway.session.is_live() {
            self.gateway.upstream.push_back(FromUpstream::End(Status::default()));
            self.gateway.pump();
        }
    }

    /// The client sends what it can by now.
    fn send(&mut self) {
        while self.to_send > 0 && self.may_send() && self.next_message <= self.now {
            self.to_send -= 1;
            self.client.message_sent(self.path.message);
            self.next_message = self.now + self.path.pause;
            self.transmit(FromClient::Binary(vec![0; self.path.message]), self.path.message);
        }
        if self.to_send == 0 && self.half_closes {
            self.client.half_close();
        }
        while let Some(transmit) = self.client.poll_transmit() {
            let frame = match transmit {
                Transmit::Text(text) | Transmit::Ping(text) => FromClient::Text(text),
                Transmit::Close(code) => FromClient::Close(Some(code.number())),
            };
            self.transmit(frame, 100);
        }
    }

    fn transmit(&mut self, frame: FromClient, bytes: usize) {
        let begin = self.link_free.max(self.now);
        let bytes = u64::try_from(bytes).unwrap();
        self.link_free = begin + self.path.link.map_or(Duration::ZERO, |rate| seconds(bytes, rate));
        self.up.push_back((self.link_free + self.path.round_trip / 2, frame));
    }

    /// Uploads so many bytes, and returns the time from the open socket to the end of the call, both at the client.
    fn upload(&mut self, bytes: u64) -> Duration {
        self.to_send = bytes.div_ceil(u64::try_from(self.path.message).unwrap());
        while self.client.outcome().is_none() {
            assert!(self.step(), "the upload is stalled with {} messages left", self.to_send);
        }
        assert!(self.client.outcome().unwrap().is_ok(), "{:?}", self.client.outcome());
        self.now - self.path.round_trip / 2
    }

    /// Sends so many messages on a stream that goes on, until the upstream has taken them.
    fn go_on(&mut self, messages: u64) {
        self.half_closes = false;
        self.to_send = messages;
        while self.step() {}
        assert_eq!((self.to_send, self.gateway.held_bytes()), (0, 0), "the stream is stalled");
    }
}

/// The next frame that has arrived by a time.
fn arrived<T>(frames: &mut VecDeque<(Duration, T)>, at: Duration) -> Option<T> {
    if frames.front()?.0 > at {
        return None;
    }
    frames.pop_front().map(|(_, frame)| frame)
}

fn seconds(bytes: u64, rate: u64) -> Duration {
    Duration::from_nanos(bytes * 1_000_000_000 / rate)
}

/// The largest window of an upload of 4 MiB, and the time it took.
fn upload(path: Path) -> (u64, Duration) {
    let budget = WindowBudget::default();
    let mut world = World::bidi(path, &budget);
    let time = world.upload(4 * MIB);
    assert_eq!(budget.used(), 0, "what was borrowed is paid back at the end");
    (world.largest_window, time)
}

#[test]
fn four_mib_at_a_round_trip_of_100_ms_take_less_than_a_second() {
    // Whether messages fill the window exactly or not, and whether they come in one moment or one after the other.
    for message in [16 * 1024, 16 * 1024 + 4, 1_000, 10_000, 50_000, 100_000] {
        for link in [None, Some(20 * MIB)] {
            let (window, time) = upload(Path { message, link, ..Path::new(100) });
            println!(
                "4 MiB at 100 ms in messages of {message}: {time:?}, a window of up to {} KiB",
                window / KIB
            );
            assert!(window > MAX - MAX / 8 && window <= MAX, "a window of {window} bytes");
            assert!(time <= Duration::from_millis(900), "{time:?} in messages of {message}");
        }
    }

    let fixed = options(&WindowBudget::default()).to_builder().receive_window_max(0);
    let fixed = fixed.build().expect("valid options");
    let time = World::new(Path::new(100), fixed, Start::new(Mode::V1Proto, MethodKind::Bidi)).upload(4 * MIB);
    println!("4 MiB at 100 ms with a window that keeps its size: {time:?}");
    assert!(time > Duration::from_secs(6));
}

#[test]
fn the_window_grows_to_what_the_path_carries() {
    // The rate of the link in KiB/s, the round trip in ms, and where the window is to end up.
    for (rate, round_trip, from, to) in [
        (100, 100, 64, 64),
        (400, 100, 64, 64),
        (1_000, 100, 128, 512),
        (3_000, 100, 256, 1024),
        (10_000, 20, 256, 1024),
        (50_000, 1, 64, 256),
        (20_000, 300, 1024, 1024),
    ] {
        let link = Some(rate * KIB);
        let (window, time) = upload(Path { link, ..Path::new(round_trip) });
        let window = window / KIB;
        println!("{rate} KiB/s at {round_trip} ms: {time:?}, a window of up to {window} KiB");
        assert!((from..=to).contains(&window), "{window} KiB at {rate} KiB/s and {round_trip} ms");
        // What the link takes, the ramp, and the last round trip.
        if window < 1024 {
            let ideal = seconds(4 * MIB, rate * KIB);
            let ramp = Duration::from_millis(round_trip * 6);
            assert!(time < ideal + ideal / 4 + ramp, "{time:?} where the link takes {ideal:?}");
        }
    }
}

#[test]
fn the_window_does_not_grow_where_the_upstream_is_the_slower_one() {
    for (rate, round_trip) in [(50, 10), (200, 100), (5_000, 2), (300, 300)] {
        let path = Path { upstream: Some(rate * KIB), ..Path::new(round_trip) };
        let budget = WindowBudget::default();
        let mut world = World::bidi(path, &budget);
        world.upload(4 * MIB);
        // Up to twice what the upstream takes in a round trip and a half, which it needs so as not to wait.
        let needed = 3 * rate * KIB * round_trip / 1000;
        assert!(
            world.largest_window <= INITIAL.max(needed),
            "{} KiB, with an upstream of {rate} KiB/s at {round_trip} ms",
            world.largest_window / KIB
        );
    }
}

#[test]
fn the_window_does_not_grow_for_an_application_that_has_little_to_send() {
    for (message, pause_ms) in [(100, 1), (4 * 1024, 20), (64 * 1024, 3_000), (200 * 1024, 5_000)] {
        let pause = Duration::from_millis(pause_ms);
        let path = Path { message, pause, ..Path::new(10) };
        let budget = WindowBudget::default();
        let mut world = World::bidi(path, &budget);
        world.go_on(3_000);
        assert_eq!(world.largest_window.max(INITIAL), INITIAL, "{message} bytes every {pause:?}");
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn the_window_does_not_grow_for_a_client_that_ignores_it() {
    for (link, upstream) in [(None, None), (Some(MIB), None), (None, Some(MIB)), (Some(5 * MIB), Some(MIB))] {
        let path = Path { link, upstream, ..Path::new(100) };
        let budget = WindowBudget::default();
        let mut world = World::bidi(path, &budget);
        world.ignores_window = true;
        world.upload(4 * MIB);
        assert_eq!(world.largest_window.max(INITIAL), INITIAL, "{link:?} {upstream:?}");
    }
}

#[test]
fn nothing_grows_without_credit_for_the_client() {
    let budget = WindowBudget::default();
    for kind in [MethodKind::Unary, MethodKind::ServerStreaming] {
        let path = Path { message: 3 * 1024 * 1024, ..Path::new(100) };
        World::new(path, options(&budget), Start::new(Mode::V1Proto, kind)).upload(1);
        assert_eq!(budget.used(), 0);
    }
    // In seed mode there is no window, so TCP alone holds the client.
    let path = Path { upstream: Some(MIB), ..Path::new(100) };
    let mut world = World::new(path, options(&budget), Start::new(Mode::Seed, MethodKind::Bidi));
    world.to_send = 0;
    while world.step() {}
    assert_eq!((world.granted, budget.used()), (INITIAL, 0));
}

#[test]
fn streams_share_the_budget_and_none_waits_for_it() {
    let budget = WindowBudget::new(2 * MIB);
    let mut worlds: Vec<_> = (0..20).map(|_| World::bidi(Path::new(100), &budget)).collect();
    worlds.iter_mut().for_each(|world| world.to_send = 256);
    let mut grown = 0;
    // Each in its turn, in the order of their clocks.
    while let Some(world) =
        worlds.iter_mut().filter(|world| world.client.outcome().is_none()).min_by_key(|world| world.now)
    {
        assert!(world.step(), "an upload is stalled");
        assert!(budget.used() <= budget.size());
        grown = grown.max(budget.used());
    }
    assert!(grown > budget.size() - 3 * INITIAL, "only {grown} bytes of the budget were used");
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_window_that_is_no_longer_needed_shrinks_by_what_is_not_granted_again() {
    let budget = WindowBudget::default();
    let mut world = World::bidi(Path::new(100), &budget);
    world.go_on(256);
    assert_eq!(budget.used(), MAX - INITIAL);
    // Now it has a message a second.
    world.path.pause = Duration::from_secs(1);
    world.go_on(300);
    assert_eq!(budget.used(), 0);
    // And later much to send again.
    (world.path.pause, world.next_message) = (Duration::ZERO, world.now);
    let begin = world.now;
    world.half_closes = true;
    world.upload(4 * MIB);
    let time = world.now - begin;
    println!("4 MiB at 100 ms after a time with little to send: {time:?}");
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[test]
fn a_window_that_the_upstream_no_longer_keeps_up_with_shrinks() {
    let budget = WindowBudget::default();
    let mut world = World::bidi(Path::new(100), &budget);
    world.go_on(256);
    assert_eq!(budget.used(), MAX - INITIAL);
    world.path.upstream = Some(100 * KIB);
    world.go_on(600);
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_upload_that_is_half_closed_pays_back_before_its_call_ends() {
    let budget = WindowBudget::default();
    let mut world = World::bidi(Path::new(100), &budget);
    world.go_on(256);
    assert_eq!(budget.used(), MAX - INITIAL);
    world.gateway.socket.push_back(FromClient::Text(r#"{"type":"end_send"}"#.to_owned()));
    world.gateway.pump();
    assert_eq!((budget.used(), world.gateway.session.is_live()), (0, true));
}

#[test]
fn a_window_grows_up_to_what_numbers_in_json_can_say() {
    let budget = WindowBudget::new(u64::MAX);
    let options =
        options(&budget).to_builder().receive_window((1 << 53) - 2).receive_window_max((1 << 53) - 1);
    let options = options.build().expect("valid options");
    let mut world = World::new(Path::new(100), options, Start::new(Mode::V1Proto, MethodKind::Bidi));
    world.upload(4 * MIB);
    assert!(world.largest_window < 1 << 53);
}

fn path() -> impl Strategy<Value = Path> {
    let rate = || proptest::option::of(20 * KIB..20 * MIB);
    let pause = prop_oneof![3 => Just(0u64), 1 => 1u64..3_000];
    (1u64..400, rate(), rate(), pause, 1usize..300_000).prop_map(
        |(round_trip, link, upstream, pause, message)| Path {
            link,
            upstream,
            pause: Duration::from_millis(pause),
            message,
            ..Path::new(round_trip)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the path is, and however it changes: nothing stalls, and every bound is kept.
    #[test]
    fn a_client_inside_its_window_never_stalls(
        paths in proptest::collection::vec(path(), 1..4),
        budget in prop_oneof![Just(0u64), 0u64..4 * MIB],
        messages in 1u64..300,
    ) {
        let budget = WindowBudget::new(budget);
        let (first, others) = paths.split_first().expect("one at least");
        let mut world = World::bidi(first.clone(), &budget);
        world.go_on(messages);
        for path in others {
            world.path = Path { message: first.message, ..path.clone() };
            world.go_on(messages);
            prop_assert!(world.largest_window <= MAX && budget.used() <= budget.size());
        }
        world.half_closes = true;
        world.upload(1);
        prop_assert_eq!(budget.used(), 0);
    }
}
