//! Out of a gRPC request body: its messages, without the five bytes before each.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::framing::{Deframer, FrameError, PREFIX};
use http_body::Body;

use crate::driver::Requests;
use crate::{Code, Status};

/// The messages of a request body.
pub(super) struct BodyRequests<B> {
    body: Pin<Box<B>>,
    frames: Deframer,
}

impl<B: Body> BodyRequests<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: Box::pin(body), frames: deframer() }
    }
}

impl<B> Requests for BodyRequests<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(message) = next_message(&mut self.frames) {
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
    if let Some(status) = Status::find(error).filter(|status| !status.is_ok()) {
        return status.clone();
    }
    Status::new(Code::Internal, format!("the request body failed: {error}"))
}

/// The program's own messages have no limit here; the gateway has one.
fn deframer() -> Deframer {
    Deframer::new(usize::MAX - PREFIX)
}

fn next_message(frames: &mut Deframer) -> Option<Result<Bytes, Status>> {
    let frame = match frames.next_message() {
        Ok(frame) => frame?,
        Err(FrameError::Flag(_)) => return Some(Err(compressed())),
        Err(error @ FrameError::TooLarge) => {
            return Some(Err(Status::new(Code::ResourceExhausted, error.to_string())));
        }
    };
    Some(if frame.compressed { Err(compressed()) } else { Ok(frame.message) })
}

fn compressed() -> Status {
    let text = "compressed request messages cannot go over a WebSocket: switch compression off";
    Status::new(Code::Unimplemented, text)
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
            let (mut frames, mut found) = (deframer(), Vec::new());
            for chunk in bytes.chunks(size) {
                frames.push(Bytes::copy_from_slice(chunk));
                while let Some(message) = next_message(&mut frames) {
                    found.push(message.expect("not compressed"));
                }
            }
            assert_eq!(found, messages, "in chunks of {size}");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn what_is_compressed_or_cut_off_is_no_message() {
        let mut frames = deframer();
        frames.push(Bytes::from_static(&[1, 0, 0, 0, 1, 9]));
        assert!(next_message(&mut frames).expect("a frame").is_err());
        frames.push(Bytes::from_static(&[0, 0, 0, 0, 2, 9]));
        assert!(next_message(&mut frames).is_none() && !frames.is_empty());
    }
}
