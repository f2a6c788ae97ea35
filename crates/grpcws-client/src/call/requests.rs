//! The way of a request message from the program to the task of its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Status;
use crate::driver::Requests;

/// Takes one message ahead of the task.
#[derive(Debug)]
pub(crate) struct Sender {
    messages: mpsc::Sender<Bytes>,
    half_closed: Arc<AtomicBool>,
}

/// The task's end.
#[derive(Debug)]
pub(crate) struct Receiver {
    messages: mpsc::Receiver<Bytes>,
    half_closed: Arc<AtomicBool>,
}

pub(crate) fn channel() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(1);
    let half_closed = Arc::new(AtomicBool::new(false));
    let sender = Sender { messages: sender, half_closed: Arc::clone(&half_closed) };
    (sender, Receiver { messages: receiver, half_closed })
}

impl Sender {
    /// The payload of a frame; the error is that the task wants no more.
    pub(crate) async fn send(&self, payload: Bytes) -> Result<(), mpsc::error::SendError<Bytes>> {
        self.messages.send(payload).await
    }

    pub(crate) fn half_close(self) {
        // The channel closes when `self` is dropped, which is what the other side sees first.
        self.half_closed.store(true, Ordering::Release);
    }
}

impl Requests for Receiver {
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        Poll::Ready(match ready!(self.messages.poll_recv(cx)) {
            Some(payload) => Some(Ok(payload)),
            None if self.half_closed.load(Ordering::Acquire) => None,
            // Whoever drops the sender without half-close has raised the wish to cancel before, and so the task is
            // awake. The wish is what asks the gateway how the call ended.
            None => return Poll::Pending,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn only_a_half_close_ends_the_messages() {
        let cx = &mut Context::from_waker(Waker::noop());
        let (sender, mut receiver) = channel();
        drop(sender);
        assert!(receiver.poll_request(cx).is_pending(), "how a cancelled call ends is not said here");

        let (sender, mut receiver) = channel();
        sender.half_close();
        assert!(matches!(receiver.poll_request(cx), Poll::Ready(None)));
    }
}
