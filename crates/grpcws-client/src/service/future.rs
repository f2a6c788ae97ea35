//! The response head, when it comes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, Version};

use super::ResponseBody;
use crate::call::queue::{Item, Responses};

/// A response to come. Dropping it cancels the call.
#[derive(Debug)]
#[must_use = "dropping the future cancels the call"]
pub struct ResponseFuture(Option<Responses>);

impl ResponseFuture {
    pub(super) const fn new(responses: Responses) -> Self {
        Self(Some(responses))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let responses = self.0.as_mut().expect("a future is not polled after it was ready");
        let item = ready!(responses.poll_next(cx));
        let responses = self.0.take();
        let (headers, body) = match item {
            Some(Item::Headers(metadata)) => (metadata, ResponseBody::new(responses, None)),
            first @ Some(Item::Message { .. }) => (HeaderMap::new(), ResponseBody::new(responses, first)),
            // Trailers-only: the status is in the headers, and there is no body.
            Some(Item::End(status)) => (status.to_trailers(), ResponseBody::new(None, None)),
            None => (HeaderMap::new(), ResponseBody::new(None, None)),
        };
        let mut response = Response::new(body);
        *response.version_mut() = Version::HTTP_2;
        *response.headers_mut() = headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        Poll::Ready(Ok(response))
    }
}
