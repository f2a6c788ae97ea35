//! Base64 and percent-encoding as the protocol uses them.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Everything but printable ASCII, and the percent sign itself.
const NOT_PRINTABLE: &AsciiSet = &CONTROLS.add(b'%');

/// Base64 in the form that the gateway emits: standard alphabet, no padding.
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 as the names of sub-protocols carry it: URL-safe alphabet, no padding.
pub(crate) fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Base64 in any of its four forms.
pub(crate) fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    if url_safe { URL_SAFE.decode(text).ok() } else { STANDARD.decode(text).ok() }
}

/// A metadata value as text: as it is where it is printable ASCII, percent-encoded otherwise.
pub(crate) fn printable(value: &[u8]) -> String {
    if value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        String::from_utf8_lossy(value).into_owned()
    } else {
        percent_encode(value, NOT_PRINTABLE).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_all_four_forms() {
        for text in ["-_8=", "-_8", "+/8=", "+/8"] {
            assert_eq!(base64_decode(text.as_bytes()), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(base64_encode(&[0xfb, 0xff]), "+/8");
        assert_eq!(base64_decode(b"a*"), None);
    }

    #[test]
    fn only_what_is_not_printable_is_percent_encoded() {
        assert_eq!(printable(b"100% of it"), "100% of it");
        assert_eq!(printable("n\u{e9} %".as_bytes()), "n%C3%A9 %25");
    }
}
