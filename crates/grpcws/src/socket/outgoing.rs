//! What is queued for the transport: whole frames, one behind the other, in one buffer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::enough;
use crate::transport::Transport;

/// The longest head of a frame that is not masked.
const MAX_HEAD: usize = 10;

/// A buffer up to here grows by doubling, and is kept. What does not fit is queued in the spare buffer, or a single
/// burst would stay in the memory of a socket for as long as that is open.
const SMALL: usize = 4 * 1024;

/// A buffer up to here is kept as the spare one. One that has held a larger message is let go.
const MAX_SPARE: usize = 512 * 1024;

thread_local! {
    /// A large buffer that no socket of this thread has anything in. Sockets that take turns with one buffer find it
    /// in the processor's cache, where each one's own would not be.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The kind of a data frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataKind {
    Text,
    Binary,
}

/// What is queued for the transport.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them the transport has taken.
    sent: usize,
    /// How long the last message was: the next one is likely to be as long.
    last_length: usize,
    /// Whether more was queued than a small buffer holds, the last time: that is likely to come again.
    much: bool,
}

impl Outgoing {
    pub(super) const fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes that are whole frames.
    pub(super) fn append(&mut self, frames: &[u8]) {
        self.bytes.extend_from_slice(frames);
    }

    /// Appends a frame around what `write` appends, and returns the length of that. Where it fails, nothing is
    /// appended.
    ///
    /// The payload is written where it is sent from. Its length, and so that of the head before it, is known only
    /// then: room is left for a head as the last message had it, and where that is wrong the payload is moved.
    pub(super) fn append_frame<E>(
        &mut self,
        kind: DataKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let start = self.bytes.len();
        let (_, reserved) = head(kind, self.last_length);
        self.reserve(MAX_HEAD.saturating_add(self.last_length));
        self.bytes.resize(start.saturating_add(reserved), 0);
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let payload = start.saturating_add(reserved);
        let length = self.bytes.len().saturating_sub(payload);
        let (head, size) = head(kind, length);
        if size != reserved {
            self.move_payload(payload, length, start.saturating_add(size));
        }
        let place = self.bytes.get_mut(start..).unwrap_or_default();
        for (to, byte) in place.iter_mut().zip(head.iter().take(size)) {
            *to = *byte;
        }
        self.last_length = length;
        Ok(length)
    }

    fn reserve(&mut self, additional: usize) {
        let needed = self.bytes.len().saturating_add(additional);
        if needed <= self.bytes.capacity() {
            return;
        }
        if needed <= SMALL && !self.much {
            return self.bytes.reserve(additional);
        }
        let mut large = SPARE.take();
        // The last message that is queued goes beyond.
        large.reserve_exact(needed.max(enough(self.last_length).saturating_add(1024)));
        large.extend_from_slice(&self.bytes);
        self.bytes = large;
    }

    /// Moves what stands at the end, for a head of another size.
    #[cold]
    fn move_payload(&mut self, from: usize, length: usize, to: usize) {
        let (before, after) = (self.bytes.len(), to.saturating_add(length));
        self.bytes.resize(before.max(after), 0);
        self.bytes.copy_within(from..before, to);
        self.bytes.truncate(after);
    }

    /// The transport has taken all: a large buffer is left to whoever needs one next.
    fn clear(&mut self) {
        self.sent = 0;
        if self.bytes.is_empty() {
            return;
        }
        self.much = self.bytes.len() > SMALL;
        self.bytes.clear();
        if self.bytes.capacity() > SMALL {
            let large = std::mem::take(&mut self.bytes);
            if large.capacity() <= MAX_SPARE {
                SPARE.set(large);
            }
        }
    }

    /// Hands the transport what there is; ready when it has taken all.
    pub(super) fn poll_write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let taken = ready!(Pin::new(&mut *transport).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = self.sent.saturating_add(taken);
        }
        self.clear();
        Poll::Ready(Ok(()))
    }
}

/// The head of an unmasked frame that is a whole message (RFC 6455 §5.2), and its size.
fn head(kind: DataKind, length: usize) -> ([u8; MAX_HEAD], usize) {
    let first = match kind {
        DataKind::Text => 0x81,
        DataKind::Binary => 0x82,
    };
    if let Ok(length @ ..=125) = u8::try_from(length) {
        return ([first, length, 0, 0, 0, 0, 0, 0, 0, 0], 2);
    }
    if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        return ([first, 126, high, low, 0, 0, 0, 0, 0, 0], 4);
    }
    let [a, b, c, d, e, f, g, h] = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
    ([first, 127, a, b, c, d, e, f, g, h], MAX_HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_follow_each_other() {
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        for length in [0, 5, 125, 126, 0, 70_000, 65_535, 1, 65_536, 300] {
            let payload = vec![b'x'; length];
            let appended = outgoing.append_frame(DataKind::Text, |bytes| {
                bytes.extend_from_slice(&payload);
                Ok::<_, ()>(())
            });
            assert_eq!(appended, Ok(length));
            match length {
                0..126 => expected.extend([0x81, u8::try_from(length).expect("short")]),
                126..65_536 => {
                    expected.extend([0x81, 126]);
                    expected.extend(u16::try_from(length).expect("not long").to_be_bytes());
                }
                _ => {
                    expected.extend([0x81, 127]);
                    expected.extend((length as u64).to_be_bytes());
                }
            }
            expected.extend(payload);
            assert!(outgoing.bytes == expected, "{length}");
        }
    }

    fn queue(outgoing: &mut Outgoing, length: usize) {
        let appended = outgoing.append_frame(DataKind::Binary, |bytes| {
            bytes.resize(bytes.len() + length, 0);
            Ok::<_, ()>(())
        });
        assert_eq!(appended, Ok(length));
    }

    #[test]
    fn large_buffers_are_shared_and_small_ones_kept() {
        let (mut one, mut other) = (Outgoing::default(), Outgoing::default());
        let turn = |outgoing: &mut Outgoing| {
            queue(outgoing, 2 * SMALL);
            let place = outgoing.bytes.as_ptr();
            outgoing.clear();
            assert_eq!(outgoing.bytes.capacity(), 0);
            place
        };
        // The first message is longer than expected.
        turn(&mut one);
        turn(&mut other);
        assert_eq!(turn(&mut one), turn(&mut other));
        queue(&mut one, 100);
        one.clear();
        queue(&mut one, 100);
        one.clear();
        assert!((100..=SMALL).contains(&one.bytes.capacity()));
        queue(&mut one, MAX_SPARE + 1);
        one.clear();
        assert!(SPARE.take().capacity() <= MAX_SPARE);
    }

    #[test]
    fn a_payload_that_fails_leaves_nothing() {
        let mut outgoing = Outgoing::default();
        outgoing.append(b"before");
        let failed = outgoing.append_frame(DataKind::Binary, |bytes| {
            bytes.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!(outgoing.bytes, b"before");
    }
}
