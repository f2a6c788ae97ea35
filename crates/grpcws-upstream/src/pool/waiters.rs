//! The calls that wait for a stream, in the order in which they came.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use grpcws_proto::Status;
use tokio::sync::oneshot;

use super::{Pool, Slot, closed};

/// What a call that waits is given: a stream, or the reason why there is none.
pub(super) type Offer = Result<Slot, Status>;

/// The queue, first come, first served.
#[derive(Default)]
pub(super) struct Waiters {
    queue: BTreeMap<u64, oneshot::Sender<Offer>>,
    next: u64,
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(&mut self) -> (u64, oneshot::Receiver<Offer>) {
        let (sender, receiver) = oneshot::channel();
        let key = self.next;
        self.next += 1;
        self.queue.insert(key, sender);
        (key, receiver)
    }

    pub(super) fn remove(&mut self, key: u64) {
        self.queue.remove(&key);
    }

    /// The first call that is still there.
    pub(super) fn pop(&mut self) -> Option<oneshot::Sender<Offer>> {
        while let Some((_, sender)) = self.queue.pop_first() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    pub(super) fn fail(&mut self, status: &Status) {
        while let Some(sender) = self.pop() {
            let _ = sender.send(Err(status.clone()));
        }
    }
}

/// A call that waits. It leaves the queue when it is dropped.
pub(super) struct Waiting {
    pool: Arc<Pool>,
    key: u64,
    receiver: oneshot::Receiver<Offer>,
}

impl Waiting {
    pub(super) fn new(pool: &Arc<Pool>, key: u64, receiver: oneshot::Receiver<Offer>) -> Self {
        Self { pool: Arc::clone(pool), key, receiver }
    }
}

impl Future for Waiting {
    type Output = Result<Slot, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Each call in the queue is answered, but for those that have left it.
        Pin::new(&mut self.receiver).poll(cx).map(|offer| offer.unwrap_or_else(|_| Err(closed())))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.lock().waiters.remove(self.key);
    }
}
