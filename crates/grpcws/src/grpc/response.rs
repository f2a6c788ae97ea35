//! The response of a call: what its head says, and the messages and the status in its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::close::Cause;
use grpcws_proto::framing::{Deframer, Frame, FrameError};
use grpcws_proto::{Code, Status};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::response::Parts;
use http::{Response, StatusCode};
use http_body::Body;

use super::compression::{DecompressError, Encoding};
use super::error;
use crate::call::Answer;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response whose head is that of gRPC.
pub(super) struct Responding<B> {
    body: Pin<Box<B>>,
    deframer: Deframer,
    encoding: Option<Encoding>,
    limit: usize,
    /// Whether the method has exactly one response message.
    single: bool,
    messages: u64,
    /// The head where it has a `grpc-status` although a body follows. The status counts only if no message comes, and
    /// no trailers with another one: not every server and proxy ends the response with the head.
    early_status: Option<HeaderMap>,
}

/// How a response begins.
pub(super) enum Head<B> {
    /// With headers; the body is to come.
    Headers(HeaderMap, Box<Responding<B>>),
    /// It is over already: a status and nothing else, or no gRPC.
    End(Status),
}

impl<B: Body<Data = Bytes>> Head<B>
where
    B::Error: Into<BoxError>,
{
    /// Reads the head of a response whose messages may have `limit` bytes.
    pub(super) fn read(response: Response<B>, limit: usize, single: bool) -> Self {
        let (parts, body) = response.into_parts();
        let encoding = match check(&parts) {
            Ok(encoding) => encoding,
            Err(status) => return Self::End(status),
        };
        let has_status = parts.headers.contains_key("grpc-status");
        if has_status && (body.is_end_stream() || parts.status != StatusCode::OK) {
            return Self::End(complete(parts.headers, single, 0));
        }
        let responding = Box::new(Responding {
            body: Box::pin(body),
            deframer: Deframer::new(limit),
            encoding,
            limit,
            single,
            messages: 0,
            early_status: has_status.then(|| parts.headers.clone()),
        });
        Self::Headers(parts.headers, responding)
    }
}

/// Whether a response is one of gRPC, and how its messages are compressed.
fn check(parts: &Parts) -> Result<Option<Encoding>, Status> {
    if parts.status != StatusCode::OK && !parts.headers.contains_key("grpc-status") {
        let text = format!("the upstream answered with HTTP status {}", parts.status.as_u16());
        // Its headers are those of whatever answered, a proxy say, with cookies and internal addresses: they are not
        // metadata of the call.
        tracing::debug!(status = parts.status.as_u16(), headers = ?parts.headers.keys(), "the upstream does not speak gRPC");
        return Err(Status::new(Code::from_http_status(parts.status), text));
    }
    check_content_type(&parts.headers)?;
    let Some(encoding) = parts.headers.get("grpc-encoding").map(|value| value.to_str().unwrap_or_default())
    else {
        return Ok(None);
    };
    match Encoding::from_name(encoding) {
        None if encoding != "identity" => {
            let text = format!("the upstream compresses with {encoding:?}, which it was not offered");
            Err(Status::new(Code::Internal, text))
        }
        encoding => Ok(encoding),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Status> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().strip_prefix("application/grpc") {
        Some("" | "+proto") => Ok(()),
        Some(other) if other.starts_with('+') => {
            let text = format!("the upstream answers in {media_type:?}, not in protobuf");
            Err(Status::new(Code::Internal, text))
        }
        _ => {
            let text = format!("the upstream does not speak gRPC: its content type is {media_type:?}");
            Err(Status::new(Code::Unknown, text))
        }
    }
}

impl<B: Body<Data = Bytes>> Responding<B>
where
    B::Error: Into<BoxError>,
{
    /// The next message, or the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match self.deframer.next_message() {
                Ok(Some(frame)) => return Poll::Ready(self.message(frame)),
                Ok(None) => {}
                Err(FrameError::TooLarge) => return Poll::Ready(self.too_large()),
                Err(error @ FrameError::Flag(_)) => return Poll::Ready(broken(&error.to_string())),
            }
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Answer::End(error::status(error.into()))),
                None => return Poll::Ready(Answer::End(self.unfinished())),
            };
            match frame.into_data() {
                Ok(chunk) => self.deframer.push(chunk),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return Poll::Ready(Answer::End(self.end(trailers)));
                }
            }
        }
    }

    fn message(&mut self, frame: Frame) -> Answer {
        self.messages += 1;
        if self.single && self.messages > 1 {
            let text = "the upstream sent a second response message for a method that has one";
            return Answer::Abort(Cause::Refused(Status::new(Code::Unimplemented, text)));
        }
        match (frame.compressed, self.encoding) {
            (false, _) => Answer::Message(frame.message),
            (true, None) => broken("a compressed message without a grpc-encoding"),
            (true, Some(encoding)) => match encoding.decompress(&frame.message, self.limit) {
                Ok(message) => Answer::Message(message),
                Err(DecompressError::TooLarge) => self.too_large(),
                Err(DecompressError::Malformed(error)) => broken(&format!("{}: {error}", encoding.name())),
            },
        }
    }

    fn too_large(&self) -> Answer {
        Answer::Abort(Cause::ResponseTooLarge(u64::try_from(self.limit).unwrap_or(u64::MAX)))
    }

    fn end(&mut self, trailers: HeaderMap) -> Status {
        if !self.deframer.is_empty() {
            return truncated();
        }
        match self.early_status.take() {
            Some(head) if self.messages == 0 && !trailers.contains_key("grpc-status") => {
                // The rest of the head is the metadata that the client has had.
                let status = Status::from_trailers(head).unwrap_or_default();
                complete(status.with_metadata(trailers).to_trailers(), self.single, 0)
            }
            _ => complete(trailers, self.single, self.messages),
        }
    }

    /// The body has ended without trailers.
    fn unfinished(&mut self) -> Status {
        match self.early_status.take() {
            _ if !self.deframer.is_empty() => truncated(),
            Some(head) if self.messages == 0 => complete(head, self.single, 0),
            _ => without_status(HeaderMap::new()),
        }
    }
}

/// The status in the trailers of a response that is whole.
fn complete(trailers: HeaderMap, single: bool, messages: u64) -> Status {
    if !trailers.contains_key("grpc-status") {
        return without_status(trailers);
    }
    let status = Status::from_trailers(trailers).unwrap_or_default();
    if status.is_ok() && single && messages == 0 {
        let text = "the upstream sent no response message for a method that has one";
        return Status::new(Code::Unimplemented, text).with_metadata(status.metadata().clone());
    }
    status
}

fn without_status(trailers: HeaderMap) -> Status {
    Status::new(Code::Internal, "the upstream ended the response without a grpc-status")
        .with_metadata(trailers)
}

fn truncated() -> Status {
    Status::new(Code::Internal, "the upstream ended the response in the middle of a message")
}

/// The upstream breaks gRPC's framing: nothing that it sends from here on can be relied on.
fn broken(how: &str) -> Answer {
    let text = format!("the upstream sent a malformed response: {how}");
    Answer::Abort(Cause::Refused(Status::new(Code::Internal, text)))
}
