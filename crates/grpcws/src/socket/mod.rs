//! The WebSocket: frames in, frames out, and an end that loses no close code.
//!
//! `grpcws-frame` has the frames; this is what moves their bytes. There is one reader and one queue for all that is
//! written, so frames leave in the order in which they were fed.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use grpcws_frame::{Encoder, FrameError, Message, Reader, Role};
use grpcws_proto::Progress;
use grpcws_proto::close::{Cause, Close};
use grpcws_proto::session::WindowBudget;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::transport::Transport;
pub(crate) use grpcws_frame::DataKind;

/// How many times 4 KiB are discarded before other tasks get their turn.
const DISCARD_BUDGET: usize = 64;

/// A WebSocket on the server's side.
#[derive(Debug)]
pub(crate) struct Socket {
    transport: Transport,
    reader: Reader,
    encoder: Encoder,
    max_message_size: u64,
    /// The transport takes no more for now; nothing is fed until a flush has gone through.
    blocked: bool,
    /// The transport is at its end, or broken.
    lost: bool,
    /// FIN is sent.
    shut_down: bool,
}

/// A message of the peer. Control frames but `Close` need no answer of the caller's.
///
/// It borrows from the buffer that the transport is read into, unless it came in parts.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    Ping,
    Pong,
    Close(Option<u16>),
}

impl Socket {
    pub(crate) fn new(transport: Transport, already_read: &[u8], max_message_size: u64) -> Self {
        let limit = usize::try_from(max_message_size).unwrap_or(usize::MAX);
        Self {
            transport,
            reader: Reader::new(Role::Server, limit, already_read),
            // The driver feeds nothing to a blocked socket, so the queue holds what is worth a write and at most one
            // message more.
            encoder: Encoder::server(),
            max_message_size,
            blocked: false,
            lost: false,
            shut_down: false,
        }
    }

    /// The next message of the peer, or why it cannot be read; see [`Socket::can_read`] for whether more can. Pings and the close frame are answered
    /// here.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming<'_>, Cause>> {
        loop {
            match self.reader.advance() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(cause(error, self.max_message_size))),
            }
            if !matches!(ready!(self.poll_fill(cx)), Ok(1..)) {
                self.lost = true;
                return Poll::Ready(Err(Cause::ConnectionLost));
            }
        }
        Poll::Ready(match self.reader.message() {
            Ok(Some(Message::Text(text))) => Ok(Incoming::Text(text)),
            Ok(Some(Message::Binary(bytes))) => Ok(Incoming::Binary(bytes)),
            Ok(Some(Message::Ping(payload))) => {
                self.encoder.pong(&payload);
                Ok(Incoming::Ping)
            }
            Ok(Some(Message::Pong(_)) | None) => Ok(Incoming::Pong),
            Ok(Some(Message::Close(close))) => {
                // The answer repeats code and reason (PROTOCOL §6.2).
                let code = close.as_ref().map(|close| close.code);
                self.encoder.close(code, close.as_ref().map_or("", |close| &close.reason));
                Ok(Incoming::Close(code))
            }
            Err(error) => Err(cause(error, self.max_message_size)),
        })
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self { reader, transport, .. } = self;
        reader.poll_fill(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let polled = Pin::new(transport).poll_read(cx, &mut buffer);
            polled.map_ok(|()| buffer.filled().len())
        })
    }

    /// Queues a text message. Its bytes leave when there are enough of them, or with the next flush.
    pub(crate) fn feed_text(&mut self, cx: &mut Context<'_>, text: &str) -> Result<(), Cause> {
        let write = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(text.as_bytes());
            Ok(())
        };
        self.feed_data(cx, DataKind::Text, write).map(drop)
    }

    /// Queues a message of data, whose payload `write` appends; returns the length of that. A text has to be UTF-8.
    /// Behind a close frame nothing is queued.
    pub(crate) fn feed_data(
        &mut self,
        cx: &mut Context<'_>,
        kind: DataKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Cause>,
    ) -> Result<usize, Cause> {
        let length = self.encoder.data(kind, write)?;
        if self.encoder.is_full() {
            self.write_out(cx)?;
        }
        Ok(length)
    }

    /// Queues a ping frame.
    pub(crate) fn feed_ping(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        self.encoder.ping(&[]);
        if self.encoder.is_full() { self.write_out(cx) } else { Ok(()) }
    }

    /// Queues the close frame, unless the peer's own was answered already.
    pub(crate) fn feed_close(&mut self, cx: &mut Context<'_>, close: &Close) -> Result<(), Cause> {
        self.encoder.close(Some(close.code.number()), &close.reason);
        if self.encoder.is_full() { self.write_out(cx) } else { Ok(()) }
    }

    /// Writes what is queued without waiting for a flush.
    fn write_out(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        match self.poll_write(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                self.blocked = true;
                Ok(())
            }
        }
    }

    /// Hands the transport what is queued; ready when it has taken all.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            let pending = self.encoder.pending();
            if pending.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.transport).poll_write(cx, pending)) {
                Ok(taken @ 1..) => self.encoder.advance(taken),
                Ok(0) | Err(_) => return Poll::Ready(Err(Cause::ConnectionLost)),
            }
        }
    }

    /// Whether nothing may be fed before a flush goes through.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Writes out what is queued.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        // A turn that has stopped reading gives an empty buffer back.
        self.reader.release();
        let flushed = match self.poll_write(cx) {
            Poll::Ready(Ok(())) => {
                Pin::new(&mut self.transport).poll_flush(cx).map_err(|_| Cause::ConnectionLost)
            }
            unfinished => unfinished,
        };
        self.blocked = flushed.is_pending();
        flushed
    }

    /// How many bytes were read of the connection so far, frames or parts of them.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.transport.bytes_read()
    }

    /// How many bytes were queued so far.
    pub(crate) fn bytes_queued(&mut self) -> u64 {
        let pending = u64::try_from(self.encoder.pending().len()).unwrap_or(0);
        self.transport.bytes_written().saturating_add(pending)
    }

    /// How far the bytes to the peer have come. It may cost a system call.
    pub(crate) fn progress(&mut self) -> Progress {
        self.transport.progress()
    }

    /// Whether a part of a message has arrived and the rest is still to come.
    pub(crate) fn is_inside_message(&self) -> bool {
        self.reader.is_inside_message()
    }

    /// Whether frames can still be read.
    pub(crate) fn can_read(&self) -> bool {
        !self.lost && !self.reader.has_ended()
    }

    /// Resolves when the peer is gone, for as long as the socket is not read.
    pub(crate) fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.poll_peer_closed(cx)
    }

    pub(crate) fn stop_watching(&mut self) {
        self.transport.stop_watching();
    }

    /// Borrows what the transport keeps in memory of a peer that is not read; returns whether the budget had it.
    pub(crate) fn borrow_unread(&mut self, budget: &WindowBudget) -> bool {
        self.transport.borrow_unread(budget)
    }

    /// Reads and discards what the peer sends; ready at the end of the connection. Dropping a socket with unread bytes
    /// makes the kernel send RST, which destroys what the peer has not read yet.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        for _ in 0..DISCARD_BUDGET {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends FIN, then discards what the peer sends; ready at the end of the connection.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shut_down {
            // What cannot be shut down is closed already.
            let _ = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
            self.shut_down = true;
        }
        self.poll_discard(cx)
    }
}

/// What a frame that cannot be read means for the stream (PROTOCOL §6.1).
fn cause(error: FrameError, max_message_size: u64) -> Cause {
    match error {
        FrameError::TooLarge => Cause::MessageTooLarge(max_message_size),
        FrameError::TooManyFragments => Cause::Policy(error.to_string()),
        FrameError::InvalidUtf8 | FrameError::CloseReason => Cause::InvalidUtf8,
        error => Cause::ProtocolViolation(error.to_string()),
    }
}
