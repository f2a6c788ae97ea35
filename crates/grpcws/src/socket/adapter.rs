//! Blocking-style reads and writes for the codec, on a transport that is polled.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// The transport for the time of one call, with the task that is to be woken.
pub(super) struct Adapter<'a, 'b> {
    pub(super) transport: &'a mut Transport,
    pub(super) written: &'a mut u64,
    pub(super) cx: &'a mut Context<'b>,
}

fn ready<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Adapter<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        ready(Pin::new(&mut *self.transport).poll_read(self.cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl Write for Adapter<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = ready(Pin::new(&mut *self.transport).poll_write(self.cx, buf))?;
        *self.written += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        ready(Pin::new(&mut *self.transport).poll_flush(self.cx))
    }
}
