//! Metadata as a JSON object: names to arrays of strings.

use std::borrow::Cow;
use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::encoding::{base64_decode, base64_encode, printable};

/// Names that belong to the transport, not to the call's metadata.
const TRANSPORT: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-message",
    "grpc-status",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
];

/// Writes metadata as an object of arrays, names in order of first arrival; nothing for empty metadata.
///
/// `-bin` values become standard base64 without padding; other values are percent-encoded where they are
/// not printable ASCII. Names of the transport (`content-type`, `grpc-status`, …) are left out.
pub(crate) fn write_object(metadata: &HeaderMap, out: &mut String) -> bool {
    let start = out.len();
    for name in metadata.keys().filter(|name| !TRANSPORT.contains(&name.as_str())) {
        out.push(if out.len() == start { '{' } else { ',' });
        push_string(name.as_str(), out);
        out.push(':');
        let mut separator = '[';
        for value in metadata.get_all(name) {
            // Implementations join the values of one `-bin` name with commas.
            let pieces: Vec<Cow<'_, str>> = if name.as_str().ends_with("-bin") {
                value.as_bytes().split(|byte| *byte == b',').map(normalized_base64).collect()
            } else {
                vec![Cow::Owned(printable(value.as_bytes()))]
            };
            for piece in pieces {
                out.push(separator);
                push_string(&piece, out);
                separator = ',';
            }
        }
        out.push(']');
    }
    if out.len() > start {
        out.push('}');
    }
    out.len() > start
}

fn normalized_base64(value: &[u8]) -> Cow<'_, str> {
    let value = value.trim_ascii();
    match base64_decode(value) {
        Some(bytes) => Cow::Owned(base64_encode(&bytes)),
        None => Cow::Owned(printable(value)),
    }
}

pub(crate) fn push_string(text: &str, out: &mut String) {
    // Writing a string to a `String` cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Why a JSON object is not metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The text is not an object of strings and arrays of strings.
    #[error("metadata is not a JSON object of strings or arrays of strings")]
    Json(#[source] serde_json::Error),
    /// A name has characters that HTTP/2 does not allow; use lower-case letters, digits, `-`, `_` and `.`.
    #[error("{0:?} is not a metadata name: use letters, digits, '-', '_' and '.'")]
    Name(String),
    /// A value has bytes outside printable ASCII; send it under a name that ends in `-bin`, as base64.
    #[error("the value of {0} is not printable ASCII: send it as base64 under a name that ends in -bin")]
    Value(String),
    /// A value of a `-bin` name is not base64.
    #[error("the value of {0} is not base64")]
    Base64(String),
}

/// Reads a JSON object whose members are strings or arrays of strings, appending to `metadata`.
///
/// # Errors
///
/// What of the object is not metadata, and the name of the member that is wrong.
pub fn parse_object(text: &[u8]) -> Result<HeaderMap, MetadataError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let members = deserializer.deserialize_map(Members).map_err(MetadataError::Json)?;
    deserializer.end().map_err(MetadataError::Json)?;
    let mut metadata = HeaderMap::new();
    for (name, value) in members {
        append(&mut metadata, &name, &value)?;
    }
    Ok(metadata)
}

/// Appends one value under a name, with the base64 of `-bin` names brought to the one form of the wire.
pub(crate) fn append(metadata: &mut HeaderMap, name: &str, value: &str) -> Result<(), MetadataError> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let key = HeaderName::try_from(name)
        .ok()
        .filter(|_| name.bytes().all(valid))
        .ok_or_else(|| MetadataError::Name(name.to_owned()))?;
    if key.as_str().ends_with("-bin") {
        for piece in value.split(',') {
            let bytes = base64_decode(piece.trim().as_bytes())
                .ok_or_else(|| MetadataError::Base64(name.to_owned()))?;
            let value = HeaderValue::try_from(base64_encode(&bytes)).expect("base64 is printable ASCII");
            metadata.append(key.clone(), value);
        }
        return Ok(());
    }
    let value = Some(value.trim())
        .filter(|value| value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)))
        .and_then(|value| HeaderValue::try_from(value).ok())
        .ok_or_else(|| MetadataError::Value(name.to_owned()))?;
    metadata.append(key, value);
    Ok(())
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings or arrays of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, String)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let values = map.next_value::<Values>()?;
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format_args!("duplicate member {name:?}")));
            }
            members.extend(values.0.into_iter().map(|value| (name.clone(), value)));
        }
        Ok(members)
    }
}

struct Values(Vec<String>);

impl<'de> serde::Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Values;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Values, E> {
                Ok(Values(vec![value.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element::<String>()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(metadata: &HeaderMap) -> String {
        let mut out = String::new();
        write_object(metadata, &mut out);
        out
    }

    #[test]
    fn what_is_parsed_is_written_again() {
        let metadata =
            parse_object(br#"{"X-Trace":["a","b"],"key-bin":"_w==","n":"1"}"#).expect("valid metadata");
        assert_eq!(written(&metadata), r#"{"x-trace":["a","b"],"key-bin":["/w"],"n":["1"]}"#);
    }

    #[test]
    fn names_of_the_transport_are_left_out() {
        let mut metadata = HeaderMap::new();
        metadata.insert("grpc-status", HeaderValue::from_static("0"));
        metadata.insert("content-type", HeaderValue::from_static("application/grpc"));
        assert_eq!(written(&metadata), "");
        metadata.insert("x", HeaderValue::from_bytes(b"\xe9").expect("opaque bytes are allowed"));
        assert_eq!(written(&metadata), r#"{"x":["%E9"]}"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| parse_object(text.as_bytes()).expect_err(text).to_string();
        assert!(error(r#"{"a b":"1"}"#).contains("\"a b\""));
        assert!(error(r#"{"x":"é"}"#).contains("-bin"));
        assert!(error(r#"{"x-bin":"*"}"#).contains("x-bin is not base64"));
        assert!(error(r#"{"x":1}"#).contains("JSON object"));
        assert!(error(r#"{"x":"1"} {}"#).contains("JSON object"));
        assert!(error(r#"{"x":"1","x":"2"}"#).contains("JSON object"));
    }
}
