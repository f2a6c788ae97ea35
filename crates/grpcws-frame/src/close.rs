//! The payload of a close frame (RFC 6455 §5.5.1 and §7.4).

use std::borrow::Cow;

use crate::{CloseFrame, FrameError};

/// The longest reason: a control frame has 125 bytes, and the code takes two of them.
pub(crate) const MAX_REASON: usize = 123;

/// Reads the payload of a close frame.
pub(crate) fn parse(payload: Cow<'_, [u8]>) -> Result<Option<CloseFrame<'_>>, FrameError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code)).ok_or(FrameError::CloseLength)?;
    if !may_be_sent(code) {
        return Err(FrameError::CloseCode(code));
    }
    let reason = match payload {
        Cow::Borrowed(payload) => {
            std::str::from_utf8(payload.get(2..).unwrap_or_default()).map(Cow::Borrowed).ok()
        }
        Cow::Owned(mut payload) => {
            payload.drain(..2);
            String::from_utf8(payload).map(Cow::Owned).ok()
        }
    };
    let reason = reason.ok_or(FrameError::CloseReason)?;
    Ok(Some(CloseFrame { code, reason }))
}

/// Whether a close frame may carry this code: those of §7.4.1 and of the IANA registry that are not for local use only,
/// and the ranges for libraries and applications (§7.4.2).
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
