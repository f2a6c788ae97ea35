//! What an upstream has to be.

use bytes::Bytes;
use http_body::Body;
use tonic::client::GrpcService;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A gRPC service that can be called: the pool of an upstream, a tonic channel, or tonic's `Routes` in the same process.
///
/// Implemented for every tower service that fits.
pub trait GrpcUpstream:
    GrpcService<tonic::body::Body, ResponseBody = Self::Responses, Future: Send, Error: Into<BoxError> + Send>
    + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type Responses: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static;
}

impl<S, B> GrpcUpstream for S
where
    S: GrpcService<tonic::body::Body, ResponseBody = B, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    type Responses = B;
}
