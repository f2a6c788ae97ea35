//! How far bytes have come, and the timeouts that progress extends (PROTOCOL §8).

use std::time::{Duration, Instant};

/// A timer that fires so late shows that the process stood still: stopped, suspended, or out of CPU time.
const LATE: Duration = Duration::from_secs(1);

/// How much longer a peer may take after the process stood still. What the peer sent meanwhile has reached the kernel;
/// a task that shares the connection may have to read it first.
const RECOVERY: Duration = Duration::from_secs(1);

/// The parts into which a timeout is divided to look for progress. Progress that is found was made at some time since
/// the last look, so a timeout takes up to this part longer.
const LOOKS: u32 = 8;

/// How far the bytes to the peer have come. The driver of a session asks its transport when a timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The number of bytes of the WebSocket that the transport has taken, from the first one.
    pub taken: u64,
    /// How many of these the peer's TCP has not acknowledged.
    pub outstanding: Outstanding,
    /// The number of bytes of the connection that the peer's TCP has acknowledged. WebSockets that share a connection
    /// share this number. Where the transport does not tell, the number of bytes that it has taken.
    pub acknowledged: u64,
}

/// How many bytes the transport has taken and the peer's TCP has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outstanding {
    /// The transport does not tell.
    #[default]
    Unknown,
    /// About so many, rather more than less: the connection is shared, and whose bytes are on their way is not known.
    Estimated(u64),
    /// So many.
    Exactly(u64),
}

impl Progress {
    /// The progress of a transport that tells nothing but how many bytes it has taken.
    #[must_use]
    pub const fn untracked(bytes: u64) -> Self {
        Self { taken: bytes, outstanding: Outstanding::Unknown, acknowledged: bytes }
    }

    /// The progress on a connection of its own, which has taken `taken` bytes, of which the peer's TCP has not
    /// acknowledged `outstanding`. `None` if that is not known.
    #[must_use]
    pub const fn of_connection(taken: u64, outstanding: Option<u64>) -> Self {
        match outstanding {
            None => Self::untracked(taken),
            Some(bytes) => Self {
                taken,
                outstanding: Outstanding::Exactly(bytes),
                acknowledged: taken.saturating_sub(bytes),
            },
        }
    }

    /// The number of bytes of the WebSocket that the peer's TCP has acknowledged; where that is not known exactly, the
    /// number that the transport has taken.
    pub(crate) const fn delivered(self) -> u64 {
        match self.outstanding {
            Outstanding::Exactly(bytes) => self.taken.saturating_sub(bytes),
            Outstanding::Unknown | Outstanding::Estimated(_) => self.taken,
        }
    }

    /// The number of bytes of the WebSocket that are not on their way any more, as far as is known.
    pub(crate) const fn arrived(self) -> u64 {
        match self.outstanding {
            Outstanding::Exactly(bytes) | Outstanding::Estimated(bytes) => self.taken.saturating_sub(bytes),
            Outstanding::Unknown => self.taken,
        }
    }

    /// Whether bytes of the WebSocket are, or may be, on their way.
    pub(crate) const fn is_under_way(self) -> bool {
        matches!(self.outstanding, Outstanding::Exactly(1..) | Outstanding::Estimated(1..))
    }
}

/// Returns how long the process stood still, if a timer that was due at `due` fires late.
pub(crate) fn stood_still(due: Option<Instant>, now: Instant) -> Option<Duration> {
    let late = now.checked_duration_since(due?)?;
    (late >= LATE).then(|| late.saturating_add(RECOVERY))
}

/// A timeout that starts again whenever a count of bytes changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stall {
    timeout: Duration,
    since: Instant,
    looked_at: Instant,
    /// The number of bytes at the last look; `None` before the first one.
    count: Option<u64>,
}

impl Stall {
    /// Begins now. If the count is not known, the first look counts as progress.
    pub(crate) const fn new(timeout: Duration, count: Option<u64>, now: Instant) -> Self {
        Self { timeout, since: now, looked_at: now, count }
    }

    /// When to look for progress next; `None` if that is beyond what a clock can tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        let over = self.since.checked_add(self.timeout)?;
        Some(self.looked_at.checked_add(self.timeout / LOOKS).map_or(over, |look| look.min(over)))
    }

    /// Looks for progress, and returns whether there was none for the whole timeout.
    pub(crate) fn is_over(&mut self, count: u64, now: Instant) -> bool {
        if self.count != Some(count) {
            self.count = Some(count);
            self.since = now;
        }
        self.looked_at = now;
        self.since.checked_add(self.timeout).is_some_and(|over| over <= now)
    }

    /// Does not count the time in which the process stood still.
    pub(crate) fn postpone(&mut self, by: Duration) {
        self.since = self.since.checked_add(by).unwrap_or(self.since);
        self.looked_at = self.looked_at.checked_add(by).unwrap_or(self.looked_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_over_after_the_timeout_without_progress() {
        let begin = Instant::now();
        let timeout = Duration::from_secs(8);
        let mut stall = Stall::new(timeout, None, begin);
        let mut delivered = 0;
        // A byte every 7 s is progress.
        for second in 1..100 {
            delivered += u64::from(second % 7 == 0);
            assert!(!stall.is_over(delivered, begin + Duration::from_secs(second)), "at {second} s");
        }
        let stopped = begin + Duration::from_secs(99);
        let over = (1..).map(|second| stopped + Duration::from_secs(second));
        let over = over.take(20).find(|now| stall.is_over(delivered, *now)).expect("it ends");
        assert!(over - stopped <= timeout, "{:?}", over - stopped);
    }

    #[test]
    fn time_in_which_the_process_stood_still_does_not_count() {
        let begin = Instant::now();
        let mut stall = Stall::new(Duration::from_secs(8), Some(0), begin);
        let due = stall.due();
        assert_eq!(stood_still(due, begin + Duration::from_millis(1_900)), None, "a little late");
        let now = begin + Duration::from_secs(61);
        let still = stood_still(due, now).expect("late by a minute");
        stall.postpone(still);
        assert!(!stall.is_over(0, now));
        assert!(stall.due().is_some_and(|due| due > now));
    }
}
