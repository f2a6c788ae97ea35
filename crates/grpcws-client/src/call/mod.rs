//! A call by its messages: requests go in, headers, messages and the end come out.

mod json;
pub(crate) mod queue;
mod requests;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;

pub use json::{JsonCall, JsonEvent, JsonRequests, JsonResponses};
use requests::Sender;
pub(crate) use requests::channel;

use crate::Status;
use queue::{Canceller, Item, Responses};

/// What comes of a call: at most one `Headers`, any number of `Message`, one `End`, and nothing after it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallEvent {
    /// The response headers. They come before the first message; a call that ends without one may have none.
    Headers(HeaderMap),
    /// A response message: the bytes of a protobuf message.
    Message(Bytes),
    /// How the call ended. The status' metadata are the trailers.
    End(Status),
}

/// The call is over, or was half-closed or cancelled: the message was not sent. The call's last event says how it
/// ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call takes no more messages: read its events for how it ended")]
pub struct CallEnded;

/// A running call with protobuf messages, in `grpcws.v1.proto`.
///
/// Dropping it cancels the call.
#[derive(Debug)]
pub struct Call {
    requests: CallRequests,
    responses: CallResponses,
}

/// The sending half of a [`Call`].
///
/// Dropping it without [`half_close`](Self::half_close) cancels the call: a program that fails in the middle of its
/// messages must not look like one that has sent them all.
#[derive(Debug)]
pub struct CallRequests {
    sender: Option<Sender>,
    canceller: Canceller,
}

/// The receiving half of a [`Call`]. Dropping it before the end cancels the call.
#[derive(Debug)]
pub struct CallResponses(Responses);

impl Call {
    pub(crate) fn new(sender: Sender, responses: Responses) -> Self {
        let canceller = responses.canceller();
        let requests = CallRequests { sender: Some(sender), canceller };
        Self { requests, responses: CallResponses(responses) }
    }

    /// Sends a request message. It waits while flow control holds the call back.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] where the call takes no more messages.
    ///
    /// # Cancel safety
    ///
    /// A message whose future is dropped before it is ready is not sent.
    pub async fn send(&mut self, message: impl Into<Bytes>) -> Result<(), CallEnded> {
        self.requests.send(message).await
    }

    /// Says that the last request message was sent. Responses go on.
    pub fn half_close(&mut self) {
        self.requests.half_close();
    }

    /// Cancels the call. Its last event says how it ended: with code 1, unless its own end came first.
    pub fn cancel(&mut self) {
        self.requests.cancel();
    }

    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<CallEvent> {
        self.responses.next().await
    }

    /// Takes both halves apart, to use them in two tasks.
    #[must_use]
    pub fn split(self) -> (CallRequests, CallResponses) {
        (self.requests, self.responses)
    }
}

impl CallRequests {
    /// Sends a request message. It waits while flow control holds the call back.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] where the call takes no more messages.
    ///
    /// # Cancel safety
    ///
    /// A message whose future is dropped before it is ready is not sent.
    pub async fn send(&mut self, message: impl Into<Bytes>) -> Result<(), CallEnded> {
        let sender = self.sender.as_ref().ok_or(CallEnded)?;
        sender.send(message.into()).await.map_err(|_| CallEnded)
    }

    /// Says that the last request message was sent. Responses go on.
    pub fn half_close(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.half_close();
        }
    }

    /// Cancels the call.
    pub fn cancel(&mut self) {
        // The wish comes first: the task takes a sender that is gone for the reason to look for it.
        self.canceller.cancel();
        self.sender = None;
    }
}

impl Drop for CallRequests {
    fn drop(&mut self) {
        if self.sender.is_some() && !self.canceller.has_ended() {
            self.canceller.cancel();
        }
    }
}

impl CallResponses {
    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<CallEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<CallEvent>> {
        self.0.poll_next(cx).map(|item| {
            Some(match item? {
                Item::Headers(metadata) => CallEvent::Headers(metadata),
                Item::Message { payload, .. } => CallEvent::Message(payload),
                Item::End(status) => CallEvent::End(status),
            })
        })
    }
}

impl Stream for CallResponses {
    type Item = CallEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<CallEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl Stream for Call {
    type Item = CallEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<CallEvent>> {
        self.get_mut().responses.poll_event(cx)
    }
}
