//! Metadata as a JSON object: names to arrays of strings.

use std::collections::HashSet;
use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::encoding::{base64_decode, base64_encode, printable};

/// Names that belong to the transport, not to the call's metadata (PROTOCOL §9.3).
const TRANSPORT: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-message",
    "grpc-status",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The most values that one JSON object of metadata may have.
///
/// A gateway's own limit of 64 KiB for the headers of a response is reached with 2,048 of them, as HTTP/2 counts 32
/// bytes for each; [`HeaderMap`] has room for 24,576.
pub const MAX_VALUES: usize = 8192;

/// Writes metadata as an object of arrays, names in order of first arrival; nothing for empty metadata.
///
/// `-bin` values become standard base64 without padding; other values are percent-encoded where they are
/// not printable ASCII. Names of the transport (`content-type`, `grpc-status`, …) are left out, and so are
/// those that are no names of metadata (see [`unwritable`]).
pub(crate) fn write_object(metadata: &HeaderMap, out: &mut String) -> bool {
    let start = out.len();
    let written = |name: &&HeaderName| is_name(name.as_str()) && !TRANSPORT.contains(&name.as_str());
    for name in metadata.keys().filter(written) {
        out.push(if out.len() == start { '{' } else { ',' });
        push_string(name.as_str(), out);
        out.push(':');
        let mut separator = '[';
        let mut push = |text: &str| {
            out.push(separator);
            push_string(text, out);
            separator = ',';
        };
        for value in metadata.get_all(name) {
            if name.as_str().ends_with("-bin") {
                binary_values(value.as_bytes()).iter().for_each(|text| push(text));
            } else {
                push(&printable(value.as_bytes()));
            }
        }
        out.push(']');
    }
    if out.len() > start {
        out.push('}');
    }
    out.len() > start
}

/// The names that a response has and metadata cannot: HTTP allows more characters than gRPC. They are left out of
/// what a client is sent.
pub fn unwritable(metadata: &HeaderMap) -> impl Iterator<Item = &HeaderName> {
    metadata.keys().filter(|name| !is_name(name.as_str()))
}

/// Whether a name consists of the characters that gRPC allows.
fn is_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().all(valid)
}

/// The values of a `-bin` name in the one form of base64. Implementations join several with commas. A value that is
/// not base64 is taken for the bytes themselves, of an upstream that did not encode them.
fn binary_values(value: &[u8]) -> Vec<String> {
    let decoded: Option<Vec<_>> =
        value.split(|byte| *byte == b',').map(|piece| base64_decode(piece.trim_ascii())).collect();
    match decoded {
        Some(values) => values.iter().map(|bytes| base64_encode(bytes)).collect(),
        None => vec![base64_encode(value)],
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
    /// There are more values than [`MAX_VALUES`].
    #[error("metadata has more than {MAX_VALUES} values")]
    TooMany,
}

/// Reads a JSON object whose members are strings or arrays of strings.
///
/// # Errors
///
/// What of the object is not metadata, and the name of the member that is wrong.
pub fn parse_object(text: &[u8]) -> Result<HeaderMap, MetadataError> {
    let mut metadata = HeaderMap::new();
    for (name, value) in parse_members(text)? {
        append(&mut metadata, &name, &value)?;
    }
    Ok(metadata)
}

/// [`parse_object`] for what a gateway sends: a name or a value that is not metadata is passed over, since the call's
/// messages and its status do not depend on it.
pub(crate) fn parse_received(text: &[u8]) -> Result<HeaderMap, MetadataError> {
    let mut metadata = HeaderMap::new();
    for (name, value) in parse_members(text)? {
        match append(&mut metadata, &name, &value) {
            Ok(()) | Err(MetadataError::Name(_) | MetadataError::Value(_) | MetadataError::Base64(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(metadata)
}

fn parse_members(text: &[u8]) -> Result<Vec<(String, String)>, MetadataError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let members = deserializer.deserialize_map(Members).map_err(MetadataError::Json)?;
    deserializer.end().map_err(MetadataError::Json)?;
    members.ok_or(MetadataError::TooMany)
}

/// Appends one value under a name, with the base64 of `-bin` names brought to the one form of the wire.
pub(crate) fn append(metadata: &mut HeaderMap, name: &str, value: &str) -> Result<(), MetadataError> {
    let key = HeaderName::try_from(name)
        .ok()
        .filter(|_| is_name(name))
        .ok_or_else(|| MetadataError::Name(name.to_owned()))?;
    if key.as_str().ends_with("-bin") {
        for piece in value.split(',') {
            let bytes = base64_decode(piece.trim().as_bytes())
                .ok_or_else(|| MetadataError::Base64(name.to_owned()))?;
            let value = HeaderValue::try_from(base64_encode(&bytes)).expect("base64 is printable ASCII");
            append_value(metadata, key.clone(), value)?;
        }
        return Ok(());
    }
    let value = Some(value.trim())
        .filter(|value| value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)))
        .and_then(|value| HeaderValue::try_from(value).ok())
        .ok_or_else(|| MetadataError::Value(name.to_owned()))?;
    append_value(metadata, key, value)
}

/// Appends one value, within [`MAX_VALUES`].
pub(crate) fn append_value(
    metadata: &mut HeaderMap,
    key: HeaderName,
    value: HeaderValue,
) -> Result<(), MetadataError> {
    if metadata.len() >= MAX_VALUES {
        return Err(MetadataError::TooMany);
    }
    // `append` panics where the map can take no more names.
    metadata.try_append(key, value).map(drop).map_err(|_| MetadataError::TooMany)
}

/// The members with their values in order; `None` where they are more than [`MAX_VALUES`].
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Option<Vec<(String, String)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings or arrays of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, String)> = Vec::new();
        let mut names = HashSet::new();
        let mut too_many = false;
        while let Some(name) = map.next_key::<String>()? {
            let values = map.next_value::<Values>()?;
            too_many |= members.len() + values.0.len() > MAX_VALUES || names.len() >= MAX_VALUES;
            if too_many {
                continue;
            }
            members.extend(values.0.into_iter().map(|value| (name.clone(), value)));
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format_args!("duplicate member {name:?}")));
            }
        }
        Ok((!too_many).then_some(members))
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

    #[test]
    fn what_metadata_cannot_be_is_not_written() {
        let mut metadata = HeaderMap::new();
        metadata.append("x!y", HeaderValue::from_static("1"));
        metadata.append("upgrade", HeaderValue::from_static("h2c"));
        assert_eq!(written(&metadata), "");
        assert_eq!(unwritable(&metadata).map(HeaderName::as_str).collect::<Vec<_>>(), ["x!y"]);
        // Not base64, so these are the bytes; with a comma as one value.
        metadata.append("a-bin", HeaderValue::from_static("not*base64"));
        metadata.append("a-bin", HeaderValue::from_static("CP8,,*"));
        metadata.append("a-bin", HeaderValue::from_static("CP8, CP8="));
        assert_eq!(written(&metadata), r#"{"a-bin":["bm90KmJhc2U2NA","Q1A4LCwq","CP8","CP8"]}"#);
    }

    #[test]
    fn what_a_gateway_sends_is_read_without_what_is_no_metadata() {
        let text = r#"{"x!y":"1","a":"1","x":["\u00e9","2"],"k-bin":["*","CP8"]}"#;
        let read = parse_received(text.as_bytes()).expect("the shape is right");
        assert_eq!(written(&read), r#"{"a":["1"],"x":["2"],"k-bin":["CP8"]}"#);
        assert!(parse_received(br#"{"x":1}"#).is_err());
    }

    #[test]
    fn the_number_of_values_has_a_limit() {
        let names = |count: usize| {
            let members: Vec<String> = (0..count).map(|number| format!(r#""n{number}":"""#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(parse_object(names(MAX_VALUES).as_bytes()).expect("at the limit").len(), MAX_VALUES);
        for text in [
            names(MAX_VALUES + 1),
            // More names than a `HeaderMap` takes.
            names(30_000),
            format!(r#"{{"x":["1"{}]}}"#, r#","1""#.repeat(MAX_VALUES)),
            format!(r#"{{"x-bin":"{}"}}"#, ",".repeat(MAX_VALUES)),
        ] {
            assert!(matches!(parse_received(text.as_bytes()), Err(MetadataError::TooMany)));
        }
    }
}
