//! WebSocket frames (RFC 6455) without I/O, for both roles.
//!
//! Bytes go in as they come, messages come out; frames are written into one outgoing queue. Nothing here reads, writes,
//! waits or knows a runtime, so that it can be tested byte by byte.
//!
//! ```
//! use grpcws_frame::{DataKind, Encoder, Message, Reader, Role};
//!
//! let mut client = Encoder::client();
//! client.data(DataKind::Text, |payload| {
//!     payload.extend_from_slice(b"hello");
//!     Ok::<_, std::convert::Infallible>(())
//! })?;
//!
//! // The server reads at most 64 KiB a message.
//! let mut server = Reader::new(Role::Server, 64 * 1024, &[]);
//! let mut wire = client.pending().to_vec();
//! while !server.advance()? {
//!     // A transport would be read here.
//!     server.fill(|buffer| {
//!         let (place, _) = buffer.split_at_mut(wire.len());
//!         place.copy_from_slice(&wire);
//!         Ok::<_, std::io::Error>(std::mem::take(&mut wire).len())
//!     })?;
//! }
//! assert_eq!(server.message()?, Some(Message::Text("hello".into())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The path of a message
//!
//! [`Reader`] lends its buffer to the transport ([`Reader::poll_fill`]) and moves the bytes through the [`Decoder`]. A
//! message that lies whole in the buffer is unmasked in place and handed out as a borrow; only one that arrives in
//! parts is put together in memory of its own, which is then handed out, so that nothing of it stays.
//!
//! [`Encoder`] is the one queue of what leaves. The payload of a data frame is written where it is sent from. Control
//! frames go into the same queue, in order, but for pongs while the queue is long: then only the newest one is kept
//! (RFC 6455 §5.5.3).
//!
//! # Limits
//!
//! - A message is measured by the declared lengths of its frames, before any of its bytes are kept. A declared length
//!   reserves at most 64 KiB beyond what has arrived, or as much again.
//! - A message has at most [`MAX_FRAGMENTS`] frames, empty ones included.
//! - A message over a limit is a [`FrameError`] for which [`FrameError::is_limit`] holds. What was kept of it is given
//!   back, the rest of it is skipped, and the frames between and behind its fragments are found as ever: so the close frame
//!   of a peer that has sent too much is seen.
//! - A reader without unread bytes and an encoder without unsent ones hold no more than a few KiB.
//!
//! # Strictness
//!
//! Whatever breaks a MUST of RFC 6455 is a [`FrameError`], which has the close code to answer with. Text is validated
//! as it comes, and refused at the first byte that cannot be part of UTF-8. A length in more bytes than it needs is
//! refused: §5.2 says that "in all cases, the minimal number of bytes MUST be used". All reserved bits are refused, as
//! no extension is implemented; [`FrameError::ReservedBits`] is where permessage-deflate would begin.

mod assembly;
mod close;
mod decoder;
mod encoder;
mod error;
mod head;
mod mask;
mod message;
mod reader;

pub use decoder::{Decoder, MAX_FRAGMENTS};
pub use encoder::{DataKind, Encoder};
pub use error::FrameError;
pub use message::{CloseFrame, Message};
pub use reader::Reader;

/// The side of the connection that this end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Receives masked frames and sends unmasked ones.
    Server,
    /// Receives unmasked frames and sends masked ones.
    Client,
}
