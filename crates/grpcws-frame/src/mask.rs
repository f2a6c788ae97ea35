//! Masking (RFC 6455 §5.3), which is its own inverse.

/// Applies a masking key to bytes that begin at the key's first byte.
///
/// The compiler makes vector instructions of the blocks. What is left takes a step for each power of two and no loop,
/// which is half of the instructions where messages are short.
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let narrow = u32::from_ne_bytes(key);
    let wide = u128::from(narrow) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let (blocks, rest) = bytes.as_chunks_mut::<64>();
    for block in blocks {
        apply_all(block, wide);
    }
    let (block, rest) = rest.as_chunks_mut::<32>();
    if let [block] = block {
        apply_all(block, wide);
    }
    let (block, rest) = rest.as_chunks_mut::<16>();
    if let [block] = block {
        apply_all(block, wide);
    }
    let (word, rest) = rest.as_chunks_mut::<8>();
    if let [word] = word {
        let key = u64::from(narrow) * 0x0000_0001_0000_0001;
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    let (word, rest) = rest.as_chunks_mut::<4>();
    if let [word] = word {
        *word = (u32::from_ne_bytes(*word) ^ narrow).to_ne_bytes();
    }
    let [a, b, c, _] = key;
    match rest {
        [x] => *x ^= a,
        [x, y] => (*x, *y) = (*x ^ a, *y ^ b),
        [x, y, z] => (*x, *y, *z) = (*x ^ a, *y ^ b, *z ^ c),
        _ => {}
    }
}

/// Applies a key that is repeated to a block of whole repetitions.
#[inline]
fn apply_all(block: &mut [u8], key: u128) {
    for block in block.as_chunks_mut::<16>().0 {
        *block = (u128::from_ne_bytes(*block) ^ key).to_ne_bytes();
    }
}

/// The key for what follows behind so many bytes.
pub(crate) fn rotate(mut key: [u8; 4], length: usize) -> [u8; 4] {
    key.rotate_left(length % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_transformation_of_the_rfc_however_the_bytes_are_cut() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..70_usize {
            let plain: Vec<u8> = (0..u8::MAX).cycle().take(length).collect();
            let expected: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
            for cut in 0..=length {
                let mut bytes = plain.clone();
                let (first, second) = bytes.split_at_mut(cut);
                apply(first, key);
                apply(second, rotate(key, cut));
                assert_eq!(bytes, expected, "{length} bytes, cut at {cut}");
            }
        }
    }
}
