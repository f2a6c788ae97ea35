//! A call that a closure of the program makes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Status;
use http::HeaderMap;

use super::ProtoMessage;
use super::answers::{Answered, Answers, IntoAnswered};
use super::requests::RequestSender;
use crate::call::{Answer, Call};
use crate::context::CallContext;

/// The future of a closure that starts a call.
type Starting = Pin<Box<dyn Future<Output = Result<Answered, Status>> + Send>>;

/// A closure that starts calls, with its types out of sight.
pub(super) type Create<A> = Arc<dyn Fn(A, CallContext) -> Starting + Send + Sync>;

/// Makes one of a closure. The closure itself runs when the call is first polled, in the task of its socket.
pub(super) fn create<A, F, Fut, R, E, M>(closure: F) -> Create<A>
where
    A: Send + 'static,
    F: Fn(A, CallContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: IntoAnswered<M>,
    E: Into<Status>,
{
    let closure = Arc::new(closure);
    Arc::new(move |argument, context| {
        let closure = Arc::clone(&closure);
        Box::pin(async move {
            let answered = closure(argument, context).await;
            answered.map(IntoAnswered::into_answered).map_err(|error| error.into().into_error())
        })
    })
}

/// A call that a closure of the program makes.
pub(super) struct TypedCall<T> {
    state: State,
    /// `None` where the one request went to the closure itself.
    requests: Option<RequestSender<T>>,
}

enum State {
    Starting(Starting),
    Answering { headers: Option<HeaderMap>, answers: Box<dyn Answers> },
}

impl<T> TypedCall<T> {
    pub(super) fn new(starting: Starting, requests: Option<RequestSender<T>>) -> Self {
        Self { state: State::Starting(starting), requests }
    }
}

impl<T: ProtoMessage> Call for TypedCall<T> {
    fn send(&mut self, message: Bytes, cost: u64) -> Result<(), Status> {
        let message = T::decode_message(message)
            .map_err(|_| Status::invalid_argument(format!("data is not a {}", T::full_name())))?;
        if let Some(requests) = &self.requests {
            requests.send(message, cost);
        }
        Ok(())
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        self.requests.as_ref().map_or(Poll::Pending, |requests| requests.poll_taken(cx))
    }

    fn half_close(&mut self) {
        if let Some(requests) = &self.requests {
            requests.half_close();
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match &mut self.state {
                State::Starting(starting) => match ready!(starting.as_mut().poll(cx)) {
                    Ok(Answered { headers, answers }) => {
                        self.state = State::Answering { headers, answers };
                    }
                    Err(status) => return Poll::Ready(Answer::End(status)),
                },
                State::Answering { headers, answers } => {
                    return match headers.take() {
                        Some(headers) => Poll::Ready(Answer::Headers(headers)),
                        None => answers.poll_next(cx),
                    };
                }
            }
        }
    }
}
