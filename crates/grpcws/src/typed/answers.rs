//! What the closures of typed handlers may return.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use grpcws_proto::Status;
use http::HeaderMap;

use super::ProtoMessage;
use super::marker;
use crate::call::Answer;

/// The answers of a call after its headers.
pub(super) trait Answers: Send {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
}

/// What a call answers: headers, then messages.
pub(super) struct Answered {
    /// `None` for a response of trailers only.
    pub(super) headers: Option<HeaderMap>,
    pub(super) answers: Box<dyn Answers>,
}

/// A stream of responses: any `Stream` of `Result<T, E>`, or a [`tonic::Response`] around one, whose
/// metadata becomes the response headers. `M` is inferred.
#[cfg_attr(not(feature = "tonic"), allow(rustdoc::broken_intra_doc_links))]
pub trait IntoResponses<M>: sealed::IntoAnswered<M> {
    /// The type of the responses.
    type Message: ProtoMessage;
}

/// A single response: a message, or a [`tonic::Response`] around one, whose metadata becomes the response
/// headers (tonic merges the trailers into it). `M` is inferred.
#[cfg_attr(not(feature = "tonic"), allow(rustdoc::broken_intra_doc_links))]
pub trait IntoResponse<M>: sealed::IntoAnswered<(M,)> {
    /// The type of the response.
    type Message: ProtoMessage;
}

mod sealed {
    pub trait IntoAnswered<M> {
        #[allow(private_interfaces, reason = "the trait is sealed; only this crate calls it")]
        fn into_answered(self) -> super::Answered;
    }
}
pub(super) use sealed::IntoAnswered;

impl<S, T, E> IntoResponses<marker::Plain> for S
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: ProtoMessage,
    E: Into<Status>,
{
    type Message = T;
}

impl<S, T, E> IntoAnswered<marker::Plain> for S
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: ProtoMessage,
    E: Into<Status>,
{
    #[allow(private_interfaces, reason = "the trait is sealed; only this crate calls it")]
    fn into_answered(self) -> Answered {
        let answers = Messages { stream: Box::pin(self), trailers: HeaderMap::new() };
        Answered { headers: Some(HeaderMap::new()), answers: Box::new(answers) }
    }
}

impl<T: ProtoMessage> IntoResponse<marker::Plain> for T {
    type Message = T;
}

impl<T: ProtoMessage> IntoAnswered<(marker::Plain,)> for T {
    #[allow(private_interfaces, reason = "the trait is sealed; only this crate calls it")]
    fn into_answered(self) -> Answered {
        Answered { headers: Some(HeaderMap::new()), answers: Box::new(OneMessage(Some(self))) }
    }
}

#[cfg(feature = "tonic")]
impl<S, T, E> IntoResponses<marker::Tonic> for tonic::Response<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: ProtoMessage,
    E: Into<Status>,
{
    type Message = T;
}

#[cfg(feature = "tonic")]
impl<S, T, E> IntoAnswered<marker::Tonic> for tonic::Response<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: ProtoMessage,
    E: Into<Status>,
{
    #[allow(private_interfaces, reason = "the trait is sealed; only this crate calls it")]
    fn into_answered(self) -> Answered {
        let (metadata, stream, _) = self.into_parts();
        let metadata = metadata.into_headers();
        // A response of trailers only has its status among what tonic calls the headers.
        let trailers_only = metadata.contains_key("grpc-status");
        let (headers, trailers) =
            if trailers_only { (None, metadata) } else { (Some(metadata), HeaderMap::new()) };
        Answered { headers, answers: Box::new(Messages { stream: Box::pin(stream), trailers }) }
    }
}

#[cfg(feature = "tonic")]
impl<T: ProtoMessage> IntoResponse<marker::Tonic> for tonic::Response<T> {
    type Message = T;
}

#[cfg(feature = "tonic")]
impl<T: ProtoMessage> IntoAnswered<(marker::Tonic,)> for tonic::Response<T> {
    #[allow(private_interfaces, reason = "the trait is sealed; only this crate calls it")]
    fn into_answered(self) -> Answered {
        let (metadata, message, _) = self.into_parts();
        Answered { headers: Some(metadata.into_headers()), answers: Box::new(OneMessage(Some(message))) }
    }
}

struct Messages<S> {
    stream: Pin<Box<S>>,
    /// The trailers that came before the stream's end, in a response of trailers only.
    trailers: HeaderMap,
}

impl<S, T, E> Answers for Messages<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: ProtoMessage,
    E: Into<Status>,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        Poll::Ready(match ready!(self.stream.as_mut().poll_next(cx)) {
            Some(Ok(message)) => Answer::Message(message.encode_message()),
            Some(Err(error)) => Answer::End(error.into().into_error()),
            None => {
                let trailers = trailers::<S, T>(&mut self.stream);
                let trailers = trailers.unwrap_or_else(|| std::mem::take(&mut self.trailers));
                Answer::End(Status::ok().with_metadata(trailers))
            }
        })
    }
}

/// The trailers of a stream that has ended: only tonic's own has some.
#[cfg(feature = "tonic")]
fn trailers<S: 'static, T: 'static>(stream: &mut Pin<Box<S>>) -> Option<HeaderMap> {
    use std::any::Any;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Waker;

    let streaming = (stream as &mut dyn Any).downcast_mut::<Pin<Box<tonic::Streaming<T>>>>()?;
    // The stream has ended, so its trailers are there without waiting.
    match pin!(streaming.trailers()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(trailers)) => trailers.map(tonic::metadata::MetadataMap::into_headers),
        _ => None,
    }
}

#[cfg(not(feature = "tonic"))]
#[allow(clippy::extra_unused_type_parameters, reason = "it has the shape of the other one")]
fn trailers<S, T>(_: &mut Pin<Box<S>>) -> Option<HeaderMap> {
    None
}

struct OneMessage<T>(Option<T>);

impl<T: ProtoMessage> Answers for OneMessage<T> {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Answer> {
        Poll::Ready(match self.0.take() {
            Some(message) => Answer::Message(message.encode_message()),
            None => Answer::End(Status::ok()),
        })
    }
}
