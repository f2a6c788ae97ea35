//! The tower service: a gRPC exchange of HTTP/2 outside, a WebSocket inside.

mod body;
mod deframe;
mod future;

use std::convert::Infallible;
use std::error::Error;
use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::Mode;
use grpcws_proto::metadata::parse_timeout;
use http::Request;
use http_body::Body;
use tokio::time::Instant;
use tower_service::Service;

pub use body::ResponseBody;
pub use future::ResponseFuture;

use crate::Client;
use deframe::BodyRequests;

/// A gRPC request as generated clients make it goes out over a WebSocket, in `grpcws.v1.proto`. Whatever goes wrong
/// is a response with a `grpc-status`, as it would be from a gRPC server.
///
/// Dropping the future, or the body of its response, cancels the call. A request body that ends in an error
/// cancels it too.
impl<B> Service<Request<B>> for Client
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = http::Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (head, body) = request.into_parts();
        let mut metadata = head.headers;
        let timeout = metadata.remove("grpc-timeout");
        let timeout = timeout.and_then(|value| value.to_str().ok().and_then(parse_timeout));
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let requests = BodyRequests::new(body);
        let responses = self.start(Mode::V1Proto, head.uri.path(), metadata, deadline, None, requests);
        ResponseFuture::new(responses)
    }
}
