//! The search for what JSON must escape in a string, or what ends one.

/// Bytes that are looked at together. The compiler makes vector instructions of a loop over this many; over a whole
/// slice it does not.
const BLOCK: usize = 16;

#[inline]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[inline]
fn any_special(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(false, |any, &byte| any | is_special(byte))
}

/// The length of what stands before a quote, a backslash, a control character or the end.
#[inline]
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let length = if bytes.len() < BLOCK { 0 } else { plain_blocks(bytes) };
    let rest = bytes.get(length..).unwrap_or_default();
    let (words, _) = rest.as_chunks::<8>();
    let mut before = length;
    for word in words {
        let specials = specials(u64::from_le_bytes(*word));
        if specials != 0 {
            return before + (specials.trailing_zeros() / 8) as usize;
        }
        before += 8;
    }
    let rest = bytes.get(before..).unwrap_or_default();
    before + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// The high bit of each byte that is special. Above the first one there may be others that are not.
#[inline]
fn specials(word: u64) -> u64 {
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c))) & HIGH
}

/// The length of the blocks at the beginning in which nothing is special.
#[inline(never)]
fn plain_blocks(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    blocks.iter().position(any_special).unwrap_or(blocks.len()) * BLOCK
}

/// Whether all of a block is ASCII and nothing in it is special.
#[inline]
pub(crate) fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    !block.iter().fold(false, |any, &byte| any | is_special(byte) | (byte >= 0x80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_special_byte_at_every_position() {
        for length in 0..70 {
            assert_eq!(plain_prefix(&vec![b'a'; length]), length);
            for at in 0..length {
                for special in [b'"', b'\\', 0, 0x1f] {
                    let mut bytes = vec![0xff; length];
                    bytes[at] = special;
                    bytes[length - 1] = special;
                    assert_eq!(plain_prefix(&bytes), at);
                }
            }
        }
    }

    #[test]
    fn finds_anything_special_in_a_block() {
        for byte in 0..=255 {
            let plain = !is_special(byte) && byte < 0x80;
            for at in 0..BLOCK {
                let mut block = [b'~'; BLOCK];
                block[at] = byte;
                assert_eq!(is_plain_block(&block), plain);
            }
        }
    }
}
