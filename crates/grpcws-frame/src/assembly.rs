//! A message that arrives in parts.

use std::borrow::Cow;

use crate::{FrameError, Message};

/// How much is reserved beyond what has arrived, before the bytes are there.
const RESERVED: usize = 64 * 1024;

/// A message that arrives in parts, as far as it has come.
#[derive(Debug)]
pub(crate) enum Assembly {
    Text(Text),
    Binary(Vec<u8>),
    /// A message over a limit: nothing of it is kept, and nothing of it is validated.
    Skipped,
}

/// Text that is valid so far.
#[derive(Debug, Default)]
pub(crate) struct Text {
    text: String,
    /// The beginning of a character whose other bytes are still to come.
    tail: [u8; 4],
    tail_length: usize,
}

impl Assembly {
    /// How many bytes have arrived.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.text.len().saturating_add(text.tail_length),
            Self::Binary(bytes) => bytes.len(),
            Self::Skipped => 0,
        }
    }

    /// Appends unmasked bytes of a message that will have `expected` bytes as far as its frames say, and can have
    /// `most`.
    pub(crate) fn push(&mut self, piece: &[u8], expected: usize, most: usize) -> Result<(), FrameError> {
        match self {
            Self::Text(text) => {
                let arriving = piece.len().saturating_add(text.tail_length);
                let additional = growth(text.text.len(), text.text.capacity(), arriving, expected, most);
                text.text.reserve_exact(additional);
                text.push(piece)
            }
            Self::Binary(bytes) => {
                bytes.reserve_exact(growth(bytes.len(), bytes.capacity(), piece.len(), expected, most));
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Self::Skipped => Ok(()),
        }
    }

    /// The whole message; `None` if it was skipped.
    pub(crate) fn complete(self) -> Result<Option<Message<'static>>, FrameError> {
        match self {
            Self::Text(Text { mut text, tail_length: 0, .. }) => {
                if has_slack(text.len(), text.capacity()) {
                    text.shrink_to_fit();
                }
                Ok(Some(Message::Text(Cow::Owned(text))))
            }
            Self::Text(_) => Err(FrameError::InvalidUtf8),
            Self::Binary(mut bytes) => {
                if has_slack(bytes.len(), bytes.capacity()) {
                    bytes.shrink_to_fit();
                }
                Ok(Some(Message::Binary(Cow::Owned(bytes))))
            }
            Self::Skipped => Ok(None),
        }
    }
}

/// Whether so much of a buffer is unused that it is not to be kept with the message.
const fn has_slack(length: usize, capacity: usize) -> bool {
    capacity - length > length / 4
}

/// How many bytes to reserve for a piece, so that a message of many pieces is copied a few times only, and no declared
/// length reserves more than [`RESERVED`] or as much again as has arrived.
fn growth(length: usize, capacity: usize, arriving: usize, expected: usize, most: usize) -> usize {
    let needed = length.saturating_add(arriving);
    if needed <= capacity {
        return 0;
    }
    let ahead = expected.min(needed.saturating_add(RESERVED));
    let target = ahead.max(capacity.saturating_mul(2)).min(most);
    target.max(needed).saturating_sub(length)
}

impl Text {
    /// Appends bytes, and fails at the first one that cannot be part of UTF-8.
    fn push(&mut self, mut piece: &[u8]) -> Result<(), FrameError> {
        while self.tail_length > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.push_to_tail(byte)?;
        }
        let valid = match std::str::from_utf8(piece) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                let (valid, tail) = piece.split_at(error.valid_up_to());
                for &byte in tail {
                    self.push_byte(byte);
                }
                std::str::from_utf8(valid).map_err(|_| FrameError::InvalidUtf8)?
            }
            Err(_) => return Err(FrameError::InvalidUtf8),
        };
        self.text.push_str(valid);
        Ok(())
    }

    fn push_byte(&mut self, byte: u8) {
        if let Some(place) = self.tail.get_mut(self.tail_length) {
            *place = byte;
            self.tail_length += 1;
        }
    }

    fn push_to_tail(&mut self, byte: u8) -> Result<(), FrameError> {
        self.push_byte(byte);
        match std::str::from_utf8(self.tail.get(..self.tail_length).unwrap_or_default()) {
            Ok(character) => {
                self.text.push_str(character);
                self.tail_length = 0;
                Ok(())
            }
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(FrameError::InvalidUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes of a text are taken, one at a time, before it is refused.
    fn taken(bytes: &[u8]) -> usize {
        let mut text = Text::default();
        bytes.iter().take_while(|byte| text.push(&[**byte]).is_ok()).count()
    }

    #[test]
    fn text_is_refused_at_the_first_byte_that_cannot_be_part_of_it() {
        for (bytes, valid) in [
            (&b"ab\xff"[..], 2),
            (b"a\x80", 1),
            (b"\xc0\x80", 0),
            (b"\xe0\x80\x80", 1),
            (b"\xed\xa0\x80", 1),
            (b"\xf0\x8f\x80\x80", 1),
            (b"\xf4\x90\x80\x80", 1),
            (b"\xf5\x80", 0),
            (b"\xce\xbax\xe2\x82x", 5),
            ("aé€😀".as_bytes(), 10),
        ] {
            assert_eq!(taken(bytes), valid, "{bytes:x?}");
        }
    }

    #[test]
    fn a_declared_length_reserves_little() {
        let mut assembly = Assembly::Binary(Vec::new());
        assembly.push(b"x", 1 << 30, 1 << 30).expect("binary");
        let Assembly::Binary(bytes) = assembly else { panic!("it stays binary") };
        assert!(bytes.capacity() <= 1 + RESERVED);
    }

    #[test]
    fn a_whole_message_has_no_slack() {
        for (frames, length) in [(1_000, 1), (7, 9_000), (1, 3_000_000)] {
            let mut assembly = Assembly::Binary(Vec::new());
            let total = frames * length;
            for frame in 0..frames {
                let expected = (frame + 1) * length;
                let payload = vec![7; length];
                for piece in payload.chunks(16 * 1024) {
                    assembly.push(piece, expected, total).expect("binary");
                }
            }
            let Ok(Some(Message::Binary(Cow::Owned(bytes)))) = assembly.complete() else {
                panic!("a message")
            };
            assert_eq!(bytes.len(), total);
            assert!(bytes.capacity() <= total + total / 4);
        }
    }
}
