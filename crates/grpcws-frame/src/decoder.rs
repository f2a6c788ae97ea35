//! Bytes → messages.

use std::borrow::Cow;
use std::ops::Range;

use crate::assembly::{Assembly, Text};
use crate::head::{Expected, Head, MAX_HEAD, Opcode};
use crate::{FrameError, Message, Role, close, mask};

/// The most frames of a message.
pub const MAX_FRAGMENTS: u32 = 65_536;

/// Decodes what one peer sends.
///
/// ```text
///              a head is complete                 its payload has arrived
///   between ───────────────────────▶ in a frame ──────────────────────────▶ between
///   frames  ◀────────────────────────────────────────────────────────────   frames
///      │                                  │
///      └─ the peer's close frame ─┬───────┴─ a violation
///                                 ▼
///                               ended
/// ```
///
/// [`Reader`](crate::Reader) has the buffer that this one works on; it is what a socket needs.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message_size: usize,
    head: PartialHead,
    /// The frame whose payload has not arrived in full.
    frame: Option<Frame>,
    /// What has arrived of a data message that does not lie in one piece.
    message: Option<Assembly>,
    fragments: u32,
    /// What has arrived of the payload of a control frame that does not lie in one piece.
    control: Vec<u8>,
    payload_received: u64,
    /// Why nothing more is decoded.
    ended: Option<FrameError>,
}

/// The first bytes of a head.
#[derive(Debug, Default)]
struct PartialHead {
    bytes: [u8; MAX_HEAD],
    length: usize,
}

/// A frame whose payload has not arrived in full.
#[derive(Debug, Clone, Copy)]
struct Frame {
    fin: bool,
    opcode: Opcode,
    /// The key for the next byte.
    key: [u8; 4],
    remaining: usize,
}

/// What was decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// How many bytes were used up: all of them if there is no message.
    pub consumed: usize,
    /// The message that ends with them.
    pub message: Option<Message<'a>>,
}

/// A message that has been found, and is still masked if it lies in the buffer.
#[derive(Debug)]
pub(crate) enum Found {
    InBuffer { opcode: Opcode, key: [u8; 4], place: Range<usize> },
    Assembled(Message<'static>),
}

impl Decoder {
    /// A decoder for this end's role; `max_message_size` bounds the payload of a message, whatever its fragments.
    #[must_use]
    pub fn new(role: Role, max_message_size: usize) -> Self {
        Self {
            role,
            max_message_size,
            head: PartialHead::default(),
            frame: None,
            message: None,
            fragments: 0,
            control: Vec::new(),
            payload_received: 0,
            ended: None,
        }
    }

    /// Decodes up to the end of the next message. Without one all bytes are used up: the decoder keeps what it needs of
    /// them. A message that lies whole in `bytes` is unmasked there and borrows from them.
    ///
    /// # Errors
    ///
    /// The peer breaks RFC 6455 or a limit, or sends bytes behind its close frame. All later calls fail as well.
    pub fn decode<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Decoded<'a>, FrameError> {
        let (consumed, found) = self.find(bytes)?;
        let message = match found {
            Some(found) => Some(self.open(found, bytes)?),
            None => None,
        };
        Ok(Decoded { consumed, message })
    }

    /// Whether a part of a message has arrived and the rest is still to come.
    #[must_use]
    pub const fn is_inside_message(&self) -> bool {
        self.message.is_some() || self.frame.is_some() || self.head.length > 0
    }

    /// How many bytes of payload have arrived so far, those of unfinished frames included.
    #[must_use]
    pub const fn payload_received(&self) -> u64 {
        self.payload_received
    }

    /// Whether nothing more is decoded: the close frame has come, or an error.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Finds the end of the next message, and returns how many bytes were used up for that.
    pub(crate) fn find(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Found>), FrameError> {
        if let Some(error) = self.ended {
            return if bytes.is_empty() { Ok((0, None)) } else { Err(error) };
        }
        let found = self.find_message(bytes);
        if let Err(error) = found {
            self.end(error);
        }
        found
    }

    /// Unmasks and validates what was found in these bytes.
    pub(crate) fn open<'a>(&mut self, found: Found, bytes: &'a mut [u8]) -> Result<Message<'a>, FrameError> {
        let opened = match found {
            Found::Assembled(message) => Ok(message),
            Found::InBuffer { opcode, key, place } => {
                let payload = bytes.get_mut(place).unwrap_or_default();
                if self.role == Role::Server {
                    mask::apply(payload, key);
                }
                message(opcode, payload)
            }
        };
        match &opened {
            Err(error) => self.end(*error),
            Ok(Message::Close(_)) => self.end(FrameError::AfterClose),
            Ok(_) => {}
        }
        opened
    }

    /// Nothing is decoded any more, and nothing is kept of what has arrived.
    #[cold]
    fn end(&mut self, error: FrameError) {
        self.ended = Some(error);
        self.head.length = 0;
        self.frame = None;
        self.message = None;
        self.control = Vec::new();
    }

    fn find_message(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Found>), FrameError> {
        let mut at = 0;
        loop {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let Some((head, size)) = self.next_head(rest)? else { return Ok((bytes.len(), None)) };
                    at += size;
                    let end = at.saturating_add(head.length);
                    if end <= bytes.len() && self.is_whole_message(&head) {
                        self.count(head.length);
                        let Head { opcode, key, .. } = head;
                        return Ok((end, Some(Found::InBuffer { opcode, key, place: at..end })));
                    }
                    self.begin(&head)?
                }
            };
            let end = at.saturating_add(frame.remaining).min(bytes.len());
            let payload = bytes.get_mut(at..end).unwrap_or_default();
            at = end;
            if let Some(message) = self.take_payload(frame, payload)? {
                return Ok((at, Some(Found::Assembled(message))));
            }
            if self.frame.is_some() {
                return Ok((at, None));
            }
        }
    }

    /// The next head, and how many of the bytes belong to it. Without one, all of them are kept.
    fn next_head(&mut self, bytes: &[u8]) -> Result<Option<(Head, usize)>, FrameError> {
        let expected = self.expected();
        if self.head.length == 0
            && let Some(head) = Head::parse(bytes, expected)?
        {
            return Ok(Some((head, head.size)));
        }
        self.complete_head(bytes, expected)
    }

    fn expected(&self) -> Expected {
        let arrived = self.message.as_ref().map_or(0, Assembly::len);
        Expected {
            role: self.role,
            in_message: self.message.is_some(),
            room: self.max_message_size.saturating_sub(arrived),
        }
    }

    /// Goes on with a head of which not all bytes came at once.
    #[cold]
    fn complete_head(
        &mut self,
        bytes: &[u8],
        expected: Expected,
    ) -> Result<Option<(Head, usize)>, FrameError> {
        for (used, byte) in bytes.iter().enumerate() {
            if let Some(place) = self.head.bytes.get_mut(self.head.length) {
                *place = *byte;
                self.head.length += 1;
            }
            let arrived = self.head.bytes.get(..self.head.length).unwrap_or_default();
            if let Some(head) = Head::parse(arrived, expected)? {
                self.head.length = 0;
                return Ok(Some((head, used + 1)));
            }
        }
        Ok(None)
    }

    /// Whether a frame is all of its message, so that it may be handed out where it lies.
    const fn is_whole_message(&self, head: &Head) -> bool {
        head.opcode.is_control() || (head.fin && self.message.is_none())
    }

    fn count(&mut self, payload: usize) {
        self.payload_received = self.payload_received.saturating_add(u64::try_from(payload).unwrap_or(0));
    }

    /// Begins with a frame whose payload is to be put together with others, or has not arrived in full.
    fn begin(&mut self, head: &Head) -> Result<Frame, FrameError> {
        match head.opcode {
            Opcode::Text => self.message = Some(Assembly::Text(Text::default())),
            Opcode::Binary => self.message = Some(Assembly::Binary(Vec::new())),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        match head.opcode {
            Opcode::Text | Opcode::Binary => self.fragments = 1,
            Opcode::Continuation if self.fragments == MAX_FRAGMENTS => {
                return Err(FrameError::TooManyFragments);
            }
            Opcode::Continuation => self.fragments += 1,
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        Ok(Frame { fin: head.fin, opcode: head.opcode, key: head.key, remaining: head.length })
    }

    /// Takes what has arrived of a frame's payload; returns the message that ends with it.
    fn take_payload(
        &mut self,
        mut frame: Frame,
        payload: &mut [u8],
    ) -> Result<Option<Message<'static>>, FrameError> {
        self.count(payload.len());
        if self.role == Role::Server {
            mask::apply(payload, frame.key);
            frame.key = mask::rotate(frame.key, payload.len());
        }
        if frame.opcode.is_control() {
            self.control.extend_from_slice(payload);
        } else if let Some(assembly) = &mut self.message {
            let expected = assembly.len().saturating_add(frame.remaining);
            let most = if frame.fin { expected } else { self.max_message_size };
            assembly.push(payload, expected, most)?;
        }
        frame.remaining = frame.remaining.saturating_sub(payload.len());
        if frame.remaining > 0 {
            self.frame = Some(frame);
            return Ok(None);
        }
        if frame.opcode.is_control() {
            return control(frame.opcode, Cow::Owned(std::mem::take(&mut self.control))).map(Some);
        }
        match self.message.take() {
            Some(assembly) if frame.fin => assembly.complete().map(Some),
            unfinished => {
                self.message = unfinished;
                Ok(None)
            }
        }
    }
}

/// A frame that is a whole message.
fn message(opcode: Opcode, payload: &[u8]) -> Result<Message<'_>, FrameError> {
    match opcode {
        Opcode::Text => match std::str::from_utf8(payload) {
            Ok(text) => Ok(Message::Text(Cow::Borrowed(text))),
            Err(_) => Err(FrameError::InvalidUtf8),
        },
        // A continuation is never whole.
        Opcode::Binary | Opcode::Continuation => Ok(Message::Binary(Cow::Borrowed(payload))),
        Opcode::Close | Opcode::Ping | Opcode::Pong => control(opcode, Cow::Borrowed(payload)),
    }
}

fn control(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Message<'_>, FrameError> {
    match opcode {
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong(payload)),
        _ => close::parse(payload).map(Message::Close),
    }
}
