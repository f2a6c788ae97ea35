//! Out of a gRPC request body: its messages, without the five bytes before each.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;

use crate::driver::Requests;
use crate::{Code, Status};

/// The flag and the length before each message.
const PREFIX: usize = 5;

/// The messages of a request body.
pub(super) struct BodyRequests<B> {
    body: Pin<Box<B>>,
    frames: Frames,
}

impl<B: Body> BodyRequests<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: Box::pin(body), frames: Frames::default() }
    }
}

impl<B> Requests for BodyRequests<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(message) = self.frames.next_message() {
                return Poll::Ready(Some(message));
            }
            return Poll::Ready(match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.frames.push(data);
                    }
                    continue;
                }
                Some(Err(error)) => Some(Err(failed(&*error.into()))),
                None if self.frames.is_empty() => None,
                None => Some(Err(Status::new(Code::Internal, "the request body ends within a message"))),
            });
        }
    }
}

/// The program failed to make its requests. A status in the chain of causes says how the call is to end.
fn failed(error: &(dyn Error + 'static)) -> Status {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>().filter(|status| !status.is_ok()) {
            return status.clone();
        }
        cause = error.source();
    }
    Status::new(Code::Internal, format!("the request body failed: {error}"))
}

/// Bytes of gRPC frames, cut at the messages. A message that lies whole in one chunk is not copied.
#[derive(Debug, Default)]
struct Frames {
    /// The beginning of a message whose rest is in later chunks.
    partial: BytesMut,
    chunk: Bytes,
}

impl Frames {
    fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk was used up");
        self.chunk = chunk;
    }

    fn is_empty(&self) -> bool {
        self.partial.is_empty() && self.chunk.is_empty()
    }

    fn next_message(&mut self) -> Option<Result<Bytes, Status>> {
        if self.partial.is_empty() {
            if let Some(length) = frame_length(&self.chunk).filter(|length| *length <= self.chunk.len()) {
                return Some(message(self.chunk.split_to(length)));
            }
        } else {
            self.fill(PREFIX);
            if let Some(length) = frame_length(&self.partial) {
                self.fill(length);
                if self.partial.len() == length {
                    return Some(message(std::mem::take(&mut self.partial).freeze()));
                }
            }
        }
        self.partial.extend_from_slice(&std::mem::take(&mut self.chunk));
        None
    }

    /// Moves bytes of the chunk until the partial message has so many.
    fn fill(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(missing));
    }
}

/// The length of the frame at the beginning, prefix included, if the prefix is there.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let mut prefix = bytes.get(1..PREFIX)?;
    usize::try_from(prefix.get_u32()).ok()?.checked_add(PREFIX)
}

fn message(mut frame: Bytes) -> Result<Bytes, Status> {
    let compressed = frame.first().is_some_and(|flag| *flag != 0);
    frame.advance(PREFIX.min(frame.len()));
    if compressed {
        let text = "compressed request messages cannot go over a WebSocket: switch compression off";
        return Err(Status::new(Code::Unimplemented, text));
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        [&[0][..], &length, message].concat()
    }

    #[test]
    fn messages_are_found_however_the_chunks_are_cut() {
        let messages: [&[u8]; 4] = [b"one", b"", &[7; 300], b"four"];
        let bytes = messages.map(frame).concat();
        for size in 1..bytes.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for chunk in bytes.chunks(size) {
                frames.push(Bytes::copy_from_slice(chunk));
                while let Some(message) = frames.next_message() {
                    found.push(message.expect("not compressed"));
                }
            }
            assert_eq!(found, messages, "in chunks of {size}");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn what_is_compressed_or_cut_off_is_no_message() {
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(&[1, 0, 0, 0, 1, 9]));
        assert!(frames.next_message().expect("a frame").is_err());
        frames.push(Bytes::from_static(&[0, 0, 0, 0, 2, 9]));
        assert!(frames.next_message().is_none() && !frames.is_empty());
    }
}
