//! What the pool knows, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use grpcws_proto::{Code, Status};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::closed;
use super::waiters::{Offer, Waiters};
use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::dial::Failure;
use crate::endpoint::Target;
use crate::options::UpstreamOptions;
use crate::resolve::{self, Address};
use crate::stats::UpstreamStats;

/// The limits of the options that the state needs.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) streams: usize,
    pub(super) connections: usize,
    waiting: usize,
    backoff: Backoff,
    pub(super) resolve_interval: Option<Duration>,
    address_offset: usize,
}

impl Limits {
    pub(super) fn new(options: &UpstreamOptions) -> Self {
        Self {
            streams: options.max_streams_per_connection,
            connections: options.max_connections,
            waiting: options.max_waiting,
            backoff: Backoff::new(options.backoff, options.max_backoff),
            resolve_interval: options.resolve_interval,
            address_offset: options.address_offset,
        }
    }
}

/// One address of the upstream.
pub(super) struct Peer {
    pub(super) address: Address,
    /// Attempts to connect that are under way.
    pub(super) dialing: usize,
    /// Since when none of these has come to an end.
    pub(super) dialing_since: Option<Instant>,
    /// Usable connections to it.
    pub(super) connections: usize,
    backoff: Backoff,
    /// No attempt begins before this time.
    pub(super) retry_at: Option<Instant>,
    /// Whether the last attempt failed.
    pub(super) failed: bool,
    /// How many streams a connection takes, as far as it has been told.
    pub(super) limit: Option<usize>,
}

impl Peer {
    fn dial_ended(&mut self) {
        self.dialing = self.dialing.saturating_sub(1);
        self.dialing_since = (self.dialing > 0).then(Instant::now);
    }
}

/// The look-up of a host name. Literal addresses and unix sockets have none.
pub(super) struct Lookup {
    pub(super) running: bool,
    /// Whether it runs, and connecting waits for what it finds.
    pub(super) awaited: bool,
    pub(super) done_at: Option<Instant>,
    /// Whether something has happened since that may mean that the addresses have changed.
    pub(super) outdated: bool,
    backoff: Backoff,
    pub(super) retry_at: Option<Instant>,
}

impl Lookup {
    fn ended(&mut self) {
        self.running = false;
        self.awaited = false;
    }
}

/// What a call gets: a stream now, or a place in the queue.
pub(super) enum Taken {
    Now(Arc<Connection>),
    Later(u64, oneshot::Receiver<Offer>),
}

/// The state of a pool. All of it is changed under one lock.
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) closed: bool,
    pub(super) lookup: Option<Lookup>,
    pub(super) peers: Vec<Peer>,
    /// The usable ones.
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) waiters: Waiters,
    next_connection: u64,
    /// The last reason why there was no connection.
    pub(super) failure: Failure,
    /// Whether a call has come since the addresses were last connected. Without calls nothing is connected or looked up.
    pub(super) called: bool,
    /// Whether a job closes what is idle.
    pub(super) reaping: bool,
    /// When a job looks after the calls that wait, because a back-off is over or an attempt to connect takes long.
    pub(super) retrying: Option<Instant>,
    /// Whether it was told that there are more addresses than connections.
    crowded: bool,
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
            failure: Failure::Other,
            called: false,
            reaping: false,
            retrying: None,
            crowded: false,
            limits,
        };
        match resolve::literal(target) {
            Some(address) => state.peers.push(state.peer(address)),
            None => {
                state.lookup = Some(Lookup {
                    running: false,
                    awaited: false,
                    done_at: None,
                    outdated: false,
                    backoff: state.limits.backoff.clone(),
                    retry_at: None,
                });
            }
        }
        state
    }

    fn peer(&self, address: Address) -> Peer {
        Peer {
            address,
            dialing: 0,
            dialing_since: None,
            connections: 0,
            backoff: self.limits.backoff.clone(),
            retry_at: None,
            failed: false,
            limit: None,
        }
    }

    // === calls ===

    /// Takes a stream, or a place in the queue. [`settle`](Self::settle) has to follow.
    pub(super) fn take(&mut self, now: Instant) -> Result<Taken, Status> {
        if self.closed {
            return Err(closed());
        }
        self.called = true;
        if self.waiters.is_empty()
            && let Some(connection) = self.pick(now)
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

    /// The less loaded one of two connections that are picked at random; where neither will do, the least loaded.
    /// A congested one is taken only where no other connection is made to the same address.
    pub(super) fn pick(&self, now: Instant) -> Option<Arc<Connection>> {
        let random = || self.connections.get(fastrand::usize(..self.connections.len().max(1)));
        let pair = [random()?, random()?];
        let free = |connection: &&Arc<Connection>| connection.free() > 0;
        let good = |connection: &&Arc<Connection>| connection.free() > 0 && !connection.is_congested();
        let load = |connection: &&Arc<Connection>| connection.streams();
        let all = || self.connections.iter();
        let best = pair.into_iter().filter(good).min_by_key(load);
        let best = best.or_else(|| all().filter(good).min_by_key(load));
        let best = best.or_else(|| all().filter(free).min_by_key(load).filter(|_| !self.may_relieve(now)));
        best.map(Arc::clone)
    }

    /// The least loaded connection, for a call that has waited in vain for one that is not congested.
    pub(super) fn pick_congested(&self) -> Option<Arc<Connection>> {
        let free = self.connections.iter().filter(|connection| connection.free() > 0);
        free.min_by_key(|connection| connection.streams()).map(Arc::clone)
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
        } else if self.peers.is_empty() && self.lookup.as_ref().is_some_and(|lookup| lookup.running) {
            return Failure::DnsTimeout.status();
        } else {
            return self.failure.status();
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
        peer.dial_ended();
        peer.connections += 1;
        peer.backoff.succeeded();
        peer.retry_at = None;
        peer.failed = false;
        let connection = make(self.next_connection);
        peer.limit = Some(connection.limit());
        self.next_connection += 1;
        self.connections.push(Arc::clone(&connection));
        Some(connection)
    }

    /// An attempt to connect, begun at this time, has failed. Tells whether that is new, or of consequence since there is
    /// no other connection.
    pub(super) fn not_connected(&mut self, address: &Address, begun: Instant, failure: Failure) -> bool {
        let alone = self.connections.is_empty();
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == *address) else { return false };
        peer.dial_ended();
        let news = !std::mem::replace(&mut peer.failed, true) || alone;
        self.failure = failure;
        // Attempts that were made at the same time count as one failure.
        if peer.retry_at.is_none_or(|retry_at| retry_at <= begun) {
            peer.retry_at = Some(begun + peer.backoff.failed());
        }
        self.outdate_addresses();
        news
    }

    /// The addresses of the host name are known. Connections to those that are gone take no more calls. Tells whether
    /// there were any.
    pub(super) fn looked_up(&mut self, addresses: Vec<Address>, now: Instant) -> bool {
        let addresses = self.in_order(addresses);
        if let Some(lookup) = &mut self.lookup {
            lookup.ended();
            lookup.done_at = Some(now);
            lookup.outdated = false;
            lookup.backoff.succeeded();
            lookup.retry_at = None;
        }
        self.peers.retain(|peer| addresses.contains(&peer.address));
        let before = self.connections.len();
        self.connections.retain(|connection| addresses.contains(&connection.address));
        for address in addresses {
            if !self.peers.iter().any(|peer| peer.address == address) {
                self.peers.push(self.peer(address));
            }
        }
        self.connections.len() < before
    }

    /// The addresses in the order in which they are connected. Where there are more than connections, pools with another
    /// offset begin with other ones, so that together they leave none out.
    fn in_order(&mut self, mut addresses: Vec<Address>) -> Vec<Address> {
        let (count, most) = (addresses.len(), self.limits.connections);
        let crowded = count > most;
        if crowded {
            addresses.sort_unstable();
            addresses.rotate_left(self.limits.address_offset % count);
        }
        if crowded && !self.crowded {
            tracing::warn!(
                addresses = count,
                connections = most,
                "the upstream has more addresses than there may be connections: raise max-connections"
            );
        }
        self.crowded = crowded;
        addresses
    }

    /// Makes room for a connection to an address that has none, where all that are permitted go to others, and some address
    /// has several. The one that leaves finishes its calls.
    pub(super) fn make_room(&mut self) {
        let all: usize = self.connections.len() + self.peers.iter().map(|peer| peer.dialing).sum::<usize>();
        let bare = |peer: &Peer| peer.connections + peer.dialing == 0 && peer.retry_at.is_none();
        if all < self.limits.connections || !self.peers.iter().any(bare) {
            return;
        }
        let Some(most) = self.peers.iter().max_by_key(|peer| peer.connections) else { return };
        if most.connections < 2 {
            return;
        }
        let theirs = self.connections.iter().filter(|connection| connection.address == most.address);
        if let Some(least) = theirs.min_by_key(|connection| connection.streams()).map(Arc::clone) {
            self.remove(&least);
        }
    }

    /// The look-up takes long. Addresses that are known are used meanwhile.
    pub(super) fn lookup_is_slow(&mut self) {
        if let Some(lookup) = &mut self.lookup {
            lookup.awaited = false;
        }
    }

    /// The look-up has failed. Addresses that are known stay in use.
    pub(super) fn not_looked_up(&mut self, now: Instant, failure: Failure) {
        if let Some(lookup) = &mut self.lookup {
            lookup.ended();
            self.failure = failure;
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

    pub(super) fn has_spare(&self) -> bool {
        self.peers.iter().any(|peer| peer.connections > 1)
    }

    /// The time has come that some calls wait for.
    pub(super) fn retry(&mut self) {
        self.retrying = None;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.connections.clear();
        self.waiters.fail(&closed());
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
