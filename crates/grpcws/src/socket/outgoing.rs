//! What is queued for the transport: whole frames, one behind the other, in one buffer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WRITE_BUFFER;
use crate::transport::Transport;

/// The longest head of a frame that is not masked.
const MAX_HEAD: usize = 10;

/// The buffer of a socket that is busy with small messages. One that has grown beyond this is let go when it is
/// empty, or a single large message would stay in the memory of a socket for as long as that is open.
const FULL: usize = WRITE_BUFFER + 1024;

/// A buffer up to here grows by doubling, and is always kept.
const SMALL: usize = 4 * 1024;

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
        if needed > self.bytes.capacity() && (SMALL..FULL).contains(&needed) {
            self.bytes.reserve_exact(FULL.saturating_sub(self.bytes.len()));
        } else {
            self.bytes.reserve(additional);
        }
    }

    /// Moves what stands at the end, for a head of another size.
    #[cold]
    fn move_payload(&mut self, from: usize, length: usize, to: usize) {
        let (before, after) = (self.bytes.len(), to.saturating_add(length));
        self.bytes.resize(before.max(after), 0);
        self.bytes.copy_within(from..before, to);
        self.bytes.truncate(after);
    }

    /// Hands the transport what there is; ready when it has taken all.
    pub(super) fn poll_write(
        &mut self,
        transport: &mut Transport,
        written: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let taken = ready!(Pin::new(&mut *transport).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = self.sent.saturating_add(taken);
            *written = written.saturating_add(u64::try_from(taken).unwrap_or(0));
        }
        self.sent = 0;
        let (used, capacity) = (self.bytes.len(), self.bytes.capacity());
        self.bytes.clear();
        if used > 0 && (capacity > FULL || (capacity > SMALL && used < capacity / 8)) {
            // It was too large for what it held: the burst is over.
            self.bytes = Vec::new();
        }
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
