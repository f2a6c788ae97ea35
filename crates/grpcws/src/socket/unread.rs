//! What was read from the transport and the codec has not taken yet.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::transport::Transport;

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

thread_local! {
    /// The buffer that sockets read into, one after the other. A socket keeps it only while something is left in it,
    /// so that idle ones have none.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What was read from the transport and the codec has not taken yet.
#[derive(Debug)]
pub(super) struct Unread {
    bytes: Box<[u8]>,
    /// Where in the buffer it is.
    place: Range<usize>,
}

impl Unread {
    /// Begins with what was read before the codec was there.
    pub(super) fn new(already_read: &[u8]) -> Self {
        Self { bytes: already_read.into(), place: 0..already_read.len() }
    }

    /// Reads what is left, or what the transport has.
    pub(super) fn poll_read(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.place.is_empty() {
            ready!(self.fill(transport, cx))?;
        }
        let read = self.bytes.get(self.place.clone()).unwrap_or_default().read(buf)?;
        self.place.start = self.place.start.saturating_add(read);
        if self.place.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            // What was there at the beginning is of another length.
            if bytes.len() == PIECE {
                SPARE.set(Some(bytes));
            }
        }
        Poll::Ready(Ok(read))
    }

    fn fill(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = SPARE.take().unwrap_or_else(|| vec![0; PIECE].into());
        let mut buf = ReadBuf::new(&mut bytes);
        let polled = Pin::new(transport).poll_read(cx, &mut buf);
        let read = buf.filled().len();
        if read > 0 {
            (self.bytes, self.place) = (bytes, 0..read);
        } else {
            SPARE.set(Some(bytes));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::transport::Tcp;

    /// Reads this many bytes at once until nothing is there.
    fn read(unread: &mut Unread, transport: &mut Transport, at_once: usize) -> Vec<u8> {
        let (mut all, mut buf) = (Vec::new(), vec![0; at_once]);
        while let Poll::Ready(read) =
            unread.poll_read(transport, &mut Context::from_waker(Waker::noop()), &mut buf)
        {
            let read = read.expect("a connection that lives");
            assert!(read > 0, "the connection is open");
            all.extend_from_slice(&buf[..read]);
        }
        all
    }

    #[tokio::test]
    async fn nothing_is_lost_and_an_idle_socket_holds_nothing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client =
            std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut transport = Transport::tcp(Tcp::new(stream, None));
        let mut unread = Unread::new(b"before");

        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PIECE + 7).collect();
        io::Write::write_all(&mut client, &sent).expect("room in the kernel");
        let mut received = Vec::new();
        while received.len() < b"before".len() + sent.len() {
            received.extend(read(&mut unread, &mut transport, 1000));
            tokio::task::yield_now().await;
        }
        assert!(received.strip_prefix(b"before") == Some(&sent));
        assert!(unread.bytes.is_empty());
    }
}
