//! gRPC's framing: the bytes in front of each message in the body of a request or a response.

use bytes::{Buf, Bytes, BytesMut};

/// The bytes in front of each message: a flag that says whether it is compressed, and its length.
pub const PREFIX: usize = 5;

/// How much is reserved for a message in parts before its bytes are there.
const RESERVED: usize = 64 * 1024;

/// A buffer up to here is kept for the next message in parts. A larger one belongs to its message alone, or it would
/// stay for as long as the stream is open.
const KEPT: usize = 4 * 1024;

/// One message as its prefix describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether the message is compressed.
    pub compressed: bool,
    /// The message, without its prefix.
    pub message: Bytes,
}

/// Bytes that are no sequence of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message is larger than the limit.
    #[error("larger than the limit")]
    TooLarge,
    /// Something else stands where a message begins.
    #[error("invalid compressed flag {0}")]
    Flag(u8),
}

/// Cuts a stream of chunks into messages. One that lies within a chunk is a slice of it; one that does not
/// is put together. Reserved is no more than 64 KiB beyond what has arrived, or what the largest message before
/// took: a declared length alone reserves nothing. Between two messages nothing large is kept.
#[derive(Debug)]
pub struct Deframer {
    chunk: Bytes,
    /// The beginning of a message that goes on in a later chunk.
    partial: BytesMut,
    /// The size of the largest message that was put together.
    largest: usize,
    limit: usize,
}

impl Deframer {
    /// Messages larger than `limit` bytes are errors.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { chunk: Bytes::new(), partial: BytesMut::new(), largest: 0, limit }
    }

    /// Takes a chunk, when [`Deframer::next_message`] has nothing more.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the chunk before is used up");
        self.chunk = chunk;
    }

    /// Whether nothing is left of a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty()
    }

    /// The next message; `None` where the rest of it has not arrived yet.
    ///
    /// # Errors
    ///
    /// What comes is no message, or a larger one than is permitted.
    pub fn next_message(&mut self) -> Result<Option<Frame>, FrameError> {
        if !self.partial.is_empty() {
            return self.complete();
        }
        let Some(prefix) = self.chunk.first_chunk::<PREFIX>() else {
            self.keep(0);
            return Ok(None);
        };
        let (compressed, length) = self.parse(*prefix)?;
        if self.chunk.len() - PREFIX < length {
            self.keep(length);
            return Ok(None);
        }
        self.chunk.advance(PREFIX);
        Ok(Some(Frame { compressed, message: self.chunk.split_to(length) }))
    }

    /// Goes on with a message that began in an earlier chunk.
    fn complete(&mut self) -> Result<Option<Frame>, FrameError> {
        self.take_up_to(PREFIX);
        let Some(prefix) = self.partial.first_chunk::<PREFIX>() else { return Ok(None) };
        let (compressed, length) = self.parse(*prefix)?;
        self.reserve(length, 0);
        self.take_up_to(PREFIX + length);
        if self.partial.len() < PREFIX + length {
            return Ok(None);
        }
        self.largest = self.largest.max(PREFIX + length);
        let whole = self.partial.split();
        if whole.len() > KEPT {
            // Even an empty half of a buffer keeps all of it.
            self.partial = BytesMut::new();
        }
        let mut message = whole.freeze();
        message.advance(PREFIX);
        Ok(Some(Frame { compressed, message }))
    }

    fn take_up_to(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// Keeps what is left of the chunk as the beginning of a message of this length.
    fn keep(&mut self, length: usize) {
        let left = std::mem::take(&mut self.chunk);
        if !left.is_empty() {
            self.reserve(length, left.len());
            self.partial.extend_from_slice(&left);
        }
    }

    /// Makes room for a message of this length, of which `arriving` bytes come now.
    fn reserve(&mut self, length: usize, arriving: usize) {
        let arrived = self.partial.len() + arriving;
        let room = (PREFIX + length).min(self.largest.max(arrived + RESERVED));
        self.partial.reserve(room.saturating_sub(self.partial.len()));
    }

    fn parse(&self, prefix: [u8; PREFIX]) -> Result<(bool, usize), FrameError> {
        let [flag, length @ ..] = prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        match flag {
            _ if length > self.limit => Err(FrameError::TooLarge),
            0 => Ok((false, length)),
            1 => Ok((true, length)),
            flag => Err(FrameError::Flag(flag)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("short");
        [&[0], &length.to_be_bytes()[..], message].concat()
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let messages: Vec<Vec<u8>> = [0, 1, 2, 3, 300, 0, 5].map(|length| vec![b'x'; length]).to_vec();
        let wire: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        for size in 1..=wire.len() {
            let mut deframer = Deframer::new(300);
            let mut found = Vec::new();
            for chunk in wire.chunks(size) {
                deframer.push(Bytes::copy_from_slice(chunk));
                while let Some(frame) = deframer.next_message().expect("well formed") {
                    assert!(!frame.compressed);
                    found.push(frame.message.to_vec());
                }
            }
            assert_eq!(found, messages, "chunks of {size}");
            assert!(deframer.is_empty());
        }
    }

    #[test]
    fn a_limit_holds_before_the_bytes_arrive() {
        for cut in 0..=PREFIX {
            let mut deframer = Deframer::new(10);
            let wire = b"\x01\xff\xff\xff\xff";
            deframer.push(Bytes::copy_from_slice(&wire[..cut]));
            let first = deframer.next_message();
            let result = if cut == PREFIX {
                first
            } else {
                assert_eq!(first, Ok(None));
                deframer.push(Bytes::copy_from_slice(&wire[cut..]));
                deframer.next_message()
            };
            assert_eq!(result, Err(FrameError::TooLarge));
        }
        let mut deframer = Deframer::new(10);
        deframer.push(Bytes::from_static(b"<html>"));
        assert_eq!(
            deframer.next_message(),
            Err(FrameError::TooLarge),
            "text has a length that no message has"
        );
        let mut deframer = Deframer::new(10);
        deframer.push(Bytes::from_static(b"\x02\x00\x00\x00\x01x"));
        assert_eq!(deframer.next_message(), Err(FrameError::Flag(2)));
    }

    #[test]
    fn a_large_message_takes_its_memory_along() {
        let mut deframer = Deframer::new(usize::MAX);
        let mut receive = |length: usize| {
            let wire = frame(&vec![7; length]);
            let (first, second) = wire.split_at(wire.len() / 2);
            deframer.push(Bytes::copy_from_slice(first));
            assert_eq!(deframer.next_message(), Ok(None));
            deframer.push(Bytes::copy_from_slice(second));
            let received = deframer.next_message().expect("well formed").expect("complete");
            assert_eq!(received.message.len(), length);
            assert_eq!(deframer.next_message(), Ok(None));
            drop(received);
            // What is left of the buffer tells its size only by what it gives without an allocation.
            deframer.partial.try_reclaim(KEPT + 1)
        };
        for length in [100, 5_000, 3_000_000, 100, KEPT] {
            assert!(!receive(length), "the buffer of a message of {length} bytes is kept");
        }
    }

    #[test]
    fn half_a_message_is_not_empty() {
        let mut deframer = Deframer::new(10);
        deframer.push(Bytes::from_static(b"\x00\x00\x00\x00\x02x"));
        assert_eq!(deframer.next_message(), Ok(None));
        assert!(!deframer.is_empty());
    }
}
