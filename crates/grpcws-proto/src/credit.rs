//! The two windows of a stream (PROTOCOL §7).

use crate::metadata::MAX_SAFE_INTEGER;

/// How many payload bytes the client takes; unlimited where it offered no credit.
#[derive(Debug)]
pub(crate) struct SendWindow(Option<i64>);

impl SendWindow {
    pub(crate) fn new(initial: Option<u64>) -> Self {
        Self(initial.map(|credit| i64::try_from(credit.min(MAX_SAFE_INTEGER)).unwrap_or(i64::MAX)))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_none_or(|window| window > 0)
    }

    /// Takes the bytes of one message, which may overdraw the window.
    pub(crate) fn take(&mut self, bytes: usize) {
        if let Some(window) = &mut self.0 {
            *window = window.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Adds what the client grants; `false` where the window would pass 2^53-1.
    #[must_use]
    pub(crate) fn grant(&mut self, bytes: u64) -> bool {
        let Some(window) = &mut self.0 else { return true };
        let granted = i64::try_from(bytes).ok().and_then(|bytes| window.checked_add(bytes));
        match granted.filter(|window| u64::try_from(*window).unwrap_or(0) <= MAX_SAFE_INTEGER) {
            Some(granted) => {
                *window = granted;
                true
            }
            None => false,
        }
    }
}

/// How many payload bytes were read from the peer and not yet taken by the receiver of the messages.
///
/// `size` is the sum of `held`, of `ungranted` and of what the peer may still send. A message that overdraws the
/// window makes the last of these negative.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    size: u64,
    held: u64,
    ungranted: u64,
    /// What is worth a grant, at least: half of the size that the window began with.
    grant_at: u64,
    /// A message came when the window was used up already.
    exceeded: bool,
}

impl ReceiveWindow {
    pub(crate) const fn new(size: u64) -> Self {
        Self { size, held: 0, ungranted: 0, grant_at: size.div_ceil(2), exceeded: false }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) const fn held(&self) -> u64 {
        self.held
    }

    /// How many bytes the peer may still send once all grants have reached it; `None` if it has overdrawn the window.
    pub(crate) fn unused(&self) -> Option<u64> {
        self.size.checked_sub(self.held.saturating_add(self.ungranted))
    }

    /// Whether the client is to be read. A client that keeps to its window may use it up, and one message
    /// may overdraw it; only a message after that closes it, so that such a client can always cancel.
    pub(crate) const fn is_open(&self) -> bool {
        !self.exceeded
    }

    pub(crate) fn hold(&mut self, bytes: u64) {
        self.exceeded |= self.held >= self.size;
        self.held = self.held.saturating_add(bytes);
    }

    /// Lets go of what the upstream took, and returns the grant to send, if it is worth a message.
    ///
    /// A grant waits until half the window is taken, or an eighth of one that has grown: what waits is lost to a
    /// client that is held back. A client inside its window still never stalls: what is neither granted nor held is
    /// less than half the window, so the rest of it is open to the client.
    pub(crate) fn release(&mut self, bytes: u64) -> Option<u64> {
        self.release_and_shrink(bytes, 0)
    }

    /// As [`release`](Self::release), but never grants `kept` of the bytes again: the window is smaller by as much.
    ///
    /// `kept` must not be more than `bytes`. What the peer may send does not change: a grant is never taken back.
    pub(crate) fn release_and_shrink(&mut self, bytes: u64, kept: u64) -> Option<u64> {
        self.size = self.size.saturating_sub(kept);
        self.held = self.held.saturating_sub(bytes);
        self.exceeded &= self.held >= self.size;
        self.ungranted = self.ungranted.saturating_add(bytes.saturating_sub(kept));
        (self.ungranted >= self.grant_at.max(self.size / 8)).then(|| std::mem::take(&mut self.ungranted))
    }

    /// Makes the window larger by these bytes, and returns the grant to send: them, and what was not granted yet.
    pub(crate) fn grow(&mut self, bytes: u64) -> u64 {
        self.size = self.size.saturating_add(bytes);
        self.exceeded &= self.held >= self.size;
        bytes.saturating_add(std::mem::take(&mut self.ungranted))
    }

    /// Makes the window smaller by what a peer that has sent its last message cannot use.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        self.size = self.size.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_may_overdraw_the_send_window() {
        let mut window = SendWindow::new(Some(1));
        assert!(window.is_open());
        window.take(100);
        assert!(!window.is_open());
        assert!(window.grant(99) && !window.is_open());
        assert!(window.grant(1) && window.is_open());
        assert!(!window.grant(MAX_SAFE_INTEGER));
    }

    #[test]
    fn only_a_message_beyond_the_used_up_window_closes_it() {
        let mut window = ReceiveWindow::new(10);
        window.hold(50);
        assert!(window.is_open(), "one message may overdraw the window");
        window.hold(1);
        assert!(!window.is_open());
        window.release(40);
        assert!(!window.is_open(), "11 bytes are still held");
        window.release(10);
        assert!(window.is_open());
    }

    #[test]
    fn a_client_inside_its_window_never_stalls() {
        let mut window = ReceiveWindow::new(10);
        let mut client = 10i64;
        for _ in 0..100 {
            assert!(client > 0, "the client is stalled");
            window.hold(3);
            client -= 3;
            if let Some(granted) = window.release(3) {
                client += i64::try_from(granted).expect("small");
            }
        }
    }
}
