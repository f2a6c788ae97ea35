//! The WebSocket: frames in, frames out, and an end that loses no close code.
//!
//! `grpcws-frame` has the frames; this is what moves their bytes. There is one reader and one queue for all that is
//! written, so frames leave in the order in which they were fed.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use grpcws_frame::{DataKind, Encoder, FrameError, Message, Reader, Role};
use grpcws_proto::Progress;
use grpcws_proto::close::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connect::{Opened, Transport};
use crate::{Code, Status};

/// A WebSocket on the client's side.
#[derive(Debug)]
pub(crate) struct Socket {
    transport: Transport,
    reader: Reader,
    encoder: Encoder,
    max_message_size: usize,
    /// The transport takes no more for now; nothing is fed until a flush has gone through.
    blocked: bool,
    /// The transport takes nothing any more. What is written is thrown away, so that what the gateway said before
    /// can be read to its end, which tells how the call ended.
    write_broken: bool,
    shut_down: bool,
}

/// A message of the gateway. It borrows from the buffer that the transport is read into, unless it came in parts.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    Ping,
    Pong,
    Close(Option<u16>, Cow<'a, str>),
}

/// Why a message cannot be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The gateway breaks RFC 6455 or a limit: what the call ends with, and the close code that says so.
    Gateway(Status, CloseCode),
    /// The connection is over; the text says how.
    Connection(String),
}

impl Socket {
    pub(crate) fn new(opened: Opened, max_message_size: usize) -> Self {
        Self {
            transport: opened.transport,
            reader: Reader::new(Role::Client, max_message_size, &opened.already_read),
            // The driver feeds nothing to a blocked socket, so the queue holds what is worth a write and at most one
            // message more.
            encoder: Encoder::client(),
            max_message_size,
            blocked: false,
            write_broken: false,
            shut_down: false,
        }
    }

    /// The gateway is silent: where the connection is shared, it gets no new calls.
    pub(crate) fn retire(&self) {
        self.transport.retire();
    }

    /// The next message of the gateway, or why it cannot be read; see [`Socket::can_read`] for whether more can. Pings and the close frame are answered
    /// here.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming<'_>, Broken>> {
        loop {
            match self.reader.advance() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(broken(error, self.max_message_size))),
            }
            let reason = match ready!(self.poll_fill(cx)) {
                Ok(1..) => continue,
                Ok(0) => "it ended without a close frame".to_owned(),
                Err(error) => error.to_string(),
            };
            return Poll::Ready(Err(Broken::Connection(reason)));
        }
        Poll::Ready(match self.reader.message() {
            Ok(Some(Message::Text(text))) => Ok(Incoming::Text(text)),
            Ok(Some(Message::Binary(bytes))) => Ok(Incoming::Binary(bytes)),
            Ok(Some(Message::Ping(payload))) => {
                self.encoder.pong(&payload);
                Ok(Incoming::Ping)
            }
            Ok(Some(Message::Pong(_)) | None) => Ok(Incoming::Pong),
            Ok(Some(Message::Close(None))) => {
                self.encoder.close(None, "");
                Ok(Incoming::Close(None, Cow::Borrowed("")))
            }
            Ok(Some(Message::Close(Some(close)))) => {
                self.encoder.close(Some(close.code), &close.reason);
                Ok(Incoming::Close(Some(close.code), close.reason))
            }
            Err(error) => Err(broken(error, self.max_message_size)),
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

    /// Queues a text message. Its bytes leave when there are enough of them, or with the next flush. Behind a close
    /// frame, the gateway's included, nothing is queued.
    pub(crate) fn feed_text(&mut self, cx: &mut Context<'_>, text: &str) {
        self.feed(cx, DataKind::Text, text.as_bytes());
    }

    /// Queues a binary message, as [`Socket::feed_text`] does a text message.
    pub(crate) fn feed_binary(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.feed(cx, DataKind::Binary, bytes);
    }

    /// Queues the close frame, unless the gateway's own was answered already.
    pub(crate) fn feed_close(&mut self, cx: &mut Context<'_>, code: CloseCode) {
        self.encoder.close(Some(code.number()), "");
        self.write_out(cx);
    }

    fn feed(&mut self, cx: &mut Context<'_>, kind: DataKind, payload: &[u8]) {
        // The error type has no values.
        let Ok(_) = self.encoder.data(kind, |bytes| {
            bytes.extend_from_slice(payload);
            Ok::<_, std::convert::Infallible>(())
        });
        self.write_out(cx);
    }

    /// Writes what is queued without waiting for a flush, if there is enough of it.
    fn write_out(&mut self, cx: &mut Context<'_>) {
        if self.encoder.is_full() {
            self.blocked = self.poll_write(cx).is_pending();
        }
    }

    /// Hands the transport what is queued; ready when it has taken all.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let pending = self.encoder.pending();
            if pending.is_empty() {
                return Poll::Ready(());
            }
            let taken = if self.write_broken {
                pending.len()
            } else {
                match ready!(Pin::new(&mut self.transport).poll_write(cx, pending)) {
                    Ok(0) => self.write_failed(&"nothing was written"),
                    Ok(taken) => taken,
                    Err(error) => self.write_failed(&error),
                }
            };
            self.encoder.advance(taken);
        }
    }

    /// Nothing more is written; returns how many bytes were.
    fn write_failed(&mut self, error: &dyn Display) -> usize {
        tracing::debug!(%error, "the connection to the gateway takes no more data");
        self.write_broken = true;
        0
    }

    /// Whether nothing may be fed before a flush goes through.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the transport takes nothing any more.
    pub(crate) const fn is_write_broken(&self) -> bool {
        self.write_broken
    }

    /// Whether frames can still be read: the gateway has neither sent its close frame nor broken RFC 6455.
    pub(crate) fn can_read(&self) -> bool {
        !self.reader.has_ended()
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

    /// How far the bytes to the gateway have come. It may cost a system call.
    pub(crate) fn progress(&self) -> Progress {
        self.transport.progress()
    }

    /// Writes out what is queued.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A turn that has stopped reading gives an empty buffer back.
        self.reader.release();
        let mut flushed = self.poll_write(cx);
        if flushed.is_ready() && !self.write_broken {
            flushed = Pin::new(&mut self.transport).poll_flush(cx).map(|result| {
                if let Err(error) = result {
                    self.write_failed(&error);
                }
            });
        }
        self.blocked = flushed.is_pending();
        flushed
    }

    /// Ends the connection so that what was written still arrives: FIN, then what the gateway still sends is read
    /// and thrown away until it closes. The session's linger time bounds how long this takes.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut transport = Pin::new(&mut self.transport);
        if !self.shut_down {
            // What cannot be shut down is closed already.
            let _ = ready!(transport.as_mut().poll_shutdown(cx));
            self.shut_down = true;
        }
        let mut scratch = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(transport.as_mut().poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// What a frame that cannot be read means for the call.
fn broken(error: FrameError, max_message_size: usize) -> Broken {
    let (status, close) = match error {
        FrameError::TooLarge => {
            let text = format!("response message is larger than {max_message_size} bytes");
            (Status::new(Code::ResourceExhausted, text), CloseCode::TOO_LARGE)
        }
        FrameError::TooManyFragments => {
            (Status::new(Code::ResourceExhausted, error.to_string()), CloseCode::POLICY)
        }
        error => {
            let close = match error {
                FrameError::InvalidUtf8 | FrameError::CloseReason => CloseCode::INVALID_UTF8,
                _ => CloseCode::PROTOCOL,
            };
            (Status::new(Code::Internal, format!("the gateway broke RFC 6455: {error}")), close)
        }
    };
    Broken::Gateway(status, close)
}
