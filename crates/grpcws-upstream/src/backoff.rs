//! The time between two attempts to connect.

use std::time::Duration;

/// gRPC's connection back-off: each failure makes the wait 1.6 times as long, up to a limit, and each wait varies
/// by 20 % so that many clients do not come back in the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

const MULTIPLIER: f64 = 1.6;
const JITTER: f64 = 0.2;

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let first = first.min(longest);
        Self { first, longest, next: first }
    }

    /// How long to wait after this failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.mul_f64(MULTIPLIER).min(self.longest);
        delay.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0))
    }

    /// The upstream was there, so the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_about(delay: Duration, seconds: f64) {
        let factor = delay.as_secs_f64() / seconds;
        assert!((0.8..=1.2).contains(&factor), "{delay:?} is not about {seconds} s");
    }

    #[test]
    fn waits_grow_to_the_limit_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120));
        for seconds in [1.0, 1.6, 2.56, 4.096] {
            assert_about(backoff.failed(), seconds);
        }
        for _ in 0..20 {
            backoff.failed();
        }
        assert_about(backoff.failed(), 120.0);
        backoff.succeeded();
        assert_about(backoff.failed(), 1.0);
    }
}
