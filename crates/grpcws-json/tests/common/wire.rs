//! Wire bytes by hand, to make what no encoder writes.

#[derive(Default, Clone)]
pub(crate) struct Wire(pub(crate) Vec<u8>);

pub(crate) fn wire() -> Wire {
    Wire::default()
}

impl Wire {
    pub(crate) fn raw_varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub(crate) fn tag(self, number: u32, wire_type: u32) -> Self {
        self.raw_varint(u64::from(number << 3 | wire_type))
    }

    pub(crate) fn varint(self, number: u32, value: u64) -> Self {
        self.tag(number, 0).raw_varint(value)
    }

    pub(crate) fn fixed64(self, number: u32, value: u64) -> Self {
        self.tag(number, 1).raw(&value.to_le_bytes())
    }

    pub(crate) fn fixed32(self, number: u32, value: u32) -> Self {
        self.tag(number, 5).raw(&value.to_le_bytes())
    }

    pub(crate) fn bytes(self, number: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.tag(number, 2).raw_varint(bytes.len() as u64).raw(bytes)
    }

    pub(crate) fn message(self, number: u32, content: Self) -> Self {
        self.bytes(number, content.0)
    }

    pub(crate) fn group(self, number: u32, content: Self) -> Self {
        self.tag(number, 3).raw(&content.0).tag(number, 4)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}
