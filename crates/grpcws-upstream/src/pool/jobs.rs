//! What the pool does beside serving calls, each in a task of its own.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Pool;
use crate::connection::Connection;
use crate::dial::{DialError, Dialed, Failure};
use crate::driver::{Driver, KeepAlive};
use crate::header_limit::HeaderLimit;
use crate::resolve::{self, Address};

/// How long connecting waits for a look-up, where addresses are known. Longer than a look-up takes in the normal case,
/// so that an address that is gone, and may be another server's by now, is not connected to.
const LOOKUP_WAIT: Duration = Duration::from_millis(500);

/// Something to do without the lock.
#[derive(Debug, PartialEq)]
pub(super) enum Job {
    /// Connect to an address.
    Dial(Address),
    /// Look the addresses of the host name up.
    Lookup,
    /// Close what is idle.
    Reap,
    /// Look after the calls that wait, at this time.
    Retry(Instant),
}

impl Job {
    pub(super) fn start(self, pool: &Arc<Pool>) {
        let task = {
            let pool = Arc::clone(pool);
            async move {
                let closed = pool.closed.clone();
                tokio::select! {
                    biased;
                    () = closed.cancelled() => {}
                    () = self.run(pool) => {}
                }
            }
        };
        pool.spawn(task);
    }

    async fn run(self, pool: Arc<Pool>) {
        match self {
            Self::Dial(address) => dial(&pool, &address).await,
            Self::Lookup => lookup(&pool).await,
            Self::Reap => reap(&pool).await,
            Self::Retry(time) => {
                sleep_until(time).await;
                pool.change(super::state::State::retry);
            }
        }
    }
}

async fn dial(pool: &Arc<Pool>, address: &Address) {
    let begun = Instant::now();
    pool.counters.dials.count();
    match pool.dialer.dial(address).await {
        Ok(dialed) => connected(pool, address, dialed),
        Err(error) => {
            pool.counters.failed_dials.count();
            let mut news = false;
            pool.change(|state| news = state.not_connected(address, begun, error.failure));
            // A name may have an address that never works, as `localhost` often has; that is told once.
            if news {
                tracing::warn!(%address, %error, detail = error.detail(), "cannot connect to the upstream");
            } else {
                tracing::debug!(%address, %error, detail = error.detail(), "still cannot connect to the address");
            }
        }
    }
}

fn connected(pool: &Arc<Pool>, address: &Address, dialed: Dialed) {
    tracing::debug!(%address, "connected to the upstream");
    let Dialed { send, mut http2, notes } = dialed;
    let settings = &pool.settings;
    let header_limit = HeaderLimit::new(settings.header_list_size, Arc::clone(&notes));
    let keep_alive = settings.ping_interval.and_then(|interval| {
        let ping_pong = http2.ping_pong()?;
        Some(KeepAlive::new(ping_pong, notes, interval, settings.ping_timeout, settings.ping_while_idle))
    });
    let now = pool.clock(Instant::now());
    let make = |id| {
        let connection = Connection::new(id, address.clone(), send, settings.streams, header_limit);
        connection.set_idle_since(now);
        Arc::new(connection)
    };
    pool.change(|state| {
        let first = state.connections.is_empty();
        // Where it is not wanted any more, dropping it closes it.
        let Some(connection) = state.connected(address, make) else { return };
        if first {
            pool.counters.change();
        }
        pool.alive.fetch_add(1, Ordering::Relaxed);
        let driver = Driver::new(http2, &connection, Arc::clone(pool), keep_alive);
        let pool = Arc::clone(pool);
        Arc::clone(&pool).spawn(async move {
            driver.await;
            pool.alive.fetch_sub(1, Ordering::Relaxed);
        });
    });
}

async fn lookup(pool: &Arc<Pool>) {
    pool.counters.lookups.count();
    let mut found = pin!(timeout(pool.settings.dial_timeout, resolve::lookup(&pool.target)));
    let found = match timeout(LOOKUP_WAIT, &mut found).await {
        Ok(found) => found,
        Err(_) => {
            pool.change(super::state::State::lookup_is_slow);
            found.await
        }
    };
    let now = Instant::now();
    let error = match found {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            pool.change(|state| {
                if state.looked_up(addresses, now) {
                    pool.counters.change();
                }
            });
            return;
        }
        Ok(Ok(_)) => Failure::NoAddress.into(),
        Ok(Err(error)) => DialError::lookup(error),
        Err(_) => Failure::DnsTimeout.into(),
    };
    tracing::warn!(%error, detail = error.detail(), "cannot look the upstream up");
    pool.change(|state| state.not_looked_up(now, error.failure));
}

/// Runs as long as an address has more than one connection.
async fn reap(pool: &Arc<Pool>) {
    let Some(idle_timeout) = pool.settings.idle_timeout else { return };
    loop {
        sleep(idle_timeout / 2).await;
        let before = pool
            .clock(Instant::now())
            .saturating_sub(u64::try_from(idle_timeout.as_millis()).unwrap_or(u64::MAX));
        if !pool.lock().reap(before) {
            return;
        }
    }
}
