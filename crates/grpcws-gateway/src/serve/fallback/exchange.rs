//! Whose turn it is in a request that is passed on, and for how long.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How long each side may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct FallbackTimeouts {
    /// For the head of the response, once the server has what there is of the request.
    pub(super) answer: Option<Duration>,
    /// For the next bytes of a body, in either direction.
    pub(super) idle: Option<Duration>,
}

impl FallbackTimeouts {
    /// Those of the options; a time of zero is no limit.
    pub(in crate::serve) fn new(answer: Option<Duration>, idle: Option<Duration>) -> Self {
        let limit =
            |asked: Option<Duration>, default| Some(asked.unwrap_or(default)).filter(|time| !time.is_zero());
        Self { answer: limit(answer, Duration::from_secs(60)), idle: limit(idle, Duration::from_secs(300)) }
    }
}

/// What a client did wrong with the body of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The chunks are none.
    Malformed,
    /// Nothing came for too long.
    Idle,
    /// The connection ended, or the stream was reset.
    Gone,
}

/// A request on its way, as its body and who waits for the response see it.
#[derive(Debug)]
pub(super) struct Exchange(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Whether more of the body has to come from the client.
    waits_for_client: bool,
    /// Since when it is as it is.
    since: Instant,
    fault: Option<Fault>,
}

impl Exchange {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { waits_for_client: false, since: Instant::now(), fault: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, waits_for_client: bool) {
        let mut state = self.state();
        (state.waits_for_client, state.since) = (waits_for_client, Instant::now());
    }

    /// What the client did wrong, if it did.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.state().fault
    }

    /// Waits until the server has had its turn for so long.
    pub(super) async fn answer_is_late(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let now = Instant::now();
            let due = {
                let state = self.state();
                // What comes next from the client begins the server's time anew.
                if state.waits_for_client { now + limit } else { state.since + limit }
            };
            if due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// Ends when nothing has happened for too long.
#[derive(Debug)]
struct Idle {
    limit: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(limit: Option<Duration>) -> Self {
        Self { limit, sleep: None }
    }

    /// Something has happened, or nothing is waited for.
    fn reset(&mut self) {
        self.sleep = None;
    }

    /// Ready when it has been polled for so long without a reset.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else { return Poll::Pending };
        self.sleep.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }
}

/// The body of a request.
pub(super) struct Upload {
    body: Body,
    idle: Idle,
    exchange: Arc<Exchange>,
}

impl Upload {
    pub(super) fn new(body: Body, limit: Option<Duration>, exchange: Arc<Exchange>) -> Self {
        Self { body, idle: Idle::new(limit), exchange }
    }

    fn fails(&self, fault: Fault, error: axum::Error) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.exchange.state().fault.get_or_insert(fault);
        Poll::Ready(Some(Err(error)))
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                let fault = if is_malformed(&error) { Fault::Malformed } else { Fault::Gone };
                self.fails(fault, error)
            }
            Poll::Ready(frame) => {
                self.idle.reset();
                self.exchange.turn(false);
                Poll::Ready(frame)
            }
            Poll::Pending => {
                if self.idle.sleep.is_none() {
                    self.exchange.turn(true);
                }
                if self.idle.poll(cx).is_ready() {
                    return self.fails(Fault::Idle, axum::Error::new("the client sends nothing more"));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether a client broke HTTP, and did not just go away. hyper says so by the kind of an I/O error.
fn is_malformed(error: &axum::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source()).any(|error| {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(io, Some(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData))
            || error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
    })
}

/// The body of a response. One that stands still for too long fails, so that it has no end that looks like one.
pub(super) struct Download {
    body: hyper::body::Incoming,
    idle: Idle,
}

impl Download {
    pub(super) fn new(body: hyper::body::Incoming, limit: Option<Duration>) -> Self {
        Self { body, idle: Idle::new(limit) }
    }
}

impl http_body::Body for Download {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.idle.reset();
                Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)))
            }
            // The time that a client takes to read is not counted: this is not polled then.
            Poll::Pending => {
                if self.idle.poll(cx).is_ready() {
                    tracing::warn!("a response of the fallback stood still and was cut off");
                    return Poll::Ready(Some(Err(axum::Error::new("the response stands still"))));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_server_is_not_that_in_which_the_client_sends() {
        let exchange = Exchange::new();
        let limit = Some(Duration::from_secs(1));
        let late = tokio::spawn({
            let exchange = Arc::clone(&exchange);
            async move { exchange.answer_is_late(limit).await }
        });
        exchange.turn(true);
        sleep(Duration::from_secs(10)).await;
        assert!(!late.is_finished());
        exchange.turn(false);
        let since = Instant::now();
        late.await.expect("it ends");
        assert_eq!(since.elapsed().as_secs(), 1);
    }

    #[test]
    fn a_time_of_zero_is_no_limit() {
        let times = FallbackTimeouts::new(Some(Duration::ZERO), None);
        assert_eq!((times.answer, times.idle), (None, Some(Duration::from_secs(300))));
    }
}
