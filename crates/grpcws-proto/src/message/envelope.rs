//! What both sides share when they read a message (PROTOCOL §4.1).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::metadata::MAX_SAFE_INTEGER;

/// A frame that is not a message, with the place and the reason: `line 1 column 9: expected value`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MessageError(pub(super) String);

/// Reads a JSON object; serde would take an array for a struct as well.
pub(super) fn parse_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, MessageError> {
    let not_object = text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[');
    if not_object {
        return Err(MessageError(
            "line 1 column 1: expected a message: a JSON object with the member \"type\"".into(),
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(place.as_str()).unwrap_or(&text);
        MessageError(format!("line {} column {}: {reason}", error.line().max(1), error.column().max(1)))
    })
}

/// An integer member; `None` where it is absent or `null`.
pub(super) fn integer(value: Option<&RawValue>, name: &str, least: u64) -> Result<Option<u64>, MessageError> {
    let Some(value) = value.filter(|value| value.get() != "null") else {
        return Ok(None);
    };
    let number = value.get().parse::<u64>().ok().filter(|number| (least..=MAX_SAFE_INTEGER).contains(number));
    number
        .map(Some)
        .ok_or_else(|| MessageError(format!("\"{name}\" is not an integer from {least} to 2^53-1")))
}

/// A member that has to be there.
pub(super) fn required<T>(value: Option<T>, kind: &str, name: &str) -> Result<T, MessageError> {
    value.ok_or_else(|| MessageError(format!("{kind} without \"{name}\"")))
}
