//! The kinds of connections, as one type.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{DialError, Failure};

/// A connection to an upstream. It notes what h2 does not tell.
pub(crate) struct Io {
    stream: Stream,
    notes: Arc<Notes>,
}

/// What a connection has noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether something was read since this was last asked.
    heard: AtomicBool,
    /// The error of TLS that ended it. h2 keeps the text of an I/O error only.
    failure: OnceLock<Failure>,
}

impl Notes {
    /// Whether something was read since this was last asked.
    pub(crate) fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get().copied()
    }
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Io {
    pub(crate) fn tcp(stream: TcpStream, notes: &Arc<Notes>) -> Self {
        Self { stream: Stream::Tcp(stream), notes: Arc::clone(notes) }
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>, notes: &Arc<Notes>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), notes: Arc::clone(notes) }
    }

    #[cfg(unix)]
    pub(crate) fn unix(stream: tokio::net::UnixStream, notes: &Arc<Notes>) -> Self {
        Self { stream: Stream::Unix(stream), notes: Arc::clone(notes) }
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

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buf.filled().len();
        let result = each!(self, stream => Pin::new(stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.notes.heard.store(true, Ordering::Relaxed);
        }
        if let Poll::Ready(Err(error)) = &result
            && let Some(failure) = DialError::of_tls(error)
        {
            // The first one is the cause of the others.
            let _ = self.notes.failure.set(failure);
        }
        result
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
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
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
