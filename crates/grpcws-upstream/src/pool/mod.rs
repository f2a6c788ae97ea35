//! The connections of an upstream, and who may use them.
//!
//! [`state`] is what is known and [`plan`] what follows from it, both under one lock and without I/O; [`jobs`] is
//! what has to be done then: dialing, looking up, closing what is idle. Each change of the state ends with
//! `State::settle`, which serves the calls that wait, starts what they need, and fails them if nothing can help.

mod jobs;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod waiters;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use grpcws_proto::{Code, Status};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::dial::Dialer;
use crate::endpoint::Target;
use crate::options::UpstreamOptions;
use crate::stats::{Counters, UpstreamStats};
use jobs::Job;
use state::{Limits, State, Taken};
use waiters::Waiting;

/// The connections of one upstream.
pub(crate) struct Pool {
    pub(crate) target: Target,
    pub(crate) dialer: Dialer,
    pub(crate) counters: Counters,
    settings: Settings,
    state: Mutex<State>,
    /// Connections whose task runs.
    alive: AtomicUsize,
    /// Slots that are taken, on whichever connection.
    streams: AtomicUsize,
    /// The start of the pool's clock.
    epoch: Instant,
    /// Ends what is not a connection with calls.
    closed: CancellationToken,
    tasks: TaskTracker,
    /// The runtime of the first call. A slot may be given back on a thread without one.
    runtime: OnceLock<Handle>,
}

/// What the pool needs of the options.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    connect_wait: Duration,
    dial_timeout: Duration,
    idle_timeout: Option<Duration>,
    streams: usize,
    header_list_size: usize,
    ping_interval: Option<Duration>,
    ping_timeout: Duration,
    ping_while_idle: bool,
}

impl Pool {
    pub(crate) fn new(target: Target, dialer: Dialer, options: &UpstreamOptions) -> Arc<Self> {
        let limits = Limits::new(options);
        let settings = Settings {
            connect_wait: options.connect_wait,
            dial_timeout: options.dial_timeout,
            idle_timeout: options.idle_timeout,
            streams: options.max_streams_per_connection,
            header_list_size: options.header_list_size(),
            ping_interval: options.keep_alive_interval,
            ping_timeout: options.keep_alive_timeout,
            ping_while_idle: options.keep_alive_while_idle,
        };
        Arc::new(Self {
            state: Mutex::new(State::new(&target, limits)),
            target,
            dialer,
            counters: Counters::default(),
            settings,
            alive: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            epoch: Instant::now(),
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime: OnceLock::new(),
        })
    }

    /// A stream on a connection, as soon as there is one.
    ///
    /// # Errors
    /// UNAVAILABLE where none can be had, at once or within the time to wait.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Slot, Status> {
        self.runtime.get_or_init(Handle::current);
        let waiting = {
            let mut state = self.lock();
            let now = Instant::now();
            let taken = state.take(now)?;
            let jobs = state.settle(self, now);
            drop(state);
            self.start(jobs);
            match taken {
                Taken::Now(connection) => return Ok(Slot::new(self, connection)),
                Taken::Later(key, receiver) => Waiting::new(self, key, receiver),
            }
        };
        match tokio::time::timeout(self.settings.connect_wait, waiting).await {
            Ok(result) => result,
            Err(_) => self.last_resort(),
        }
    }

    /// What a call gets that has waited for too long.
    fn last_resort(self: &Arc<Self>) -> Result<Slot, Status> {
        let state = self.lock();
        let connection = state.pick_congested().ok_or_else(|| state.timed_out())?;
        connection.take();
        Ok(Slot::new(self, connection))
    }

    /// The upstream takes no more requests on this connection.
    pub(crate) fn going_away(self: &Arc<Self>, connection: &Arc<Connection>) {
        self.change(|state| {
            if state.remove(connection) {
                self.counters.lost_connections.count();
                self.counters.change();
                state.outdate_addresses();
            }
        });
    }

    /// The task of this connection has ended.
    pub(crate) fn connection_ended(self: &Arc<Self>, connection: &Arc<Connection>) {
        self.going_away(connection);
    }

    /// The upstream permits more or fewer streams now.
    pub(crate) fn limit_changed(self: &Arc<Self>, connection: &Arc<Connection>) {
        self.change(|state| state.limit_changed(connection));
    }

    /// Lets go of all connections: they end with their calls. Calls that wait, and new ones, fail.
    pub(crate) fn close(self: &Arc<Self>) {
        self.change(State::close);
        self.closed.cancel();
        self.tasks.close();
    }

    /// Waits for the end of all connections and tasks, after [`close`](Self::close).
    pub(crate) async fn closed(&self) {
        self.tasks.wait().await;
    }

    pub(crate) fn stats(&self) -> UpstreamStats {
        let mut stats = self.lock().stats();
        stats.draining = self.alive.load(Ordering::Relaxed).saturating_sub(stats.connections);
        stats.streams = self.streams.load(Ordering::Relaxed);
        stats.dials = self.counters.dials.value();
        stats.failed_dials = self.counters.failed_dials.value();
        stats.lookups = self.counters.lookups.value();
        stats.lost_connections = self.counters.lost_connections.value();
        stats.calls = self.counters.calls.value();
        stats.retries = self.counters.retries.value();
        stats
    }

    /// Runs a task that belongs to the upstream.
    pub(crate) fn spawn<F>(&self, task: F) -> Option<tokio::task::AbortHandle>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = self.runtime.get()?;
        Some(self.tasks.spawn_on(task, runtime).abort_handle())
    }

    /// Changes the state, and does what follows from it.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let jobs = {
            let mut state = self.lock();
            change(&mut state);
            state.settle(self, Instant::now())
        };
        self.start(jobs);
    }

    fn start(self: &Arc<Self>, jobs: Vec<Job>) {
        for job in jobs {
            job.start(self);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock would be a defect of ours; what it left is still the best there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool's clock, in milliseconds.
    fn clock(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The right to one stream on a connection.
pub(crate) struct Slot {
    pool: Arc<Pool>,
    connection: Arc<Connection>,
    /// Whether the stream is still to be given back.
    held: bool,
}

impl Slot {
    /// The stream has been taken from the connection already.
    fn new(pool: &Arc<Pool>, connection: Arc<Connection>) -> Self {
        pool.streams.fetch_add(1, Ordering::Relaxed);
        Self { pool: Arc::clone(pool), connection, held: true }
    }

    /// Gives the stream back while the pool is locked.
    fn give_back(mut self, now: Instant) {
        self.held = false;
        self.pool.streams.fetch_sub(1, Ordering::Relaxed);
        self.connection.give_back(self.pool.clock(now));
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        self.pool.streams.fetch_sub(1, Ordering::Relaxed);
        let now = Instant::now();
        let jobs = {
            let mut state = self.pool.lock();
            self.connection.give_back(self.pool.clock(now));
            if !state.has_waiters() {
                return;
            }
            state.settle(&self.pool, now)
        };
        self.pool.start(jobs);
    }
}

/// The status of calls after [`Pool::close`].
fn closed() -> Status {
    Status::new(Code::Unavailable, "the connections to the upstream are being closed")
}
