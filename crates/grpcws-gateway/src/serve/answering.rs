//! The upstream as a service that never fails: an error is a gRPC status.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws::Status;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::Frame;
use tonic::body::Body;
use tower_service::Service;

/// The upstream for clients that speak gRPC themselves: one that cannot be reached answers with a status, and one
/// that is lost ends its response with one, where HTTP would say no more than that a stream was reset.
#[derive(Debug, Clone)]
pub(super) struct Answering<S>(pub(super) S);

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
        let response = self.0.call(request);
        Box::pin(async move {
            Ok(match response.await {
                Ok(response) => response.map(|body| Body::new(StatusBody(Some(Box::pin(body))))),
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
struct StatusBody<B>(Option<Pin<Box<B>>>);

impl<B: http_body::Body<Data = Bytes, Error = Status>> http_body::Body for StatusBody<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        Poll::Ready(match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(status)) => {
                self.0 = None;
                Some(Ok(Frame::trailers(status.to_trailers())))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }
}
