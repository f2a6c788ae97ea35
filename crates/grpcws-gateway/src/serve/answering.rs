//! The upstream as a service that never fails: an error is a gRPC status.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws::proto::close::Cause;
use grpcws::{Shutdown, ShutdownGuard, Status};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::Frame;
use tonic::body::Body;
use tower_service::Service;

/// The upstream for clients that speak gRPC themselves: one that cannot be reached answers with a status, and one
/// that is lost ends its response with one, where HTTP would say no more than that a stream was reset. So does a
/// response that outlives the grace of a shutdown.
#[derive(Debug, Clone)]
pub(super) struct Answering<S> {
    upstream: S,
    shutdown: Shutdown,
}

impl<S> Answering<S> {
    pub(super) fn new(upstream: S, shutdown: Shutdown) -> Self {
        Self { upstream, shutdown }
    }
}

impl<S, B> Service<Request<Body>> for Answering<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Status>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.upstream.call(request);
        let mut guard = self.shutdown.guard();
        Box::pin(async move {
            let response = tokio::select! {
                response = response => response,
                () = guard.ended() => Err(Cause::Drain.status()),
            };
            Ok(match response {
                Ok(response) => {
                    response.map(|body| Body::new(StatusBody { body: Some(Box::pin(body)), guard }))
                }
                Err(status) => trailers_only(&status),
            })
        })
    }
}

fn trailers_only(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = status.to_trailers();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A body whose error is its trailers.
struct StatusBody<B> {
    /// `None` after its end.
    body: Option<Pin<Box<B>>>,
    guard: ShutdownGuard,
}

impl<B: http_body::Body<Data = Bytes, Error = Status>> http_body::Body for StatusBody<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { body: slot, guard } = &mut *self;
        let Some(body) = slot else { return Poll::Ready(None) };
        let status = match body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(status))) => status,
            Poll::Pending => {
                ready!(guard.poll_ended(cx));
                Cause::Drain.status()
            }
        };
        *slot = None;
        Poll::Ready(Some(Ok(Frame::trailers(status.to_trailers()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }
}
