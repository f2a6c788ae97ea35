//! Base64: printed in the standard alphabet with padding; read in the standard and the URL-safe one, with padding or
//! without.

const ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Not a digit.
const INVALID: u8 = 0xff;

/// The value of each digit of both alphabets.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
static DIGITS: [u8; 256] = {
    let mut digits = [INVALID; 256];
    let mut value = 0;
    while value < 64 {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits[b'-' as usize] = 62;
    digits[b'_' as usize] = 63;
    digits
};

/// Bytes that are encoded before they are appended: a multiple of 3.
const BLOCK: usize = 48;

#[inline]
fn digit(bits: u32) -> u8 {
    ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'A')
}

pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        let mut text = [0; BLOCK / 3 * 4];
        let (groups, _) = block.as_chunks::<3>();
        let (places, _) = text.as_chunks_mut::<4>();
        for (place, group) in places.iter_mut().zip(groups) {
            *place = encode_group(*group);
        }
        out.extend_from_slice(&text);
    }
    let (groups, rest) = rest.as_chunks::<3>();
    for group in groups {
        out.extend_from_slice(&encode_group(*group));
    }
    match *rest {
        [first] => {
            let [one, two, _, _] = encode_group([first, 0, 0]);
            out.extend_from_slice(&[one, two, b'=', b'=']);
        }
        [first, second] => {
            let [one, two, three, _] = encode_group([first, second, 0]);
            out.extend_from_slice(&[one, two, three, b'=']);
        }
        _ => {}
    }
}

#[inline]
fn encode_group([first, second, third]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, first, second, third]);
    [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]
}

/// Appends the decoded bytes; `false` where the text is not base64.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let text = match text {
        // Padding completes the last group of four, or is not there at all.
        [rest @ .., b'=', b'='] if text.len().is_multiple_of(4) => rest,
        [rest @ .., b'='] if text.len().is_multiple_of(4) => rest,
        _ => text,
    };
    let (groups, rest) = text.as_chunks::<4>();
    out.reserve(text.len() / 4 * 3 + 3);
    let mut wrong = 0;
    let (blocks, groups) = groups.as_chunks::<16>();
    for block in blocks {
        let mut decoded = [0; 48];
        let (places, _) = decoded.as_chunks_mut::<3>();
        for (place, group) in places.iter_mut().zip(block) {
            *place = decode_group(*group, &mut wrong);
        }
        out.extend_from_slice(&decoded);
    }
    for group in groups {
        out.extend_from_slice(&decode_group(*group, &mut wrong));
    }
    match *rest {
        [] => {}
        [first, second] => {
            let [byte, _, _] = decode_group([first, second, b'A', b'A'], &mut wrong);
            out.push(byte);
        }
        [first, second, third] => {
            let [one, two, _] = decode_group([first, second, third, b'A'], &mut wrong);
            out.extend_from_slice(&[one, two]);
        }
        _ => return false,
    }
    wrong & 0x80 == 0
}

/// Valid digits are below 64: a set high bit in `wrong` tells of one that was not.
#[inline]
fn decode_group(group: [u8; 4], wrong: &mut u8) -> [u8; 3] {
    let digits = group.map(|byte| DIGITS.get(usize::from(byte)).copied().unwrap_or(INVALID));
    let [one, two, three, four] = digits;
    *wrong |= one | two | three | four;
    let bits = u32::from(one) << 18 | u32::from(two) << 12 | u32::from(three) << 6 | u32::from(four);
    let [_, first, second, third] = bits.to_be_bytes();
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text.as_bytes(), &mut out).then_some(out)
    }

    #[test]
    fn test_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(decoded(text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn both_alphabets() {
        assert_eq!(decoded("-_-_"), decoded("+/+/"));
        assert_eq!(decoded("-_"), Some(vec![0xfb]));
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for text in [
            "A", "AAAAA", "A===", "AA=", "AAA==", "=", "==", "====", "AA=A", "A A=", "AAA\n", "AAAé",
            "AA==AA==",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn round_trips_at_every_length() {
        for length in 0..300_u32 {
            let bytes: Vec<u8> = (0..length).map(|at| (at.wrapping_mul(7919) >> 3) as u8).collect();
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            assert_eq!(text.len(), bytes.len().div_ceil(3) * 4);
            let mut out = Vec::new();
            assert!(decode(&text, &mut out));
            assert_eq!(out, bytes);
        }
    }
}
