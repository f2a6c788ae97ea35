//! What was read from a connection before h2 asks for it.

use std::cell::Cell;
use std::io::Result;
use std::task::{Poll, ready};

use tokio::io::ReadBuf;

/// How many bytes are read at once.
const SIZE: usize = 64 * 1024;

/// The head of a frame of HTTP/2, which begins with the length of what is behind it (RFC 9113 §4.1).
const HEAD: usize = 9;

thread_local! {
    /// A buffer that no connection of this thread has anything in.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What was read from a connection before h2 asks for it.
///
/// h2 by itself asks for 8 KiB, which is half of a full frame: two system calls for each, and a copy of the first
/// half into a buffer that is large enough. Here one system call brings several frames, and h2 is handed whole ones;
/// of one that its buffer has no room for only the head, by which it makes room for the rest.
///
/// A connection has a buffer for as long as there is something in it; in between, the connections of a thread share
/// one.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// How much of the frame that h2 has the beginning of is not handed over yet.
    rest: usize,
    /// Whether no more will come.
    ended: bool,
}

impl Ahead {
    fn bytes(&self) -> &[u8] {
        self.buffer.as_deref().and_then(|buffer| buffer.get(self.start..self.end)).unwrap_or_default()
    }

    /// Reads what there is, when nothing can be handed over. Ready with the number of bytes, which is 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<Result<()>>,
    ) -> Poll<Result<usize>> {
        let mut buffer = self.buffer.take().or_else(|| SPARE.take()).unwrap_or_else(|| vec![0; SIZE].into());
        // At most the beginning of a head.
        buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let mut free = ReadBuf::new(buffer.get_mut(self.end..).unwrap_or_default());
        let result = read(&mut free);
        let length = free.filled().len();
        self.end += length;
        self.buffer = Some(buffer);
        self.release();
        ready!(result)?;
        self.ended = length == 0;
        Poll::Ready(Ok(length))
    }

    /// Gives the buffer back when there is nothing in it.
    fn release(&mut self) {
        if self.start == self.end
            && let Some(buffer) = self.buffer.take()
        {
            SPARE.set(Some(buffer));
        }
    }

    /// Hands over what fits, or the end; `false` where nothing can be handed over before more was read.
    pub(super) fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let (length, rest) = self.measure(buf.remaining());
        if length == 0 {
            return buf.remaining() == 0 || std::mem::take(&mut self.ended);
        }
        buf.put_slice(self.bytes().get(..length).unwrap_or_default());
        self.start += length;
        self.rest = rest;
        self.release();
        true
    }

    /// How many bytes to hand over where there is this much room, and how much of the last frame is then left.
    fn measure(&self, room: usize) -> (usize, usize) {
        let bytes = self.bytes();
        let mut length = self.rest.min(room).min(bytes.len());
        let mut rest = self.rest - length;
        while rest == 0 && length < room {
            let Some(head) = bytes.get(length..).and_then(<[u8]>::first_chunk::<HEAD>) else {
                // The end can be in the middle of a head.
                let length = if self.ended { bytes.len().min(room) } else { length };
                return (length, 0);
            };
            let [a, b, c, ..] = *head;
            let size = HEAD + usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX - HEAD);
            let fits = size <= room - length;
            if !fits && length > 0 {
                break;
            }
            let taken = if fits { size.min(bytes.len() - length) } else { HEAD.min(room) };
            length += taken;
            rest = size - taken;
        }
        (length, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let [_, length_bytes @ ..] = u32::try_from(length).expect("short").to_be_bytes();
        [&length_bytes[..], &[0; HEAD - 3], &vec![7; length]].concat()
    }

    /// Reads as h2 does, whose buffers have `room`, or what a frame needs, from a connection that brings `wire` in
    /// pieces of `piece` bytes. Returns what each read brought.
    fn read(wire: &[u8], piece: usize, room: usize) -> Vec<Vec<u8>> {
        let mut pieces = wire.chunks(piece);
        let mut ahead = Ahead::default();
        let mut reads: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut space = vec![0; room.max(ahead.rest)];
            let mut buf = ReadBuf::new(&mut space);
            while !ahead.hand_over(&mut buf) {
                let filled = ahead.poll_fill(|free| {
                    free.put_slice(pieces.next().unwrap_or_default());
                    Poll::Ready(Ok(()))
                });
                assert!(matches!(filled, Poll::Ready(Ok(_))));
            }
            if buf.filled().is_empty() {
                assert!(ahead.buffer.is_none(), "an idle connection holds no buffer");
                return reads;
            }
            reads.push(buf.filled().to_vec());
        }
    }

    #[test]
    fn every_byte_arrives_once_however_it_comes() {
        let wire: Vec<u8> = [0, 5, 300, 20, 0, 1_000, 8, 8].into_iter().flat_map(frame).collect();
        // The second ends in a frame, the third in a head.
        for wire in [&wire[..], &wire[..wire.len() - 3], &wire[..wire.len() - 12]] {
            for piece in [1, 7, 9, 10, 333, wire.len()] {
                for room in [1, 8, 9, 40, 311, 4_096] {
                    assert!(read(wire, piece, room).concat() == wire, "pieces of {piece}, room for {room}");
                }
            }
        }
    }

    #[test]
    fn small_frames_come_together_and_of_a_large_one_only_the_head_is_read_without_room() {
        let wire = [frame(10), frame(10), frame(1_000), frame(10)].concat();
        let lengths: Vec<usize> = read(&wire, wire.len(), 100).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2 * (HEAD + 10), HEAD, 1_000, HEAD + 10]);
    }
}
