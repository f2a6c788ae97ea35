//! The stream of request messages that a typed handler reads.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use grpcws_proto::{Code, Status};

use crate::queue::{End, Reader, Writer, queue};

/// The request messages of a client, in order.
///
/// The stream ends when the client has half-closed. A client that cancels or is lost is an `Err` with
/// code 1 and the end, so that half an upload is never taken for a whole one.
///
/// For a tonic client, [`CallContext::streaming_request`](crate::CallContext::streaming_request) makes a
/// request of it.
#[derive(Debug)]
pub struct Requests<T> {
    reader: Reader<T>,
    cancel: Cancel,
    ended: bool,
}

/// How the end of the call reaches the body that carries its requests to an upstream.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancel(Arc<Mutex<CancelState>>);

#[derive(Debug, Default)]
struct CancelState {
    /// The call was dropped.
    over: bool,
    /// A tonic client watches for that.
    watched: bool,
    #[cfg(feature = "tonic")]
    handle: Option<tonic::CancellationHandle>,
}

impl Cancel {
    fn lock(&self) -> MutexGuard<'_, CancelState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self) {
        let mut state = self.lock();
        state.over = true;
        #[cfg(feature = "tonic")]
        if let Some(handle) = state.handle.take() {
            handle.cancel();
        }
    }

    /// Resets the request with this handle when the call is dropped.
    #[cfg(feature = "tonic")]
    fn watch(&self, handle: tonic::CancellationHandle) {
        let mut state = self.lock();
        state.watched = true;
        if state.over {
            handle.cancel();
        } else {
            state.handle = Some(handle);
        }
    }
}

/// The sending half, held by the call.
#[derive(Debug)]
pub(super) struct RequestSender<T> {
    writer: Writer<T>,
    cancel: Cancel,
}

/// A stream of request messages, and its sending half.
pub(super) fn channel<T>(receive_window: u64) -> (RequestSender<T>, Requests<T>) {
    let (writer, reader) = queue(receive_window);
    let cancel = Cancel::default();
    (RequestSender { writer, cancel: cancel.clone() }, Requests { reader, cancel, ended: false })
}

impl<T> RequestSender<T> {
    pub(super) fn send(&self, message: T, cost: u64) {
        self.writer.send(message, cost);
    }

    pub(super) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<u64> {
        self.writer.poll_taken(cx)
    }

    pub(super) fn half_close(&self) {
        self.writer.end(End::HalfClosed);
    }
}

impl<T> Drop for RequestSender<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl<T> Stream for Requests<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.reader.poll_next(cx)) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(end) => {
                self.ended = true;
                let lost = || Err(Status::new(Code::Cancelled, "the call was cancelled by the client"));
                Poll::Ready((end == End::Cancelled).then(lost))
            }
        }
    }
}

impl<T> Requests<T> {
    /// The messages alone, as the clients of tonic take them.
    ///
    /// Such a stream has no item for a cancelled call. In a request of
    /// [`CallContext::streaming_request`](crate::CallContext::streaming_request) it stays silent, and the
    /// request is reset; in any other it ends, which an upstream may see as a half-close.
    #[must_use]
    pub fn into_client_requests(self) -> ClientRequests<T> {
        ClientRequests { requests: self, cancelled: false }
    }
}

#[cfg(feature = "tonic")]
impl crate::CallContext {
    /// A streaming request for a tonic client, with the metadata and the deadline of this call. When the call
    /// is cancelled, or its client is lost, the request is reset; it never looks half-closed.
    #[must_use]
    pub fn streaming_request<T>(&self, requests: Requests<T>) -> tonic::Request<ClientRequests<T>> {
        let cancel = requests.cancel.clone();
        let mut request = self.request(requests.into_client_requests());
        cancel.watch(request.cancellation_handle());
        request
    }
}

/// The request messages of a client for a client of tonic; see [`Requests::into_client_requests`].
#[derive(Debug)]
pub struct ClientRequests<T> {
    requests: Requests<T>,
    /// The call was cancelled, and the body says so: nothing more comes from here, not even an end.
    cancelled: bool,
}

impl<T> Stream for ClientRequests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.cancelled {
            return Poll::Pending;
        }
        match ready!(Pin::new(&mut self.requests).poll_next(cx)) {
            Some(Ok(message)) => Poll::Ready(Some(message)),
            Some(Err(_)) => {
                let watched = self.requests.cancel.lock().watched;
                self.cancelled = watched;
                if watched {
                    return Poll::Pending;
                }
                tracing::warn!(
                    "a cancelled call ends its request stream, which its upstream may take for a half-close: make \
                     the request with CallContext::streaming_request"
                );
                Poll::Ready(None)
            }
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_cancelled_stream_that_is_watched_never_ends() {
        let (sender, requests) = channel::<u8>(u64::MAX);
        requests.cancel.lock().watched = true;
        let mut stream = requests.into_client_requests();
        drop(sender);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending(), "an end would be a half-close");
        }
    }

    #[test]
    fn a_stream_that_is_not_watched_ends() {
        let (sender, requests) = channel::<u8>(u64::MAX);
        let mut stream = requests.into_client_requests();
        drop(sender);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut stream).poll_next(&mut cx), Poll::Ready(None));
    }
}
