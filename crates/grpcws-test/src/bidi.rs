//! The responses of `Bidi`.
//!
//! ```text
//! Opening ──▶ Speaking ──▶ Reading ⇄ Replying
//!    the script is known     │   the requests are over, or are ignored,
//!                            ▼   or the call is to fail
//!                          Ending
//! ```

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::Sleep;
use tonic::{Status, Streaming};

use crate::answer::Answer;
use crate::pace::{Ending, Pace};
use crate::pb::{BidiRequest, BidiResponse, Script};
use crate::script::{Sequence, payload};
use crate::stats::CallGuard;

/// What a call does, from its script.
pub(crate) struct BidiPlan {
    script: Script,
    payload: Bytes,
    limit: i64,
    first: Option<BidiResponse>,
    pace: Pace,
    ending: Ending,
}

impl BidiPlan {
    pub(crate) fn new(script: Script, answer: &mut Answer) -> Self {
        Self {
            payload: payload(script.size),
            limit: answer.fails_after().unwrap_or(i64::MAX),
            first: Some(BidiResponse { metadata: std::mem::take(&mut answer.echoed), ..Default::default() }),
            pace: Pace::new(script.rate, script.flush_each),
            ending: Ending::new(script.hold_open_ms, answer.status(false)),
            script,
        }
    }
}

/// How a call without a script in its metadata makes its plan from that of its first request.
pub(crate) type MakePlan = Box<dyn FnMut(Script) -> Result<BidiPlan, Status> + Send>;

enum Phase {
    /// The script is not known before the first request.
    Opening(MakePlan),
    Running(Box<BidiPlan>),
    /// The call could not be carried out as asked.
    Refused,
}

/// The stream of responses.
pub struct BidiResponses {
    call: CallGuard,
    requests: Streaming<BidiRequest>,
    phase: Phase,
    delay: Option<Pin<Box<Sleep>>>,
    pause: Option<Pin<Box<Sleep>>>,
    /// The request that is being answered, and how many responses it still gets.
    current: Option<(BidiRequest, u32)>,
    sequence: Sequence,
    /// Whether the requests have ended, and whether that was seen twice.
    input: Input,
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    Open,
    /// The end was seen once. tonic shows a cancel as an end, so hyper gets the chance to drop the call.
    Ended,
    Over,
}

impl BidiResponses {
    /// A call whose script came in metadata.
    pub(crate) fn scripted(call: CallGuard, requests: Streaming<BidiRequest>, plan: BidiPlan) -> Self {
        let mut responses = Self::new(call, requests, Phase::Refused);
        responses.run(plan);
        responses
    }

    /// A call whose script is in its first request.
    pub(crate) fn opening(call: CallGuard, requests: Streaming<BidiRequest>, make_plan: MakePlan) -> Self {
        Self::new(call, requests, Phase::Opening(make_plan))
    }

    fn new(call: CallGuard, requests: Streaming<BidiRequest>, phase: Phase) -> Self {
        Self {
            call,
            requests,
            phase,
            delay: None,
            pause: None,
            current: None,
            sequence: Sequence::default(),
            input: Input::Open,
        }
    }

    fn run(&mut self, plan: BidiPlan) {
        let delay = Duration::from_millis(plan.script.initial_delay_ms.into());
        if !delay.is_zero() {
            self.delay = Some(Box::pin(tokio::time::sleep(delay)));
        }
        self.phase = Phase::Running(Box::new(plan));
    }

    /// The next request, or `None` at their end.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BidiRequest>, Status>> {
        if self.input == Input::Over {
            return Poll::Ready(Ok(None));
        }
        match ready!(Pin::new(&mut self.requests).poll_next(cx)) {
            Some(Ok(request)) => {
                self.call.received += 1;
                self.sequence.enter(request.sequence);
                self.call.gaps = self.sequence.gaps;
                Poll::Ready(Ok(Some(request)))
            }
            Some(Err(status)) => Poll::Ready(Err(status)),
            None if self.input == Input::Open => {
                self.input = Input::Ended;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => {
                self.input = Input::Over;
                Poll::Ready(Ok(None))
            }
        }
    }

    /// Waits for the first request and takes the script from it.
    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if !matches!(self.phase, Phase::Opening(_)) {
            return Poll::Ready(Ok(()));
        }
        let mut request = ready!(self.poll_request(cx))?;
        let script = request.as_mut().and_then(|request| request.script.take()).unwrap_or_default();
        self.call.tag(&script.tag);
        let Phase::Opening(make_plan) = &mut self.phase else {
            return Poll::Ready(Ok(()));
        };
        let plan = make_plan(script)?;
        self.current = request.map(|request| (request, plan.script.replies.unwrap_or(1)));
        self.run(plan);
        Poll::Ready(Ok(()))
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BidiResponse>, Status>> {
        ready!(self.poll_opening(cx))?;
        if let Some(delay) = &mut self.delay {
            ready!(Future::poll(delay.as_mut(), cx));
            self.delay = None;
        }
        loop {
            let Phase::Running(plan) = &mut self.phase else {
                return Poll::Ready(Ok(None));
            };
            if self.call.sent >= plan.limit {
                return self.poll_ending(cx);
            }
            if self.call.sent < plan.script.speak_first {
                ready!(plan.pace.poll_turn(cx));
                return Poll::Ready(Ok(Some(self.next_response(None))));
            }
            if let Some((_, replies)) = &mut self.current
                && *replies > 0
            {
                ready!(plan.pace.poll_turn(cx));
                *replies -= 1;
                let answered = self.current.take_if(|(_, replies)| *replies == 0);
                let request = answered.or_else(|| self.current.clone()).map(|(request, _)| request);
                return Poll::Ready(Ok(Some(self.next_response(request))));
            }
            self.current = None;
            if plan.script.ignore_input {
                return self.poll_ending(cx);
            }
            if plan.script.pause_ms > 0 && self.call.received == plan.script.pause_after {
                let pause = Duration::from_millis(plan.script.pause_ms.into());
                plan.script.pause_ms = 0;
                self.pause = Some(Box::pin(tokio::time::sleep(pause)));
            }
            if let Some(pause) = &mut self.pause {
                ready!(Future::poll(pause.as_mut(), cx));
                self.pause = None;
            }
            let replies = plan.script.replies.unwrap_or(1);
            match ready!(self.poll_request(cx))? {
                Some(request) => self.current = Some((request, replies)),
                None => return self.poll_ending(cx),
            }
        }
    }

    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BidiResponse>, Status>> {
        let Phase::Running(plan) = &mut self.phase else {
            return Poll::Ready(Ok(None));
        };
        Poll::Ready(ready!(plan.ending.poll(cx)).map_or(Ok(None), Err))
    }

    fn next_response(&mut self, request: Option<BidiRequest>) -> BidiResponse {
        let Phase::Running(plan) = &mut self.phase else {
            return BidiResponse::default();
        };
        let mut response = plan.first.take().unwrap_or_default();
        response.sequence = plan.script.first_sequence.wrapping_add(self.call.sent);
        response.received = self.call.received;
        response.gaps = self.sequence.gaps;
        response.payload = plan.payload.clone();
        if let Some(request) = request {
            response.request_sequence = Some(request.sequence);
            response.values = request.values;
            if plan.script.size == 0 {
                response.payload = request.payload;
            }
        }
        self.call.sent += 1;
        response
    }
}

impl Stream for BidiResponses {
    type Item = Result<BidiResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        match ready!(this.poll_response(cx)) {
            Ok(Some(response)) => Poll::Ready(Some(Ok(response))),
            Ok(None) => {
                this.call.end(None);
                Poll::Ready(None)
            }
            Err(status) => {
                this.call.end(Some(&status));
                this.phase = Phase::Refused;
                Poll::Ready(Some(Err(status)))
            }
        }
    }
}
