//! Percent-decoding of paths and queries.

use std::borrow::Cow;

/// Why a text of a URL cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("it has a \"%\" without two hexadecimal digits")]
    Escape,
    #[error("it is not UTF-8")]
    Utf8,
    #[error("it has a NUL")]
    Nul,
    #[error("it has a segment \".\" or \"..\"")]
    DotSegment,
}

/// One segment of a path, with every escape decoded.
///
/// A decoded slash makes no segment, but what is between two of them must not be a dot segment either: whoever takes
/// the value for a path later would leave the folder that it is meant to stay in.
pub(crate) fn segment(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    let decoded = decode(raw, |_| true, false)?;
    check_path(&decoded)?;
    Ok(decoded)
}

/// Several segments of a path, with every escape decoded but `%2F`, which would look like another segment.
pub(super) fn segments(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    let decoded = decode(raw, |byte| byte != b'/', false)?;
    check_path(&decoded)?;
    // What stays encoded must not hide a dot segment.
    segment(raw)?;
    Ok(decoded)
}

/// A name or a value of a query: `+` is a space.
pub(super) fn query(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    decode(raw, |_| true, true)
}

fn check_path(decoded: &str) -> Result<(), DecodeError> {
    if decoded.contains('\0') {
        return Err(DecodeError::Nul);
    }
    if decoded.split('/').any(|part| part == "." || part == "..") {
        return Err(DecodeError::DotSegment);
    }
    Ok(())
}

/// Decodes the escapes whose byte `unescape` accepts.
fn decode(raw: &str, unescape: fn(u8) -> bool, plus: bool) -> Result<Cow<'_, str>, DecodeError> {
    if !raw.contains(|character| character == '%' || plus && character == '+') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().ok_or(DecodeError::Escape)?;
                let low = bytes.next().ok_or(DecodeError::Escape)?;
                let value = hex(high)? << 4 | hex(low)?;
                if unescape(value) {
                    decoded.push(value);
                } else {
                    decoded.extend_from_slice(&[b'%', high, low]);
                }
            }
            b'+' if plus => decoded.push(b' '),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| DecodeError::Utf8)
}

fn hex(digit: u8) -> Result<u8, DecodeError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(DecodeError::Escape),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_decoded() {
        for (raw, expected) in [
            ("", Ok("")),
            ("a+b", Ok("a+b")),
            ("a%20b%2Fc", Ok("a b/c")),
            ("%C3%BC", Ok("ü")),
            ("%25zz", Ok("%zz")),
            ("...", Ok("...")),
            ("a%", Err(DecodeError::Escape)),
            ("a%2", Err(DecodeError::Escape)),
            ("a%2g", Err(DecodeError::Escape)),
            ("%+1", Err(DecodeError::Escape)),
            ("%ü1", Err(DecodeError::Escape)),
            ("%ff", Err(DecodeError::Utf8)),
            ("%00", Err(DecodeError::Nul)),
            (".", Err(DecodeError::DotSegment)),
            ("%2e%2E", Err(DecodeError::DotSegment)),
            ("a%2F..%2Fb", Err(DecodeError::DotSegment)),
        ] {
            assert_eq!(segment(raw).as_deref(), expected.as_ref().copied(), "{raw}");
        }
    }

    #[test]
    fn several_segments_keep_their_encoded_slashes() {
        for (raw, expected) in [
            ("a/b%20c", Ok("a/b c")),
            ("a%2Fb/c%2fd", Ok("a%2Fb/c%2fd")),
            ("a//b", Ok("a//b")),
            ("a/../b", Err(DecodeError::DotSegment)),
            ("a/%2e/b", Err(DecodeError::DotSegment)),
            ("a/..%2Fb", Err(DecodeError::DotSegment)),
            ("a/%0", Err(DecodeError::Escape)),
        ] {
            assert_eq!(segments(raw).as_deref(), expected.as_ref().copied(), "{raw}");
        }
    }

    #[test]
    fn a_plus_is_a_space_in_queries_only() {
        assert_eq!(query("a+b%2B").as_deref(), Ok("a b+"));
        assert_eq!(query("%00").as_deref(), Ok("\0"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "\\PC*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(query(&encoded), Ok(Cow::Borrowed(&*text)));
        }

        #[test]
        fn nothing_panics(text in "[%0-9a-fA-F./+ü]*") {
            let _ = (segment(&text), segments(&text), query(&text));
        }
    }
}
