//! The same streams to tungstenite, a codec that is not ours.

mod common;

use std::borrow::Cow;
use std::io::{self, Read, Write};

use common::{LIMIT, Outcome, decode, frames, mutated, mutations, role, wire};
use grpcws_frame::{CloseFrame, FrameError, Message, Role};
use proptest::prelude::*;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{WebSocketConfig, WebSocketContext};

/// A stream that is read from bytes, and throws away what is written.
struct Stream<'a>(&'a [u8]);

impl Read for Stream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How tungstenite's reading ended.
#[derive(Debug, PartialEq)]
enum End {
    /// The stream was over, at the end of a frame or inside of it.
    Stream,
    Closed,
    Error(String),
}

fn theirs(role: Role, stream: &[u8]) -> (Vec<Message<'static>>, End) {
    let role = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut context = WebSocketContext::new(role, Some(config));
    let mut stream = Stream(stream);
    let mut messages = Vec::new();
    loop {
        messages.push(match context.read(&mut stream) {
            Ok(tungstenite::Message::Text(text)) => Message::Text(Cow::Owned(text.to_string())),
            Ok(tungstenite::Message::Binary(bytes)) => Message::Binary(bytes.to_vec().into()),
            Ok(tungstenite::Message::Ping(bytes)) => Message::Ping(bytes.to_vec().into()),
            Ok(tungstenite::Message::Pong(bytes)) => Message::Pong(bytes.to_vec().into()),
            Ok(tungstenite::Message::Close(close)) => {
                // It shows a code that must not be sent as a close frame of its own.
                if close.as_ref().is_some_and(|close| close.reason.as_str() == "Protocol violation") {
                    return (messages, End::Error("close code".to_owned()));
                }
                Message::Close(close.map(|close| CloseFrame {
                    code: close.code.into(),
                    reason: Cow::Owned(close.reason.to_string()),
                }))
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("it is for writing only"),
            Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (messages, End::Stream);
            }
            Err(tungstenite::Error::ConnectionClosed) => return (messages, End::Closed),
            Err(error) => return (messages, End::Error(error.to_string())),
        });
    }
}

fn compare(role: Role, stream: &[u8]) -> Result<(), TestCaseError> {
    let (ours, error): Outcome = decode(role, stream);
    let (theirs, end) = theirs(role, stream);
    match error {
        None => {
            let closed = matches!(ours.last(), Some(Message::Close(_)));
            prop_assert_eq!(&end, &if closed { End::Closed } else { End::Stream });
            prop_assert_eq!(ours, theirs);
        }
        // tungstenite accepts what RFC 6455 §5.2 forbids here.
        Some(FrameError::LengthNotMinimal) => prop_assert!(theirs.starts_with(&ours)),
        // A server of tungstenite reads nothing behind the close frame.
        Some(FrameError::AfterClose) => {
            prop_assert_ne!(end, End::Stream);
            prop_assert_eq!(ours, theirs);
        }
        Some(error) => {
            // It refuses a frame when that has come to its end, which may never be.
            prop_assert!(matches!(end, End::Error(_) | End::Stream), "{:?} and {:?}", error, end);
            prop_assert_eq!(ours, theirs);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn valid_streams_are_read_alike(role in role(), frames in frames()) {
        let stream = wire(role, &frames);
        prop_assert_eq!(decode(role, &stream).1, None);
        compare(role, &stream)?;
    }

    #[test]
    fn damaged_streams_are_judged_alike(role in role(), frames in frames(), mutations in mutations()) {
        compare(role, &mutated(wire(role, &frames), &mutations))?;
    }
}
