//! A call that a closure of the program makes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Status;
use http::HeaderMap;

use super::ProtoMessage;
use super::answers::{Answered, Answers};
use super::requests::RequestSender;
use crate::call::{Answer, Call, Room};

/// The future of a closure that starts a call.
pub(super) type Starting = Pin<Box<dyn Future<Output = Result<Answered, Status>> + Send>>;

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
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Room> {
        let Some(requests) = &mut self.requests else { return Poll::Ready(Room::Closed) };
        requests.poll_ready(cx).map(|open| if open { Room::Open } else { Room::Closed })
    }

    fn send(&mut self, message: Bytes) -> Result<(), Status> {
        let message = T::decode_message(message)
            .map_err(|_| Status::invalid_argument(format!("data is not a {}", T::full_name())))?;
        if let Some(requests) = &mut self.requests {
            requests.send(message);
        }
        Ok(())
    }

    fn half_close(&mut self) {
        if let Some(requests) = &mut self.requests {
            requests.half_close();
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match &mut self.state {
                State::Starting(starting) => match ready!(starting.as_mut().poll(cx)) {
                    Ok(Answered { headers, answers }) => {
                        self.state = State::Answering { headers: Some(headers), answers };
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
