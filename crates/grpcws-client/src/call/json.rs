//! A call with JSON messages.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use grpcws_proto::message::data;
use http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;

use super::queue::Responses;
use super::requests::Sender;
use super::{Call, CallEvent, CallRequests, CallResponses};
use crate::{Code, Status};

/// What comes of a call: at most one `Headers`, any number of `Message`, one `End`, and nothing after it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum JsonEvent {
    /// The response headers. They come before the first message; a call that ends without one may have none.
    Headers(HeaderMap),
    /// A response message, in protojson.
    Message(String),
    /// How the call ended. The status' metadata are the trailers.
    End(Status),
}

/// A running call with JSON messages, in `grpcws.v1.json`.
///
/// Dropping it cancels the call.
#[derive(Debug)]
pub struct JsonCall(Call);

/// The sending half of a [`JsonCall`]. Dropping it without [`half_close`](Self::half_close) cancels the call.
#[derive(Debug)]
pub struct JsonRequests(CallRequests);

/// The receiving half of a [`JsonCall`]. Dropping it before the end cancels the call.
#[derive(Debug)]
pub struct JsonResponses(CallResponses);

impl JsonCall {
    pub(crate) fn new(sender: Sender, responses: Responses) -> Self {
        Self(Call::new(sender, responses))
    }

    /// Sends a request message, given as the text of a JSON value. It waits while flow control holds the call back.
    ///
    /// # Errors
    ///
    /// A status with code 3 and the place for what is not JSON, and code 9 where the call takes no more messages;
    /// the call's last event says how it ended.
    ///
    /// # Cancel safety
    ///
    /// A message whose future is dropped before it is ready is not sent.
    pub async fn send(&mut self, json: &str) -> Result<(), Status> {
        send(&mut self.0.requests, json).await
    }

    /// Sends a request message, given as a value that serde makes JSON of.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Status> {
        send_value(&mut self.0.requests, value).await
    }

    /// Says that the last request message was sent. Responses go on.
    pub fn half_close(&mut self) {
        self.0.half_close();
    }

    /// Cancels the call. Its last event says how it ended: with code 1, unless its own end came first.
    pub fn cancel(&mut self) {
        self.0.cancel();
    }

    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<JsonEvent> {
        self.0.next().await.map(JsonEvent::from)
    }

    /// The next message; `None` after a call that ended with OK. Headers and trailers are passed over.
    ///
    /// # Errors
    ///
    /// The status of a call that ended otherwise.
    pub async fn message(&mut self) -> Result<Option<String>, Status> {
        loop {
            match self.next().await {
                Some(JsonEvent::Message(message)) => return Ok(Some(message)),
                Some(JsonEvent::Headers(_)) => {}
                Some(JsonEvent::End(status)) if !status.is_ok() => return Err(status),
                Some(JsonEvent::End(_)) | None => return Ok(None),
            }
        }
    }

    /// Takes both halves apart, to use them in two tasks.
    #[must_use]
    pub fn split(self) -> (JsonRequests, JsonResponses) {
        let (requests, responses) = self.0.split();
        (JsonRequests(requests), JsonResponses(responses))
    }
}

impl JsonRequests {
    /// Sends a request message; see [`JsonCall::send`].
    ///
    /// # Errors
    ///
    /// As [`JsonCall::send`].
    pub async fn send(&mut self, json: &str) -> Result<(), Status> {
        send(&mut self.0, json).await
    }

    /// Sends a request message, given as a value that serde makes JSON of.
    ///
    /// # Errors
    ///
    /// As [`JsonCall::send`].
    pub async fn send_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Status> {
        send_value(&mut self.0, value).await
    }

    /// Says that the last request message was sent. Responses go on.
    pub fn half_close(&mut self) {
        self.0.half_close();
    }

    /// Cancels the call.
    pub fn cancel(&mut self) {
        self.0.cancel();
    }
}

impl JsonResponses {
    /// The next event; `None` after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<JsonEvent> {
        self.0.next().await.map(JsonEvent::from)
    }
}

impl Stream for JsonResponses {
    type Item = JsonEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<JsonEvent>> {
        self.get_mut().0.poll_event(cx).map(|event| event.map(JsonEvent::from))
    }
}

impl Stream for JsonCall {
    type Item = JsonEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<JsonEvent>> {
        self.get_mut().0.responses.poll_event(cx).map(|event| event.map(JsonEvent::from))
    }
}

impl From<CallEvent> for JsonEvent {
    fn from(event: CallEvent) -> Self {
        match event {
            CallEvent::Headers(metadata) => Self::Headers(metadata),
            // It is a part of a text frame, so nothing of it is replaced.
            CallEvent::Message(json) => Self::Message(String::from_utf8_lossy(&json).into_owned()),
            CallEvent::End(status) => Self::End(status),
        }
    }
}

async fn send(requests: &mut CallRequests, json: &str) -> Result<(), Status> {
    // Text that is not one JSON value would make another message of the envelope around it.
    let value: &RawValue = serde_json::from_str(json)
        .map_err(|error| Status::invalid_argument(format!("the message is not JSON: {error}")))?;
    send_payload(requests, value.get().as_bytes()).await
}

async fn send_value<T: Serialize + ?Sized>(requests: &mut CallRequests, value: &T) -> Result<(), Status> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Status::invalid_argument(format!("the message is no JSON value: {error}")))?;
    send_payload(requests, &json).await
}

async fn send_payload(requests: &mut CallRequests, json: &[u8]) -> Result<(), Status> {
    let frame: Bytes = [data::PREFIX, json, data::SUFFIX].concat().into();
    let sent = requests.send(frame).await;
    sent.map_err(|ended| Status::new(Code::FailedPrecondition, ended.to_string()))
}
