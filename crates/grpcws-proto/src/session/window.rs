//! The receive window of a stream, which grows where the round trip is what holds an upload back (PROTOCOL §7.2).
//!
//! A client that keeps to its window sends no more than that in a round trip. One *round* is measured at a time:
//!
//! ```text
//!   gateway   credit ─────╮         takes the last ╌╌╌╌ waits ╌╌╌╌ ▶ the first frame that the credit admitted
//!   client    ────────────┴▶ has used up what it had, and sends ──╯
//!             ├───────────────────────── trip ────────────────────┤
//!                                            ├──────── waited ─────┤
//! ```
//!
//! The first frame that a credit admitted is the one behind all that the grants before it allowed, so a client that
//! keeps to its window cannot have sent it earlier: `trip` is the round trip, plus what the client took to use up the
//! rest of its window. `waited` is how long the upstream had nothing to take at the end of the round. If that is a
//! good part of it, and the trip is about the shortest that was seen, the client waited for the credit and the
//! upstream for the client, and a larger window makes both wait less. If the upstream is the slower one, something
//! lies ready for it all the time; if the client or the link is, frames come one behind the other or rounds are long.

use std::time::{Duration, Instant};

use super::SessionOptions;
use super::budget::Loan;
use crate::credit::ReceiveWindow;
use crate::metadata::MAX_SAFE_INTEGER;

/// A longer round says more about the application than about the path, and is not looked at.
const LONGEST_TRIP: Duration = Duration::from_secs(2);

/// How long the shortest trip stands for the path. After that a longer one in which the upstream waited replaces it.
const TRIP_AGE: Duration = Duration::from_secs(10);

/// A window that was larger than needed for this long shrinks by half.
const SPARE_FOR: Duration = Duration::from_secs(10);

/// The receive window of a stream.
#[derive(Debug)]
pub(crate) struct GrowingWindow {
    window: ReceiveWindow,
    /// `None` if the window keeps its size.
    tuning: Option<Box<Tuning>>,
}

#[derive(Debug)]
struct Tuning {
    initial: u64,
    /// The largest size. Below the present one once the client has shown that it does not keep to its window.
    max: u64,
    /// What the window has grown by.
    loan: Loan,
    /// The size that the window shrinks to, by granting less than was taken.
    target: u64,
    round: Option<Round>,
    /// Since when the upstream has taken everything; `None` while something lies ready for it.
    waits_since: Option<Instant>,
    /// The shortest trip, and when it was seen.
    shortest: Option<(Duration, Instant)>,
    /// When the window was last needed in its present size.
    needed_at: Instant,
}

/// A credit on its way, until the first frame comes that it admitted.
#[derive(Debug)]
struct Round {
    since: Instant,
    /// How many bytes earlier grants allow, and have not come.
    before: u64,
    /// The fewest bytes that lay ready for the upstream.
    fewest_held: u64,
    /// The longest that the upstream has waited for one of the frames that earlier grants allowed.
    longest_wait: Duration,
}

/// What a round has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// The window is too small: it may become so many times as large.
    Grow(u64),
    /// The window has about the right size.
    Keep,
    /// Half of the window would do.
    Spare,
}

impl GrowingWindow {
    /// A window with the initial size. It grows only if the client is granted credit.
    pub(crate) fn new(options: &SessionOptions, grants: bool, now: Instant) -> Self {
        let initial = options.receive_window;
        let max = options.receive_window_max.min(MAX_SAFE_INTEGER);
        let tuning = (grants && max > initial).then(|| {
            Box::new(Tuning {
                initial,
                max,
                loan: options.receive_window_budget.loan(),
                target: initial,
                round: None,
                waits_since: None,
                shortest: None,
                needed_at: now,
            })
        });
        Self { window: ReceiveWindow::new(initial), tuning }
    }

    /// Whether the client is to be read.
    pub(crate) const fn is_open(&self) -> bool {
        self.window.is_open()
    }

    /// Counts a request message, and returns the grant to send if the window grows; 0 for none.
    pub(crate) fn hold(&mut self, bytes: u64, now: Instant) -> u64 {
        let Self { window, tuning: Some(tuning) } = self else {
            self.window.hold(bytes);
            return 0;
        };
        let beyond = window.unused().unwrap_or(0) == 0;
        let finding = tuning.frame(bytes, window.size(), now);
        tuning.waits_since = None;
        window.hold(bytes);
        if beyond {
            // TCP holds such a client back, and credit means nothing to it.
            tuning.max = 0;
        }
        let Some(Finding::Grow(times)) = finding else { return 0 };
        let larger = window.size().saturating_mul(times).min(tuning.max);
        let more = larger.saturating_sub(window.size());
        if more == 0 || !tuning.loan.extend(more) {
            return 0;
        }
        let grant = window.grow(more);
        tuning.target = window.size();
        tuning.credit_sent(window, grant, now);
        grant
    }

    /// Lets go of what the upstream took, and returns the grant to send, if it is worth a message.
    pub(crate) fn release(&mut self, bytes: u64, now: Instant) -> Option<u64> {
        let Self { window, tuning: Some(tuning) } = self else { return self.window.release(bytes) };
        let kept = tuning.spare(window.size(), now).min(bytes);
        tuning.loan.repay(kept);
        let grant = window.release_and_shrink(bytes, kept);
        if window.held() == 0 {
            tuning.waits_since = Some(now);
        }
        if let Some(round) = &mut tuning.round {
            round.fewest_held = round.fewest_held.min(window.held());
        }
        if let Some(granted) = grant {
            tuning.credit_sent(window, granted, now);
        }
        grant
    }

    /// The client has sent its last message: the window shrinks at once to what is held, and with that to its initial
    /// size.
    pub(crate) fn half_closed(&mut self) {
        let Some(tuning) = &mut self.tuning else { return };
        let spare = self.window.size() - self.window.held().clamp(tuning.initial, self.window.size());
        self.window.shrink(spare);
        tuning.loan.repay(spare);
        tuning.target = tuning.initial;
        tuning.max = 0;
    }

    /// The stream is over: what the window has grown by is paid back.
    pub(crate) fn close(&mut self) {
        self.tuning = None;
    }
}

impl Tuning {
    /// A frame has come. Returns what the round has shown that it ends, if it ends one.
    fn frame(&mut self, bytes: u64, size: u64, now: Instant) -> Option<Finding> {
        let round = self.round.as_mut()?;
        let waited = |since: Instant| now.saturating_duration_since(since.max(round.since));
        if round.before > 0 {
            // Nearly every frame: the clock is compared only if the upstream was waiting for this one.
            let waited = self.waits_since.map_or(Duration::ZERO, waited);
            round.before = round.before.saturating_sub(bytes);
            round.longest_wait = round.longest_wait.max(waited);
            return None;
        }
        let trip = now.saturating_duration_since(round.since);
        if trip > LONGEST_TRIP {
            self.round = None;
            return None;
        }
        let waited = self.waits_since.map_or(Duration::ZERO, waited);
        let Round { fewest_held, longest_wait, .. } = *round;
        self.round = None;
        // Frames that take long to arrive make the upstream wait for each of them.
        let waited = if waited >= longest_wait * 2 { waited } else { Duration::ZERO };
        let finding = self.judge(trip, waited, fewest_held, size, now);
        if finding != Finding::Spare {
            self.needed_at = now;
            self.target = size;
        }
        Some(finding)
    }

    fn judge(
        &mut self,
        trip: Duration,
        waited: Duration,
        fewest_held: u64,
        size: u64,
        now: Instant,
    ) -> Finding {
        let waits = !waited.is_zero() && waited * 4 >= trip;
        let shortest = match self.shortest {
            Some((shortest, at))
                if shortest < trip && !(waits && now.saturating_duration_since(at) > TRIP_AGE) =>
            {
                shortest
            }
            _ => trip,
        };
        if shortest == trip {
            self.shortest = Some((trip, now));
        }
        // A window twice as large makes rounds twice as long once it is not what the client waits for.
        if waits && trip * 2 <= shortest * 3 {
            // In at most a quarter of the trip a window's worth came and was taken: the path holds four.
            return Finding::Grow(if waited * 4 >= trip * 3 { 4 } else { 2 });
        }
        // With half the window the client would still not wait, or the upstream would still always have something.
        if trip >= shortest * 4 || fewest_held >= size / 2 { Finding::Spare } else { Finding::Keep }
    }

    /// A credit leaves. It begins a round if none is under way and the client can send again with it.
    fn credit_sent(&mut self, window: &ReceiveWindow, granted: u64, now: Instant) {
        if self.round.is_none()
            && let Some(unused) = window.unused().filter(|unused| *unused > 0)
        {
            let before = unused.saturating_sub(granted);
            self.round =
                Some(Round { since: now, before, fewest_held: window.held(), longest_wait: Duration::ZERO });
        }
    }

    /// How much smaller the window is to become.
    fn spare(&mut self, size: u64, now: Instant) -> u64 {
        if self.loan.bytes() == 0 {
            return 0;
        }
        if now.saturating_duration_since(self.needed_at) >= SPARE_FOR {
            self.target = self.target.min((size / 2).max(self.initial));
            self.needed_at = now;
        }
        size.saturating_sub(self.target)
    }
}
