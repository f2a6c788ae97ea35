//! A stream of HTTP/2 as bytes to read and write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Place;

/// The most bytes of one DATA frame.
const MAX_PIECE: usize = 16 * 1024;

/// A stream of HTTP/2. Dropping it before both sides have ended resets it.
#[derive(Debug)]
pub(crate) struct Http2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not read yet.
    chunk: Bytes,
    /// Given back when the stream is gone.
    place: Place,
}

impl Http2Stream {
    pub(super) fn new(send: SendStream<Bytes>, receive: RecvStream, place: Place) -> Self {
        Self { send, receive, chunk: Bytes::new(), place }
    }

    /// The gateway is silent: no new stream is opened on this one's connection.
    pub(crate) fn retire_connection(&self) {
        self.place.retire_connection();
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        while stream.chunk.is_empty() {
            match ready!(stream.receive.poll_data(cx)) {
                Some(Ok(chunk)) => stream.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = stream.chunk.len().min(buf.remaining());
        stream.chunk.copy_to_slice(buf.initialize_unfilled_to(length));
        buf.advance(length);
        // The gateway may send so much more only when it was read.
        let released = stream.receive.flow_control().release_capacity(length);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let piece = buf.get(..MAX_PIECE).unwrap_or(buf);
        if piece.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // h2 tells of capacity only when it grows, so what there is already is used first.
        while stream.send.capacity() == 0 {
            stream.send.reserve_capacity(piece.len());
            match ready!(stream.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let length = piece.len().min(stream.send.capacity());
        let data = Bytes::copy_from_slice(piece.get(..length).unwrap_or(piece));
        Poll::Ready(stream.send.send_data(data, false).map(|()| length).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().send.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
