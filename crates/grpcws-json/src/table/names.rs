//! Lookup of a field or an enum value by the name that stands in JSON.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Names → a small value. Only names of the schema are ever inserted, so a fast hash without a random key is safe:
/// what a peer sends is looked up, not stored.
#[derive(Default)]
pub(crate) struct NameIndex {
    entries: HashMap<Box<[u8]>, u32, BuildHasherDefault<NameHasher>>,
}

impl NameIndex {
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        self.entries.get(name).copied()
    }

    /// The first value that is inserted under a name stays.
    pub(crate) fn insert(&mut self, name: &str, value: u32) {
        self.entries.entry(name.as_bytes().into()).or_insert(value);
    }
}

/// Multiplies and rotates eight bytes at a time.
#[derive(Default)]
pub(crate) struct NameHasher {
    state: u64,
}

/// 2^64 divided by the golden ratio, made odd.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl NameHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.state = (self.state.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.state ^ (self.state >> 29)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        self.mix(last);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_inserted_first() {
        let mut names = NameIndex::default();
        for index in 0..1000 {
            names.insert(&format!("field_name_{index}"), index);
        }
        names.insert("field_name_7", 9999);
        assert_eq!(names.find(b"field_name_7"), Some(7));
        assert_eq!(names.find(b"field_name_999"), Some(999));
        assert_eq!(names.find(b"field_name_1000"), None);
        assert_eq!(names.find(b""), None);
    }
}
