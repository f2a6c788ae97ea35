//! RFC 6455 frames: the client's are written, the gateway's are read as they come.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// More than this in one frame is no frame of the tests' gateways.
const LONGEST: u64 = 16 << 20;

/// Appends a masked frame.
pub(crate) fn append(into: &mut BytesMut, opcode: u8, fin: bool, payload: &[u8]) {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    into.reserve(payload.len() + 14);
    into.put_u8(if fin { 0x80 | opcode } else { opcode });
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => into.put_u8(0x80 | length),
        (_, Ok(length)) => {
            into.put_u8(0x80 | 126);
            into.put_u16(length);
        }
        _ => {
            into.put_u8(0x80 | 127);
            into.put_u64(u64::try_from(payload.len()).unwrap_or(u64::MAX));
        }
    }
    into.put_slice(&KEY);
    let start = into.len();
    into.put_slice(payload);
    if let Some(masked) = into.get_mut(start..) {
        masked.chunks_mut(4).for_each(|chunk| chunk.iter_mut().zip(KEY).for_each(|(byte, key)| *byte ^= key));
    }
}

/// A masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    append(&mut bytes, opcode, true, payload);
    bytes.freeze()
}

/// What a gateway says.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// The status of an HTTP/1.1 response head.
    Head(u16),
    /// A whole message, or a control frame.
    Frame(u8, Bytes),
}

/// Reads what a gateway says, in pieces of any size.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    /// Whether the response head of HTTP/1.1 is still to come.
    head: bool,
    /// A refusal's body follows; it is not read.
    refused: bool,
    /// The message whose fragments are being read.
    partial: Option<(u8, BytesMut)>,
}

impl Decoder {
    /// A decoder that begins with the head of an HTTP/1.1 response.
    pub(crate) fn with_head() -> Self {
        Self { head: true, ..Self::frames() }
    }

    /// A decoder that begins with frames.
    pub(crate) fn frames() -> Self {
        Self { buffer: BytesMut::new(), head: false, refused: false, partial: None }
    }

    /// Where to put the bytes that arrive.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next thing that is there as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<Heard>, String> {
        if self.head {
            return self.head();
        }
        loop {
            if self.refused {
                return Ok(None);
            }
            let Some((first, payload)) = self.frame()? else { return Ok(None) };
            let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
            if first & 0x70 != 0 {
                return Err(format!("a frame with reserved bits: {first:#04x}"));
            }
            match (opcode, self.partial.take()) {
                (CLOSE | PING | PONG, partial) => {
                    self.partial = partial;
                    if !fin || payload.len() > 125 {
                        return Err(format!("a malformed control frame of {} bytes", payload.len()));
                    }
                    return Ok(Some(Heard::Frame(opcode, payload)));
                }
                (TEXT | BINARY, None) if fin => return Ok(Some(Heard::Frame(opcode, payload))),
                (TEXT | BINARY, None) => self.partial = Some((opcode, BytesMut::from(&*payload))),
                (CONTINUATION, Some((opcode, mut message))) => {
                    message.put_slice(&payload);
                    if fin {
                        return Ok(Some(Heard::Frame(opcode, message.freeze())));
                    }
                    self.partial = Some((opcode, message));
                }
                (opcode, _) => return Err(format!("a frame of kind {opcode} out of place")),
            }
        }
    }

    fn head(&mut self) -> Result<Option<Heard>, String> {
        let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if self.buffer.len() > 32 << 10 { Err("an endless head".to_owned()) } else { Ok(None) };
        };
        let head = self.buffer.split_to(end + 4);
        let status = String::from_utf8_lossy(&head).split(' ').nth(1).and_then(|text| text.parse().ok());
        self.head = false;
        self.refused = status != Some(101);
        status.map(|status| Some(Heard::Head(status))).ok_or_else(|| "no HTTP/1.1 response".to_owned())
    }

    /// The first byte and the payload of a frame.
    fn frame(&mut self) -> Result<Option<(u8, Bytes)>, String> {
        let mut head: &[u8] = &self.buffer;
        if head.len() < 2 {
            return Ok(None);
        }
        let (first, second) = (head.get_u8(), head.get_u8());
        if second & 0x80 != 0 {
            return Err("a masked frame from a gateway".to_owned());
        }
        let length = match second {
            126 if head.len() >= 2 => u64::from(head.get_u16()),
            127 if head.len() >= 8 => head.get_u64(),
            126 | 127 => return Ok(None),
            short => u64::from(short),
        };
        if length > LONGEST {
            return Err(format!("a frame of {length} bytes"));
        }
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        if head.len() < length {
            return Ok(None);
        }
        let start = self.buffer.len() - head.len();
        self.buffer.advance(start);
        Ok(Some((first, self.buffer.split_to(length).freeze())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Heard> {
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    #[test]
    fn a_head_and_frames_are_read_byte_by_byte() {
        let mut said = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n".to_vec();
        said.extend(*b"\x01\x02ab\x89\x00\x80\x01c\x88\x02\x03\xe8");
        let mut decoder = Decoder::with_head();
        let mut heard = Vec::new();
        for byte in said {
            decoder.buffer().put_u8(byte);
            heard.extend(all(&mut decoder));
        }
        let frame = |opcode, payload: &'static [u8]| Heard::Frame(opcode, Bytes::from_static(payload));
        let wanted = [Heard::Head(101), frame(PING, b""), frame(TEXT, b"abc"), frame(CLOSE, b"\x03\xe8")];
        assert_eq!(heard, wanted);
    }

    #[test]
    fn what_no_gateway_may_say_is_an_error() {
        for said in [b"\x80\x00", b"\x91\x00", b"\x81\x80", b"\x09\x00"] {
            let mut decoder = Decoder::frames();
            decoder.buffer().put_slice(said);
            assert!(decoder.next().is_err(), "{said:?}");
        }
    }

    #[test]
    fn lengths_have_three_forms() {
        for (length, head) in [(125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            assert_eq!(frame(BINARY, &vec![7; length]).len(), head + length);
        }
    }
}
