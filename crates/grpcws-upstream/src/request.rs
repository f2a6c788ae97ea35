//! The request: its head as it is sent, and its body until it is sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use grpcws_proto::{Code, Status};
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::uri::{Authority, Scheme, Uri};
use http::{HeaderMap, Request, Version, request};
use http_body::Body;

use crate::status::{BoxError, status_of_body};

/// How many bytes are taken from a body ahead of what is sent; also the size up to which small frames are
/// gathered in one.
const AHEAD: usize = 16 * 1024;

/// A frame this large is sent as it is; copying it would cost more than a DATA frame does.
const LARGE: usize = 4 * 1024;

/// What is the same in the heads of all requests to one upstream.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) user_agent: HeaderValue,
}

impl Heads {
    /// The head of a request as it is sent upstream.
    pub(crate) fn head(&self, parts: request::Parts) -> Result<Request<()>, Status> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = parts.uri.into_parts().path_and_query;
        let uri = Uri::from_parts(uri).map_err(|_| Status::new(Code::Internal, "the request has no path"))?;
        let mut head = Request::new(());
        *head.method_mut() = parts.method;
        *head.uri_mut() = uri;
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = parts.headers;
        let headers = head.headers_mut();
        remove_hop_by_hop(headers);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !headers.contains_key(USER_AGENT) {
            headers.insert(USER_AGENT, self.user_agent.clone());
        }
        Ok(head)
    }
}

/// Removes what concerns the client's own connection, which HTTP/2 forbids (RFC 9113 §8.2.2).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in
        [CONNECTION, HOST, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, TE, TRANSFER_ENCODING, UPGRADE]
    {
        headers.remove(name);
    }
}

/// A request's body on its way: what was taken from it and is not sent yet, and, until the response begins, what
/// was sent, so that a call that the upstream has not seen can be tried anew.
pub(crate) struct Outgoing<B> {
    body: Pin<Box<B>>,
    /// Taken and not sent, never with an empty one in it.
    queue: VecDeque<Bytes>,
    queued: usize,
    ended: bool,
    /// What was sent, or nothing where it was too much or there is no need any more.
    sent: Option<Vec<Bytes>>,
    /// How much more may be kept of what was sent.
    keep: usize,
}

impl<B> Outgoing<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(body: B, keep: usize) -> Self {
        let ended = body.is_end_stream();
        Self { body: Box::pin(body), queue: VecDeque::new(), queued: 0, ended, sent: Some(Vec::new()), keep }
    }

    /// Takes what the body has ready, up to a limit.
    ///
    /// # Errors
    /// The status of a body that ends with an error.
    pub(crate) fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        while !self.ended && self.queued < AHEAD {
            match self.body.as_mut().poll_frame(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(Err(error))) => return Err(status_of_body(&*error.into())),
                Poll::Ready(Some(Ok(frame))) => {
                    // Requests of gRPC have no trailers.
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.queued = self.queued.saturating_add(data.len());
                        self.queue.push_back(data);
                    }
                    self.ended = self.body.is_end_stream();
                }
            }
        }
        Ok(())
    }
}

impl<B> Outgoing<B> {
    /// How many bytes wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the body has ended; what is queued is the rest.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// The next bytes to send, at most this many: small ones gathered, a large one as it is.
    pub(crate) fn take(&mut self, most: usize) -> Bytes {
        let more = self.queue.len() > 1;
        let Some(first) = self.queue.front_mut() else { return Bytes::new() };
        let chunk = if more && first.len() < LARGE {
            self.gather(most.min(AHEAD))
        } else if first.len() > most {
            first.split_to(most)
        } else {
            self.queue.pop_front().unwrap_or_default()
        };
        self.queued = self.queued.saturating_sub(chunk.len());
        self.keep(&chunk);
        chunk
    }

    fn gather(&mut self, most: usize) -> Bytes {
        let mut gathered = BytesMut::with_capacity(most.min(self.queued));
        while gathered.len() < most
            && let Some(first) = self.queue.front_mut()
        {
            if first.len() <= most - gathered.len() {
                gathered.extend_from_slice(first);
                self.queue.pop_front();
            } else {
                // All of it would not fit: the rest of the room is filled, so that frames are full.
                let part = first.split_to(most - gathered.len());
                gathered.extend_from_slice(part.chunk());
            }
        }
        gathered.freeze()
    }

    fn keep(&mut self, chunk: &Bytes) {
        let Some(sent) = &mut self.sent else { return };
        match self.keep.checked_sub(chunk.len()) {
            Some(rest) => {
                self.keep = rest;
                sent.push(chunk.clone());
            }
            None => self.sent = None,
        }
    }

    /// The response has begun, so nothing is sent anew.
    pub(crate) fn forget_sent(&mut self) {
        self.sent = None;
    }

    /// Goes back to the start, and tells whether that can be done.
    pub(crate) fn rewind(&mut self) -> bool {
        let Some(sent) = &mut self.sent else { return false };
        for chunk in sent.drain(..).rev() {
            self.queued = self.queued.saturating_add(chunk.len());
            self.keep = self.keep.saturating_add(chunk.len());
            self.queue.push_front(chunk);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    fn outgoing(
        chunks: &[&[u8]],
        keep: usize,
    ) -> Outgoing<impl Body<Data = Bytes, Error = std::io::Error> + use<>> {
        let frames: Vec<_> =
            chunks.iter().map(|chunk| Ok(http_body::Frame::data(Bytes::copy_from_slice(chunk)))).collect();
        let mut outgoing = Outgoing::new(StreamBody::new(futures_util::stream::iter(frames)), keep);
        outgoing.fill(&mut Context::from_waker(Waker::noop())).unwrap();
        outgoing
    }

    #[test]
    fn small_frames_are_gathered_and_large_ones_are_not_copied() {
        let large = vec![7; 3 * LARGE];
        let mut outgoing = outgoing(&[b"ab", b"", b"cd", &large], usize::MAX);
        assert!(outgoing.ended());
        assert_eq!(outgoing.take(3), "abc");
        assert_eq!(outgoing.take(usize::MAX).len(), 1 + large.len());
        assert_eq!(outgoing.queued(), 0);
    }

    #[test]
    fn what_was_sent_can_be_sent_anew_while_it_is_kept() {
        let mut outgoing = outgoing(&[b"ab", b"cd"], 5);
        outgoing.take(3);
        assert!(outgoing.rewind());
        assert_eq!(outgoing.take(usize::MAX), "abcd");
        assert!(outgoing.rewind());
        outgoing.forget_sent();
        assert!(!outgoing.rewind());
    }

    #[test]
    fn more_than_is_kept_cannot_be_sent_anew() {
        let mut outgoing = outgoing(&[b"abc"], 2);
        outgoing.take(usize::MAX);
        assert!(!outgoing.rewind());
    }

    #[test]
    fn the_head_is_that_of_the_upstream_and_keeps_the_metadata() {
        let heads = Heads {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("up.test:1"),
            user_agent: HeaderValue::from_static("grpcws/0"),
        };
        let request = Request::post("https://elsewhere.test/a.B/C")
            .header("x-mine", "1")
            .header("connection", "x-hop, close")
            .header("x-hop", "1")
            .header("host", "elsewhere.test")
            .header("te", "gzip")
            .header("transfer-encoding", "chunked")
            .body(Full::new(Bytes::new()).boxed())
            .unwrap();
        let head = heads.head(request.into_parts().0).unwrap();
        assert_eq!(head.uri(), "http://up.test:1/a.B/C");
        let mut names: Vec<_> = head.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["te", "user-agent", "x-mine"]);
        assert_eq!(head.headers()[TE], "trailers");
    }
}
