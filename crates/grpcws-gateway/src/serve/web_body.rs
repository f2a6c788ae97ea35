//! The response of a gRPC-Web call, which has to have an end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws::{Code, Status};
use http::Response;
use http::header::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// The flags and the length in front of a message.
const PREFIX: usize = 5;

/// The body of a response for a client of gRPC-Web.
///
/// Over HTTP/2 the end of a response without trailers is an error to the client. In gRPC-Web the trailers are a part of
/// the body, and its official client takes a body without them for a success. So trailers are made where none came, and
/// a response that stops within a message is broken off: what comes behind it would count as the rest of the message.
pub(super) struct WebBody<B> {
    body: B,
    messages: Messages,
    /// Whether the status is in the head, or in trailers that came.
    has_status: bool,
}

impl<B> WebBody<B> {
    pub(super) fn of(response: Response<B>) -> Response<Self> {
        let has_status = response.headers().contains_key("grpc-status");
        response.map(|body| Self { body, messages: Messages::default(), has_status })
    }

    /// The trailers, which have a status in any case.
    fn end(&mut self, trailers: HeaderMap) -> Result<Frame<Bytes>, tonic::Status> {
        let had_status = std::mem::replace(&mut self.has_status, true);
        if self.messages.is_within() {
            return Err(tonic::Status::internal(
                "the upstream ended the response in the middle of a message",
            ));
        }
        if had_status || trailers.contains_key("grpc-status") {
            return Ok(Frame::trailers(trailers));
        }
        let status = Status::new(Code::Internal, "the upstream ended the response without a grpc-status");
        Ok(Frame::trailers(status.with_metadata(trailers).to_trailers()))
    }
}

impl<B: Body<Data = Bytes, Error = tonic::Status> + Unpin> Body for WebBody<B> {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(status)) => return Poll::Ready(Some(Err(status))),
            None if self.has_status && !self.messages.is_within() => return Poll::Ready(None),
            None => return Poll::Ready(Some(self.end(HeaderMap::new()))),
        };
        Poll::Ready(Some(match frame.into_data() {
            Ok(data) => {
                self.messages.pass(&data);
                Ok(Frame::data(data))
            }
            Err(frame) => self.end(frame.into_trailers().unwrap_or_default()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.has_status && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Where the messages of a body begin and end.
#[derive(Debug, Default)]
struct Messages {
    /// What is there of the prefix of the next message.
    prefix: [u8; PREFIX],
    filled: usize,
    /// How much of a message is still to come.
    rest: usize,
}

impl Messages {
    fn pass(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.rest > 0 {
                let length = self.rest.min(data.len());
                self.rest -= length;
                data = data.get(length..).unwrap_or_default();
                continue;
            }
            let free = self.prefix.get_mut(self.filled..).unwrap_or_default();
            let length = free.len().min(data.len());
            let (part, behind) = data.split_at(length);
            if let Some(free) = free.get_mut(..length) {
                free.copy_from_slice(part);
            }
            data = behind;
            self.filled += length;
            if self.filled == PREFIX {
                let [_, size @ ..] = self.prefix;
                (self.filled, self.rest) =
                    (0, usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX));
            }
        }
    }

    /// Whether a message has begun and not ended.
    fn is_within(&self) -> bool {
        self.filled > 0 || self.rest > 0
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    type Frames = Vec<Result<Frame<Bytes>, tonic::Status>>;

    /// The bytes and the status of a response; the error where it is broken off.
    async fn read(head: &[(&'static str, &'static str)], frames: Frames) -> Result<(usize, String), String> {
        let mut response = Response::new(StreamBody::new(tokio_stream::iter(frames)));
        for (name, value) in head {
            response.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        let collected = WebBody::of(response).into_body().collect().await;
        let collected = collected.map_err(|status| status.message().to_owned())?;
        let status = collected.trailers().map(|trailers| trailers["grpc-status"].to_str().expect("ASCII"));
        let status = status.unwrap_or_default().to_owned();
        Ok((collected.to_bytes().len(), status))
    }

    /// A response whose status is in its head.
    fn head_only(frames: Frames) -> Response<impl Body<Data = Bytes, Error = tonic::Status> + Unpin> {
        let mut response = Response::new(StreamBody::new(tokio_stream::iter(frames)));
        response.headers_mut().insert("grpc-status", HeaderValue::from_static("5"));
        response
    }

    fn data(bytes: &'static [u8]) -> Result<Frame<Bytes>, tonic::Status> {
        Ok(Frame::data(Bytes::from_static(bytes)))
    }

    fn trailers(name: &'static str, value: &'static str) -> Result<Frame<Bytes>, tonic::Status> {
        let fields = [(http::HeaderName::from_static(name), HeaderValue::from_static(value))];
        Ok(Frame::trailers(HeaderMap::from_iter(fields)))
    }

    #[tokio::test]
    async fn a_response_without_a_status_gets_one_that_is_no_success() {
        let message = || data(b"\0\0\0\0\x02ab");
        let internal = |bytes| Ok((bytes, "13".to_owned()));
        assert_eq!(read(&[], vec![]).await, internal(0));
        assert_eq!(read(&[], vec![message()]).await, internal(7));
        assert_eq!(read(&[], vec![message(), trailers("x-a", "1")]).await, internal(7));
    }

    #[tokio::test]
    async fn a_response_that_is_whole_stays_as_it_is() {
        let pieces =
            || vec![data(b"\0\0\0"), data(b"\0\x02a"), data(b"b\0\0\0\0\0"), trailers("grpc-status", "0")];
        assert_eq!(read(&[], pieces()).await, Ok((12, "0".to_owned())));
        assert_eq!(read(&[("grpc-status", "5")], vec![]).await, Ok((0, String::new())));
        let behind = vec![trailers("x-a", "1")];
        let collected = WebBody::of(head_only(behind)).into_body().collect().await.expect("it is whole");
        assert_eq!(collected.trailers().map(HeaderMap::len), Some(1));
    }

    #[tokio::test]
    async fn a_response_that_stops_within_a_message_is_broken_off() {
        let text = Err("the upstream ended the response in the middle of a message".to_owned());
        for cut in [&b"\0"[..], b"\0\0\0\0\x02", b"\0\0\0\0\x02a", b"\0\0\0\0\0\0"] {
            assert_eq!(read(&[], vec![data(cut)]).await, text);
            assert_eq!(read(&[], vec![data(cut), trailers("grpc-status", "0")]).await, text);
        }
    }
}
