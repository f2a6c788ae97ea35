//! The WebSocket: frames in, frames out, and an end that loses no close code.
//!
//! This is the seam to the codec: nothing outside knows tungstenite. The codec runs without a runtime
//! on whatever implements `Read` and `Write`, so one adapter that carries the task's context is all that
//! stands between it and the transport.
//!
//! The codec reads, and writes the frames of control. Those of data, which are nearly all, are written without it
//! into the queue that both share: their payload then comes into being where it is sent from.

mod adapter;
mod outgoing;
mod unread;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Progress;
use grpcws_proto::close::{Cause, Close};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as WireCloseCode;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use crate::transport::Transport;
use adapter::Adapter;
pub(crate) use outgoing::DataKind;
use outgoing::Outgoing;
use unread::Unread;

/// How many bytes the codec takes at once, and what an idle socket holds for reading. Of a smaller buffer `bytes` would
/// forget the size when it makes a new one, beside messages that are still in use.
const READ_BUFFER: usize = 1024;

/// How many bytes are gathered before they are written without waiting for a flush. With small messages nearly all
/// that the kernel does is done for each write, whatever its size.
const WRITE_BUFFER: usize = 32 * 1024;

/// The same where messages are large. Copying dominates there, and a system call that has more to copy pays off
/// still; what a socket that is not read holds is only a few messages more.
const WRITE_BUFFER_LARGE: usize = 64 * 1024;

/// From this length on a message is large.
const LARGE: usize = 8 * 1024;

/// How many bytes are gathered at most, where messages have this length.
const fn enough(length: usize) -> usize {
    if length < LARGE { WRITE_BUFFER } else { WRITE_BUFFER_LARGE }
}

/// How many bytes of its own answers, to pings, the codec keeps while the queue is full.
const ANSWERS: usize = 1024;

/// How many times 4 KiB are discarded before other tasks get their turn.
const DISCARD_BUDGET: usize = 64;

/// A WebSocket on the server's side.
#[derive(Debug)]
pub(crate) struct Socket {
    transport: Transport,
    unread: Unread,
    codec: WebSocketContext,
    outgoing: Outgoing,
    max_message_size: usize,
    /// The codec has asked for more than there was.
    starved: bool,
    /// The transport takes no more for now; nothing is fed until a flush has gone through.
    blocked: bool,
    /// A frame could not be read, so the place where the next one begins is not known.
    unreadable: bool,
    /// FIN is sent.
    shut_down: bool,
}

/// A message of the peer. Control frames but `Close` need no answer of the caller's.
#[derive(Debug)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Ping,
    Pong,
    Close(Option<u16>),
}

impl Socket {
    pub(crate) fn new(transport: Transport, already_read: &Bytes, max_message_size: u64) -> Self {
        let max_message_size = usize::try_from(max_message_size).unwrap_or(usize::MAX);
        // The driver feeds nothing to a blocked socket, so the queue holds what is `enough` and at most one
        // message more. Only the codec's own answers could grow further; see `with_bounded_answers`.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message_size))
            .max_frame_size(Some(max_message_size));
        Self {
            transport,
            unread: Unread::new(already_read),
            codec: WebSocketContext::new(Role::Server, Some(config)),
            outgoing: Outgoing::default(),
            max_message_size,
            starved: false,
            blocked: false,
            unreadable: false,
            shut_down: false,
        }
    }

    /// Lets the codec work while its own answers, to pings, find little room. It then keeps the newest pong back and
    /// drops the ones before, in place of a buffer that a flood of pings would fill.
    ///
    /// Messages need no such limit, since they come one at a time; nor does the answer to the peer's close,
    /// which is the last.
    fn with_bounded_answers<T>(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut WebSocketContext, &mut Adapter<'_, '_>) -> T,
    ) -> T {
        let bounded = self.codec.can_read();
        if bounded {
            self.codec.set_config(|config| config.max_write_buffer_size = ANSWERS);
        }
        let Self { transport, unread, outgoing, .. } = self;
        let mut adapter = Adapter { transport, unread, outgoing, cx };
        let result = work(&mut self.codec, &mut adapter);
        if bounded {
            self.codec.set_config(|config| config.max_write_buffer_size = usize::MAX);
        }
        result
    }

    /// The next message of the peer, or why there is none and never will be.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Cause>> {
        // The codec clears its buffer before it asks, and a task that is woken to write asks as well.
        if self.starved && self.transport.poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        self.starved = false;
        let message = match self.with_bounded_answers(cx, |codec, adapter| codec.read(adapter)) {
            Ok(message) => message,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.starved = true;
                return Poll::Pending;
            }
            Err(error) => {
                self.unreadable = true;
                return Poll::Ready(Err(self.cause(&error)));
            }
        };
        Poll::Ready(Ok(match message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary(bytes) => Incoming::Binary(bytes),
            Message::Ping(_) => Incoming::Ping,
            Message::Pong(_) => Incoming::Pong,
            Message::Close(frame) => Incoming::Close(frame.map(|frame| frame.code.into())),
            Message::Frame(_) => {
                self.unreadable = true;
                return Poll::Ready(Err(Cause::ProtocolViolation("raw frame".to_owned())));
            }
        }))
    }

    /// Queues a message of control. Its bytes leave when there are enough of them, or with the next flush.
    pub(crate) fn feed_text(&mut self, cx: &mut Context<'_>, text: Utf8Bytes) -> Result<(), Cause> {
        self.feed(cx, Message::Text(text))
    }

    /// Queues a message of data, whose payload `write` appends; returns the length of that. A text has to be
    /// UTF-8, and no close frame may have been fed.
    pub(crate) fn feed_data(
        &mut self,
        cx: &mut Context<'_>,
        kind: DataKind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Cause>,
    ) -> Result<usize, Cause> {
        let length = self.outgoing.append_frame(kind, write)?;
        // Of large messages only as many as fit.
        let room = if length < LARGE { 0 } else { length };
        if self.outgoing.len().saturating_add(room) > enough(length) {
            self.write_out(cx)?;
        }
        Ok(length)
    }

    /// Writes what is queued without waiting for a flush.
    fn write_out(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        match self.outgoing.poll_write(&mut self.transport, cx) {
            Poll::Ready(result) => result.map_err(|_| Cause::ConnectionLost),
            Poll::Pending => {
                self.blocked = true;
                Ok(())
            }
        }
    }

    /// Queues a ping frame.
    pub(crate) fn feed_ping(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        self.feed(cx, Message::Ping(Bytes::new()))
    }

    /// Queues the close frame.
    pub(crate) fn feed_close(&mut self, cx: &mut Context<'_>, close: Close) -> Result<(), Cause> {
        let code = WireCloseCode::from(close.code.number());
        self.feed(cx, Message::Close(Some(CloseFrame { code, reason: close.reason.into() })))
    }

    fn feed(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Cause> {
        let Self { transport, unread, outgoing, .. } = self;
        let mut adapter = Adapter { transport, unread, outgoing, cx };
        match self.codec.write(&mut adapter, message) {
            // A close frame that meets the peer's own is answered by the codec already.
            Ok(()) | Err(Error::ConnectionClosed) => Ok(()),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                // The queue is full, and the codec keeps the message until there is room.
                self.write_out(cx)
            }
            Err(error) => Err(self.cause(&error)),
        }
    }

    /// Whether nothing may be fed before a flush goes through.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Writes out what is queued.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            match self.outgoing.poll_write(&mut self.transport, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Cause::ConnectionLost)),
                Poll::Pending => {
                    self.blocked = true;
                    return Poll::Pending;
                }
            }
            // What the codec has kept back finds room now.
            match self.with_bounded_answers(cx, |codec, adapter| codec.flush(adapter)) {
                Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {}
                Err(error) => return Poll::Ready(Err(self.cause(&error))),
            }
            if self.outgoing.is_empty() {
                break;
            }
        }
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        self.blocked = flushed.is_pending();
        flushed.map_err(|_| Cause::ConnectionLost)
    }

    /// How many bytes were read of the connection so far, frames or parts of them.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.transport.bytes_read()
    }

    /// How many bytes were queued so far.
    pub(crate) fn bytes_queued(&self) -> u64 {
        self.transport.bytes_written().saturating_add(u64::try_from(self.outgoing.len()).unwrap_or(0))
    }

    /// How far the bytes to the peer have come. It may cost a system call.
    pub(crate) fn progress(&self) -> Progress {
        self.transport.progress()
    }

    /// Whether a part of a message was read, and not its end.
    pub(crate) const fn is_inside_message(&self) -> bool {
        false
    }

    /// Whether frames can still be read.
    pub(crate) fn can_read(&self) -> bool {
        !self.unreadable && self.codec.can_read()
    }

    /// Resolves when the peer is gone, for as long as the socket is not read.
    pub(crate) fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.poll_peer_closed(cx)
    }

    pub(crate) fn stop_watching(&mut self) {
        self.transport.stop_watching();
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

    /// Who is to blame for an error of the codec.
    fn cause(&self, error: &Error) -> Cause {
        match error {
            Error::Capacity(_) => {
                Cause::MessageTooLarge(u64::try_from(self.max_message_size).unwrap_or(u64::MAX))
            }
            Error::Utf8(_) => Cause::InvalidUtf8,
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Cause::ConnectionLost
            }
            Error::Protocol(error) => Cause::ProtocolViolation(error.to_string()),
            _ => Cause::ConnectionLost,
        }
    }
}
