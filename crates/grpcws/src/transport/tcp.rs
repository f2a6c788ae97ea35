//! A TCP connection that can be watched for its peer's end while it is not read.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Whether a short read says that nothing is left: where the system tells of every arrival anew, as epoll does when
/// it is edge-triggered.
const DRAINED_BY_SHORT_READ: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How many bytes the kernel keeps for a connection that it has not sent. With less, a writer is woken too often; what
/// lies there is not seen by the timers, and holds up a ping or a close frame behind it.
pub(crate) const UNSENT: u32 = 128 * 1024;

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A TCP connection that can be watched for its peer's end while it is not read.
pub(crate) struct Tcp {
    stream: Arc<TcpStream>,
    watch: Option<Watch>,
    /// Whatever is to live as long as the connection does: a permit of the accept loop.
    _guard: Option<Box<dyn Any + Send>>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream, guard: Option<Box<dyn Any + Send>>) -> Self {
        Self { stream: Arc::new(stream), watch: None, _guard: guard }
    }

    /// How many bytes the peer has not acknowledged, if the system tells.
    pub(crate) fn outstanding(&self) -> Option<u64> {
        grpcws_tcp::outstanding(&*self.stream)
    }

    /// Resolves when the peer has sent FIN or RST, though there may be bytes before it that nobody reads.
    ///
    /// tokio tells a closed read side apart from readable data only to those who wait for neither reading
    /// nor writing, and only by a future, which is kept between polls here.
    /// Other systems than Linux do not tell, so there it never resolves.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let watch = self.watch.get_or_insert_with(|| {
            let stream = Arc::clone(&self.stream);
            Box::pin(async move {
                // An error here is the end of the connection as well.
                let _ = stream.ready(Interest::PRIORITY).await;
            })
        });
        watch.as_mut().poll(cx)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn poll_peer_closed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    pub(crate) fn stop_watching(&mut self) {
        self.watch = None;
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tcp").field(&self.stream).finish()
    }
}

impl Tcp {
    /// Reads what is there. A read that does not fill the buffer has drained the socket, so that the next one waits
    /// for the system to tell of more instead of asking in vain: half of all reads, where messages come one by one.
    ///
    /// tokio does the same for an owned stream. Here it is done inside `try_io`, which knows what the system had
    /// told before the read, and so forgets nothing that it tells during it.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut drained = None;
        let result = self.stream.try_io(Interest::READABLE, || {
            let read = (&*SockRef::from(&*self.stream)).read(buf)?;
            if DRAINED_BY_SHORT_READ && read > 0 && read < buf.len() {
                drained = Some(read);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(read)
        });
        drained.map_or(result, Ok)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}
