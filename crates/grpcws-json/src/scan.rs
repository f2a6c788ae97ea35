//! The search for what JSON must escape in a string, or what ends one.

/// Bytes that are looked at together. The compiler makes vector instructions of a loop over this many; over a whole
/// slice it does not.
const BLOCK: usize = 16;

#[inline]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The length of what stands before a quote, a backslash, a control character or the end.
#[inline]
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let length = if bytes.len() < BLOCK { 0 } else { plain_blocks(bytes) };
    let rest = bytes.get(length..).unwrap_or_default();
    length + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// The length of the blocks at the beginning in which nothing is special.
#[inline(never)]
fn plain_blocks(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let special = |block: &[u8; BLOCK]| block.iter().fold(false, |any, &byte| any | is_special(byte));
    blocks.iter().position(special).unwrap_or(blocks.len()) * BLOCK
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
}
