//! Blocking-style reads and writes for the codec: it reads from the transport, which is polled, and writes into
//! the queue.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use super::WRITE_BUFFER;
use super::outgoing::Outgoing;
use crate::transport::Transport;

/// The transport for the time of one call, with the task that is to be woken.
pub(super) struct Adapter<'a, 'b> {
    pub(super) transport: &'a mut Transport,
    pub(super) already_read: &'a mut Bytes,
    pub(super) outgoing: &'a mut Outgoing,
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
        if !self.already_read.is_empty() {
            let length = self.already_read.len().min(buf.len());
            self.already_read.split_to(length).copy_to_slice(buf.get_mut(..length).unwrap_or_default());
            return Ok(length);
        }
        let mut buf = ReadBuf::new(buf);
        ready(Pin::new(&mut *self.transport).poll_read(self.cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl Write for Adapter<'_, '_> {
    /// Takes all or nothing, since data frames are put behind it: the codec writes whole frames.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.outgoing.len() >= WRITE_BUFFER {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outgoing.append(buf);
        Ok(buf.len())
    }

    /// The socket flushes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
