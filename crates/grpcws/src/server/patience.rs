//! Timers that judge a client by what it did while the process ran.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// A timer that fires so late shows that the process stood still: stopped, suspended, or out of CPU time.
const LATE: Duration = Duration::from_secs(1);

/// How much longer a client may take after the process stood still. What it sent meanwhile lies in the kernel, and is
/// read within this time.
const RECOVERY: Duration = Duration::from_secs(1);

/// Makes the sleeps of hyper, which looks at its timers before it reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatientTimer;

impl Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(PatientSleep::new(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(PatientSleep::new(deadline.saturating_duration_since(Instant::now())))
    }
}

/// Sleeps for a time, and for some time more if the process stood still when that was over.
pub(super) struct PatientSleep {
    due: tokio::time::Instant,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl PatientSleep {
    pub(super) fn new(duration: Duration) -> Self {
        let sleep = Box::pin(tokio::time::sleep(duration));
        Self { due: sleep.deadline(), sleep }
    }
}

impl Future for PatientSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            ready!(this.sleep.as_mut().poll(cx));
            let now = tokio::time::Instant::now();
            if now.saturating_duration_since(this.due) < LATE {
                return Poll::Ready(());
            }
            this.due = now + RECOVERY;
            this.sleep.as_mut().reset(this.due);
        }
    }
}

impl Sleep for PatientSleep {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_that_is_over_while_the_process_stands_still_goes_on() {
        let mut sleep = PatientSleep::new(Duration::from_millis(10));
        let begin = Instant::now();
        // Blocks the only thread of the runtime, as a stopped process would.
        std::thread::sleep(LATE + Duration::from_millis(50));
        (&mut sleep).await;
        assert!(begin.elapsed() >= LATE + RECOVERY, "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn a_sleep_ends_in_time_otherwise() {
        let begin = tokio::time::Instant::now();
        PatientSleep::new(Duration::from_millis(10)).await;
        assert!(begin.elapsed() >= Duration::from_millis(10));
    }
}
