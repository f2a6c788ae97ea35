//! The way of a request message from the program to the task of its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::driver::Requests;
use crate::{Code, Status};

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
            None => Some(Err(Status::new(Code::Cancelled, "call cancelled by the client"))),
        })
    }
}
