//! What the pool knows, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use grpcws_proto::{Code, Status};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::jobs::Job;
use super::waiters::{Offer, Waiters};
use super::{Pool, Slot, closed};
use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::dial::Failure;
use crate::endpoint::Target;
use crate::options::UpstreamOptions;
use crate::resolve::{self, Address};
use crate::stats::UpstreamStats;

/// How many connections to one address are made at once, when one has told how many calls each takes. Before
/// that there is one attempt, which all calls share.
const PARALLEL_DIALS: usize = 8;

/// Another connection is made when less than one part in this many of the streams is free.
const HEADROOM: usize = 10;

/// Addresses that were looked up this short a time ago are not looked up again before connecting.
const FRESH: Duration = Duration::from_secs(1);

/// The limits of the options that the state needs.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    streams: usize,
    connections: usize,
    waiting: usize,
    backoff: Backoff,
    resolve_interval: Duration,
}

impl Limits {
    pub(super) fn new(options: &UpstreamOptions) -> Self {
        Self {
            streams: options.streams(),
            connections: options.max_connections.max(1),
            waiting: options.max_waiting,
            backoff: Backoff::new(options.backoff, options.max_backoff),
            resolve_interval: options.resolve_interval,
        }
    }
}

/// One address of the upstream.
struct Peer {
    address: Address,
    /// Attempts to connect that are under way.
    dialing: usize,
    /// Usable connections to it.
    connections: usize,
    backoff: Backoff,
    /// No attempt begins before this time.
    retry_at: Option<Instant>,
    /// Why the last attempt failed, if it did.
    failure: Option<Failure>,
    /// How many streams a connection takes, as far as it has been told.
    limit: Option<usize>,
}

/// The look-up of a host name. Literal addresses and unix sockets have none.
struct Lookup {
    running: bool,
    done_at: Option<Instant>,
    /// Whether something has happened since that may mean that the addresses have changed.
    outdated: bool,
    backoff: Backoff,
    retry_at: Option<Instant>,
    failure: Option<Failure>,
}

/// What a call gets: a stream now, or a place in the queue.
pub(super) enum Taken {
    Now(Arc<Connection>),
    Later(u64, oneshot::Receiver<Offer>),
}

/// The state of a pool. All of it is changed under one lock.
pub(super) struct State {
    limits: Limits,
    closed: bool,
    lookup: Option<Lookup>,
    peers: Vec<Peer>,
    /// The usable ones.
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) waiters: Waiters,
    next_connection: u64,
    /// Whether a call has come since the state was last settled. Without calls nothing is connected or looked up.
    called: bool,
    /// Whether a job closes what is idle.
    reaping: bool,
    /// Whether a job looks after the calls that wait when a back-off is over.
    retrying: bool,
}

impl State {
    pub(super) fn new(target: &Target, limits: Limits) -> Self {
        let mut state = Self {
            closed: false,
            lookup: None,
            peers: Vec::new(),
            connections: Vec::new(),
            waiters: Waiters::default(),
            next_connection: 0,
            called: false,
            reaping: false,
            retrying: false,
            limits,
        };
        match resolve::literal(target) {
            Some(address) => state.peers.push(state.peer(address)),
            None => {
                state.lookup = Some(Lookup {
                    running: false,
                    done_at: None,
                    outdated: false,
                    backoff: state.limits.backoff.clone(),
                    retry_at: None,
                    failure: None,
                });
            }
        }
        state
    }

    fn peer(&self, address: Address) -> Peer {
        Peer {
            address,
            dialing: 0,
            connections: 0,
            backoff: self.limits.backoff.clone(),
            retry_at: None,
            failure: None,
            limit: None,
        }
    }

    // === calls ===

    /// Takes a stream, or a place in the queue. [`settle`](Self::settle) has to follow.
    pub(super) fn take(&mut self) -> Result<Taken, Status> {
        if self.closed {
            return Err(closed());
        }
        self.called = true;
        if self.waiters.is_empty()
            && let Some(connection) = self.pick()
        {
            connection.take();
            return Ok(Taken::Now(connection));
        }
        if self.waiters.len() >= self.limits.waiting {
            return Err(Status::new(Code::Unavailable, "too many calls wait for the upstream already"));
        }
        let (key, receiver) = self.waiters.push();
        Ok(Taken::Later(key, receiver))
    }

    /// The less loaded one of two connections that are picked at random; where both are full, the least loaded.
    fn pick(&self) -> Option<Arc<Connection>> {
        let random = || self.connections.get(fastrand::usize(..self.connections.len().max(1)));
        let pair = [random()?, random()?];
        let usable = |connection: &&Arc<Connection>| connection.free() > 0;
        let load = |connection: &&Arc<Connection>| connection.streams();
        let better = pair.into_iter().filter(usable).min_by_key(load);
        better.or_else(|| self.connections.iter().filter(usable).min_by_key(load)).map(Arc::clone)
    }

    pub(super) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// The status of a call that has waited too long.
    pub(super) fn timed_out(&self) -> Status {
        let text = if self.peers.iter().any(|peer| peer.dialing > 0) {
            "the upstream could not be connected in time"
        } else if self.connections.iter().any(|connection| connection.limit() == 0) {
            "the upstream permits no calls at the moment"
        } else if !self.connections.is_empty() {
            "every connection to the upstream is full, and no call ended in time"
        } else {
            return self.failure().status();
        };
        Status::new(Code::Unavailable, text)
    }

    // === what happens ===

    /// A connection was made, at least if its address still is one of the upstream.
    pub(super) fn connected(
        &mut self,
        address: &Address,
        make: impl FnOnce(u64) -> Arc<Connection>,
    ) -> Option<Arc<Connection>> {
        if self.closed {
            return None;
        }
        let peer = self.peers.iter_mut().find(|peer| peer.address == *address)?;
        peer.dialing = peer.dialing.saturating_sub(1);
        peer.connections += 1;
        peer.backoff.succeeded();
        peer.retry_at = None;
        peer.failure = None;
        let connection = make(self.next_connection);
        peer.limit = Some(connection.limit());
        self.next_connection += 1;
        self.connections.push(Arc::clone(&connection));
        Some(connection)
    }

    /// An attempt to connect, begun at this time, has failed.
    pub(super) fn not_connected(&mut self, address: &Address, begun: Instant, failure: Failure) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == *address) else { return };
        peer.dialing = peer.dialing.saturating_sub(1);
        peer.failure = Some(failure);
        // Attempts that were made at the same time count as one failure.
        if peer.retry_at.is_none_or(|retry_at| retry_at <= begun) {
            peer.retry_at = Some(begun + peer.backoff.failed());
        }
        self.outdate_addresses();
    }

    /// The addresses of the host name are known. Connections to those that are gone take no more calls.
    pub(super) fn looked_up(&mut self, addresses: Vec<Address>, now: Instant) {
        if let Some(lookup) = &mut self.lookup {
            lookup.running = false;
            lookup.done_at = Some(now);
            lookup.outdated = false;
            lookup.backoff.succeeded();
            lookup.retry_at = None;
            lookup.failure = None;
        }
        self.peers.retain(|peer| addresses.contains(&peer.address));
        self.connections.retain(|connection| addresses.contains(&connection.address));
        for address in addresses {
            if !self.peers.iter().any(|peer| peer.address == address) {
                self.peers.push(self.peer(address));
            }
        }
    }

    /// The look-up has failed. Addresses that are known stay in use.
    pub(super) fn not_looked_up(&mut self, now: Instant, failure: Failure) {
        if let Some(lookup) = &mut self.lookup {
            lookup.running = false;
            lookup.failure = Some(failure);
            lookup.retry_at = Some(now + lookup.backoff.failed());
        }
    }

    /// Something has happened that may mean that the addresses have changed.
    pub(super) fn outdate_addresses(&mut self) {
        if let Some(lookup) = &mut self.lookup {
            lookup.outdated = true;
        }
    }

    /// Takes a connection out of use, and tells whether it was in use.
    pub(super) fn remove(&mut self, connection: &Arc<Connection>) -> bool {
        let Some(index) = self.connections.iter().position(|known| known.id == connection.id) else {
            return false;
        };
        self.connections.swap_remove(index);
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == connection.address) {
            peer.connections = peer.connections.saturating_sub(1);
        }
        true
    }

    pub(super) fn limit_changed(&mut self, connection: &Arc<Connection>) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == connection.address) {
            peer.limit = Some(connection.limit());
        }
    }

    /// Closes what was idle since before this time of the pool's clock, and tells whether there is more to watch.
    pub(super) fn reap(&mut self, before: u64) -> bool {
        let idle: Vec<_> = self
            .connections
            .iter()
            .filter(|connection| connection.streams() == 0 && connection.idle_since() < before)
            .map(Arc::clone)
            .collect();
        for connection in idle {
            // One for each address stays, for the next call.
            let others =
                self.peers.iter().any(|peer| peer.address == connection.address && peer.connections > 1);
            if others {
                self.remove(&connection);
            }
        }
        self.reaping = self.has_spare();
        self.reaping
    }

    fn has_spare(&self) -> bool {
        self.peers.iter().any(|peer| peer.connections > 1)
    }

    /// The back-off that some calls wait for is over.
    pub(super) fn retry(&mut self) {
        self.retrying = false;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.connections.clear();
        self.waiters.fail(&closed());
    }

    // === what follows ===

    /// Serves the calls that wait, starts what they need, and fails them if nothing can help.
    pub(super) fn settle(&mut self, pool: &Arc<Pool>, now: Instant) -> Vec<Job> {
        let mut jobs = Vec::new();
        if self.closed {
            return jobs;
        }
        self.serve(pool, now);
        self.plan_lookup(now, &mut jobs);
        self.plan_dials(now, &mut jobs);
        if !self.waiters.is_empty() && !self.has_hope() {
            let status = self.failure().status();
            self.waiters.fail(&status);
        }
        self.plan_retry(now, &mut jobs);
        self.called = false;
        if !self.reaping && self.has_spare() {
            self.reaping = true;
            jobs.push(Job::Reap);
        }
        jobs
    }

    /// Gives streams to the calls that wait for one.
    fn serve(&mut self, pool: &Arc<Pool>, now: Instant) {
        while !self.waiters.is_empty() {
            let Some(connection) = self.pick() else { return };
            let Some(waiter) = self.waiters.pop() else { return };
            connection.take();
            if let Err(Ok(slot)) = waiter.send(Ok(Slot::new(pool, connection))) {
                // The call has gone in this moment. Its slot must not be dropped under the lock.
                slot.give_back(now);
            }
        }
    }

    fn plan_lookup(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.lookup.is_none() {
            return;
        }
        let wanted = self.wanted() > 0;
        if !self.called && !wanted {
            return;
        }
        let interval = self.limits.resolve_interval;
        let Some(lookup) = &mut self.lookup else { return };
        // Without need for a connection it is enough to look now and then.
        let age = if wanted || lookup.outdated { FRESH.min(interval) } else { interval };
        let due = lookup.done_at.is_none_or(|done_at| now >= done_at + age);
        if due && !lookup.running && lookup.retry_at.is_none_or(|retry_at| retry_at <= now) {
            lookup.running = true;
            jobs.push(Job::Lookup);
        }
    }

    fn plan_dials(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.lookup.as_ref().is_some_and(|lookup| lookup.running) {
            // Its end comes here again, with addresses that are not outdated.
            return;
        }
        // Calls are spread over all addresses, so each has a connection.
        for index in 0..if self.called { self.peers.len() } else { 0 } {
            let bare = self.peers.get(index).is_some_and(|peer| peer.connections + peer.dialing == 0);
            if bare && self.may_dial(index, now) {
                self.dial(index, jobs);
            }
        }
        let mut wanted = self.wanted();
        while wanted > 0 {
            let candidates = (0..self.peers.len()).filter(|index| self.may_dial(*index, now));
            let least = candidates.min_by_key(|index| {
                let peer = self.peers.get(*index);
                (peer.map_or(0, |peer| peer.connections + peer.dialing), fastrand::u32(..))
            });
            let Some(index) = least else { return };
            wanted = wanted.saturating_sub(self.dial(index, jobs));
        }
    }

    /// How many more streams are wanted than there are, and will be when all attempts to connect have succeeded.
    fn wanted(&self) -> usize {
        let coming: usize =
            self.peers.iter().map(|peer| peer.dialing.saturating_mul(self.expected(peer))).sum();
        let missing = self.waiters.len().saturating_sub(coming);
        if missing > 0 || coming > 0 || self.connections.is_empty() {
            return missing;
        }
        let (mut free, mut all) = (0, 0);
        for connection in &self.connections {
            free += connection.free();
            all += connection.limit();
        }
        // Relative to one connection: with many of them a tenth of all would be more than one can add.
        let enough = (all / self.connections.len()) / HEADROOM;
        enough.saturating_sub(free)
    }

    /// How many streams a new connection to this address will have.
    fn expected(&self, peer: &Peer) -> usize {
        peer.limit.unwrap_or(self.limits.streams).clamp(1, self.limits.streams)
    }

    fn may_dial(&self, index: usize, now: Instant) -> bool {
        let Some(peer) = self.peers.get(index) else { return false };
        let all: usize = self.connections.len() + self.peers.iter().map(|peer| peer.dialing).sum::<usize>();
        let permitted = match peer.limit {
            // More connections would not help: each permits no streams.
            Some(0) if peer.connections > 0 => 0,
            Some(_) if peer.failure.is_none() => PARALLEL_DIALS,
            _ => 1,
        };
        all < self.limits.connections
            && peer.dialing < permitted
            && peer.retry_at.is_none_or(|retry_at| retry_at <= now)
    }

    /// Begins to connect, and tells how many streams that promises.
    fn dial(&mut self, index: usize, jobs: &mut Vec<Job>) -> usize {
        let Some(peer) = self.peers.get_mut(index) else { return 0 };
        peer.dialing += 1;
        jobs.push(Job::Dial(peer.address.clone()));
        self.peers.get(index).map_or(0, |peer| self.expected(peer))
    }

    /// Whether calls that wait may still get a stream without another call.
    fn has_hope(&self) -> bool {
        !self.connections.is_empty()
            || self.peers.iter().any(|peer| peer.dialing > 0)
            || self.lookup.as_ref().is_some_and(|lookup| lookup.running)
    }

    /// Calls that wait for the end of others are looked after when a back-off is over, too.
    fn plan_retry(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.waiters.is_empty() || self.retrying {
            return;
        }
        if let Some(retry_at) =
            self.peers.iter().filter_map(|peer| peer.retry_at).filter(|at| *at > now).min()
        {
            self.retrying = true;
            jobs.push(Job::Retry(retry_at));
        }
    }

    /// Why there is no connection.
    fn failure(&self) -> Failure {
        let lookup = self.lookup.as_ref().and_then(|lookup| lookup.failure);
        let peers = self.peers.iter().filter_map(|peer| peer.failure).next_back();
        peers.or(lookup).unwrap_or(Failure::Other)
    }

    pub(super) fn stats(&self) -> UpstreamStats {
        UpstreamStats {
            addresses: self.peers.len(),
            connections: self.connections.len(),
            dialing: self.peers.iter().map(|peer| peer.dialing).sum(),
            waiting: self.waiters.len(),
            ..UpstreamStats::default()
        }
    }
}
