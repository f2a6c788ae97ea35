//! Graceful shutdown: streams may end by themselves for a while, the rest are told.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A handle that ends all streams of the routes that it was given to.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
/// use grpcws::Shutdown;
///
/// let shutdown = Shutdown::new();
/// // … give it to the routes and serve; then, on a signal:
/// shutdown.drain(Duration::from_secs(30)).await;
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    drain: OnceLock<Drain>,
    begun: CancellationToken,
    hurried: CancellationToken,
    /// [`BEGUN`] and [`HURRIED`], for streams that look at it with each message: a token has a lock, which all
    /// threads would take in turn.
    stage: AtomicU8,
    streams: TaskTracker,
    /// How many streams are alive, for those that count against a limit.
    alive: AtomicUsize,
    registered: AtomicU64,
}

/// The shutdown has begun.
const BEGUN: u8 = 1;
/// The streams that are left are to be ended at once.
const HURRIED: u8 = 2;

/// How long a stream that is ended last may take to deliver its end.
const LAST_OFFER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
struct Drain {
    begun_at: Instant,
    grace: Duration,
}

impl Shutdown {
    /// A handle on no streams yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to shut down: new streams are refused with 503. Streams that live may go on for half the
    /// grace; in the other half, those that are left get code 14 and close code 1012, evenly spread, so
    /// that their clients do not all come back at the same moment.
    ///
    /// A second call has no effect on the times of the first; see [`Shutdown::hurry`].
    pub fn begin(&self, grace: Duration) {
        let _ = self.shared.drain.set(Drain { begun_at: Instant::now(), grace });
        self.shared.stage.fetch_max(BEGUN, Ordering::Release);
        self.shared.begun.cancel();
        self.shared.streams.close();
    }

    /// Ends the streams that are left at once, still with a terminal message and a close frame. Begins to
    /// shut down where that was not done before.
    pub fn hurry(&self) {
        self.begin(Duration::ZERO);
        self.shared.stage.fetch_max(HURRIED, Ordering::Release);
        self.shared.hurried.cancel();
    }

    /// Resolves when no stream is left, after [`Shutdown::begin`] was called.
    pub async fn finished(&self) {
        self.shared.streams.wait().await;
    }

    /// [`Shutdown::begin`], then [`Shutdown::finished`].
    ///
    /// Takes at most the grace and 2 s.
    pub async fn drain(&self, grace: Duration) {
        self.begin(grace);
        self.finished().await;
    }

    /// How long streams may take to end after the shutdown has begun.
    #[cfg(feature = "server")]
    pub(crate) fn grace(&self) -> Duration {
        self.shared.drain.get().map_or(Duration::ZERO, |drain| drain.grace)
    }

    /// Resolves when the streams that are left are to be ended at once.
    #[cfg(feature = "server")]
    pub(crate) async fn hurried(&self) {
        self.shared.hurried.cancelled().await;
    }

    /// Whether the shutdown has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.begun.is_cancelled()
    }

    /// Resolves when the shutdown begins.
    pub async fn begun(&self) {
        self.shared.begun.cancelled().await;
    }

    /// How many streams are alive.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.shared.streams.len()
    }

    /// A place in the shutdown for a stream that is not one of this library's: it is waited for, and told when to
    /// end.
    #[must_use]
    pub fn guard(&self) -> ShutdownGuard {
        ShutdownGuard { registration: self.register(), end: None }
    }

    /// A place for one more stream; `None` where there are as many as there may be.
    pub(crate) fn register_below(&self, most: usize) -> Option<Registration> {
        let more = |alive| (alive < most).then_some(alive + 1);
        self.shared.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(self.registration())
    }

    /// Whether there are as many streams as there may be.
    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.shared.alive.load(Ordering::Relaxed) >= most
    }

    fn register(&self) -> Registration {
        self.shared.alive.fetch_add(1, Ordering::Relaxed);
        self.registration()
    }

    /// The registration of a stream that is counted in `alive`.
    fn registration(&self) -> Registration {
        let number = self.shared.registered.fetch_add(1, Ordering::Relaxed);
        Registration {
            shared: Arc::clone(&self.shared),
            signal: Some(Box::pin(self.shared.begun.clone().cancelled_owned())),
            waker: None,
            told: 0,
            number,
            _token: self.shared.streams.token(),
        }
    }
}

/// A stream's place in the shutdown.
#[derive(Debug)]
pub(crate) struct Registration {
    shared: Arc<Shared>,
    /// What is waited for next: the begin, then the call to hurry.
    signal: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Who is woken by it.
    waker: Option<Waker>,
    /// The stage that this stream was told of.
    told: u8,
    number: u64,
    _token: TaskTrackerToken,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.shared.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Registration {
    /// Resolves when the shutdown begins, with the times for this stream, and again when it is to be ended at once.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Option<DrainTimes> {
        let signal = self.signal.as_mut()?;
        let waited = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if waited && self.shared.stage.load(Ordering::Acquire) == self.told {
            return None;
        }
        self.waker = Some(cx.waker().clone());
        if signal.as_mut().poll(cx).is_pending() {
            return None;
        }
        if std::mem::replace(&mut self.told, BEGUN) == BEGUN {
            self.signal = None;
            return Some(DrainTimes::at_once());
        }
        let mut hurried = Box::pin(self.shared.hurried.clone().cancelled_owned());
        if hurried.as_mut().poll(cx).is_ready() {
            self.signal = None;
            return Some(DrainTimes::at_once());
        }
        self.signal = Some(hurried);
        self.shared.drain.get().and_then(|drain| drain.times_of(self.number))
    }
}

/// When a shutdown ends a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DrainTimes {
    /// When it gets its terminal message.
    pub(crate) end_at: Instant,
    /// When its socket is closed, whatever is not delivered by then.
    pub(crate) gone_by: Instant,
}

impl DrainTimes {
    fn at_once() -> Self {
        let now = Instant::now();
        Self { end_at: now, gone_by: now + LAST_OFFER }
    }
}

/// What [`Shutdown::guard`] gives: the shutdown waits until it is dropped.
#[derive(Debug)]
pub struct ShutdownGuard {
    registration: Registration,
    end: Option<Pin<Box<Sleep>>>,
}

impl ShutdownGuard {
    /// Ready when the stream is to end, which is spread over the second half of the grace as for all streams.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(times) = self.registration.poll_drain(cx) {
            self.end = Some(Box::pin(tokio::time::sleep_until(times.end_at.into())));
        }
        match &mut self.end {
            Some(end) => end.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// [`ShutdownGuard::poll_ended`] as a future.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn ended(&mut self) {
        poll_fn(|cx| self.poll_ended(cx)).await;
    }
}

impl Drain {
    /// When the stream with this number is ended, and its socket closed. `None` where that is beyond what a clock can
    /// tell.
    fn times_of(&self, number: u64) -> Option<DrainTimes> {
        let gone_by = self.begun_at.checked_add(self.grace)?.checked_add(LAST_OFFER)?;
        Some(DrainTimes { end_at: self.end_of(number)?, gone_by })
    }

    /// When the stream with this number is ended: evenly spread over the second half of the grace.
    /// `None` where that is beyond what a clock can tell.
    fn end_of(&self, number: u64) -> Option<Instant> {
        // Successive numbers times the golden ratio fall evenly into the unit interval.
        let fraction = u32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).unwrap_or(0);
        let share = f64::from(fraction) / f64::from(u32::MAX);
        let after = Duration::try_from_secs_f64(self.grace.as_secs_f64() * f64::midpoint(1.0, share)).ok()?;
        self.begun_at.checked_add(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_spread_over_the_second_half_of_the_grace() {
        let drain = Drain { begun_at: Instant::now(), grace: Duration::from_secs(10) };
        let mut ends: Vec<Duration> =
            (0..100).map(|number| drain.end_of(number).expect("soon") - drain.begun_at).collect();
        ends.sort_unstable();
        assert!(ends[0] >= Duration::from_secs(5) && ends[99] <= Duration::from_secs(10));
        // No tenth of the window is left out, and none has more than twice its share.
        for tenth in 0..10u32 {
            let from = Duration::from_secs(5) + Duration::from_millis(500) * tenth;
            let count =
                ends.iter().filter(|end| (from..from + Duration::from_millis(500)).contains(end)).count();
            assert!((5..=20).contains(&count), "{count} streams end in tenth {tenth}");
        }
    }
}
