//! A TCP connection that can be watched for its peer's end while it is not read.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Whether a short read says that nothing is left, and a short write that there is no room: where the system tells of
/// every arrival anew, as epoll does when it is edge-triggered.
const DRAINED_BY_SHORT_IO: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How many bytes the kernel keeps for a connection that it has not sent. With less, a writer is woken too often; what
/// lies there is not seen by the timers, and holds up a ping or a close frame behind it.
pub(crate) const UNSENT: u32 = 128 * 1024;

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A TCP connection that can be watched for its peer's end while it is not read.
pub(crate) struct Tcp {
    stream: Arc<TcpStream>,
    written: Arc<AtomicU64>,
    watch: Option<Watch>,
    /// Whatever is to live as long as the connection does: a permit of the accept loop.
    _guard: Option<Box<dyn Any + Send>>,
}

/// How far the bytes of a connection have come, for those who share it. It does not keep the connection open.
#[derive(Debug, Clone)]
pub(crate) struct TcpProgress {
    stream: Weak<TcpStream>,
    written: Arc<AtomicU64>,
}

impl TcpProgress {
    /// How many bytes the kernel has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How many of these the peer has not acknowledged. `None` if the system does not tell, or the connection is gone.
    pub(crate) fn outstanding(&self) -> Option<u64> {
        grpcws_tcp::outstanding(&*self.stream.upgrade()?)
    }

    /// How many share the connection, those included that only write to it.
    pub(crate) fn sharers(&self) -> u64 {
        u64::try_from(Arc::strong_count(&self.written)).unwrap_or(u64::MAX)
    }
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream, guard: Option<Box<dyn Any + Send>>) -> Self {
        Self { stream: Arc::new(stream), written: Arc::default(), watch: None, _guard: guard }
    }

    /// The address of this end, unless the connection is gone.
    #[cfg(feature = "server")]
    pub(crate) fn local_address(&self) -> Option<std::net::SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// How far its bytes have come, for the streams that share it.
    #[cfg(feature = "server")]
    pub(crate) fn progress(&self) -> TcpProgress {
        TcpProgress { stream: Arc::downgrade(&self.stream), written: Arc::clone(&self.written) }
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
    fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let room = buf.remaining();
        self.drain(Interest::READABLE, || {
            let read = self.stream.try_read_buf(buf)?;
            Ok((read, 0 < read && read < room))
        })?;
        Ok(())
    }

    /// Does `io`, which tells how many bytes it moved, and whether these were all that can be moved for now.
    fn drain(
        &self,
        interest: Interest,
        mut io: impl FnMut() -> io::Result<(usize, bool)>,
    ) -> io::Result<usize> {
        let mut drained = None;
        let result = self.stream.try_io(interest, || {
            let (bytes, all) = io()?;
            if DRAINED_BY_SHORT_IO && all {
                drained = Some(bytes);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(bytes)
        });
        drained.map_or(result, Ok)
    }

    /// Writes as much as the kernel takes. A write that it does not take whole has filled its buffer.
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let written = self.drain(Interest::WRITABLE, || {
                let written = write(&self.stream)?;
                Ok((written, 0 < written && written < length))
            });
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(written) => {
                    self.written.fetch_add(u64::try_from(written).unwrap_or(0), Ordering::Relaxed);
                    return Poll::Ready(Ok(written));
                }
                failed => return Poll::Ready(failed),
            }
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, buf.len(), |stream| stream.try_write(buf))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_write_with(cx, length, |stream| stream.try_write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}
