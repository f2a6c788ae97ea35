//! The decoder with the buffer that a transport is read into.

use std::cell::Cell;
use std::ops::Range;
use std::task::Poll;

use crate::decoder::Found;
use crate::{Decoder, FrameError, Message, Role};

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

thread_local! {
    /// The buffer that the readers of a thread use one after the other. A reader keeps it only while something is left
    /// in it, so that idle ones have none.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Reads messages from a transport, which is lent a buffer whenever more bytes are needed.
///
/// ```no_run
/// # use grpcws_frame::{Message, Reader, Role};
/// # fn serve(mut stream: impl std::io::Read) -> Result<(), Box<dyn std::error::Error>> {
/// let mut reader = Reader::new(Role::Server, 64 * 1024, &[]);
/// loop {
///     while !reader.advance()? {
///         if reader.fill(|buffer| stream.read(buffer))? == 0 {
///             return Ok(());
///         }
///     }
///     if let Some(Message::Text(text)) = reader.message()? {
///         println!("{text}");
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Reader {
    decoder: Decoder,
    bytes: Box<[u8]>,
    /// Where in the buffer the bytes are that were not decoded yet.
    unread: Range<usize>,
    /// The message that [`Reader::message`] hands out.
    found: Option<Found>,
    /// Where the bytes begin in which it was found.
    found_at: usize,
}

impl Reader {
    /// A reader for this end's role, that begins with what came behind the handshake; `max_message_size` bounds the
    /// payload of a message.
    #[must_use]
    pub fn new(role: Role, max_message_size: usize, already_read: &[u8]) -> Self {
        Self {
            decoder: Decoder::new(role, max_message_size),
            bytes: already_read.into(),
            unread: 0..already_read.len(),
            found: None,
            found_at: 0,
        }
    }

    /// Decodes what lies in the buffer. Returns whether [`Reader::message`] has a message; if not, the buffer is empty
    /// and to be filled.
    ///
    /// # Errors
    ///
    /// The peer breaks RFC 6455. All later calls fail as well.
    #[inline]
    pub fn advance(&mut self) -> Result<bool, FrameError> {
        if self.found.is_none() && !self.unread.is_empty() {
            self.found_at = self.unread.start;
            let bytes = self.bytes.get_mut(self.unread.clone()).unwrap_or_default();
            let (consumed, found) = self.decoder.find(bytes)?;
            self.unread.start = self.unread.start.saturating_add(consumed);
            self.found = found;
        }
        Ok(self.found.is_some())
    }

    /// The message that [`Reader::advance`] has found.
    ///
    /// # Errors
    ///
    /// The peer breaks RFC 6455: a text message is not UTF-8, or a close frame is not valid. Or a message is over a limit
    /// ([`FrameError::is_limit`]): the rest of it is skipped, and reading may go on.
    #[inline]
    pub fn message(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        let Some(found) = self.found.take() else { return Ok(None) };
        self.decoder.open(found, self.bytes.get_mut(self.found_at..).unwrap_or_default()).map(Some)
    }

    /// Lends the buffer to `read`, which returns how many bytes it has put at its beginning; 0 is the end of the
    /// transport. The buffer has to be used up: see [`Reader::advance`].
    ///
    /// # Errors
    ///
    /// What `read` fails with.
    pub fn poll_fill<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<usize, E>> {
        debug_assert!(self.unread.is_empty() && self.found.is_none(), "the buffer is used up");
        if self.bytes.len() != PIECE {
            self.bytes = SPARE.take().unwrap_or_else(|| vec![0; PIECE].into());
        }
        let polled = read(&mut self.bytes);
        let length = match &polled {
            Poll::Ready(Ok(length)) => (*length).min(PIECE),
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.unread = 0..length;
        if length == 0 {
            self.release();
        }
        polled
    }

    /// [`Reader::poll_fill`] for a transport that blocks.
    ///
    /// # Errors
    ///
    /// What `read` fails with.
    pub fn fill<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        match self.poll_fill(|buffer| Poll::Ready(read(buffer))) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(0),
        }
    }

    /// Leaves an empty buffer to the other readers of this thread: to be called by a reader that stops reading for a
    /// while. [`Reader::poll_fill`] does it by itself if nothing is read.
    pub fn release(&mut self) {
        if self.bytes.is_empty() || !self.unread.is_empty() || self.found.is_some() {
            return;
        }
        self.unread = 0..0;
        let bytes = std::mem::take(&mut self.bytes);
        // What was there at the beginning is of another length.
        if bytes.len() == PIECE {
            SPARE.set(Some(bytes));
        }
    }

    /// Whether a part of a message has arrived and the rest is still to come.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        self.decoder.is_inside_message()
    }

    /// How many bytes of payload have arrived so far, those of unfinished frames included.
    #[must_use]
    pub fn payload_received(&self) -> u64 {
        self.decoder.payload_received()
    }

    /// Whether nothing more is decoded: the close frame has come, or a violation.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.decoder.has_ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_reader_holds_no_buffer() {
        let mut reader = Reader::new(Role::Client, 100, b"\x81\x01a");
        assert_eq!(reader.advance(), Ok(true));
        assert_eq!(reader.message(), Ok(Some(Message::Text("a".into()))));
        assert_eq!(reader.advance(), Ok(false));
        let frame = b"\x82\x02xy\x82";
        let filled = reader.fill(|buffer| {
            buffer[..frame.len()].copy_from_slice(frame);
            Ok::<_, ()>(frame.len())
        });
        assert_eq!(filled, Ok(frame.len()));
        assert_eq!(reader.advance(), Ok(true));
        assert_eq!(reader.message(), Ok(Some(Message::Binary(b"xy".as_slice().into()))));
        assert!(!reader.is_inside_message());
        assert_eq!(reader.advance(), Ok(false));
        assert!(reader.is_inside_message(), "a byte of the next head was there");
        assert_eq!(reader.bytes.len(), PIECE);
        assert!(reader.poll_fill(|_| Poll::<Result<usize, ()>>::Pending).is_pending());
        assert!(reader.bytes.is_empty());
        assert_eq!(SPARE.take().map(|spare| spare.len()), Some(PIECE));
    }
}
