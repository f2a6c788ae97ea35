//! The byte stream under a WebSocket, as the upgrade hands it over.

mod tcp;
mod upgraded;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
pub(crate) use tcp::Tcp;
pub(crate) use upgraded::unwrap_upgraded;

/// The most bytes that are handed to hyper's upgraded stream in one piece: a DATA frame of HTTP/2.
const MAX_PIECE: usize = 16 * 1024;

/// The byte stream under a WebSocket.
#[derive(Debug)]
pub(crate) enum Transport {
    /// A plain TCP connection, taken back from hyper: it can tell that its peer is gone without being
    /// read.
    Tcp(Tcp),
    /// Anything else: a stream of an HTTP/2 connection, or a connection whose type is not known here.
    Upgraded(TokioIo<Upgraded>),
}

impl Transport {
    /// Resolves when the peer has closed or reset the connection, without reading from it.
    ///
    /// A stream inside an HTTP/2 connection tells this only to those who read it, so it never resolves
    /// there.
    pub(crate) fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(tcp) => tcp.poll_peer_closed(cx),
            Self::Upgraded(_) => Poll::Pending,
        }
    }

    /// Lets go of what [`Transport::poll_peer_closed`] keeps.
    pub(crate) fn stop_watching(&mut self) {
        if let Self::Tcp(tcp) = self {
            tcp.stop_watching();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Self::Upgraded(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write(cx, buf),
            // A stream of HTTP/2 takes whatever it is given, at once, into a buffer of its own; small pieces keep
            // that buffer small, and progress visible.
            Self::Upgraded(io) => {
                let piece = buf.get(..MAX_PIECE).unwrap_or(buf);
                Pin::new(io).poll_write(cx, piece)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_flush(cx),
            Self::Upgraded(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Self::Upgraded(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
