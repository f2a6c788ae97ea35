//! What the command lines of several commands say of descriptors.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::options::DescriptorOptions;

/// Limits of descriptors.
#[derive(Debug, Args)]
pub(crate) struct LimitArguments {
    /// The most bytes of the descriptors of an upstream, or of a file [default: 64 MiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_descriptor_bytes: Option<usize>,

    /// The most declarations of an upstream, or in a file: messages, fields, enums, methods and so on [default: 500000]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_declarations: Option<usize>,
}

impl LimitArguments {
    /// Sets what is given.
    pub(crate) fn apply(&self, options: &mut DescriptorOptions) {
        if let Some(bytes) = self.max_descriptor_bytes {
            options.max_bytes = bytes;
        }
        if let Some(declarations) = self.max_declarations {
            options.max_declarations = declarations;
        }
    }
}

/// A header that goes with server reflection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReflectionHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl ReflectionHeader {
    /// Reads `NAME: VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write it as NAME: VALUE")?;
        Self::new(name.trim(), value.trim())
    }

    /// A header that gRPC's metadata can have. Its value is shown nowhere, as it may be a credential.
    pub(crate) fn new(name: &str, value: &str) -> Result<Self, String> {
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
        let reserved = ["te", "content-type", "host", "connection", "user-agent"];
        if name.as_str().starts_with("grpc-") || reserved.contains(&name.as_str()) {
            return Err(format!("{name} is gRPC's own, and cannot be metadata"));
        }
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        if name.as_str().ends_with("-bin") && GeneralPurpose::new(&STANDARD, lenient).decode(value).is_err() {
            return Err(format!("the value of {name} is not base64, which names that end in -bin need"));
        }
        let text = || format!("the value of {name} has characters that a header cannot have");
        let mut value = HeaderValue::from_str(value).map_err(|_| text())?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// All of them.
pub(crate) fn metadata(headers: &[ReflectionHeader]) -> HeaderMap {
    headers.iter().map(|header| (header.name.clone(), header.value.clone())).fold(
        HeaderMap::new(),
        |mut all, (name, value)| {
            // There are as many as a command line holds.
            let _ = all.try_append(name, value);
            all
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_metadata_is_refused_with_the_reason() {
        for (text, reason) in [
            ("authorization", "NAME: VALUE"),
            ("a b: c", "name of a header"),
            ("grpc-timeout: 1S", "gRPC's own"),
            ("x-bin: *", "base64"),
            ("x: a\nb", "characters"),
        ] {
            let error = ReflectionHeader::parse(text).expect_err(text);
            assert!(error.contains(reason), "{error}");
        }
        let header = ReflectionHeader::parse("Authorization: Bearer a:b").expect("a header");
        assert_eq!(
            metadata(std::slice::from_ref(&header)).get("authorization").expect("it is there"),
            "Bearer a:b"
        );
        assert!(!format!("{header:?}").contains("a:b"), "{header:?}");
    }
}
