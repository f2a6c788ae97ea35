//! The kinds of connections, as one type.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::poll_proceed;
use tokio_rustls::client::TlsStream;

use super::ahead::Ahead;
use super::frames::{BlockTooLarge, Frames};
use super::{DialError, Failure};

/// A connection to an upstream. It notes what h2 does not tell, reads more at once than h2 does, and keeps from h2
/// what would make it end the connection for nothing.
pub(crate) struct Io {
    stream: Stream,
    ahead: Ahead,
    notes: Arc<Notes>,
    /// Why a write failed, until what is left is read.
    failed: Option<Error>,
}

/// What a connection has noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether something was read since this was last asked.
    heard: AtomicBool,
    /// The error of TLS that ended it. h2 keeps the text of an I/O error only.
    failure: OnceLock<Failure>,
    /// The headers or trailers that ended it.
    too_large: OnceLock<BlockTooLarge>,
}

impl Notes {
    /// Whether something was read since this was last asked.
    pub(crate) fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get().copied()
    }

    /// The headers or trailers that were too large to go on behind them.
    pub(crate) fn too_large(&self) -> Option<BlockTooLarge> {
        self.too_large.get().copied()
    }
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Io {
    fn new(stream: Stream, frames: Frames, notes: &Arc<Notes>) -> Self {
        Self { stream, ahead: Ahead::new(frames), notes: Arc::clone(notes), failed: None }
    }

    pub(super) fn tcp(stream: TcpStream, frames: Frames, notes: &Arc<Notes>) -> Self {
        Self::new(Stream::Tcp(stream), frames, notes)
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, frames: Frames, notes: &Arc<Notes>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), frames, notes)
    }

    #[cfg(unix)]
    pub(super) fn unix(stream: tokio::net::UnixStream, frames: Frames, notes: &Arc<Notes>) -> Self {
        Self::new(Stream::Unix(stream), frames, notes)
    }
}

/// Calls a method of the stream, whichever it is.
macro_rules! each {
    ($io:expr, $stream:ident => $call:expr) => {
        match &mut $io.stream {
            Stream::Tcp($stream) => $call,
            Stream::Tls($stream) => $call,
            #[cfg(unix)]
            Stream::Unix($stream) => $call,
        }
    };
}

impl Io {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let read = self.ahead.poll_fill(|buf| each!(self, stream => Pin::new(stream).poll_read(cx, buf)));
        if let Poll::Ready(Err(error)) = &read
            && let Some(failure) = DialError::of_tls(error)
        {
            // The first one is the cause of the others.
            let _ = self.notes.failure.set(failure);
        }
        if ready!(read)? > 0 {
            self.notes.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    /// Looks for the cause of a write that failed for want of a connection: what the upstream said last lies unread in
    /// the kernel, such as the alert of TLS that the client certificate is missing. The error waits until that is read,
    /// or there is nothing; a connection that is gone is always ready to be read.
    fn explain<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if let Poll::Ready(Err(error)) = written {
            if !is_gone(&error) {
                return Poll::Ready(Err(error));
            }
            self.failed = Some(error);
            return self.poll_failed(cx).map(Err);
        }
        written
    }

    /// Reads what is left, and then gives the error of the write that failed.
    fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        for _ in 0..LAST_READS {
            if ready!(self.poll_fill(cx)).is_err() {
                break;
            }
        }
        Poll::Ready(self.failed.take().unwrap_or_else(|| ErrorKind::BrokenPipe.into()))
    }
}

/// How often is read behind a write that failed.
const LAST_READS: usize = 4;

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if self.ahead.turn_is_over() {
            // h2 writes when there is nothing to read, and reads on then.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // What lies ready is no reason to keep other tasks of the thread waiting.
        let turn = ready!(poll_proceed(cx));
        loop {
            match self.ahead.hand_over(buf) {
                Ok(true) => break,
                Ok(false) => ready!(self.poll_fill(cx))?,
                Err(error) => {
                    if let Some(too_large) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
                        let _ = self.notes.too_large.set(*too_large);
                    }
                    return Poll::Ready(Err(error));
                }
            }
        }
        turn.made_progress();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        if self.failed.is_some() {
            return self.poll_failed(cx).map(Err);
        }
        let written = each!(self, stream => Pin::new(stream).poll_write(cx, buf));
        self.explain(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.failed.is_some() {
            return self.poll_failed(cx).map(Err);
        }
        let written = each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs));
        self.explain(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.failed.is_some() {
            return self.poll_failed(cx).map(Err);
        }
        let flushed = each!(self, stream => Pin::new(stream).poll_flush(cx));
        self.explain(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::dial::frames::MAX_BLOCK;

    /// h2 writes what it has queued when there is nothing to read. With a PING that came with a GOAWAY it would first write
    /// the answer, and then streams that the server, netty for one, no longer admits.
    #[tokio::test]
    async fn a_reader_of_a_goaway_finds_nothing_more_to_read_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client =
            TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("it listens");
        let (mut server, _) = listener.accept().await.expect("a connection");
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        server.write_all(&[goaway, ping].concat()).await.expect("it reads");
        let mut io = Io::tcp(client, Frames::new(MAX_BLOCK), &Arc::default());
        let mut room = [0; 64];
        let mut read = ReadBuf::new(&mut room);
        poll_fn(|cx| Pin::new(&mut io).poll_read(cx, &mut read)).await.expect("it is open");
        assert_eq!(read.filled(), goaway);
        let mut pauses = 0;
        let mut read = ReadBuf::new(&mut room);
        poll_fn(|cx| {
            let polled = Pin::new(&mut io).poll_read(cx, &mut read);
            pauses += usize::from(polled.is_pending());
            polled
        })
        .await
        .expect("it is open");
        assert_eq!((read.filled(), pauses), (&ping[..], 1));
        // It has woken itself: nothing else would have.
        drop(server);
        let end = poll_fn(|cx| match Pin::new(&mut io).poll_read(cx, &mut ReadBuf::new(&mut [0; 1])) {
            Poll::Ready(result) => Poll::Ready(result.is_ok()),
            Poll::Pending => Poll::Pending,
        });
        assert!(end.await);
    }
}
