//! The response body: messages with the five bytes of gRPC before each, then the trailers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body, Frame};

use crate::call::queue::{Item, Responses};
use crate::{Code, Status};

/// Messages up to this size are put behind their prefix by a copy; larger ones become a frame of their own.
const COPIED: usize = 16 * 1024;

/// How many bytes of small messages that lie ready are put into one frame.
const GATHERED: usize = 16 * 1024;

/// The body of a response. It never fails: what goes wrong is in the trailers. Dropping it cancels the call.
#[derive(Debug)]
pub struct ResponseBody {
    /// `None` when the trailers were read, or where there are none.
    responses: Option<Responses>,
    /// What came and was not given out yet.
    next: Option<Item>,
    /// A large message, whose prefix was given out.
    message: Option<Bytes>,
}

impl ResponseBody {
    pub(super) const fn new(responses: Option<Responses>, next: Option<Item>) -> Self {
        Self { responses, next, message: None }
    }

    fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<Item>> {
        if let Some(item) = self.next.take() {
            return Poll::Ready(Some(item));
        }
        match &mut self.responses {
            Some(responses) => responses.poll_next(cx),
            None => Poll::Ready(None),
        }
    }

    /// A message behind its prefix, with all small ones that lie ready behind it.
    fn gather(&mut self, first: Bytes, cx: &Context<'_>) -> Bytes {
        let mut gathered = BytesMut::with_capacity(first.len().saturating_add(5).min(COPIED + 5));
        let mut message = first;
        loop {
            let Ok(length) = u32::try_from(message.len()) else {
                // No frame of a WebSocket is read that is this large; gRPC could not carry it either.
                let status = Status::new(Code::ResourceExhausted, "response message is larger than 4 GiB");
                self.next = Some(Item::End(status));
                break;
            };
            gathered.put_u8(0);
            gathered.put_u32(length);
            if message.len() > COPIED {
                self.message = Some(message);
                break;
            }
            gathered.extend_from_slice(&message);
            if gathered.len() >= GATHERED {
                break;
            }
            match self.poll_item(cx) {
                Poll::Ready(Some(Item::Message { payload, .. })) => message = payload,
                Poll::Ready(item) => {
                    self.next = item;
                    break;
                }
                Poll::Pending => break,
            }
        }
        gathered.freeze()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.get_mut();
        if let Some(message) = body.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        loop {
            return Poll::Ready(match ready!(body.poll_item(cx)) {
                Some(Item::Message { payload, .. }) => Some(Ok(Frame::data(body.gather(payload, cx)))),
                Some(Item::End(status)) => {
                    body.responses = None;
                    Some(Ok(Frame::trailers(status.to_trailers())))
                }
                Some(Item::Headers(_)) => continue,
                None => None,
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.responses.is_none() && self.next.is_none() && self.message.is_none()
    }
}
