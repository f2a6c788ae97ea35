//! The body of the request: what the client has sent, framed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use grpcws_proto::framing::PREFIX;
use grpcws_proto::{Code, Status};
use http_body::{Body, Frame};

use super::Encoding;
use crate::queue::{End, Reader};

/// Up to here messages that lie ready are put into one chunk; a larger one is passed on without a copy.
const GATHERED: usize = 16 * 1024;

/// The body of the request of a bridged call: gRPC messages as they come from the client.
///
/// It ends when the client has half-closed. A call that is cancelled makes it fail with code 1, so that the
/// service sees a reset and never the end of half an upload.
#[derive(Debug)]
pub struct RequestBody {
    messages: Reader<Bytes>,
    encoding: Option<Encoding>,
    /// A large message whose prefix has left.
    next: Option<Bytes>,
    /// How long the last chunk was: the next one is likely to be as long.
    last_length: usize,
}

impl RequestBody {
    pub(super) fn new(messages: Reader<Bytes>, encoding: Option<Encoding>) -> Self {
        Self { messages, encoding, next: None, last_length: 0 }
    }

    /// The messages that lie ready, in one chunk.
    fn gather(&mut self, first: Bytes, cx: &mut Context<'_>) -> Result<Bytes, Status> {
        let expected = (PREFIX + first.len()).max(self.last_length).min(GATHERED);
        let mut chunk = BytesMut::with_capacity(expected);
        self.put(first, &mut chunk)?;
        while self.next.is_none() && chunk.len() < GATHERED {
            let Poll::Ready(Ok(message)) = self.messages.poll_next(cx) else { break };
            self.put(message, &mut chunk)?;
        }
        self.last_length = chunk.len();
        Ok(chunk.freeze())
    }

    fn put(&mut self, message: Bytes, chunk: &mut BytesMut) -> Result<(), Status> {
        let (message, flag) = match self.encoding {
            None => (message, 0),
            Some(encoding) => {
                let mut compressed = Vec::new();
                encoding.compress(&message, &mut compressed).map_err(|error| {
                    Status::new(Code::Internal, format!("cannot compress the request: {error}"))
                })?;
                (compressed.into(), 1)
            }
        };
        // The limit of a client's message is far below.
        let length = u32::try_from(message.len())
            .map_err(|_| Status::new(Code::ResourceExhausted, "request message is larger than 4 GiB"))?;
        chunk.put_u8(flag);
        chunk.put_u32(length);
        if message.len() < GATHERED {
            chunk.extend_from_slice(&message);
        } else {
            self.next = Some(message);
        }
        Ok(())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let body = self.get_mut();
        if let Some(message) = body.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        match body.messages.poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(message)) => Poll::Ready(Some(body.gather(message, cx).map(Frame::data))),
            Poll::Ready(Err(End::HalfClosed)) => Poll::Ready(None),
            Poll::Ready(Err(End::Cancelled)) => {
                Poll::Ready(Some(Err(Status::new(Code::Cancelled, "call cancelled"))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.messages.is_finished()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::queue::queue;

    fn poll(body: &mut RequestBody) -> Poll<Option<Result<Bytes, Code>>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(body).poll_frame(&mut cx).map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
                Err(status) => Err(status.code()),
            })
        })
    }

    #[test]
    fn messages_that_lie_ready_are_one_chunk() {
        let (writer, reader) = queue(u64::MAX);
        let mut body = RequestBody::new(reader, None);
        assert_eq!(poll(&mut body), Poll::Pending);
        writer.send(Bytes::from_static(b"a"), 1);
        writer.send(Bytes::new(), 1);
        let large = Bytes::from(vec![7; GATHERED]);
        writer.send(large.clone(), 1);
        writer.send(Bytes::from_static(b"b"), 1);
        writer.end(End::HalfClosed);
        let first = b"\0\0\0\0\x01a\0\0\0\0\0\0\0\0\x40\0";
        assert_eq!(poll(&mut body), Poll::Ready(Some(Ok(Bytes::from_static(first)))));
        assert_eq!(poll(&mut body), Poll::Ready(Some(Ok(large))));
        assert!(!body.is_end_stream());
        assert_eq!(poll(&mut body), Poll::Ready(Some(Ok(Bytes::from_static(b"\0\0\0\0\x01b")))));
        assert!(body.is_end_stream());
        assert_eq!(poll(&mut body), Poll::Ready(None));
    }

    #[test]
    fn a_cancelled_call_fails_and_never_ends() {
        let (writer, reader) = queue(u64::MAX);
        let mut body = RequestBody::new(reader, None);
        writer.send(Bytes::from_static(b"a"), 1);
        drop(writer);
        assert!(!body.is_end_stream());
        assert_eq!(poll(&mut body), Poll::Ready(Some(Err(Code::Cancelled))));
    }
}
