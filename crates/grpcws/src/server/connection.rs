//! A TCP connection with the permit that it holds in the accept loop, and a first read that is made once.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::transport::{Tcp, TcpProgress};

/// How many bytes the first read takes at least: the head of most requests.
const FIRST: usize = 1024;

/// A TCP connection with whatever is to live as long as it does: the permit of an accept loop.
#[derive(Debug)]
pub struct Connection {
    tcp: Tcp,
    /// What is left of the first read; nothing before it. Who is to find out which HTTP a client speaks asks for no
    /// more than HTTP/2 begins with, and what the client has sent besides would cost a second system call.
    first: Option<Bytes>,
}

impl Connection {
    /// A connection that holds `guard` until it is dropped, through an upgrade as well.
    pub fn new(stream: TcpStream, guard: impl Any + Send) -> Self {
        Self { tcp: Tcp::new(stream, Some(Box::new(guard))), first: None }
    }

    /// The same connection, of which these bytes were read before.
    pub(crate) fn after(mut self, read: Bytes) -> Self {
        self.first = Some(read).filter(|read| !read.is_empty());
        self
    }

    /// The address of this end, unless the connection is gone.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.tcp.local_address()
    }

    /// How far its bytes have come, for the streams that share it.
    pub(crate) fn progress(&self) -> TcpProgress {
        self.tcp.progress()
    }

    /// The connection with its guard, and what was read of it and is left.
    pub(crate) fn into_parts(self) -> (Tcp, Bytes) {
        (self.tcp, self.first.unwrap_or_default())
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; FIRST];
        let mut buf = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buf))?;
        self.first = Some(Bytes::copy_from_slice(buf.filled()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_none() {
            ready!(self.poll_first(cx))?;
        }
        let Some(first) = self.first.as_mut().filter(|first| !first.is_empty()) else {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        };
        buf.put_slice(&first.split_to(first.len().min(buf.remaining())));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_head_is_read_at_once_and_nothing_of_it_is_lost() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut client = std::net::TcpStream::connect(address).expect("a connection");
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut connection = Connection::new(stream, ());
        let sent: Vec<u8> = (0..=u8::MAX).collect();
        io::Write::write_all(&mut client, &sent).expect("room in the kernel");
        let mut begin = [0; 24];
        connection.read_exact(&mut begin).await.expect("a connection that lives");
        assert_eq!(begin, sent[..24]);
        let mut more = [0; 8];
        connection.read_exact(&mut more).await.expect("a connection that lives");
        assert_eq!(more, sent[24..32]);
        let (_, left) = connection.into_parts();
        assert_eq!(left, sent[32..]);
    }
}
