//! Blocking-style reads and writes for the codec: it reads from the transport, which is polled, and writes into
//! the queue.

use std::io::{self, Read, Write};
use std::task::{Context, Poll};

use super::WRITE_BUFFER;
use super::outgoing::Outgoing;
use super::unread::Unread;
use crate::transport::Transport;

/// The transport for the time of one call, with the task that is to be woken.
pub(super) struct Adapter<'a, 'b> {
    pub(super) transport: &'a mut Transport,
    pub(super) unread: &'a mut Unread,
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
        ready(self.unread.poll_read(self.transport, self.cx, buf))
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
