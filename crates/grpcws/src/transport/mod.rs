//! The byte stream under a WebSocket, as the upgrade hands it over.

mod http2;
mod tcp;
mod upgraded;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use grpcws_proto::Progress;
use grpcws_proto::session::{Loan, WindowBudget};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) use http2::Http2Connection;
pub(crate) use tcp::{Tcp, TcpProgress, UNSENT};
pub(crate) use upgraded::unwrap_upgraded;

/// The most bytes that are handed to hyper's upgraded stream in one piece: a DATA frame of HTTP/2.
const MAX_PIECE: usize = 16 * 1024;

/// The bytes of a stream's window that are not borrowed: what every stream may hold.
const NOT_BORROWED: u32 = 64 * 1024;

/// The byte stream under a WebSocket, and how far the bytes on it have come.
#[derive(Debug)]
pub(crate) struct Transport {
    io: Io,
    bytes_read: u64,
    bytes_written: u64,
}

#[derive(Debug)]
enum Io {
    /// A plain TCP connection, taken back from hyper: it can tell that its peer is gone without being
    /// read.
    Tcp(Tcp),
    /// Anything else: a stream of an HTTP/2 connection, or a connection whose type is not known here.
    Upgraded {
        io: TokioIo<Upgraded>,
        /// How many bytes are to be borrowed for the time in which the stream is not read.
        unread: u64,
        loan: Option<Loan>,
        /// What is known of the connection that the stream shares with others.
        shared: Option<http2::Shared>,
    },
}

impl Transport {
    pub(crate) const fn tcp(tcp: Tcp) -> Self {
        Self { io: Io::Tcp(tcp), bytes_read: 0, bytes_written: 0 }
    }

    pub(crate) const fn upgraded(upgraded: TokioIo<Upgraded>) -> Self {
        let io = Io::Upgraded { io: upgraded, unread: 0, loan: None, shared: None };
        Self { io, bytes_read: 0, bytes_written: 0 }
    }

    /// Tells which HTTP/2 connection the stream is of that this is.
    pub(crate) fn set_connection(&mut self, connection: Http2Connection) {
        if let Io::Upgraded { unread, shared, .. } = &mut self.io {
            *unread = connection.stream_window.saturating_sub(NOT_BORROWED).into();
            *shared = http2::Shared::new(connection.tcp);
        }
    }

    /// Borrows what is kept in memory while nothing is read, until [`Transport::stop_watching`]. Returns whether the
    /// budget had it. Of a TCP connection the kernel keeps it.
    pub(crate) fn borrow_unread(&mut self, budget: &WindowBudget) -> bool {
        let Io::Upgraded { unread: unread @ 1.., loan, .. } = &mut self.io else { return true };
        if loan.is_none() {
            *loan = budget.lend(*unread);
        }
        loan.is_some()
    }

    /// How many bytes were read so far.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// How many bytes were written so far.
    pub(crate) const fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// How far the bytes to the peer have come. It may cost a system call.
    pub(crate) fn progress(&mut self) -> Progress {
        match &mut self.io {
            Io::Tcp(tcp) => Progress::of_connection(self.bytes_written, tcp.outstanding()),
            Io::Upgraded { shared: Some(shared), .. } => shared.progress(self.bytes_written),
            Io::Upgraded { shared: None, .. } => Progress::untracked(self.bytes_written),
        }
    }

    /// Resolves when the peer has closed or reset the connection, without reading from it.
    ///
    /// A stream inside an HTTP/2 connection tells this only to those who read it, so it never resolves
    /// there.
    pub(crate) fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.io {
            Io::Tcp(tcp) => tcp.poll_peer_closed(cx),
            Io::Upgraded { .. } => Poll::Pending,
        }
    }

    /// Lets go of what [`Transport::poll_peer_closed`] and [`Transport::borrow_unread`] keep.
    pub(crate) fn stop_watching(&mut self) {
        match &mut self.io {
            Io::Tcp(tcp) => tcp.stop_watching(),
            Io::Upgraded { loan, .. } => *loan = None,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let transport = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut transport.io {
            Io::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Io::Upgraded { io, .. } => Pin::new(io).poll_read(cx, buf),
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
            // A stream of HTTP/2 takes whatever it is given, at once, into a buffer of its own; small pieces keep
            // that buffer small, and progress visible.
            Io::Upgraded { io, .. } => {
                let piece = buf.get(..MAX_PIECE).unwrap_or(buf);
                Pin::new(io).poll_write(cx, piece)
            }
        };
        if let Poll::Ready(Ok(bytes)) = polled {
            count(&mut transport.bytes_written, bytes);
            if let Io::Upgraded { shared: Some(shared), .. } = &mut transport.io {
                shared.wrote(transport.bytes_written);
            }
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Tcp(io) => Pin::new(io).poll_flush(cx),
            Io::Upgraded { io, .. } => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Io::Upgraded { io, .. } => Pin::new(io).poll_shutdown(cx),
        }
    }
}

fn count(counter: &mut u64, bytes: usize) {
    *counter = counter.saturating_add(u64::try_from(bytes).unwrap_or(0));
}
