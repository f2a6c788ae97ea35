//! The byte stream under a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use grpcws_proto::Progress;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::http2::Http2Stream;

/// The byte stream under a WebSocket, and how far the bytes on it have come.
#[derive(Debug)]
pub(crate) struct Transport {
    io: Io,
    bytes_read: u64,
    bytes_written: u64,
}

#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// One stream of a shared connection.
    Http2(Box<Http2Stream>),
}

impl From<Io> for Transport {
    fn from(io: Io) -> Self {
        Self { io, bytes_read: 0, bytes_written: 0 }
    }
}

impl Transport {
    /// The gateway is silent: where the connection is shared, it gets no new calls.
    pub(crate) fn retire(&self) {
        if let Io::Http2(stream) = &self.io {
            stream.retire_connection();
        }
    }

    /// How many bytes were read so far.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// How many bytes were written so far.
    pub(crate) const fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// How far the bytes to the gateway have come. It may cost a system call.
    pub(crate) fn progress(&self) -> Progress {
        let outstanding = match &self.io {
            Io::Tcp(stream) => grpcws_tcp::outstanding(stream),
            // The kernel counts the bytes of the records, which are more: what is left of these is left of the others.
            Io::Tls(stream) => grpcws_tcp::outstanding(stream.get_ref().0),
            Io::Http2(_) => None,
        };
        Progress::of_connection(self.bytes_written, outstanding)
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let transport = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut transport.io {
            Io::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Io::Http2(io) => Pin::new(io).poll_read(cx, buf),
        };
        count(&mut transport.bytes_read, buf.filled().len().saturating_sub(before));
        polled
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let transport = self.get_mut();
        let polled = match &mut transport.io {
            Io::Tcp(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
            Io::Http2(io) => Pin::new(io).poll_write(cx, buf),
        };
        if let Poll::Ready(Ok(bytes)) = polled {
            count(&mut transport.bytes_written, bytes);
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Tcp(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
            Io::Http2(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Io::Http2(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

fn count(counter: &mut u64, bytes: usize) {
    *counter = counter.saturating_add(u64::try_from(bytes).unwrap_or(0));
}
