//! One gRPC call, as the task of its socket drives it.

use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::Status;
use grpcws_proto::close::Cause;
use http::HeaderMap;

/// One gRPC call. Dropping it cancels it.
///
/// A payload is the bytes of one protobuf message, in both directions.
pub(crate) trait Call: Send {
    /// Sends a request message. The call keeps it until the upstream takes it; the session's receive window
    /// bounds what it has to keep.
    fn send(&mut self, message: Bytes, cost: u64) -> Result<(), Status>;

    /// The cost of what the upstream has taken since the last call of this. A message that it will never
    /// read, having closed its side, counts as taken.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<u64>;

    /// Ends the stream of request messages, behind those that were sent.
    fn half_close(&mut self);

    /// What the upstream answers next. Not polled again after [`Answer::End`].
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
}

/// What the upstream answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The response headers.
    Headers(HeaderMap),
    /// A response message.
    Message(Bytes),
    /// The end, with trailers in the status.
    End(Status),
    /// The end that the gateway puts to the call: the upstream breaks gRPC, or a limit.
    Abort(Cause),
}

impl<C: Call + ?Sized> Call for Box<C> {
    fn send(&mut self, message: Bytes, cost: u64) -> Result<(), Status> {
        (**self).send(message, cost)
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        (**self).poll_taken(cx)
    }

    fn half_close(&mut self) {
        (**self).half_close();
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        (**self).poll_answer(cx)
    }
}
