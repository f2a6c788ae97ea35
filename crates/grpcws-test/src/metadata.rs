//! Metadata between its HTTP form and the form of the messages.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Status;

use crate::pb::MetadataValues;

/// Base64 as gRPC writes it: without padding, and read with or without it.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The values of every name, `-bin` values as unpadded base64.
pub(crate) fn to_values(headers: &HeaderMap) -> BTreeMap<String, MetadataValues> {
    let mut metadata = BTreeMap::<String, MetadataValues>::new();
    for (name, value) in headers {
        let values = &mut metadata.entry(name.as_str().to_owned()).or_default().values;
        values.push(text_of(name, value));
    }
    metadata
}

/// Adds the request's metadata, each name with the prefix `echo-`.
pub(crate) fn echo(request: &HeaderMap, into: &mut HeaderMap) -> Result<(), Status> {
    for (name, value) in request {
        let name = format!("echo-{name}");
        into.append(header_name(&name)?, value.clone());
    }
    Ok(())
}

/// Adds the metadata that a request message asks for.
pub(crate) fn append(asked: &BTreeMap<String, MetadataValues>, into: &mut HeaderMap) -> Result<(), Status> {
    for (name, values) in asked {
        let header = header_name(name)?;
        for value in &values.values {
            into.append(header.clone(), header_value(name, value)?);
        }
    }
    Ok(())
}

fn text_of(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    match name.as_str().ends_with("-bin") {
        true => text.trim_end_matches('=').to_owned(),
        false => text.into_owned(),
    }
}

fn header_name(name: &str) -> Result<HeaderName, Status> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Status::invalid_argument(format!("{name:?} is not a metadata name")))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Status> {
    let refused = || Status::invalid_argument(format!("{value:?} is not a value for the metadata {name}"));
    if name.ends_with("-bin") {
        let bytes = BASE64.decode(value).map_err(|_| refused())?;
        return HeaderValue::try_from(BASE64.encode(bytes)).map_err(|_| refused());
    }
    HeaderValue::from_str(value).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_are_read_padded_and_written_unpadded() {
        let asked = BTreeMap::from([("a-bin".to_owned(), MetadataValues { values: vec!["YQ==".into()] })]);
        let mut headers = HeaderMap::new();
        append(&asked, &mut headers).unwrap();
        assert_eq!(headers["a-bin"], "YQ");
        assert_eq!(to_values(&headers)["a-bin"].values, ["YQ"]);
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        let asked = |name: &str, value: &str| {
            BTreeMap::from([(name.to_owned(), MetadataValues { values: vec![value.to_owned()] })])
        };
        for (name, value) in [("a b", "c"), ("a-bin", "?"), ("a", "line\nbreak")] {
            assert!(append(&asked(name, value), &mut HeaderMap::new()).is_err(), "{name}: {value}");
        }
    }
}
