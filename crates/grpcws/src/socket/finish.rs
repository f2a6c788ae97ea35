//! The lingering close: FIN, then a bounded read of what the peer still sends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// How many bytes of the peer are read and thrown away. A peer that sends more is held by TCP until the
/// linger time is over, which leaves it that long to read the close frame.
const MAX_DISCARDED: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Finish {
    shut_down: bool,
    discarded: usize,
}

impl Finish {
    /// The time that this may take is bounded by the session's linger time.
    pub(super) fn poll(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shut_down {
            // What cannot be shut down is closed already.
            let _ = ready!(Pin::new(&mut *transport).poll_shutdown(cx));
            self.shut_down = true;
        }
        let mut scratch = [0; 4096];
        loop {
            if self.discarded >= MAX_DISCARDED {
                return Poll::Pending;
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *transport).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.discarded += buf.filled().len(),
                _ => return Poll::Ready(()),
            }
        }
    }
}
