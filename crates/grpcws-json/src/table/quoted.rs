//! Names in quotes, with what always stands behind them.

use crate::append::put_block;

/// Keys up to this length, nearly all of them, are copied and compared as blocks.
const SHORT: usize = 32;

/// `"name":` or `"name",`
pub(crate) struct Quoted {
    /// The text and zeros, where it is short enough.
    padded: [u8; SHORT],
    text: Box<[u8]>,
    /// Covers the first bytes of the text, up to 16.
    mask: u128,
}

impl Quoted {
    /// A member's key, which is escaped where a `json_name` option asks for it.
    pub(super) fn key(name: &str) -> Self {
        Self::new(name, b':')
    }

    /// The name of an enum value.
    pub(super) fn value(name: &str) -> Self {
        Self::new(name, b',')
    }

    fn new(name: &str, behind: u8) -> Self {
        let mut text = Vec::with_capacity(name.len() + 3);
        crate::to_json::put_string(&mut text, name);
        text.push(behind);
        let mut padded = [0; SHORT];
        for (place, byte) in padded.iter_mut().zip(&text) {
            *place = *byte;
        }
        let mask = u32::try_from(text.len()).ok().and_then(|length| 1_u128.checked_shl(8 * length));
        Self { padded, text: text.into(), mask: mask.map_or(u128::MAX, |bit| bit - 1) }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The name in quotes alone.
    pub(crate) fn quoted(&self) -> &[u8] {
        self.text.split_last().map_or(&[], |(_, quoted)| quoted)
    }

    #[inline]
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        if self.text.len() <= SHORT {
            put_block(out, &self.padded, self.text.len());
        } else {
            out.extend_from_slice(&self.text);
        }
    }

    /// Whether `text` begins with all of it.
    #[inline]
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        let (Some(first), Some(expected)) = (text.first_chunk(), self.padded.first_chunk()) else {
            return text.starts_with(&self.text);
        };
        let differing = u128::from_le_bytes(*first) ^ u128::from_le_bytes(*expected);
        differing & self.mask == 0 && (self.text.len() <= 16 || text.starts_with(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length() {
        for length in 0..60 {
            let name = "n".repeat(length);
            let key = Quoted::key(&name);
            let text = format!("\"{name}\":");
            let mut out = Vec::new();
            key.put(&mut out);
            assert_eq!((out, key.len()), (text.clone().into_bytes(), text.len()));
            for behind in ["", "1", "\"a long text behind it\"}"] {
                assert!(key.begins((text.clone() + behind).as_bytes()));
                assert!(!key.begins((text.replace(':', ";") + behind).as_bytes()));
                assert!(!key.begins(format!("\"{name}o\":{behind}").as_bytes()));
            }
            for end in 0..text.len() {
                assert!(!key.begins(&text.as_bytes()[..end]));
            }
        }
    }
}
