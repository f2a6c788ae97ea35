//! The responses of `ServerStream`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use futures_core::Stream;
use prost_types::Timestamp;
use tonic::Status;

use crate::answer::Answer;
use crate::pace::{Ending, Pace};
use crate::pb::{ServerStreamRequest, ServerStreamResponse};
use crate::script::payload;
use crate::stats::CallGuard;

/// The stream of responses. It is ready whenever it has no pace to keep, so that the encoder above it fills
/// whole DATA frames.
pub struct ServerStreamResponses {
    call: CallGuard,
    /// What only the first response has.
    first: Option<ServerStreamResponse>,
    /// Copied for each response; the copies share the payload.
    template: ServerStreamResponse,
    limit: i64,
    stamp: bool,
    pace: Pace,
    ending: Ending,
}

impl ServerStreamResponses {
    pub(crate) fn new(call: CallGuard, request: ServerStreamRequest, answer: &mut Answer) -> Self {
        let template = ServerStreamResponse {
            sequence: request.first_sequence,
            payload: payload(request.size),
            ..Default::default()
        };
        let first = ServerStreamResponse {
            metadata: std::mem::take(&mut answer.echoed),
            values: request.values,
            ..template.clone()
        };
        Self {
            call,
            first: Some(first),
            template,
            limit: request.count.min(answer.fails_after().unwrap_or(i64::MAX)),
            stamp: request.stamp,
            pace: Pace::new(request.rate, request.flush_each),
            ending: Ending::new(request.hold_open_ms, answer.status(false)),
        }
    }

    fn next_response(&mut self) -> ServerStreamResponse {
        let mut response = self.first.take().unwrap_or_else(|| self.template.clone());
        response.sequence = self.template.sequence;
        self.template.sequence = self.template.sequence.wrapping_add(1);
        self.call.sent += 1;
        if self.stamp {
            response.sent_at = Some(Timestamp::from(SystemTime::now()));
        }
        response
    }
}

impl Stream for ServerStreamResponses {
    type Item = Result<ServerStreamResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.call.sent < this.limit {
            ready!(this.pace.poll_turn(cx));
            return Poll::Ready(Some(Ok(this.next_response())));
        }
        let status = ready!(this.ending.poll(cx));
        this.call.end(status.as_ref());
        Poll::Ready(status.map(Err))
    }
}
