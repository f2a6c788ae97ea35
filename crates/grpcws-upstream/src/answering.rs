//! An upstream whose errors are responses.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Status;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::response::UpstreamBody;

/// An [`Upstream`](crate::Upstream), a [`Router`](crate::Router), or a layer over one, that answers every call, for clients that know
/// the status of a call by its response only, such as those that tonic generates.
///
/// Where the upstream has an error before the response, this has a response without messages and that status
/// (`Trailers-Only`); where it has one within the response, this has trailers with it. A message that was cut off
/// before the trailers is for the client to notice.
#[derive(Debug, Clone)]
pub struct Answering<S>(S);

impl<S> Answering<S> {
    /// Answers for this service.
    #[must_use]
    pub fn new(service: S) -> Self {
        Self(service)
    }
}

/// The response to come. To drop it is to cancel the call.
pub struct AnsweringFuture<F>(F);

impl<S, B, R> Service<Request<B>> for Answering<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Status, Future: Unpin>,
{
    type Response = Response<AnsweringBody<R>>;
    type Error = Infallible;
    type Future = AnsweringFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // An error here is that of the call, too.
        self.0.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        AnsweringFuture(self.0.call(request))
    }
}

impl<F, R> Future for AnsweringFuture<F>
where
    F: Future<Output = Result<Response<R>, Status>> + Unpin,
{
    type Output = Result<Response<AnsweringBody<R>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(response) => response.map(|body| AnsweringBody(Some(body))),
            Err(status) => trailers_only(&status),
        }))
    }
}

fn trailers_only<R>(status: &Status) -> Response<AnsweringBody<R>> {
    let mut response = Response::new(AnsweringBody(None));
    *response.headers_mut() = status.to_trailers();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The body of a response of [`Answering`]. To drop it before its end is to cancel the call.
#[derive(Debug)]
pub struct AnsweringBody<R = UpstreamBody>(Option<R>);

impl<R: Body<Data = Bytes, Error = Status> + Unpin> Body for AnsweringBody<R> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        Poll::Ready(match ready!(Pin::new(body).poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(status)) => {
                self.0 = None;
                Some(Ok(Frame::trailers(status.to_trailers())))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<F> fmt::Debug for AnsweringFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringFuture").finish_non_exhaustive()
    }
}
