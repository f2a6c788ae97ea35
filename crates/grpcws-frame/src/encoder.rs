//! Messages → bytes: the one queue of what leaves.

use std::cell::Cell;

use crate::close::MAX_REASON;
use crate::head::{self, MAX_CONTROL, Opcode};
use crate::{Role, mask};

/// How many bytes are gathered before they are to be written. With small messages nearly all that the kernel does is
/// done for each write, whatever its size.
const GATHERED: usize = 32 * 1024;

/// The same where messages are large. Copying dominates there, and a system call that has more to copy pays off still;
/// what a connection that is not read holds is only a few messages more.
const GATHERED_LARGE: usize = 64 * 1024;

/// From this length on a message is large.
const LARGE: usize = 8 * 1024;

/// A buffer up to here grows by doubling, and is kept. What does not fit is queued in the spare buffer, or a single
/// burst would stay in the memory of a connection for as long as that is open.
const SMALL: usize = 4 * 1024;

/// A buffer up to here is kept as the spare one. One that has held a larger message is let go.
const MAX_SPARE: usize = 512 * 1024;

/// While more than this is queued, pongs wait, and a newer one takes the place of the one before.
const PONGS: usize = SMALL;

thread_local! {
    /// A large buffer that no encoder of this thread has anything in. Encoders that take turns with one buffer find it
    /// in the processor's cache, where each one's own would not be.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The kind of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// Makes masking keys. RFC 6455 §10.3: whoever chooses the payload must not be able to predict them.
type Keys = fn() -> [u8; 4];

/// Encodes what one end sends: whole frames, one behind the other, in one buffer.
///
/// The owner writes [`Encoder::pending`] to its transport and tells [`Encoder::advance`] how much of it was taken.
#[derive(Debug)]
pub struct Encoder {
    /// `None` for a server, which does not mask.
    keys: Option<Keys>,
    bytes: Vec<u8>,
    /// How many of them were taken.
    sent: usize,
    /// How long the last data message was: the next one is likely to be as long.
    last_length: usize,
    /// Whether more was queued than a small buffer holds, the last time: that is likely to come again.
    much: bool,
    /// The payload of a pong that waits for the queue to become short.
    pong: Option<Vec<u8>>,
    closed: bool,
}

impl Encoder {
    /// An encoder for a server: nothing is masked.
    #[must_use]
    pub fn server() -> Self {
        Self::new(None)
    }

    /// An encoder for a client: each frame is masked with a key from a cryptographic generator.
    #[cfg(feature = "client")]
    #[must_use]
    pub fn client() -> Self {
        Self::new(Some(rand::random))
    }

    /// An encoder for a client whose masking keys come from `keys`, for tests that need the same bytes each time.
    #[must_use]
    pub fn client_with_keys(keys: fn() -> [u8; 4]) -> Self {
        Self::new(Some(keys))
    }

    const fn new(keys: Option<Keys>) -> Self {
        Self { keys, bytes: Vec::new(), sent: 0, last_length: 0, much: false, pong: None, closed: false }
    }

    /// The end whose frames are encoded.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.keys.is_some() { Role::Client } else { Role::Server }
    }

    /// Queues a data message, whose payload `write` appends to the bytes that it is given and must leave as they are;
    /// returns the length of the payload. A text has to be UTF-8. Behind a close frame nothing is queued, and `write`
    /// is not called.
    ///
    /// The payload is written where it is sent from. Its length, and so that of the head before it, is known only then:
    /// room is left for a head as the last message had it, and where that is wrong the payload is moved.
    ///
    /// # Errors
    ///
    /// What `write` fails with; nothing is queued then.
    #[inline]
    pub fn data<E>(
        &mut self,
        kind: DataKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<usize, E> {
        if self.closed {
            return Ok(0);
        }
        let opcode = match kind {
            DataKind::Text => Opcode::Text,
            DataKind::Binary => Opcode::Binary,
        };
        let start = self.bytes.len();
        let expected = self.last_length.min(MAX_SPARE);
        let reserved = head::size(expected, self.keys.is_some());
        self.reserve(reserved.saturating_add(expected));
        self.bytes.resize(start.saturating_add(reserved), 0);
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let length = self.bytes.len().saturating_sub(start.saturating_add(reserved));
        self.finish(opcode, start, reserved, length);
        self.last_length = length;
        Ok(length)
    }

    /// Queues a ping. A payload is cut after 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) {
        self.control(Opcode::Ping, payload);
    }

    /// Answers a ping with its payload. While the queue is long only the newest pong is kept, and is queued when all
    /// before it has left (RFC 6455 §5.5.3).
    pub fn pong(&mut self, payload: &[u8]) {
        if self.closed {
            return;
        }
        if self.len() > PONGS {
            self.pong = Some(payload.to_vec());
        } else {
            self.pong = None;
            self.control(Opcode::Pong, payload);
        }
    }

    /// Queues the close frame; nothing is queued behind it. Only the first one counts. A reason is cut to 123 bytes, and
    /// there is none without a code.
    pub fn close(&mut self, code: Option<u16>, reason: &str) {
        let reason = reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default();
        match code {
            Some(code) => self.control(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat()),
            None => self.control(Opcode::Close, &[]),
        }
        self.closed = true;
        self.pong = None;
    }

    fn control(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.closed {
            return;
        }
        let payload = payload.get(..MAX_CONTROL).unwrap_or(payload);
        let start = self.bytes.len();
        let reserved = head::size(payload.len(), self.keys.is_some());
        self.reserve(reserved.saturating_add(payload.len()));
        self.bytes.resize(start.saturating_add(reserved), 0);
        self.bytes.extend_from_slice(payload);
        self.finish(opcode, start, reserved, payload.len());
    }

    /// Masks a payload and puts the head in front of it, for which so many bytes were reserved.
    #[inline]
    fn finish(&mut self, opcode: Opcode, start: usize, reserved: usize, length: usize) {
        let size = head::size(length, self.keys.is_some());
        if size != reserved {
            self.move_payload(start.saturating_add(reserved), length, start.saturating_add(size));
        }
        let frame = self.bytes.get_mut(start..).unwrap_or_default();
        let Some((head, payload)) = frame.split_at_mut_checked(size) else { return };
        let key = self.keys.map(|keys| keys());
        head::write(head, opcode, length, key);
        if let Some(key) = key {
            mask::apply(payload, key);
        }
    }

    #[inline]
    fn reserve(&mut self, additional: usize) {
        let needed = self.bytes.len().saturating_add(additional);
        if needed > self.bytes.capacity() {
            self.grow(needed);
        }
    }

    /// Makes room for so many bytes in all.
    #[inline(never)]
    fn grow(&mut self, needed: usize) {
        if needed <= SMALL && !self.much {
            return self.bytes.reserve(needed.saturating_sub(self.bytes.len()));
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

    /// How many bytes are queued.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Whether nothing is queued, nor a pong waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0 && self.pong.is_none()
    }

    /// Whether so much is queued that it is worth a write before more is gathered. Of large messages only as many are
    /// gathered as fit.
    #[inline]
    #[must_use]
    pub const fn is_full(&self) -> bool {
        let room = if self.last_length < LARGE { 0 } else { self.last_length };
        self.len().saturating_add(room) > enough(self.last_length)
    }

    /// Whether the close frame was queued.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// What is to be written; empty if there is nothing.
    #[inline]
    pub fn pending(&mut self) -> &[u8] {
        if self.sent == self.bytes.len()
            && let Some(payload) = self.pong.take()
        {
            self.control(Opcode::Pong, &payload);
        }
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// So many bytes of [`Encoder::pending`] were taken.
    #[inline]
    pub fn advance(&mut self, taken: usize) {
        self.sent = self.sent.saturating_add(taken);
        if self.sent >= self.bytes.len() {
            self.clear();
        }
    }

    /// All was taken: a large buffer is left to whichever encoder needs one next.
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
}

/// How many bytes are gathered at most, where messages have this length.
const fn enough(length: usize) -> usize {
    if length < LARGE { GATHERED } else { GATHERED_LARGE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(encoder: &mut Encoder, payload: &[u8]) {
        let queued = encoder.data(DataKind::Text, |bytes| {
            bytes.extend_from_slice(payload);
            Ok::<_, ()>(())
        });
        assert_eq!(queued, Ok(payload.len()));
    }

    #[test]
    fn frames_of_every_length_follow_each_other() {
        let mut encoder = Encoder::server();
        let mut expected = Vec::new();
        for length in [0, 5, 125, 126, 0, 70_000, 65_535, 1, 65_536, 300] {
            let payload = vec![b'x'; length];
            text(&mut encoder, &payload);
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
            assert!(encoder.pending() == expected, "{length}");
        }
    }

    #[test]
    fn the_masked_frame_of_the_rfc() {
        let mut encoder = Encoder::client_with_keys(|| [0x37, 0xfa, 0x21, 0x3d]);
        text(&mut encoder, b"Hello");
        let expected = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(encoder.pending(), expected);
    }

    #[cfg(feature = "client")]
    #[test]
    fn each_frame_of_a_client_has_a_key_of_its_own() {
        let mut encoder = Encoder::client();
        for _ in 0..8 {
            encoder.ping(&[]);
        }
        let keys: std::collections::HashSet<&[u8]> =
            encoder.pending().chunks(6).map(|frame| &frame[2..]).collect();
        assert!(keys.len() > 6, "{keys:?}");
    }

    #[test]
    fn large_buffers_are_shared_and_small_ones_kept() {
        let (mut one, mut other) = (Encoder::server(), Encoder::server());
        let turn = |encoder: &mut Encoder| {
            text(encoder, &[0; 2 * SMALL]);
            let place = encoder.bytes.as_ptr();
            encoder.advance(encoder.len());
            assert_eq!(encoder.bytes.capacity(), 0);
            place
        };
        // The first message is longer than expected.
        turn(&mut one);
        turn(&mut other);
        assert_eq!(turn(&mut one), turn(&mut other));
        for _ in 0..2 {
            text(&mut one, &[0; 100]);
            one.advance(one.len());
        }
        assert!((100..=SMALL).contains(&one.bytes.capacity()));
        text(&mut one, &vec![0; MAX_SPARE + 1]);
        one.advance(one.len());
        assert!(SPARE.take().capacity() <= MAX_SPARE);
    }

    #[test]
    fn a_payload_that_fails_leaves_nothing() {
        let mut encoder = Encoder::server();
        encoder.ping(b"before");
        let failed = encoder.data(DataKind::Binary, |bytes| {
            bytes.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!(encoder.pending(), b"\x89\x06before");
    }

    #[test]
    fn of_many_pongs_the_newest_one_waits() {
        let mut encoder = Encoder::server();
        for number in 0..100_000_u32 {
            encoder.pong(&number.to_be_bytes());
        }
        assert!(encoder.len() <= PONGS + MAX_CONTROL + 2, "{}", encoder.len());
        assert_eq!(&encoder.pending()[..6], b"\x8a\x04\0\0\0\0");
        encoder.advance(encoder.len());
        assert!(!encoder.is_empty());
        assert_eq!(encoder.pending(), [&b"\x8a\x04"[..], &99_999_u32.to_be_bytes()].concat());
        encoder.advance(encoder.len());
        assert!(encoder.is_empty());
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut encoder = Encoder::server();
        encoder.close(Some(1000), &"é".repeat(100));
        encoder.close(Some(1001), "");
        encoder.ping(b"x");
        encoder.pong(b"x");
        text(&mut encoder, b"");
        let frame = encoder.pending();
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert_eq!(&frame[..6], b"\x88\x7c\x03\xe8\xc3\xa9");
        encoder.advance(usize::MAX);
        assert!(encoder.is_empty() && encoder.pending().is_empty());
    }
}
