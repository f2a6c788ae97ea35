//! What is said of a server that does not answer.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two lines: every request may be a reason for one, and whoever sends them could fill a disk.
const PAUSE: Duration = Duration::from_secs(1);

/// Says why requests were not answered, and leaves out most of what is said too often.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    left_out: u64,
}

impl Complaints {
    /// Says why a request for a path was not answered by the server at this address.
    pub(super) fn say(&self, address: &str, path: &str, reason: impl std::fmt::Display) {
        let Some(left_out) = self.permit(Instant::now()) else { return };
        tracing::warn!(fallback = address, path, error = %reason, left_out, "the fallback did not answer");
    }

    /// How many were left out before, if this one is to be said.
    fn permit(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.last.is_some_and(|last| now < last + PAUSE) {
            said.left_out += 1;
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_and_the_others_are_counted() {
        let complaints = Complaints::default();
        let now = Instant::now();
        let said = [0, 1, 999, 1000, 1500, 2000].map(|ms| complaints.permit(now + Duration::from_millis(ms)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
