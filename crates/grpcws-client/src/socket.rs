//! The WebSocket: frames in, frames out, and an end that loses no close code.
//!
//! This is the seam to the codec: nothing outside but the handshake knows tungstenite. One task owns a socket, so
//! an adapter that carries the task's context is all that stands between the codec and the transport.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::close::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use crate::connect::{Opened, Transport};
use crate::{Code, Status};

/// How many bytes are read at once, and what an idle socket holds for reading.
const READ_BUFFER: usize = 4 * 1024;

/// How many bytes are gathered before they are written without waiting for a flush.
const WRITE_BUFFER: usize = 16 * 1024;

/// A WebSocket on the client's side.
#[derive(Debug)]
pub(crate) struct Socket {
    transport: Transport,
    codec: WebSocketContext,
    max_message_size: usize,
    /// The transport takes no more for now; nothing is fed until a flush has gone through.
    blocked: bool,
    /// The transport takes nothing any more. What is written is thrown away, so that what the gateway said before
    /// can be read to its end, which tells how the call ended.
    write_broken: bool,
    shut_down: bool,
}

/// A message of the gateway.
#[derive(Debug)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Ping,
    Pong,
    Close(Option<u16>, Utf8Bytes),
}

/// Why nothing more can be read or written.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The gateway breaks RFC 6455 or a limit: what the call ends with, and the close code that says so.
    Gateway(Status, CloseCode),
    /// The connection is over; the text says how.
    Connection(String),
}

/// The transport for the time of one call, with the task that is to be woken.
struct Adapter<'a, 'b> {
    transport: &'a mut Transport,
    write_broken: &'a mut bool,
    cx: &'a mut Context<'b>,
}

impl Socket {
    pub(crate) fn new(opened: Opened, max_message_size: usize) -> Self {
        // The driver feeds nothing to a blocked socket, so the write buffer holds `WRITE_BUFFER` and at most one
        // message more. Only the codec's own answers could grow it further; see `with_bounded_answers`.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(max_message_size))
            .max_frame_size(Some(max_message_size));
        let already_read = opened.already_read.to_vec();
        let codec = WebSocketContext::from_partially_read(already_read, Role::Client, Some(config));
        Self {
            transport: opened.transport,
            codec,
            max_message_size,
            blocked: false,
            write_broken: false,
            shut_down: false,
        }
    }

    /// Lets the codec work while its own answers, to pings, find no more room than there is anyway. It then keeps
    /// the newest pong back and drops the ones before, in place of a buffer that a flood of pings would fill.
    fn with_bounded_answers<T>(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut WebSocketContext, &mut Adapter<'_, '_>) -> T,
    ) -> T {
        let bounded = self.codec.can_read();
        if bounded {
            self.codec.set_config(|config| config.max_write_buffer_size = WRITE_BUFFER + 1);
        }
        let Self { transport, codec, write_broken, .. } = self;
        let result = work(codec, &mut Adapter { transport, write_broken, cx });
        if bounded {
            self.codec.set_config(|config| config.max_write_buffer_size = usize::MAX);
        }
        result
    }

    /// The gateway is silent: where the connection is shared, it gets no new calls.
    pub(crate) fn retire(&self) {
        self.transport.retire();
    }

    /// The next message of the gateway, or why there is none and never will be.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Broken>> {
        let message = match self.with_bounded_answers(cx, |codec, adapter| codec.read(adapter)) {
            Ok(message) => message,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(self.broken(&error))),
        };
        Poll::Ready(Ok(match message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary(bytes) => Incoming::Binary(bytes),
            Message::Ping(_) => Incoming::Ping,
            Message::Pong(_) => Incoming::Pong,
            Message::Close(Some(frame)) => Incoming::Close(Some(frame.code.into()), frame.reason),
            Message::Close(None) => Incoming::Close(None, Utf8Bytes::from_static("")),
            Message::Frame(_) => return Poll::Ready(Err(protocol_violation(&"raw frame"))),
        }))
    }

    pub(crate) fn feed_text(&mut self, cx: &mut Context<'_>, text: Utf8Bytes) -> Result<(), Broken> {
        self.feed(cx, Message::Text(text))
    }

    pub(crate) fn feed_binary(&mut self, cx: &mut Context<'_>, bytes: Bytes) -> Result<(), Broken> {
        self.feed(cx, Message::Binary(bytes))
    }

    pub(crate) fn feed_close(&mut self, cx: &mut Context<'_>, code: CloseCode) -> Result<(), Broken> {
        let frame = CloseFrame { code: code.number().into(), reason: Utf8Bytes::from_static("") };
        self.feed(cx, Message::Close(Some(frame)))
    }

    fn feed(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Broken> {
        let Self { transport, codec, write_broken, .. } = self;
        let mut adapter = Adapter { transport, write_broken, cx };
        match codec.write(&mut adapter, message) {
            // After the gateway's close frame there is nothing left to say.
            Ok(()) | Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::SendAfterClosing)) => {
                Ok(())
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                // The message is queued all the same.
                self.blocked = true;
                Ok(())
            }
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Whether nothing may be fed before a flush goes through.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the transport takes nothing any more.
    pub(crate) const fn is_write_broken(&self) -> bool {
        self.write_broken
    }

    /// Writes out what is queued.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.with_bounded_answers(cx, |codec, adapter| codec.flush(adapter)) {
            // What was kept back while the buffer was full goes now.
            Ok(()) if std::mem::take(&mut self.blocked) => self.poll_flush(cx),
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                self.blocked = false;
                Poll::Ready(Ok(()))
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked = true;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(self.broken(&error))),
        }
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

    /// Who is to blame for an error of the codec.
    fn broken(&self, error: &Error) -> Broken {
        match error {
            Error::Capacity(_) => {
                let text = format!("response message is larger than {} bytes", self.max_message_size);
                Broken::Gateway(Status::new(Code::ResourceExhausted, text), CloseCode::TOO_LARGE)
            }
            Error::Utf8(_) => {
                let text = "the gateway broke RFC 6455: text frame is not UTF-8";
                Broken::Gateway(Status::new(Code::Internal, text), CloseCode::INVALID_UTF8)
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Broken::Connection("it ended without a close frame".to_owned())
            }
            Error::Protocol(error) => protocol_violation(error),
            Error::Io(error) => Broken::Connection(error.to_string()),
            error => Broken::Connection(error.to_string()),
        }
    }
}

fn protocol_violation(error: &dyn std::fmt::Display) -> Broken {
    let text = format!("the gateway broke RFC 6455: {error}");
    Broken::Gateway(Status::new(Code::Internal, text), CloseCode::PROTOCOL)
}

// === impl Adapter ===

fn unblocked<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Adapter<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        unblocked(Pin::new(&mut *self.transport).poll_read(self.cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl Adapter<'_, '_> {
    fn write_failed(&mut self, error: &dyn std::fmt::Display) {
        tracing::debug!(%error, "the connection to the gateway takes no more data");
        *self.write_broken = true;
    }
}

impl Write for Adapter<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if *self.write_broken {
            return Ok(buf.len());
        }
        match Pin::new(&mut *self.transport).poll_write(self.cx, buf) {
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            Poll::Ready(Ok(length)) if length > 0 || buf.is_empty() => return Ok(length),
            Poll::Ready(Ok(_)) => self.write_failed(&"nothing was written"),
            Poll::Ready(Err(error)) => self.write_failed(&error),
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if *self.write_broken {
            return Ok(());
        }
        match Pin::new(&mut *self.transport).poll_flush(self.cx) {
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => self.write_failed(&error),
        }
        Ok(())
    }
}
