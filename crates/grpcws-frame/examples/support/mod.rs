//! A connection that echoes, over a TCP stream that blocks.

#![allow(dead_code, reason = "each example uses a part of it")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use grpcws_frame::{DataKind, Encoder, Message, Reader};

/// The most bytes of a message: four times those of the largest case of the Autobahn suite.
pub(crate) const MAX_MESSAGE_SIZE: usize = 64 * 1024 * 1024;

/// The most bytes of a request or a response before the frames.
const MAX_HEAD: usize = 16 * 1024;

/// How long the peer may take to close the connection at the end.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) reader: Reader,
    pub(crate) encoder: Encoder,
}

impl Connection {
    /// Sends each message back until the peer closes, breaks the protocol, or is gone.
    pub(crate) fn echo(mut self) -> io::Result<()> {
        while self.fill()? {
            match self.reader.message() {
                Ok(Some(Message::Text(text))) => send(&mut self.encoder, DataKind::Text, text.as_bytes()),
                Ok(Some(Message::Binary(bytes))) => send(&mut self.encoder, DataKind::Binary, &bytes),
                Ok(Some(Message::Ping(payload))) => self.encoder.pong(&payload),
                Ok(Some(Message::Pong(_)) | None) => {}
                Ok(Some(Message::Close(close))) => {
                    self.encoder.close(close.map(|close| close.code), "");
                    return self.finish();
                }
                Err(error) => {
                    self.encoder.close(Some(error.close_code()), &error.to_string());
                    return self.finish();
                }
            }
            if self.encoder.is_full() {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// The next message, if it is text.
    pub(crate) fn read_text(&mut self) -> io::Result<Option<String>> {
        if !self.fill()? {
            return Ok(None);
        }
        match self.reader.message() {
            Ok(Some(Message::Text(text))) => Ok(Some(text.into_owned())),
            _ => Ok(None),
        }
    }

    /// Says goodbye, and waits for the peer to do the same.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.encoder.close(Some(1000), "");
        self.finish()
    }

    /// Reads until there is a message, or something to refuse. Returns `false` at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.reader.advance() {
                Ok(false) => {}
                // An error is found again with the message.
                Ok(true) => return Ok(true),
                Err(error) => {
                    self.encoder.close(Some(error.close_code()), &error.to_string());
                    self.flush()?;
                    self.drain()?;
                    return Ok(false);
                }
            }
            self.flush()?;
            let Self { stream, reader, .. } = self;
            if reader.fill(|buffer| stream.read(buffer))? == 0 {
                return Ok(false);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.encoder.is_empty() {
            let written = self.stream.write(self.encoder.pending())?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.encoder.advance(written);
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.drain()
    }

    /// Ends the connection so that what was written arrives: unread bytes would make the kernel reset it.
    fn drain(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(LINGER))?;
        let mut scratch = [0; 4096];
        while self.stream.read(&mut scratch).is_ok_and(|read| read > 0) {}
        Ok(())
    }
}

fn send(encoder: &mut Encoder, kind: DataKind, payload: &[u8]) {
    let queued = encoder.data(kind, |bytes| {
        bytes.extend_from_slice(payload);
        Ok::<_, std::convert::Infallible>(())
    });
    match queued {
        Ok(_) => {}
    }
}

/// Reads the head of a request or a response, and returns it with what came behind it.
pub(crate) fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 || bytes.len() > MAX_HEAD {
            return Err(io::Error::other("no HTTP head"));
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
}

/// The value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
