//! What was read from a connection before h2 asks for it.

use std::cell::Cell;
use std::io::Result;
use std::task::{Poll, ready};

use tokio::io::ReadBuf;

use super::frames::{Frames, HEAD, Next};

/// How many bytes are read at once.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// A buffer that no connection of this thread has anything in.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What was read from a connection before h2 asks for it.
///
/// h2 by itself asks for 8 KiB, which is half of a full frame: two system calls for each, and a copy of the first
/// half into a buffer that is large enough. Here one system call brings several frames, and h2 is handed whole ones;
/// of one that its buffer has no room for only the head, by which it makes room for the rest. What h2 must not see
/// is taken out on the way: see [`Frames`].
///
/// A connection has a buffer for as long as there is something in it; in between, the connections of a thread share
/// one.
#[derive(Debug)]
pub(super) struct Ahead {
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// How much of the frame that h2 has the beginning of is not handed over yet.
    rest: usize,
    /// Whether h2 gets nothing behind that frame in this turn.
    last: bool,
    /// Whether no more will come.
    ended: bool,
    frames: Frames,
}

impl Ahead {
    pub(super) fn new(frames: Frames) -> Self {
        Self { buffer: None, start: 0, end: 0, rest: 0, last: false, ended: false, frames }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.as_deref().and_then(|buffer| buffer.get(self.start..self.end)).unwrap_or_default()
    }

    /// Reads what there is, when nothing can be handed over. Ready with the number of bytes, which is 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<Result<()>>,
    ) -> Poll<Result<usize>> {
        let mut buffer = self.buffer.take().or_else(|| SPARE.take()).unwrap_or_else(|| vec![0; SIZE].into());
        // At most the beginning of a frame.
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

    /// Whether h2 has to write before it gets more. This is asked once for each turn that a frame has ended.
    pub(super) fn turn_is_over(&mut self) -> bool {
        self.rest == 0 && std::mem::take(&mut self.last)
    }

    /// Hands over what fits, or the end; `false` where nothing can be handed over before more was read.
    ///
    /// # Errors
    /// The upstream has sent what h2 cannot be handed.
    pub(super) fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool> {
        let before = buf.remaining();
        let taken = self.pass(buf, self.rest);
        self.rest -= taken;
        while self.rest == 0 && !self.last && buf.remaining() > 0 && self.hand_over_frames(buf, before)? {}
        self.release();
        // Without room there is nothing to wait for, either.
        Ok(buf.remaining() < before || before == 0 || std::mem::take(&mut self.ended))
    }

    /// Hands over the frames that fit, in one piece up to one that h2 must not see. Returns whether there may be more.
    fn hand_over_frames(&mut self, buf: &mut ReadBuf<'_>, most: usize) -> Result<bool> {
        let (there, room) = (self.end - self.start, buf.remaining());
        let mut whole = 0;
        while whole < there {
            let bytes = self.bytes().get(whole..).unwrap_or_default();
            let (next, head) = (self.frames.next(bytes), bytes.first_chunk().copied());
            match next {
                Next::Frame(size) | Next::Last(size) => {
                    let fits = size <= room - whole;
                    // Only the head of one that a whole buffer has no room for.
                    if !fits && (whole > 0 || room < most) {
                        break;
                    }
                    if let Some(head) = head {
                        self.frames.count(&head)?;
                    }
                    self.last = matches!(next, Next::Last(_));
                    if !fits {
                        self.rest = size - self.pass(buf, HEAD);
                        return Ok(false);
                    }
                    whole += size;
                    if self.last {
                        break;
                    }
                }
                Next::Drop => {
                    self.pass(buf, whole);
                    self.start += HEAD;
                    return Ok(true);
                }
                Next::Instead(frame) => {
                    self.pass(buf, whole);
                    // It is as long as what it replaces.
                    let place = self.start..self.start + frame.len();
                    if let Some(place) = self.buffer.as_deref_mut().and_then(|buffer| buffer.get_mut(place)) {
                        place.copy_from_slice(&frame);
                    }
                    return Ok(true);
                }
                Next::Incomplete => {
                    whole = if self.ended { there } else { whole };
                    break;
                }
            }
        }
        // The last frame may not be there as a whole yet.
        self.rest = whole.saturating_sub(there);
        self.pass(buf, whole);
        Ok(false)
    }

    /// Hands over as many bytes as there are and fit, at most this many.
    fn pass(&mut self, buf: &mut ReadBuf<'_>, most: usize) -> usize {
        let bytes = self.bytes();
        let length = most.min(bytes.len()).min(buf.remaining());
        buf.put_slice(bytes.get(..length).unwrap_or_default());
        self.start += length;
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let [_, length_bytes @ ..] = u32::try_from(length).expect("short").to_be_bytes();
        [&length_bytes[..], &[0; HEAD - 3], &vec![7; length]].concat()
    }

    #[test]
    fn what_h2_must_not_see_is_taken_out_however_it_comes() {
        const STREAM: [u8; 4] = [0, 0, 0, 5];
        let frame = |kind: u8, flags: u8, payload: &[u8]| -> Vec<u8> {
            let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
            [&length[..], &[kind, flags], &STREAM, payload].concat()
        };
        let (empty, update) = (frame(0, 0, b""), frame(8, 0, &[0; 4]));
        let (data, end) = (frame(0, 0, &[9; 30]), frame(0, 1, b""));
        let wire = [&empty[..], &data, &empty, &empty, &update, &data, &empty, &end, &empty].concat();
        let error = frame(1, 4, &[0x0f, 42, 1, b'x']);
        let left = [&data[..], &error, &data, &end].concat();
        for piece in [1, 9, 10, 50, wire.len()] {
            for room in [1, 8, 12, 39, 4_096] {
                assert!(read(&wire, piece, room).concat() == left, "pieces of {piece}, room for {room}");
            }
        }
    }

    #[test]
    fn what_is_behind_a_goaway_comes_in_the_next_turn() {
        let frame = |kind: u8, payload: &[u8]| -> Vec<u8> {
            let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
            [&length[..], &[kind, 0, 0, 0, 0, 0], payload].concat()
        };
        let (goaway, ping) = (frame(7, &[1; 15]), frame(6, &[2; 8]));
        let wire = [&ping[..], &goaway, &ping, &goaway].concat();
        for piece in [1, 9, 30, wire.len()] {
            for room in [1, 9, 39, 41, 4_096] {
                let reads = read(&wire, piece, room);
                assert!(reads.concat() == wire, "pieces of {piece}, room for {room}");
                let mut at = 0;
                // No read crosses the end of a GOAWAY.
                let ends: Vec<usize> = reads
                    .iter()
                    .map(|read| {
                        at += read.len();
                        at
                    })
                    .collect();
                assert!(ends.contains(&(17 + 24)), "pieces of {piece}, room for {room}: {ends:?}");
            }
        }
    }

    /// Reads as h2 does, whose buffers have `room`, or what a frame needs, from a connection that brings `wire` in
    /// pieces of `piece` bytes. Returns what each read brought.
    fn read(wire: &[u8], piece: usize, room: usize) -> Vec<Vec<u8>> {
        let mut pieces = wire.chunks(piece);
        let mut ahead = Ahead::new(Frames::new(usize::MAX));
        let mut reads: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut space = vec![0; room.max(ahead.rest)];
            let mut buf = ReadBuf::new(&mut space);
            ahead.turn_is_over();
            while !ahead.hand_over(&mut buf).expect("no limit") {
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
