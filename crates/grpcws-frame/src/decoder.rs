//! Bytes → messages.

use std::borrow::Cow;

use crate::assembly::{Assembly, Text};
use crate::head::{Expected, Head, MAX_HEAD, Opcode, Short};
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
/// A message over a limit is no violation: the decoder tells of it once, skips the rest of it, and goes on behind it.
///
/// [`Reader`](crate::Reader) has the buffer that this one works on; it is what a socket needs.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message_size: usize,
    /// Nothing of the next message has arrived, and nothing has ended the stream.
    between: bool,
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

/// A message that has been found, and is still masked if it lies in the buffer; or one that is over a limit.
#[derive(Debug)]
pub(crate) enum Found {
    InBuffer { opcode: Opcode, key: [u8; 4], begin: usize, end: usize },
    Assembled(Message<'static>),
    OverLimit(FrameError),
}

impl Decoder {
    /// A decoder for this end's role; `max_message_size` bounds the payload of a message, whatever its fragments.
    #[must_use]
    pub fn new(role: Role, max_message_size: usize) -> Self {
        Self {
            role,
            max_message_size,
            between: true,
            head: PartialHead::default(),
            frame: None,
            message: None,
            fragments: 0,
            control: Vec::new(),
            payload_received: 0,
            ended: None,
        }
    }

    /// Decodes up to the end of the next message, and moves `bytes` on to what is behind it. Without a message all bytes
    /// are used up: the decoder keeps what it needs of them. A message that lies whole in `bytes` is unmasked there and
    /// borrows from them.
    ///
    /// # Errors
    ///
    /// The peer breaks RFC 6455, or sends bytes behind its close frame: all later calls fail as well. Or a message is over
    /// a limit ([`FrameError::is_limit`]): the next calls skip the rest of it, however long it is, and go on behind it.
    pub fn decode<'a>(&mut self, bytes: &mut &'a mut [u8]) -> Result<Option<Message<'a>>, FrameError> {
        let (consumed, found) = self.find(bytes)?;
        let Some((used, rest)) = std::mem::take(bytes).split_at_mut_checked(consumed) else {
            return Ok(None);
        };
        *bytes = rest;
        found.map(|found| self.open(found, used)).transpose()
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

    /// Whether nothing more is decoded: the close frame has come, or a violation.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Finds the end of the next message, and returns how many bytes were used up for that.
    #[inline]
    pub(crate) fn find(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Found>), FrameError> {
        if self.between
            && let Some(Short { opcode, key, begin, length }) = Short::parse(bytes, self.role)
        {
            let end = begin.saturating_add(length);
            if end <= bytes.len() && length <= self.max_message_size {
                self.count(length);
                return Ok((end, Some(Found::InBuffer { opcode, key, begin, end })));
            }
        }
        self.find_any(bytes)
    }

    /// Finds the end of a message of any form.
    #[inline(never)]
    fn find_any(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Found>), FrameError> {
        if let Some(error) = self.ended {
            return if bytes.is_empty() { Ok((0, None)) } else { Err(error) };
        }
        let found = self.find_message(bytes);
        match found {
            Ok(_) => self.between = !self.is_inside_message(),
            Err(error) => self.end(error),
        }
        found
    }

    /// Unmasks and validates what was found in these bytes.
    #[inline]
    pub(crate) fn open<'a>(&mut self, found: Found, bytes: &'a mut [u8]) -> Result<Message<'a>, FrameError> {
        let opened = match found {
            Found::Assembled(message) => Ok(message),
            Found::OverLimit(limit) => return Err(limit),
            Found::InBuffer { opcode, key, begin, end } => {
                let payload = bytes.get_mut(begin..end).unwrap_or_default();
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
        self.between = false;
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
                    if let Some(limit) = self.exceeded(&head) {
                        self.skip(&head)?;
                        return Ok((at, Some(Found::OverLimit(limit))));
                    }
                    let end = at.saturating_add(head.length);
                    if end <= bytes.len() && self.is_whole_message(&head) {
                        self.count(head.length);
                        let Head { opcode, key, .. } = head;
                        return Ok((end, Some(Found::InBuffer { opcode, key, begin: at, end })));
                    }
                    self.begin(&head)
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
        Expected { role: self.role, in_message: self.message.is_some() }
    }

    /// The limit that a message exceeds with this frame. One that is skipped has exceeded it before.
    fn exceeded(&self, head: &Head) -> Option<FrameError> {
        if head.opcode.is_control() {
            return None;
        }
        let arrived = match &self.message {
            Some(Assembly::Skipped) => return None,
            Some(assembly) => assembly.len(),
            None => 0,
        };
        if head.length > self.max_message_size.saturating_sub(arrived) {
            Some(FrameError::TooLarge)
        } else if head.opcode == Opcode::Continuation && self.fragments == MAX_FRAGMENTS {
            Some(FrameError::TooManyFragments)
        } else {
            None
        }
    }

    /// Drops what has arrived of a message, and skips the rest of it, which begins with the payload of this frame.
    #[cold]
    fn skip(&mut self, head: &Head) -> Result<(), FrameError> {
        self.message = Some(Assembly::Skipped);
        let Head { fin, opcode, key, length, .. } = *head;
        // An empty frame ends here.
        self.take_payload(Frame { fin, opcode, key, remaining: length }, &mut []).map(drop)
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
    fn begin(&mut self, head: &Head) -> Frame {
        match head.opcode {
            Opcode::Text => self.message = Some(Assembly::Text(Text::default())),
            Opcode::Binary => self.message = Some(Assembly::Binary(Vec::new())),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        match head.opcode {
            Opcode::Text | Opcode::Binary => self.fragments = 1,
            Opcode::Continuation => self.fragments = self.fragments.saturating_add(1),
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        Frame { fin: head.fin, opcode: head.opcode, key: head.key, remaining: head.length }
    }

    /// Takes what has arrived of a frame's payload; returns the message that ends with it.
    fn take_payload(
        &mut self,
        mut frame: Frame,
        payload: &mut [u8],
    ) -> Result<Option<Message<'static>>, FrameError> {
        self.count(payload.len());
        let skipped = matches!(self.message, Some(Assembly::Skipped)) && !frame.opcode.is_control();
        if self.role == Role::Server && !skipped {
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
            Some(assembly) if frame.fin => assembly.complete(),
            unfinished => {
                self.message = unfinished;
                Ok(None)
            }
        }
    }
}

/// A frame that is a whole message.
#[inline]
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

#[inline(never)]
fn control(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Message<'_>, FrameError> {
    match opcode {
        Opcode::Ping => Ok(Message::Ping(payload)),
        Opcode::Pong => Ok(Message::Pong(payload)),
        _ => close::parse(payload).map(Message::Close),
    }
}
