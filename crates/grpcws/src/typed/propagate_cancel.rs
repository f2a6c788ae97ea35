//! Carries the cancel of a call into the body of its request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower_service::Service;

use super::requests::{Cancel, Requests};
use crate::context::CallContext;

/// A channel for tonic clients that resets the stream of a call whose client is gone.
///
/// A request stream of a tonic client can end, but it cannot fail. So when a client is lost in the middle
/// of a bidi call, its upstream sees the requests end first, like a half-close, and the reset only after
/// that. With this around the channel, the request's body fails instead: the upstream sees the reset alone.
///
/// ```no_run
/// # fn channel() -> tonic::transport::Channel { unimplemented!() }
/// use grpcws::PropagateCancel;
///
/// let channel = PropagateCancel::new(channel());
/// // let client = GameServiceClient::new(channel);
/// # drop(channel);
/// ```
#[derive(Debug, Clone)]
pub struct PropagateCancel<S> {
    inner: S,
}

impl<S> PropagateCancel<S> {
    /// Wraps a channel, or any other service that a tonic client takes.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: Service<Request<tonic::body::Body>>> Service<Request<tonic::body::Body>> for PropagateCancel<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> S::Future {
        let request = match request.extensions_mut().remove::<Cancel>() {
            Some(cancel) => {
                cancel.watch();
                let cancelled = Box::pin(cancel.token.cancelled_owned());
                request.map(|body| tonic::body::Body::new(CancelBody { body, cancelled }))
            }
            None => request,
        };
        self.inner.call(request)
    }
}

impl CallContext {
    /// A streaming request for a tonic client, with the metadata and the deadline of this call. Make the
    /// client with [`PropagateCancel`] around its channel.
    #[must_use]
    pub fn streaming_request<T>(&self, requests: Requests<T>) -> tonic::Request<super::ClientRequests<T>> {
        let cancel = requests.cancel();
        let mut request = self.request(requests.into_client_requests());
        request.extensions_mut().insert(cancel);
        request
    }
}

/// A request body that fails with the reset code CANCEL when the call is dropped.
struct CancelBody {
    body: tonic::body::Body,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Body for CancelBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Messages that are there already go first: they were sent before the cancel.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        std::task::ready!(self.cancelled.as_mut().poll(cx));
        Poll::Ready(Some(Err(h2::Error::from(h2::Reason::CANCEL).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
