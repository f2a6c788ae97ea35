//! The answer to a handshake, which is there at once or takes a while.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The answer to a handshake. It is ready at once, and costs no allocation, unless there is an authorization check
/// ([`Authorize`](crate::Authorize)) or a request parser.
///
/// # Cancel safety
///
/// Dropping the future drops the check, and the call does not start.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<T>(State<T>);

enum State<T> {
    Ready(Option<T>),
    Waiting(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> ResponseFuture<T> {
    pub(crate) fn ready(response: T) -> Self {
        Self(State::Ready(Some(response)))
    }

    pub(crate) fn waiting(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Waiting(Box::pin(future)))
    }
}

impl<T: Unpin> Future for ResponseFuture<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.get_mut().0 {
            State::Ready(response) => Poll::Ready(response.take().expect("not polled after it was ready")),
            State::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> std::fmt::Debug for ResponseFuture<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
