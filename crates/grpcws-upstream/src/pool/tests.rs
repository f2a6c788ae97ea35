//! What the pool decides, without a network and with a clock of the test's own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grpcws_proto::Status;
use h2::client::{Builder, SendRequest};
use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;

use super::jobs::Job;
use super::plan::HOPE;
use super::state::{Limits, State, Taken};
use super::waiters::Offer;
use super::{Pool, Slot};
use crate::connection::{Blocked, Connection};
use crate::dial::{Dialer, Failure};
use crate::endpoint::{Endpoint, Target};
use crate::header_limit::HeaderLimit;
use crate::options::UpstreamOptions;
use crate::resolve::{Address, literal};

/// A pool that does nothing of what it decides.
struct Decider {
    pool: Arc<Pool>,
    state: State,
    now: Instant,
}

fn address(text: &str) -> Address {
    Address::Tcp(text.parse().unwrap())
}

/// The handle of a connection that permits so many streams, and has no other end.
async fn handle(streams: usize) -> SendRequest<Bytes> {
    let (ours, _theirs) = tokio::io::duplex(1_024);
    let (send, _) = Builder::new().initial_max_send_streams(streams).handshake(ours).await.unwrap();
    send
}

impl Decider {
    fn new(endpoint: &str, options: &UpstreamOptions) -> Self {
        let target = Endpoint::parse(endpoint).unwrap().target;
        let state = State::new(&target, Limits::new(options));
        let pool = Pool::new(target, Dialer::new(options, None), options);
        Self { pool, state, now: Instant::now() }
    }

    fn target(&self) -> &Target {
        &self.pool.target
    }

    /// What is to be done, but for the look after attempts to connect that take long.
    fn settle(&mut self) -> Vec<Job> {
        let mut jobs = self.settle_all();
        jobs.retain(|job| !matches!(job, Job::Retry(at) if *at <= self.now + HOPE));
        jobs
    }

    fn settle_all(&mut self) -> Vec<Job> {
        self.state.settle(&self.pool, self.now)
    }

    /// A pool that has looked up these addresses for a call, and connects to them.
    fn looked_up(addresses: &[Address]) -> (Self, Receiver<Offer>) {
        let mut decider = Self::new("http://up.test:1", &UpstreamOptions::default());
        let call = decider.waits();
        assert_eq!(decider.settle(), [Job::Lookup]);
        decider.state.looked_up(addresses.to_vec(), decider.now);
        let dials: Vec<_> = addresses.iter().cloned().map(Job::Dial).collect();
        assert_eq!(decider.settle(), dials);
        (decider, call)
    }

    /// A call that finds a connection.
    fn takes(&mut self) -> Arc<Connection> {
        match self.state.take(self.now).unwrap() {
            Taken::Now(connection) => connection,
            Taken::Later(..) => panic!("there is no stream"),
        }
    }

    /// A call that has to wait.
    fn waits(&mut self) -> Receiver<Offer> {
        match self.state.take(self.now).unwrap() {
            Taken::Later(_, receiver) => receiver,
            Taken::Now(_) => panic!("there is a stream"),
        }
    }

    async fn connected(&mut self, address: &Address, streams: usize) -> Arc<Connection> {
        let send = handle(streams).await;
        let make = |id| Arc::new(connection(id, address.clone(), send));
        self.state.connected(address, make).unwrap()
    }

    fn not_connected(&mut self, address: &Address, failure: Failure) {
        let _ = self.state.not_connected(address, self.now, failure);
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
    }
}

fn connection(id: u64, address: Address, send: SendRequest<Bytes>) -> Connection {
    Connection::new(id, address, send, 100, HeaderLimit::new(1_000, Arc::default()))
}

fn served(mut receiver: Receiver<Offer>) -> Slot {
    receiver.try_recv().unwrap().unwrap_or_else(|status| panic!("{status}"))
}

fn failed(mut receiver: Receiver<Offer>) -> Status {
    match receiver.try_recv().unwrap() {
        Err(status) => status,
        Ok(_) => panic!("the call was served"),
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn many_waiting_calls_get_as_many_connections_as_they_need() {
    let mut decider = Decider::new("http://127.0.0.1:1", &UpstreamOptions::default());
    let peer = literal(decider.target()).unwrap();
    let mut calls: Vec<_> = (0..35).map(|_| decider.waits()).collect();
    // Nothing is known yet, so there is one attempt.
    assert_eq!(decider.settle(), [Job::Dial(peer.clone())]);
    assert_eq!(decider.settle(), []);

    let _first = decider.connected(&peer, 10).await;
    // Ten are served, so for 25 more there have to be three.
    let jobs = decider.settle();
    assert_eq!(jobs.len(), 3, "{jobs:?}");
    let slots: Vec<_> = calls.drain(..10).map(served).collect();
    assert_eq!(slots.len(), 10);
    assert!(calls.iter_mut().all(|call| call.try_recv().is_err()));
}

#[tokio::test]
async fn more_connections_than_permitted_are_not_made() {
    let options = UpstreamOptions::builder()
        .max_connections(2)
        .max_streams_per_connection(1)
        .build()
        .expect("valid options");
    let mut decider = Decider::new("http://127.0.0.1:1", &options);
    let peer = literal(decider.target()).unwrap();
    let _calls: Vec<_> = (0..5).map(|_| decider.waits()).collect();
    decider.settle();
    let _first = decider.connected(&peer, 1).await;
    assert_eq!(decider.settle(), [Job::Dial(peer.clone())]);
    let _second = decider.connected(&peer, 1).await;
    let jobs = decider.settle();
    assert!(!jobs.contains(&Job::Dial(peer)), "{jobs:?}");
}

#[tokio::test]
async fn calls_are_spread_over_all_addresses() {
    let (a, b) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    let (mut decider, call) = Decider::looked_up(&[a.clone(), b.clone()]);
    let _first = decider.connected(&a, 100).await;
    decider.settle();
    let _slot = served(call);
    let second = decider.connected(&b, 100).await;
    for _ in 0..39 {
        decider.takes();
    }
    assert_eq!(decider.settle(), []);
    let streams = second.streams();
    assert!((10..=30).contains(&streams), "{streams} of 40 calls on the second address");
}

#[tokio::test]
async fn an_address_that_does_not_answer_holds_no_call_up() {
    let (silent, fine) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    for addresses in [[silent.clone(), fine.clone()], [fine.clone(), silent.clone()]] {
        let (mut decider, call) = Decider::looked_up(&addresses);
        let connection = decider.connected(&fine, 1).await;
        decider.settle();
        let _slot = served(call);
        // The attempt goes on, and fails.
        decider.not_connected(&silent, Failure::ConnectTimeout);
        decider.after(SECOND * 2);
        assert!(decider.state.remove(&connection));
        // In the next one nothing is hoped for: another connection to the other address is made beside it.
        let (mut call, mut next) = (decider.waits(), decider.waits());
        assert_eq!(decider.settle(), [Job::Lookup]);
        decider.state.looked_up(addresses.to_vec(), decider.now);
        let jobs = decider.settle();
        let to = |address: &Address| jobs.iter().filter(|job| **job == Job::Dial(address.clone())).count();
        assert_eq!((to(&silent), to(&fine)), (1, 2), "{jobs:?}");
        let _first = decider.connected(&fine, 1).await;
        let _second = decider.connected(&fine, 1).await;
        decider.settle();
        assert!(call.try_recv().unwrap().is_ok() && next.try_recv().unwrap().is_ok());
    }
}

#[tokio::test]
async fn calls_fail_at_once_when_all_addresses_are_in_back_off() {
    let (a, b) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    let (mut decider, mut call) = Decider::looked_up(&[a.clone(), b.clone()]);
    decider.not_connected(&a, Failure::Refused);
    decider.settle();
    // The other address may still do.
    assert!(call.try_recv().is_err());
    decider.not_connected(&b, Failure::Unreachable);
    decider.settle();
    assert_eq!(failed(call).message(), "the upstream cannot be reached");

    let next = decider.waits();
    assert_eq!(decider.settle(), []);
    assert_eq!(failed(next).message(), "the upstream cannot be reached");
    decider.after(SECOND * 2);
    let _later = decider.waits();
    // What was found out before may have changed.
    assert_eq!(decider.settle()[0], Job::Lookup);
}

#[tokio::test]
async fn an_address_that_is_gone_gets_no_more_calls() {
    let mut decider = Decider::new("http://up.test:1", &UpstreamOptions::default());
    let (a, b) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    let call = decider.waits();
    decider.settle();
    decider.state.looked_up(vec![a.clone()], decider.now);
    decider.settle();
    let first = decider.connected(&a, 100).await;
    decider.settle();
    let _slot = served(call);

    decider.after(SECOND * 29);
    assert_eq!(decider.takes().id, first.id);
    assert_eq!(decider.settle(), []);
    decider.after(SECOND);
    // The addresses are looked up now and then, and calls do not wait for it.
    assert_eq!(decider.takes().id, first.id);
    assert_eq!(decider.settle(), [Job::Lookup]);
    // An address beside it changes nothing for who asks what the upstream is; one less does.
    assert!(!decider.state.looked_up(vec![a.clone(), b.clone()], decider.now));
    assert!(decider.state.looked_up(vec![b.clone()], decider.now));
    assert!(!decider.state.looked_up(vec![b.clone()], decider.now));
    assert_eq!(decider.settle(), [Job::Dial(b)]);
    let _next = decider.waits();
    assert_eq!(decider.settle(), []);
    // A connection to the old address that comes late is not used.
    let send = handle(100).await;
    assert!(decider.state.connected(&a, |id| Arc::new(connection(id, a.clone(), send))).is_none());
}

#[tokio::test]
async fn addresses_that_are_known_survive_a_failed_look_up() {
    let mut decider = Decider::new("http://up.test:1", &UpstreamOptions::default());
    let a = address("192.0.2.1:1");
    let call = decider.waits();
    decider.settle();
    decider.state.looked_up(vec![a.clone()], decider.now);
    decider.settle();
    let _first = decider.connected(&a, 100).await;
    decider.settle();
    let _slot = served(call);
    decider.after(SECOND * 60);
    decider.takes();
    assert_eq!(decider.settle(), [Job::Lookup]);
    decider.state.not_looked_up(decider.now, Failure::Dns);
    decider.takes();
    assert_eq!(decider.settle(), []);
}

#[tokio::test]
async fn addresses_that_are_known_are_connected_while_a_look_up_takes_long() {
    let mut decider = Decider::new("http://up.test:1", &UpstreamOptions::default());
    let a = address("192.0.2.1:1");
    let call = decider.waits();
    decider.settle();
    // Without an address there is nothing to connect to.
    decider.state.lookup_is_slow();
    assert_eq!(decider.settle(), []);
    assert_eq!(decider.state.timed_out().message(), "the name of the upstream could not be resolved in time");
    decider.state.looked_up(vec![a.clone()], decider.now);
    decider.settle();
    let first = decider.connected(&a, 100).await;
    decider.settle();
    drop(served(call));

    decider.after(SECOND * 60);
    assert!(decider.state.remove(&first));
    let call = decider.waits();
    // The address may be another server's by now.
    assert_eq!(decider.settle(), [Job::Lookup]);
    decider.state.lookup_is_slow();
    assert_eq!(decider.settle(), [Job::Dial(a.clone())]);
    let _second = decider.connected(&a, 100).await;
    decider.settle();
    let _slot = served(call);
}

#[tokio::test]
async fn an_upstream_that_permits_no_streams_is_not_connected_over_and_over() {
    let mut decider = Decider::new("http://127.0.0.1:1", &UpstreamOptions::default());
    let peer = literal(decider.target()).unwrap();
    let mut call = decider.waits();
    decider.settle();
    let _none = decider.connected(&peer, 0).await;
    assert_eq!(decider.settle(), []);
    assert!(call.try_recv().is_err(), "it may permit some yet");
    assert_eq!(decider.state.timed_out().message(), "the upstream permits no calls at the moment");
}

#[tokio::test(start_paused = true)]
async fn stalled_calls_do_not_take_a_connection_each() {
    let congested = Duration::from_millis(300);
    let mut decider = Decider::new("http://127.0.0.1:1", &UpstreamOptions::default());
    let peer = literal(decider.target()).unwrap();
    let call = decider.waits();
    decider.settle();
    let first = decider.connected(&peer, 4).await;
    decider.settle();
    let _slot = served(call);
    let stalled = Blocked::new(&first);
    tokio::time::advance(congested).await;
    // One connection more keeps other calls away from the one that does not get on.
    let call = decider.waits();
    assert_eq!(decider.settle(), [Job::Dial(peer.clone())]);
    let second = decider.connected(&peer, 4).await;
    decider.settle();
    let _slot = served(call);
    assert_eq!((first.streams(), second.streams()), (1, 1));

    let _also_stalled = Blocked::new(&second);
    tokio::time::advance(congested).await;
    // Two that do not get on get no third one; calls go to the less loaded.
    let _calls: Vec<_> = (0..4).map(|_| decider.takes()).collect();
    assert!(!decider.settle().contains(&Job::Dial(peer.clone())));
    assert_eq!((first.streams(), second.streams()), (3, 3));
    // As soon as one gets on, it takes them.
    stalled.end();
    assert_eq!(decider.takes().id, first.id);
    // It is full now, and the other one alone has room and does not get on.
    let _call = decider.waits();
    assert_eq!(decider.settle(), [Job::Dial(peer)]);
}

#[tokio::test]
async fn calls_are_served_in_the_order_in_which_they_came() {
    let options = UpstreamOptions::builder().max_connections(1).build().expect("valid options");
    let mut decider = Decider::new("http://127.0.0.1:1", &options);
    let peer = literal(decider.target()).unwrap();
    let (first, gone, last) = (decider.waits(), decider.waits(), decider.waits());
    decider.settle();
    let connection = decider.connected(&peer, 1).await;
    decider.settle();
    let _slot = served(first);
    drop(gone);
    connection.give_back(0);
    decider.settle();
    let _slot = served(last);
    assert_eq!(connection.streams(), 1);
}

#[tokio::test]
async fn a_dial_that_hangs_promises_nothing_after_a_moment() {
    let (silent, fine) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    let mut decider = Decider::new("http://up.test:1", &UpstreamOptions::default());
    let mut calls: Vec<_> = (0..180).map(|_| decider.waits()).collect();
    assert_eq!(decider.settle(), [Job::Lookup]);
    decider.state.looked_up(vec![silent.clone(), fine.clone()], decider.now);
    let begun = decider.now;
    let jobs = decider.settle_all();
    assert_eq!(jobs, [Job::Dial(silent), Job::Dial(fine.clone()), Job::Retry(begun + HOPE)]);
    let _first = decider.connected(&fine, 100).await;
    // The other hundred are still hoped for.
    assert_eq!(decider.settle(), []);
    decider.after(HOPE);
    decider.state.retry();
    assert_eq!(decider.settle(), [Job::Dial(fine.clone())]);
    let _second = decider.connected(&fine, 100).await;
    decider.settle();
    assert!(calls.iter_mut().all(|call| call.try_recv().is_ok()), "80 of them would wait for the silent one");
}

#[tokio::test]
async fn a_single_address_that_takes_long_is_not_dialled_over_and_over() {
    let mut decider = Decider::new("http://127.0.0.1:1", &UpstreamOptions::default());
    let peer = literal(decider.target()).unwrap();
    let _calls: Vec<_> = (0..35).map(|_| decider.waits()).collect();
    assert_eq!(decider.settle(), [Job::Dial(peer.clone())]);
    let _first = decider.connected(&peer, 10).await;
    assert_eq!(decider.settle().len(), 3);
    decider.after(SECOND);
    assert_eq!(decider.settle(), []);
}

#[tokio::test]
async fn pools_that_share_the_connections_leave_no_address_out() {
    let addresses: Vec<_> = (1..=4).map(|host| address(&format!("192.0.2.{host}:1"))).collect();
    let dialled = |offset| {
        let options = UpstreamOptions::builder()
            .max_connections(2)
            .address_offset(offset)
            .build()
            .expect("valid options");
        let mut decider = Decider::new("http://up.test:1", &options);
        let _call = decider.waits();
        decider.settle();
        // DNS gives them in whatever order.
        let mut found = addresses.clone();
        fastrand::shuffle(&mut found);
        decider.state.looked_up(found, decider.now);
        let jobs = decider.settle();
        jobs.into_iter().filter(|job| matches!(job, Job::Dial(_))).collect::<Vec<_>>()
    };
    let all: Vec<_> = [0, 2].into_iter().flat_map(dialled).collect();
    assert_eq!(all, addresses.into_iter().map(Job::Dial).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_address_that_comes_late_gets_a_connection_though_all_are_taken() {
    let options = UpstreamOptions::builder()
        .max_connections(2)
        .max_streams_per_connection(1)
        .build()
        .expect("valid options");
    let (old, new) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
    let mut decider = Decider::new("http://up.test:1", &options);
    let _calls = [decider.waits(), decider.waits()];
    decider.settle();
    decider.state.looked_up(vec![old.clone()], decider.now);
    decider.settle();
    let _first = decider.connected(&old, 1).await;
    decider.settle();
    let _second = decider.connected(&old, 1).await;
    decider.settle();
    decider.state.looked_up(vec![old, new.clone()], decider.now);
    let _call = decider.waits();
    assert!(decider.settle().contains(&Job::Dial(new)));
    assert_eq!(decider.state.connections.len(), 1, "the other one finishes its call");
}

#[tokio::test]
async fn an_address_that_never_works_is_told_of_once_where_another_one_does() {
    let (broken, fine) = (address("[::1]:1"), address("127.0.0.1:1"));
    let (mut decider, _call) = Decider::looked_up(&[broken.clone(), fine.clone()]);
    let _connection = decider.connected(&fine, 100).await;
    let now = decider.now;
    assert!(decider.state.not_connected(&broken, now, Failure::Refused));
    assert!(!decider.state.not_connected(&broken, now, Failure::Refused));
    assert!(decider.state.not_connected(&fine, now, Failure::Refused), "it worked before");
}
