//! WebSocket frames, read in bulk: whatever the socket has is parsed in place, and nothing is allocated for a
//! frame that lies whole in the buffer. A generator that used a WebSocket library would cost as much as what it
//! measures.

/// The opcode of a frame (RFC 6455 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opcode(u8);

impl Opcode {
    const CONTINUATION: Self = Self(0);
    pub(crate) const TEXT: Self = Self(1);
    pub(crate) const BINARY: Self = Self(2);
    pub(crate) const CLOSE: Self = Self(8);
}

/// Cuts the bytes of a peer into messages.
#[derive(Debug)]
pub(crate) struct Parser {
    /// Whether the peer masks, as clients do.
    masked: bool,
    /// The part that is there of a head.
    head: Vec<u8>,
    /// The frame whose payload is being read, and how much of it is in `partial`.
    frame: Option<Head>,
    read: usize,
    /// A message that is not whole yet, or is masked.
    partial: Vec<u8>,
    opcode: Opcode,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    opcode: Opcode,
    fin: bool,
    length: usize,
    mask: Option<[u8; 4]>,
}

impl Parser {
    /// For what a server sends.
    pub(crate) const fn client() -> Self {
        Self::new(false)
    }

    /// For what a client sends.
    pub(crate) const fn server() -> Self {
        Self::new(true)
    }

    const fn new(masked: bool) -> Self {
        Self { masked, head: Vec::new(), frame: None, read: 0, partial: Vec::new(), opcode: Opcode::TEXT }
    }

    /// Hands each message that becomes whole to `sink`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Opcode, &[u8])) {
        loop {
            let Some(head) = self.frame.or_else(|| self.read_head(&mut bytes)) else { return };
            let Some((payload, rest)) = bytes.split_at_checked(head.length - self.read) else {
                self.frame = Some(head);
                self.keep(bytes, &head);
                return;
            };
            bytes = rest;
            self.frame = None;
            if head.opcode != Opcode::CONTINUATION {
                self.opcode = head.opcode;
            }
            if head.fin && self.partial.is_empty() && head.mask.is_none() {
                sink(self.opcode, payload);
                continue;
            }
            self.keep(payload, &head);
            self.read = 0;
            if head.fin {
                sink(self.opcode, &self.partial);
                self.partial.clear();
            }
        }
    }

    fn keep(&mut self, payload: &[u8], head: &Head) {
        match head.mask {
            None => self.partial.extend_from_slice(payload),
            Some(mask) => {
                let mask = mask.iter().cycle().skip(self.read % 4);
                self.partial.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
            }
        }
        self.read += payload.len();
    }

    fn read_head(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        if self.head.is_empty()
            && let Some((head, size)) = self.parse(bytes)
        {
            *bytes = bytes.get(size..).unwrap_or_default();
            return Some(head);
        }
        while let Some((byte, rest)) = bytes.split_first() {
            self.head.push(*byte);
            *bytes = rest;
            if let Some((head, _)) = self.parse(&self.head) {
                self.head.clear();
                return Some(head);
            }
        }
        None
    }

    /// A head, and how many bytes it takes, if it is whole.
    fn parse(&self, bytes: &[u8]) -> Option<(Head, usize)> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, rest) = match second & 0x7f {
            126 => rest
                .split_first_chunk()
                .map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
            127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
            length => (u64::from(length), rest),
        };
        let (mask, rest) = match self.masked {
            true => rest.split_first_chunk().map(|(mask, rest)| (Some(*mask), rest))?,
            false => (None, rest),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let head = Head { opcode: Opcode(first & 0x0f), fin: first & 0x80 != 0, length, mask };
        Some((head, bytes.len() - rest.len()))
    }
}

/// Appends a frame that is a whole message.
pub(crate) fn append(opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>, output: &mut Vec<u8>) {
    output.push(0x80 | opcode.0);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => output.push(masked | length),
        (_, Ok(length)) => {
            output.push(masked | 126);
            output.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            output.push(masked | 127);
            output.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    let Some(mask) = mask else { return output.extend_from_slice(payload) };
    output.extend_from_slice(&mask);
    output.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        for mask in [None, Some([1, 2, 3, 4])] {
            let messages = [0, 1, 125, 126, 300, 70_000].map(|length| vec![b'x'; length]);
            let mut wire = Vec::new();
            for message in &messages {
                append(Opcode::TEXT, message, mask, &mut wire);
            }
            for size in [1, 2, 3, 7, 4096, wire.len()] {
                let mut parser = Parser::new(mask.is_some());
                let mut found = Vec::new();
                for chunk in wire.chunks(size) {
                    parser.feed(chunk, |opcode, payload| {
                        assert_eq!(opcode, Opcode::TEXT);
                        found.push(payload.to_vec());
                    });
                }
                assert!(found == messages, "chunks of {size}, {mask:?}");
            }
        }
    }

    #[test]
    fn fragments_are_one_message() {
        let mut parser = Parser::client();
        let mut found = Vec::new();
        parser.feed(b"\x02\x01a\x00\x01b\x80\x01c\x82\x01d", |opcode, payload| {
            found.push((opcode, payload.to_vec()));
        });
        assert_eq!(found, [(Opcode::BINARY, b"abc".to_vec()), (Opcode::BINARY, b"d".to_vec())]);
    }
}
