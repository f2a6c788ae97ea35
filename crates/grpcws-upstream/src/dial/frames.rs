//! What h2 must not see of the frames that an upstream sends.
//!
//! h2 ends a whole connection, with all its calls, for some things that concern one call or none. They are taken out
//! of its way here, on the frames themselves (RFC 9113 §4.1):
//!
//! - A DATA frame that is empty and not the last says nothing, but h2 ends a connection after 100 of them, however
//!   many calls have shared them. It is dropped.
//! - A WINDOW_UPDATE of 0 on a stream is an error of that stream (§6.9). It becomes response headers that h2 takes
//!   for a stream error, with the same code.
//!
//! Behind a GOAWAY h2 gets nothing more before it has written what it has queued. With a GOAWAY that names no stream yet
//! (§6.8) a server sends a PING, and takes the answer to mean that no more streams will come; h2 would answer first, and
//! then send the streams that it had queued. Netty ends the whole connection for their DATA.
//!
//! A block of headers or trailers that is larger than we can let h2 read ends the connection with an error that says
//! so; see [`MAX_BLOCK`].

use std::io;

/// The head of a frame, which begins with the length of what is behind it.
pub(super) const HEAD: usize = 9;

/// How large a block of headers or trailers may be as it is sent, that is compressed by HPACK, if the limit of the
/// decoded one is no larger.
///
/// What HPACK compresses cannot be left out: what comes behind it refers to it. So h2 has to read each block, and its
/// own limit is far above ours: it drops what is beyond it without a word.
pub(super) const MAX_BLOCK: usize = 2 * 1024 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// `transfer-encoding: x` as HPACK: entry 57 of the static table, not indexed. A response must not have it (§8.2.2).
const FORBIDDEN_FIELD: [u8; 4] = [0x0f, 57 - 15, 1, b'x'];

/// What to do with the next frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More of it has to be read first.
    Incomplete,
    /// Hand it over. It has this many bytes with its head.
    Frame(usize),
    /// The same, and then nothing more before h2 has written what it has queued.
    Last(usize),
    /// Hand this over in its place.
    Instead([u8; HEAD + FORBIDDEN_FIELD.len()]),
    /// Leave out its head, which is all it has.
    Drop,
}

/// Follows the frames of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The bytes of the block of headers that is being read.
    block: usize,
    max_block: usize,
}

impl Frames {
    pub(super) fn new(max_block: usize) -> Self {
        Self { block: 0, max_block }
    }

    /// Looks at the frame that these bytes begin with.
    pub(super) fn next(&self, bytes: &[u8]) -> Next {
        let Some((head, payload)) = bytes.split_first_chunk::<HEAD>() else { return Next::Incomplete };
        let [_, _, _, kind, flags, stream @ ..] = *head;
        let length = length(head);
        if u32::from_be_bytes(stream) & (u32::MAX >> 1) == 0 {
            let size = HEAD.saturating_add(length);
            return if kind == GOAWAY { Next::Last(size) } else { Next::Frame(size) };
        }
        match kind {
            DATA if length == 0 && flags & (END_STREAM | PADDED) == 0 => Next::Drop,
            WINDOW_UPDATE if length == 4 => match payload.first_chunk::<4>() {
                None => Next::Incomplete,
                Some(increment) if u32::from_be_bytes(*increment) & (u32::MAX >> 1) == 0 => {
                    Next::Instead(stream_error(stream))
                }
                Some(_) => Next::Frame(HEAD + 4),
            },
            _ => Next::Frame(HEAD.saturating_add(length)),
        }
    }

    /// Counts a frame that is handed over.
    ///
    /// # Errors
    /// The block of headers that it is a part of is too large.
    pub(super) fn count(&mut self, head: &[u8; HEAD]) -> io::Result<()> {
        let [_, _, _, kind, ..] = *head;
        self.block = match kind {
            HEADERS => length(head),
            CONTINUATION => self.block.saturating_add(length(head)),
            _ => return Ok(()),
        };
        if self.block > self.max_block {
            return Err(io::Error::other(BlockTooLarge { max: self.max_block }));
        }
        Ok(())
    }
}

fn length(head: &[u8; HEAD]) -> usize {
    let [a, b, c, ..] = *head;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX)
}

/// A frame that makes h2 reset this stream.
fn stream_error(stream: [u8; 4]) -> [u8; HEAD + FORBIDDEN_FIELD.len()] {
    let ([s, t, u, v], [a, b, c, d]) = (stream, FORBIDDEN_FIELD);
    [0, 0, 4, HEADERS, END_HEADERS, s, t, u, v, a, b, c, d]
}

/// Headers or trailers that are too large to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream sent headers or trailers of more than {max} bytes")]
pub(crate) struct BlockTooLarge {
    max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM_3: [u8; 4] = [0, 0, 0, 3];

    fn frame(kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[..], &[kind, flags], &stream, payload].concat()
    }

    fn next(frame: &[u8]) -> Next {
        Frames::new(MAX_BLOCK).next(frame)
    }

    #[test]
    fn only_data_that_says_nothing_is_dropped() {
        assert_eq!(next(&frame(DATA, 0, STREAM_3, b"")), Next::Drop);
        assert_eq!(next(&frame(DATA, END_STREAM, STREAM_3, b"")), Next::Frame(HEAD));
        // Padding takes room in the windows, which h2 has to account for.
        assert_eq!(next(&frame(DATA, PADDED, STREAM_3, &[0])), Next::Frame(HEAD + 1));
        assert_eq!(next(&frame(DATA, 0, STREAM_3, b"x")), Next::Frame(HEAD + 1));
        assert_eq!(next(&frame(HEADERS, 0, STREAM_3, b"")), Next::Frame(HEAD));
        // An error of the connection, which is h2's to find.
        assert_eq!(next(&frame(DATA, 0, [0; 4], b"")), Next::Frame(HEAD));
    }

    #[test]
    fn an_update_of_a_stream_s_window_by_nothing_is_an_error_of_the_stream() {
        let update = |stream, increment: u32| frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
        assert_eq!(next(&update(STREAM_3, 1)), Next::Frame(13));
        assert_eq!(next(&update([0; 4], 0)), Next::Frame(13));
        let Next::Instead(error) = next(&update(STREAM_3, 1 << 31)) else {
            panic!("the high bit counts not")
        };
        assert_eq!(error[..], frame(HEADERS, END_HEADERS, STREAM_3, &FORBIDDEN_FIELD)[..]);
    }

    #[test]
    fn a_goaway_ends_a_turn() {
        assert_eq!(next(&frame(GOAWAY, 0, [0; 4], &[0; 8])), Next::Last(HEAD + 8));
        // An error of the connection, which is h2's to find.
        assert_eq!(next(&frame(GOAWAY, 0, STREAM_3, &[0; 8])), Next::Frame(HEAD + 8));
    }

    #[test]
    fn what_is_not_there_yet_is_awaited() {
        for length in 0..HEAD + 4 {
            let bytes = frame(WINDOW_UPDATE, 0, STREAM_3, &[0; 4]);
            assert_eq!(next(&bytes[..length]), Next::Incomplete, "{length} bytes");
        }
    }

    #[test]
    fn a_block_counts_with_its_continuations_and_by_itself() {
        let mut frames = Frames::new(10);
        let mut count = |kind, size| {
            let frame = frame(kind, 0, STREAM_3, &vec![0; size]);
            frames.count(frame.first_chunk().expect("a head"))
        };
        for _ in 0..3 {
            count(HEADERS, 6).expect("small");
            count(CONTINUATION, 4).expect("small");
            count(DATA, 1_000).expect("no header");
        }
        let error = count(CONTINUATION, 1).unwrap_err();
        assert_eq!(error.to_string(), "the upstream sent headers or trailers of more than 10 bytes");
    }
}
