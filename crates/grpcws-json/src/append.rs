//! Appending short texts without a call for each: blocks of a fixed size are copied, and what is too much is taken back.

/// What stands right behind a value and is printed with it: nothing, or one of these.
pub(crate) const NOTHING: u8 = 0;
pub(crate) const COMMA: u8 = b',';
pub(crate) const COLON: u8 = b':';

/// How many bytes stand behind a value.
pub(crate) const fn count(behind: u8) -> usize {
    if behind == NOTHING { 0 } else { 1 }
}

/// Appends the first `length` bytes of a block.
#[inline]
pub(crate) fn put_block<const N: usize>(out: &mut Vec<u8>, block: &[u8; N], length: usize) {
    debug_assert!(length <= N);
    let end = out.len() + length;
    out.extend_from_slice(block);
    out.truncate(end);
}

/// Appends a text that is likely to be short.
#[inline]
pub(crate) fn put_short(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        // Two blocks that overlap cover every length between one and two of them.
        16..=32 => put_ends::<16>(out, text),
        8..16 => put_ends::<8>(out, text),
        4..8 => put_ends::<4>(out, text),
        0 => {}
        1 => out.extend(text.first()),
        2..4 => put_ends::<2>(out, text),
        _ => out.extend_from_slice(text),
    }
}

#[inline]
fn put_ends<const N: usize>(out: &mut Vec<u8>, text: &[u8]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        put_block(out, first, text.len() - N);
        out.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length() {
        let text: Vec<u8> = (0..100).collect();
        for length in 0..=100 {
            let mut out = b"before".to_vec();
            put_short(&mut out, &text[..length]);
            assert_eq!(out.strip_prefix(b"before"), Some(&text[..length]));
        }
    }
}
