//! When the next message goes out, and how a call ends.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// Spaces messages evenly. It has no drift: the time of each message counts from the first.
pub(crate) struct Pace {
    /// The time between two messages; zero is no pace at all.
    interval: Duration,
    start: Option<Instant>,
    turns: u32,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether each message leaves in a DATA frame of its own.
    flush_each: bool,
    flushed: bool,
}

impl Pace {
    /// `rate` is in messages per second; zero and what is no rate mean as fast as possible.
    pub(crate) fn new(rate: f64, flush_each: bool) -> Self {
        let interval = Duration::try_from_secs_f64(rate.recip()).unwrap_or_default();
        Self { interval, start: None, turns: 0, timer: None, flush_each, flushed: true }
    }

    /// Ready when the next message is due.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.flush_each && !self.flushed {
            // The encoder writes what it has when its source is pending.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.interval.is_zero() {
            let start = *self.start.get_or_insert_with(Instant::now);
            // A rate so low that its time is beyond the clock's range never has a turn.
            let Some(due) = start.checked_add(self.interval.saturating_mul(self.turns)) else {
                return Poll::Pending;
            };
            if poll_until(&mut self.timer, due, cx).is_pending() {
                return Poll::Pending;
            }
            self.turns = self.turns.saturating_add(1);
        }
        self.flushed = false;
        Poll::Ready(())
    }
}

/// The end of a call: it stays open for a time and then has a status.
pub(crate) struct Ending {
    /// `None` is for ever.
    hold: Option<Duration>,
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    status: Option<Status>,
}

impl Ending {
    /// A negative `hold_open_ms` is for ever; without a status the call ends with OK.
    pub(crate) fn new(hold_open_ms: i64, status: Option<Status>) -> Self {
        let hold = u64::try_from(hold_open_ms).ok().map(Duration::from_millis);
        Self { hold, until: None, timer: None, status }
    }

    /// Ready with the status when the call is to end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        let Some(hold) = self.hold else {
            // Only the client ends this call, and then the stream is dropped.
            return Poll::Pending;
        };
        if !hold.is_zero() {
            let Some(until) = self.until.or_else(|| Instant::now().checked_add(hold)) else {
                return Poll::Pending;
            };
            self.until = Some(until);
            if poll_until(&mut self.timer, until, cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.status.take())
    }
}

/// Polls a timer that is made when it is first needed.
fn poll_until(timer: &mut Option<Pin<Box<Sleep>>>, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
    if due <= Instant::now() {
        return Poll::Ready(());
    }
    let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
    if timer.deadline() != due {
        timer.as_mut().reset(due);
    }
    timer.as_mut().poll(cx)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_are_evenly_spaced() {
        let mut pace = Pace::new(100.0, false);
        let start = Instant::now();
        for _ in 0..101 {
            poll_fn(|cx| pace.poll_turn(cx)).await;
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut pace = Pace::new(rate, false);
            let start = Instant::now();
            for _ in 0..10 {
                poll_fn(|cx| pace.poll_turn(cx)).await;
            }
            assert_eq!(start.elapsed(), Duration::ZERO, "{rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_held_open_and_then_ends_with_its_status() {
        let mut ending = Ending::new(250, Some(Status::not_found("gone")));
        let start = Instant::now();
        let status = poll_fn(|cx| ending.poll(cx)).await;
        assert_eq!(start.elapsed().as_millis(), 250);
        assert_eq!(status.map(|status| status.code()), Some(tonic::Code::NotFound));
    }
}
