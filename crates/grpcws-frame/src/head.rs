//! The head of a frame (RFC 6455 §5.2).

use crate::{FrameError, Role};

/// The longest head: two bytes, a length of eight, a key of four.
pub(crate) const MAX_HEAD: usize = 14;

/// The most bytes of a control frame (§5.5).
pub(crate) const MAX_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn parse(bits: u8) -> Result<Self, FrameError> {
        match bits {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            reserved => Err(FrameError::ReservedOpcode(reserved)),
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What the next frame may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) role: Role,
    /// Whether a fragmented message waits for its next fragment.
    pub(crate) in_message: bool,
}

/// The head of a frame that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    /// All zero in a frame of a server, which has none.
    pub(crate) key: [u8; 4],
    pub(crate) length: usize,
    /// How many bytes the head has itself.
    pub(crate) size: usize,
}

impl Head {
    /// Reads the head at the beginning of `bytes`; `None` if it is not complete. Each byte is judged as soon as it is
    /// there.
    pub(crate) fn parse(bytes: &[u8], expected: Expected) -> Result<Option<Self>, FrameError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, opcode) = check_first(first, expected.in_message)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        check_second(second, opcode, expected.role)?;
        let Some((length, mut size)) = parse_length(bytes, second & LENGTH)? else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut key = [0; 4];
        if second & MASKED != 0 {
            let bytes = bytes.get(size..).and_then(<[u8]>::first_chunk::<4>);
            let Some(bytes) = bytes else { return Ok(None) };
            key = *bytes;
            size = size.saturating_add(key.len());
        }
        Ok(Some(Self { fin, opcode, key, length, size }))
    }
}

/// A data frame that is a whole message of less than 64 KiB, as nearly all are.
pub(crate) struct Short {
    pub(crate) opcode: Opcode,
    pub(crate) key: [u8; 4],
    /// Where the payload begins.
    pub(crate) begin: usize,
    pub(crate) length: usize,
}

impl Short {
    /// Reads the head of such a frame; `None` if it is another one, is not complete, or breaks a rule.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], role: Role) -> Option<Self> {
        let &[first, second, a, b, c, d, e, f] = bytes.first_chunk()?;
        let opcode = match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        let long = usize::from(u16::from_be_bytes([a, b]));
        let (length, key, begin) = match (role, second) {
            (Role::Server, 0x80..=0xfd) => (usize::from(second & LENGTH), [a, b, c, d], 6),
            (Role::Server, 0xfe) if long > 125 => (long, [c, d, e, f], 8),
            (Role::Client, 0..=0x7d) => (usize::from(second), [0; 4], 2),
            (Role::Client, 0x7e) if long > 125 => (long, [0; 4], 4),
            _ => return None,
        };
        Some(Self { opcode, key, begin, length })
    }
}

fn check_first(first: u8, in_message: bool) -> Result<(bool, Opcode), FrameError> {
    // An extension would be asked here which of the bits it knows.
    if first & RESERVED != 0 {
        return Err(FrameError::ReservedBits);
    }
    let fin = first & FIN != 0;
    let opcode = Opcode::parse(first & OPCODE)?;
    match opcode {
        Opcode::Continuation if !in_message => Err(FrameError::UnexpectedContinuation),
        Opcode::Text | Opcode::Binary if in_message => Err(FrameError::ExpectedContinuation),
        Opcode::Close | Opcode::Ping | Opcode::Pong if !fin => Err(FrameError::FragmentedControl),
        _ => Ok((fin, opcode)),
    }
}

fn check_second(second: u8, opcode: Opcode, role: Role) -> Result<(), FrameError> {
    match (role, second & MASKED != 0) {
        (Role::Server, false) => return Err(FrameError::Unmasked),
        (Role::Client, true) => return Err(FrameError::Masked),
        _ => {}
    }
    if opcode.is_control() && usize::from(second & LENGTH) > MAX_CONTROL {
        return Err(FrameError::LongControl);
    }
    Ok(())
}

/// The length of the payload, and where in the head it ends.
fn parse_length(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, FrameError> {
    match short {
        126 => {
            let Some(&[_, _, high, low]) = bytes.first_chunk() else { return Ok(None) };
            let length = u16::from_be_bytes([high, low]);
            if length < 126 {
                return Err(FrameError::LengthNotMinimal);
            }
            Ok(Some((u64::from(length), 4)))
        }
        127 => {
            let Some(&[_, _, a, b, c, d, e, f, g, h]) = bytes.first_chunk() else { return Ok(None) };
            let length = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            if length <= u64::from(u16::MAX) {
                return Err(FrameError::LengthNotMinimal);
            }
            if length >> 63 != 0 {
                return Err(FrameError::LengthOverflow);
            }
            Ok(Some((length, 10)))
        }
        short => Ok(Some((u64::from(short), 2))),
    }
}

/// Writes the head of a frame that is a whole message to a place of [`size`] bytes.
#[inline]
pub(crate) fn write(place: &mut [u8], opcode: Opcode, length: usize, key: Option<[u8; 4]>) {
    let masked = if key.is_some() { MASKED } else { 0 };
    let first = FIN | opcode.bits();
    let rest = if let Ok(length @ ..=125) = u8::try_from(length) {
        put(place, [first, masked | length])
    } else if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        put(place, [first, masked | 126, high, low])
    } else {
        let [a, b, c, d, e, f, g, h] = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
        put(place, [first, masked | 127, a, b, c, d, e, f, g, h])
    };
    if let Some(key) = key {
        put(rest, key);
    }
}

/// Puts bytes at the beginning of a place, and returns what follows them.
#[inline]
fn put<const N: usize>(place: &mut [u8], bytes: [u8; N]) -> &mut [u8] {
    match place.split_first_chunk_mut::<N>() {
        Some((place, rest)) => {
            *place = bytes;
            rest
        }
        None => &mut [],
    }
}

/// How many bytes [`write`] writes.
#[inline]
pub(crate) const fn size(length: usize, masked: bool) -> usize {
    let key = if masked { 4 } else { 0 };
    match length {
        0..126 => 2 + key,
        126..0x1_0000 => 4 + key,
        _ => 10 + key,
    }
}
