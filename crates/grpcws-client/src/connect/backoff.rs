//! Leaves a gateway alone that cannot be reached: connection failures are remembered for all calls of a client.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::options::BackoffOptions;
use crate::{Code, Status};

#[derive(Debug)]
pub(super) struct Backoff {
    options: BackoffOptions,
    state: Mutex<State>,
    /// The state has changed for those who wait.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// After a failure: when one call may try again, and what the failure was.
    failed: Option<(Instant, String)>,
    /// That call is at it; all others wait for how it ends.
    probing: bool,
}

/// The permission to connect. Dropping it says nothing about the gateway.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    backoff: &'a Backoff,
    probe: bool,
    settled: bool,
}

enum Admission {
    Go {
        probe: bool,
    },
    /// Not before then, for this reason; `None` is when the one that tries is done.
    Wait(Option<Instant>, String),
}

impl Backoff {
    pub(super) fn new(options: BackoffOptions) -> Self {
        Self { options, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Permits an attempt at once where the last one did not fail. Else a call waits for its time, or ends.
    pub(super) async fn admit(&self, wait: bool) -> Result<Attempt<'_>, Status> {
        loop {
            // What happens between the look at the state and the wait is not missed.
            let changed = self.changed.notified();
            match self.admission() {
                Admission::Go { probe } => return Ok(Attempt { backoff: self, probe, settled: false }),
                Admission::Wait(until, reason) if !wait => return Err(left_alone(until, &reason)),
                Admission::Wait(Some(until), _) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                Admission::Wait(None, _) => changed.await,
            }
        }
    }

    /// Remembers a failure of a call that needed no permission.
    pub(super) fn note(&self, status: &Status) {
        Attempt { backoff: self, probe: false, settled: false }.fail(status);
    }

    fn admission(&self) -> Admission {
        let mut state = self.lock();
        let Some((until, reason)) = state.failed.clone() else { return Admission::Go { probe: false } };
        if state.probing {
            return Admission::Wait(None, reason);
        }
        if until > Instant::now() {
            return Admission::Wait(Some(until), reason);
        }
        state.probing = true;
        Admission::Go { probe: true }
    }

    fn delay(&self, failures: u32) -> Duration {
        let BackoffOptions { initial, multiplier, max, jitter } = self.options;
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (initial.as_secs_f64() * multiplier.powi(exponent)).min(max.as_secs_f64());
        let factor = 1.0 + jitter * (2.0 * fastrand::f64() - 1.0);
        Duration::try_from_secs_f64(seconds * factor).unwrap_or(max)
    }
}

fn left_alone(until: Option<Instant>, reason: &str) -> Status {
    let next = match until {
        Some(until) => {
            format!(
                "the next attempt is in {} ms",
                until.saturating_duration_since(Instant::now()).as_millis()
            )
        }
        None => "an attempt is under way".to_owned(),
    };
    Status::new(Code::Unavailable, format!("{reason} ({next})"))
}

impl Attempt<'_> {
    pub(super) fn succeed(mut self) {
        self.settled = true;
        let mut state = self.backoff.lock();
        *state = State::default();
        drop(state);
        self.backoff.changed.notify_waiters();
    }

    pub(super) fn fail(mut self, status: &Status) {
        self.settled = true;
        let mut state = self.backoff.lock();
        // Calls that connected at the same time and failed together are one failure.
        if self.probe || state.failed.is_none() {
            state.failures = state.failures.saturating_add(1);
            state.failed =
                Some((Instant::now() + self.backoff.delay(state.failures), status.message().to_owned()));
        }
        state.probing &= !self.probe;
        drop(state);
        self.backoff.changed.notify_waiters();
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            self.backoff.lock().probing = false;
            self.backoff.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        let options = BackoffOptions::default().initial(Duration::from_secs(1)).max(Duration::from_secs(3));
        Backoff::new(options.jitter(0.0))
    }

    fn unavailable() -> Status {
        Status::new(Code::Unavailable, "refused")
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_remembered_for_longer_and_longer() {
        let backoff = backoff();
        for expected in [1_000, 1_600, 2_560, 3_000, 3_000] {
            backoff.admit(true).await.expect("it waits").fail(&unavailable());
            let error = backoff.admit(false).await.expect_err("it is left alone");
            assert!(error.message().contains(&format!("in {expected} ms")), "{}", error.message());
        }
        backoff.admit(true).await.expect("it waits").succeed();
        backoff.admit(false).await.expect("it is there").fail(&unavailable());
        assert!(backoff.admit(false).await.expect_err("again").message().contains("in 1000 ms"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_tries_for_all() {
        let backoff = backoff();
        backoff.admit(true).await.expect("the first").fail(&unavailable());
        let probe = backoff.admit(true).await.expect("its time has come");
        assert!(backoff.admit(false).await.expect_err("one is at it").message().contains("under way"));
        let waiting = backoff.admit(true);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(probe);
        let probe = waiting.await.expect("the first one gave up");
        let (first, second) = (backoff.admit(true), backoff.admit(true));
        tokio::pin!(first, second);
        assert!(
            futures_util::poll!(&mut first).is_pending() && futures_util::poll!(&mut second).is_pending()
        );
        probe.succeed();
        assert!(first.await.is_ok() && second.await.is_ok());
    }
}
