//! One gRPC call, as the task of its socket drives it.

use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::Status;
use http::HeaderMap;

/// One gRPC call. Dropping it cancels it.
///
/// A payload is the bytes of one protobuf message, in both directions.
pub(crate) trait Call: Send {
    /// Whether the call takes another request message.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Room>;

    /// Sends a request message, after [`Call::poll_ready`] said [`Room::Open`].
    fn send(&mut self, message: Bytes) -> Result<(), Status>;

    /// Ends the stream of request messages.
    fn half_close(&mut self);

    /// What the upstream answers next. Not polled again after [`Answer::End`].
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
}

/// Whether a call takes another request message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It does.
    Open,
    /// The upstream reads no further; what is still sent is thrown away, as in gRPC.
    Closed,
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
}

impl<C: Call + ?Sized> Call for Box<C> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Room> {
        (**self).poll_ready(cx)
    }

    fn send(&mut self, message: Bytes) -> Result<(), Status> {
        (**self).send(message)
    }

    fn half_close(&mut self) {
        (**self).half_close();
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        (**self).poll_answer(cx)
    }
}
