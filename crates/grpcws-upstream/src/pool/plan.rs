//! What follows from what the pool knows: which calls are served, and what is begun for the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::jobs::Job;
use super::state::{Peer, State};
use super::{Pool, Slot};
use crate::connection::Connection;

/// How many connections to one address are made at once, when one has told how many calls each takes. Before
/// that there is one attempt, which all calls share.
const PARALLEL_DIALS: usize = 8;

/// Another connection is made when less than one part in this many of the streams is free.
const HEADROOM: usize = 10;

/// How long an attempt to connect is counted on, where there is another address. RFC 8305 waits as long for a connection.
pub(super) const HOPE: Duration = Duration::from_millis(250);

/// Addresses that were looked up this short a time ago are not looked up again before connecting.
const FRESH: Duration = Duration::from_secs(1);

impl State {
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
            let status = self.failure.status();
            self.waiters.fail(&status);
        }
        self.plan_retry(now, &mut jobs);
        // The addresses that a look-up finds are still to be connected for the call that it is for.
        self.called &= self.lookup.as_ref().is_some_and(|lookup| lookup.running);
        if !self.reaping && self.has_spare() {
            self.reaping = true;
            jobs.push(Job::Reap);
        }
        jobs
    }

    /// Gives streams to the calls that wait for one.
    fn serve(&mut self, pool: &Arc<Pool>, now: Instant) {
        while !self.waiters.is_empty() {
            let Some(connection) = self.pick(now) else { return };
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
        let wanted = self.wanted(now) > 0;
        if !self.called && !wanted {
            return;
        }
        let interval = self.limits.resolve_interval;
        let Some(lookup) = &mut self.lookup else { return };
        // Without need for a connection it is enough to look now and then.
        let age = if wanted || lookup.outdated {
            Some(interval.map_or(FRESH, |interval| FRESH.min(interval)))
        } else {
            interval
        };
        let due = lookup.done_at.is_none_or(|done_at| age.is_some_and(|age| now >= done_at + age));
        if due && !lookup.running && lookup.retry_at.is_none_or(|retry_at| retry_at <= now) {
            lookup.running = true;
            lookup.awaited = true;
            jobs.push(Job::Lookup);
        }
    }

    fn plan_dials(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.lookup.as_ref().is_some_and(|lookup| lookup.awaited) {
            // This is come to again with addresses that are not outdated, or when that takes too long.
            return;
        }
        if self.called {
            self.make_room();
        }
        // Calls are spread over all addresses, so each has a connection.
        for index in 0..if self.called { self.peers.len() } else { 0 } {
            let bare = self.peers.get(index).is_some_and(|peer| peer.connections + peer.dialing == 0);
            if bare && self.may_dial(index, now) {
                self.dial(index, now, jobs);
            }
        }
        let mut wanted = self.wanted(now);
        while wanted > 0 {
            let candidates = (0..self.peers.len()).filter(|index| self.may_dial(*index, now));
            let least = candidates.min_by_key(|index| {
                let peer = self.peers.get(*index);
                (peer.map_or(0, |peer| peer.connections + peer.dialing), fastrand::u32(..))
            });
            let Some(index) = least else { return };
            wanted = wanted.saturating_sub(self.dial(index, now, jobs));
        }
    }

    /// How many more streams are wanted than there are, and will be when all attempts to connect have succeeded.
    fn wanted(&self, now: Instant) -> usize {
        let coming: usize =
            self.peers.iter().map(|peer| peer.dialing.saturating_mul(self.expected(peer, now))).sum();
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

    /// How many streams a new connection to this address will have. One that failed last time promises none, and neither
    /// does one that takes long, so that nothing waits for it that another address could do.
    fn expected(&self, peer: &Peer, now: Instant) -> usize {
        if peer.failed || self.is_overdue(peer, now) {
            return 0;
        }
        peer.limit.unwrap_or(self.limits.streams).clamp(1, self.limits.streams)
    }

    /// Whether an address takes long to connect, and there is another one.
    fn is_overdue(&self, peer: &Peer, now: Instant) -> bool {
        self.peers.len() > 1 && peer.dialing_since.is_some_and(|since| now >= since + HOPE)
    }

    pub(super) fn may_dial(&self, index: usize, now: Instant) -> bool {
        let Some(peer) = self.peers.get(index) else { return false };
        let all: usize = self.connections.len() + self.peers.iter().map(|peer| peer.dialing).sum::<usize>();
        let permitted = match peer.limit {
            // More connections would not help: each permits no streams.
            Some(0) if peer.connections > 0 => 0,
            Some(_) if !peer.failed && !self.is_overdue(peer, now) => PARALLEL_DIALS,
            _ => 1,
        };
        all < self.limits.connections
            && peer.dialing < permitted
            && peer.retry_at.is_none_or(|retry_at| retry_at <= now)
            && match self.congested(peer) {
                0 => true,
                // One connection beside a congested one is enough, or stalled calls would take one each.
                congested => congested + peer.dialing < 2,
            }
    }

    /// How many connections to this address would take calls if they were not congested.
    fn congested(&self, peer: &Peer) -> usize {
        let congested = |connection: &&Arc<Connection>| {
            connection.address == peer.address && connection.free() > 0 && connection.is_congested()
        };
        self.connections.iter().filter(congested).count()
    }

    /// Whether a congested connection gets, or may get, another one beside it.
    pub(super) fn may_relieve(&self, now: Instant) -> bool {
        self.peers
            .iter()
            .enumerate()
            .any(|(index, peer)| self.congested(peer) > 0 && (peer.dialing > 0 || self.may_dial(index, now)))
    }

    /// Begins to connect, and tells how many streams that promises.
    fn dial(&mut self, index: usize, now: Instant, jobs: &mut Vec<Job>) -> usize {
        let Some(peer) = self.peers.get_mut(index) else { return 0 };
        peer.dialing += 1;
        peer.dialing_since.get_or_insert(now);
        jobs.push(Job::Dial(peer.address.clone()));
        self.peers.get(index).map_or(0, |peer| self.expected(peer, now))
    }

    /// Whether calls that wait may still get a stream without another call.
    fn has_hope(&self) -> bool {
        !self.connections.is_empty()
            || self.peers.iter().any(|peer| peer.dialing > 0)
            || self.lookup.as_ref().is_some_and(|lookup| lookup.running)
    }

    /// Calls that wait for the end of others are looked after when a back-off is over, too, and when an attempt to connect
    /// is no longer counted on.
    fn plan_retry(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.waiters.is_empty() {
            return;
        }
        let retries = self.peers.iter().filter_map(|peer| peer.retry_at);
        let several = self.peers.len() > 1;
        let overdue =
            self.peers.iter().filter_map(|peer| Some(peer.dialing_since.filter(|_| several)? + HOPE));
        let Some(next) = retries.chain(overdue).filter(|at| *at > now).min() else { return };
        if self.retrying.is_none_or(|at| next < at) {
            self.retrying = Some(next);
            jobs.push(Job::Retry(next));
        }
    }
}
