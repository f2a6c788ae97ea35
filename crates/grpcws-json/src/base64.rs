//! Base64: printed in the standard alphabet with padding; read in the standard and the URL-safe one, with padding or
//! without.

const ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Set in the entries of [`DIGITS`] for what is not a digit.
const INVALID: u32 = 1 << 31;

/// The two digits of every twelve bits.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
static PAIRS: [[u8; 2]; 4096] = {
    let mut pairs = [[0; 2]; 4096];
    let mut bits = 0;
    while bits < 4096 {
        pairs[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    pairs
};

/// The value of each digit of both alphabets, where it is the first, second, third or last of four: already at its
/// place in the 24 bits that they stand for.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
static DIGITS: [[u32; 256]; 4] = {
    let mut digits = [[INVALID; 256]; 4];
    let mut value = 0;
    while value < 64 {
        set_digit(&mut digits, ALPHABET[value], value);
        value += 1;
    }
    set_digit(&mut digits, b'-', 62);
    set_digit(&mut digits, b'_', 63);
    digits
};

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
const fn set_digit(digits: &mut [[u32; 256]; 4], digit: u8, value: usize) {
    let mut place = 0;
    while place < 4 {
        digits[place][digit as usize] = (value as u32) << (18 - 6 * place);
        place += 1;
    }
}

#[inline]
fn pair(bits: u64) -> [u8; 2] {
    PAIRS.get((bits & 0xfff) as usize).copied().unwrap_or_default()
}

pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len() / 6 * 8, 0);
    let (groups, rest) = bytes.as_chunks::<6>();
    let (places, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<8>();
    for (place, &[one, two, three, four, five, six]) in places.iter_mut().zip(groups) {
        let bits = u64::from_be_bytes([0, 0, one, two, three, four, five, six]);
        let ([a, b], [c, d], [e, f], [g, h]) =
            (pair(bits >> 36), pair(bits >> 24), pair(bits >> 12), pair(bits));
        *place = [a, b, c, d, e, f, g, h];
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
    let bits = u64::from(u32::from_be_bytes([0, first, second, third]));
    let ([one, two], [three, four]) = (pair(bits >> 12), pair(bits));
    [one, two, three, four]
}

/// How many bytes a text stands for, if it is base64.
pub(crate) fn decoded_length(text: &[u8]) -> usize {
    let digits = without_padding(text).len();
    digits / 4 * 3 + (digits % 4).saturating_sub(1)
}

fn without_padding(text: &[u8]) -> &[u8] {
    match text {
        // Padding completes the last group of four, or is not there at all.
        [rest @ .., b'=', b'='] if text.len().is_multiple_of(4) => rest,
        [rest @ .., b'='] if text.len().is_multiple_of(4) => rest,
        _ => text,
    }
}

/// Appends the decoded bytes, [`decoded_length`] of them; `false` where the text is not base64.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    decode_digits(without_padding(text), out)
}

/// Puts the decoded bytes in the place of the text that begins at `start`; `false` where that is not base64.
pub(crate) fn decode_in_place(out: &mut Vec<u8>, start: usize) -> bool {
    let end = start + without_padding(out.get(start..).unwrap_or_default()).len();
    let mut decoded = Vec::with_capacity(PIECE);
    let (mut read, mut written) = (start, start);
    while read < end {
        let piece = read..end.min(read + PIECE);
        decoded.clear();
        if !decode_digits(out.get(piece.clone()).unwrap_or_default(), &mut decoded) {
            return false;
        }
        if let Some(place) = out.get_mut(written..written + decoded.len()) {
            place.copy_from_slice(&decoded);
        }
        read = piece.end;
        written += decoded.len();
    }
    out.truncate(written);
    true
}

/// How much is decoded at a time where the text is in the way: whole groups of digits.
const PIECE: usize = 4096;

fn decode_digits(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut wrong = 0;
    let (blocks, rest) = text.as_chunks::<16>();
    out.resize(start + blocks.len() * 12, 0);
    let (places, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<12>();
    for (place, block) in places.iter_mut().zip(blocks) {
        let (groups, _) = block.as_chunks::<4>();
        let &[first, second, third, last] = groups else { continue };
        let (first, second) = (value_of(first), value_of(second));
        let (third, last) = (value_of(third), value_of(last));
        wrong |= first | second | third | last;
        // What is shifted out is the mark of what is wrong, or goes to the other word.
        let word = u64::from(first) << 40 | u64::from(second) << 16 | u64::from(third) >> 8;
        let rest = third << 24 | last;
        let (head, tail) = place.split_at_mut(8);
        head.copy_from_slice(&word.to_be_bytes());
        tail.copy_from_slice(&rest.to_be_bytes());
    }
    let (groups, rest) = rest.as_chunks::<4>();
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
    wrong & INVALID == 0
}

/// The 24 bits of four digits, and [`INVALID`] where one of them is none.
#[inline]
fn value_of([first, second, third, fourth]: [u8; 4]) -> u32 {
    let [one, two, three, four] = &DIGITS;
    let digit = |digits: &[u32; 256], digit: u8| digits.get(usize::from(digit)).copied().unwrap_or(INVALID);
    digit(one, first) | digit(two, second) | digit(three, third) | digit(four, fourth)
}

#[inline]
fn decode_group(group: [u8; 4], wrong: &mut u32) -> [u8; 3] {
    let bits = value_of(group);
    *wrong |= bits;
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
        for length in (0..300_u32).chain(6_000..6_200) {
            let bytes: Vec<u8> = (0..length).map(|at| (at.wrapping_mul(7919) >> 3) as u8).collect();
            let mut text = Vec::new();
            encode(&bytes, &mut text);
            assert_eq!(text.len(), bytes.len().div_ceil(3) * 4);
            let mut in_place = [b"before", &*text].concat();
            assert!(decode_in_place(&mut in_place, 6));
            assert_eq!(in_place, [b"before", &*bytes].concat());
            let mut out = Vec::new();
            assert!(decode(&text, &mut out));
            assert_eq!(decoded_length(&text), out.len());
            assert_eq!(out, bytes);
        }
    }
}
