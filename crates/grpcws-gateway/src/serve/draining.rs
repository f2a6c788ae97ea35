//! Calls that end with a shutdown.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws::proto::close::Cause;
use grpcws::{Shutdown, ShutdownGuard, Status};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

/// The upstream for clients that speak gRPC themselves: their calls take part in the graceful end, as those of
/// WebSockets do.
#[derive(Debug, Clone)]
pub(super) struct Draining<S> {
    upstream: S,
    shutdown: Shutdown,
}

impl<S> Draining<S> {
    pub(super) fn new(upstream: S, shutdown: Shutdown) -> Self {
        Self { upstream, shutdown }
    }
}

impl<S, B, R> Service<Request<B>> for Draining<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Status, Future: Send + 'static>,
    R: 'static,
{
    type Response = Response<DrainingBody<R>>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.upstream.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = self.upstream.call(request);
        let mut guard = self.shutdown.guard();
        Box::pin(async move {
            let response = tokio::select! {
                response = response => response?,
                () = guard.ended() => return Err(Cause::Drain.status()),
            };
            Ok(response.map(|body| DrainingBody { body, guard }))
        })
    }
}

/// The body of a response that fails when it outlives the grace of a shutdown.
pub(super) struct DrainingBody<R> {
    body: R,
    guard: ShutdownGuard,
}

impl<R: Body<Data = Bytes, Error = Status> + Unpin> Body for DrainingBody<R> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.guard.poll_ended(cx));
        Poll::Ready(Some(Err(Cause::Drain.status())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
