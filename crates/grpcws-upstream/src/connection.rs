//! One HTTP/2 connection, as the pool and its calls see it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::{Code, Status};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::time::Instant;

use crate::header_limit::HeaderLimit;
use crate::resolve::Address;
use crate::status::status_of_error;

/// A connection that has had its settings.
///
/// h2 ends a connection once all its `SendRequest`s are gone and all its streams have ended. The pool and the slots
/// of calls share this handle, and the driver has none of its own, so to let go of it is to close the connection.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) address: Address,
    send: SendRequest<Bytes>,
    /// Asked whether the connection still takes requests; it never sends one.
    probe: Mutex<SendRequest<Bytes>>,
    /// Our own limit of streams.
    cap: usize,
    /// The smaller of our limit and what the upstream permits now.
    limit: AtomicUsize,
    /// How many slots are taken. Changed under the pool's lock only.
    streams: AtomicUsize,
    /// When the last stream ended, in milliseconds of the pool's clock. Changed under the pool's lock only.
    idle_since: AtomicU64,
    lost: OnceLock<Lost>,
    pub(crate) header_limit: HeaderLimit,
    /// Requests that have more to send than the upstream takes.
    blocked: AtomicUsize,
    /// When a request was last blocked or went on, in milliseconds since `epoch`.
    moved: AtomicU64,
    epoch: Instant,
}

/// How long no request may get on before a connection counts as congested. Longer than the round trip that flow
/// control takes in the normal case, and shorter than people notice.
const CONGESTED: u64 = 250;

/// Why we gave a connection up, where the error of h2 does not tell.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lost {
    /// The upstream did not answer a ping.
    Silent,
}

impl Connection {
    pub(crate) fn new(
        id: u64,
        address: Address,
        send: SendRequest<Bytes>,
        cap: usize,
        header_limit: HeaderLimit,
    ) -> Self {
        let limit = cap.min(send.current_max_send_streams());
        Self {
            id,
            address,
            probe: Mutex::new(send.clone()),
            send,
            cap,
            limit: AtomicUsize::new(limit),
            streams: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            lost: OnceLock::new(),
            header_limit,
            blocked: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(crate) fn free(&self) -> usize {
        self.limit().saturating_sub(self.streams())
    }

    pub(crate) fn idle_since(&self) -> u64 {
        self.idle_since.load(Ordering::Relaxed)
    }

    /// Takes one more stream. Under the pool's lock.
    pub(crate) fn take(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a stream back, at this time of the pool's clock. Under the pool's lock.
    pub(crate) fn give_back(&self, now: u64) {
        if self.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.set_idle_since(now);
        }
    }

    pub(crate) fn set_idle_since(&self, now: u64) {
        self.idle_since.store(now, Ordering::Relaxed);
    }

    /// Takes over what the upstream permits now, and tells whether that has changed.
    pub(crate) fn refresh_limit(&self) -> bool {
        let limit = self.cap.min(self.send.current_max_send_streams());
        self.limit.swap(limit, Ordering::Relaxed) != limit
    }

    /// Whether the connection takes no more requests: the upstream has said so, or it has broken.
    pub(crate) fn is_going_away(&self, cx: &mut Context<'_>) -> bool {
        let mut probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(probe.poll_ready(cx), Poll::Ready(Err(_)))
    }

    /// Begins a stream. The caller has a slot, so h2 need not queue it for want of one.
    ///
    /// # Errors
    /// Where there is an error, nothing was sent.
    pub(crate) fn send(
        &self,
        head: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // A clone for each request: a handle that is kept would hold on to the last stream that it began.
        self.send.clone().send_request(head, end)
    }

    /// Whether some request does not get on. It may have used up the window of the connection, which many servers
    /// make no larger than that of a stream, so that others would not get on either.
    pub(crate) fn is_congested(&self) -> bool {
        self.blocked.load(Ordering::Relaxed) > 0
            && self.clock().saturating_sub(self.moved.load(Ordering::Relaxed)) > CONGESTED
    }

    fn clock(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn set_lost(&self, lost: Lost) {
        // The first reason is the one that counts.
        let _ = self.lost.set(lost);
    }

    /// The status of a call on this connection that ended with this error.
    pub(crate) fn status(&self, error: &h2::Error) -> Status {
        match self.lost.get() {
            Some(Lost::Silent) if !error.is_reset() => {
                Status::new(Code::Unavailable, "the upstream did not answer a keep-alive ping")
            }
            _ => self
                .header_limit
                .lost()
                .filter(|_| !error.is_reset())
                .unwrap_or_else(|| status_of_error(error)),
        }
    }
}

/// A request that has more to send than the upstream takes, for as long as that is so.
pub(crate) struct Blocked(Arc<Connection>);

impl Blocked {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        // While others are blocked already, one more is no progress.
        if connection.blocked.fetch_add(1, Ordering::Relaxed) == 0 {
            connection.moved.store(connection.clock(), Ordering::Relaxed);
        }
        Self(Arc::clone(connection))
    }

    /// The request has got on.
    pub(crate) fn end(self) {
        self.0.moved.store(self.0.clock(), Ordering::Relaxed);
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Ordering::Relaxed);
    }
}
