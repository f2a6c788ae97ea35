//! The task of a connection.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

use crate::connection::{Connection, Lost};
use crate::dial::{Io, Notes};
use crate::pool::Pool;

/// Moves the frames of one connection, and tells the pool what becomes of it.
pub(crate) struct Driver {
    http2: h2::client::Connection<Io, Bytes>,
    /// Weak, so that the connection can end: see [`Connection`].
    handle: Weak<Connection>,
    pool: Arc<Pool>,
    keep_alive: Option<KeepAlive>,
    going_away: bool,
}

impl Driver {
    pub(crate) fn new(
        http2: h2::client::Connection<Io, Bytes>,
        handle: &Arc<Connection>,
        pool: Arc<Pool>,
        keep_alive: Option<KeepAlive>,
    ) -> Self {
        Self { http2, handle: Arc::downgrade(handle), pool, keep_alive, going_away: false }
    }

    /// Tells the pool what the frames that were just read have changed.
    fn report(&mut self, cx: &mut Context<'_>) {
        let Some(handle) = self.handle.upgrade() else { return };
        if !self.going_away && handle.is_going_away(cx) {
            self.going_away = true;
            self.pool.going_away(&handle);
        }
        if handle.refresh_limit() && !self.going_away {
            self.pool.limit_changed(&handle);
        }
    }

    fn ended(&self, result: Result<(), h2::Error>) {
        let Some(handle) = self.handle.upgrade() else { return };
        if let Err(error) = result {
            tracing::debug!(address = %handle.address, %error, "connection to the upstream lost");
        }
        self.pool.connection_ended(&handle);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.http2).poll(cx) {
            this.ended(result);
            return Poll::Ready(());
        }
        this.report(cx);
        if let Some(keep_alive) = &mut this.keep_alive {
            let streams = this.handle.upgrade().is_some_and(|handle| handle.streams() > 0);
            ready!(keep_alive.poll(cx, streams));
            if let Some(handle) = this.handle.upgrade() {
                tracing::warn!(address = %handle.address, "the upstream does not answer keep-alive pings");
                handle.set_lost(Lost::Silent);
            }
            this.ended(Ok(()));
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The pings of one connection.
pub(crate) struct KeepAlive {
    ping_pong: PingPong,
    interval: Duration,
    timeout: Duration,
    while_idle: bool,
    notes: Arc<Notes>,
    /// Whether a ping has no answer yet.
    pinged: bool,
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    pub(crate) fn new(
        ping_pong: PingPong,
        notes: Arc<Notes>,
        interval: Duration,
        timeout: Duration,
        while_idle: bool,
    ) -> Self {
        let timer = Box::pin(tokio::time::sleep(interval));
        Self { ping_pong, interval, timeout, while_idle, notes, pinged: false, timer }
    }

    /// Ready when the upstream counts as lost.
    fn poll(&mut self, cx: &mut Context<'_>, streams: bool) -> Poll<()> {
        loop {
            if self.pinged && self.ping_pong.poll_pong(cx).is_ready() {
                self.pinged = false;
                // The answer itself is not what the upstream has to say.
                self.notes.take_heard();
                self.start(self.interval);
            }
            ready!(self.timer.as_mut().poll(cx));
            let heard = self.notes.take_heard();
            if self.pinged && !heard {
                return Poll::Ready(());
            }
            if self.pinged {
                // Its answer is behind what the upstream sends just now.
                self.start(self.timeout);
            } else if heard
                || !(streams || self.while_idle)
                || self.ping_pong.send_ping(Ping::opaque()).is_err()
            {
                self.start(self.interval);
            } else {
                self.pinged = true;
                self.start(self.timeout);
            }
        }
    }

    fn start(&mut self, time: Duration) {
        self.timer.as_mut().reset(Instant::now() + time);
    }
}
