//! Masking (RFC 6455 §5.3), which is its own inverse.

/// Applies a masking key to bytes that begin at the key's first byte.
///
/// Eight bytes at once: the compiler makes vector instructions of it.
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
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
