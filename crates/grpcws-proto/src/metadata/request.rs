//! The metadata of a call, collected from the sources of a handshake.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::json::append;
use super::policy::is_reserved;
use super::{MetadataPolicy, parse_timeout};
use crate::Status;
use crate::handshake::Offer;

/// The largest integer of the protocol (windows, credit, `pingId`): the last that a JavaScript number holds exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

const TIMEOUT: &str = "grpc-timeout";
const CREDIT: &str = "grpcws-credit";

/// What a handshake says of the call that it opens.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RequestMetadata {
    /// The metadata that goes to the upstream.
    pub metadata: HeaderMap,
    /// The `grpc-timeout`, if the client gave one.
    pub timeout: Option<Duration>,
    /// The initial `grpcws-credit`, if the client gave one.
    pub credit: Option<u64>,
}

impl RequestMetadata {
    /// Collects the metadata of the call from the handshake's headers and its sub-protocols.
    ///
    /// # Errors
    ///
    /// A status with code 3 that names the value that is wrong: a `-bin` value that is no base64, a
    /// timeout or credit that does not parse, two different `authorization` values.
    pub fn collect(headers: &HeaderMap, offer: &Offer, policy: &MetadataPolicy) -> Result<Self, Status> {
        let mut collected = Self::default();
        for (name, value) in headers {
            if let Some(target) = policy.passes(name) {
                collected.add(target, value)?;
            } else if name == TIMEOUT || name == CREDIT {
                collected.add(name.as_str(), value)?;
            }
        }
        for (name, value) in &offer.metadata()? {
            collected.add(name.as_str(), value)?;
        }
        if let Some(token) = offer.bearer_token()? {
            let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                Status::invalid_argument("the bearer sub-protocol's token is not printable ASCII")
            })?;
            collected.add(AUTHORIZATION.as_str(), &value)?;
        }
        Ok(collected)
    }

    fn add(&mut self, name: &str, value: &HeaderValue) -> Result<(), Status> {
        if name == TIMEOUT {
            let timeout = value.to_str().ok().and_then(parse_timeout).filter(|_| self.timeout.is_none());
            self.timeout = Some(timeout.ok_or_else(|| {
                Status::invalid_argument(
                    "grpc-timeout is not one value of at most 8 digits and one of the units H, M, S, m, u, n",
                )
            })?);
        } else if name == CREDIT {
            let credit = value.to_str().ok().and_then(parse_credit).filter(|_| self.credit.is_none());
            self.credit = Some(credit.ok_or_else(|| {
                Status::invalid_argument("grpcws-credit is not one integer from 1 to 2^53-1")
            })?);
        } else if name == AUTHORIZATION.as_str() {
            self.authorize(value)?;
        } else if !is_reserved(name) {
            let text = value.to_str().map_err(|_| {
                Status::invalid_argument(format!("the value of {name} is not printable ASCII"))
            })?;
            append(&mut self.metadata, name, text)
                .map_err(|error| Status::invalid_argument(error.to_string()))?;
        }
        Ok(())
    }

    fn authorize(&mut self, value: &HeaderValue) -> Result<(), Status> {
        // A copy: the value of a request's header is a piece of the buffer that its whole head was read into.
        let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        value.set_sensitive(true);
        match self.metadata.get(AUTHORIZATION) {
            Some(other) if *other != value => Err(Status::invalid_argument(
                "two different values of authorization: send it by one source only",
            )),
            Some(_) => Ok(()),
            None => {
                self.metadata.insert(HeaderName::from_static("authorization"), value);
                Ok(())
            }
        }
    }
}

fn parse_credit(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|credit| (1..=MAX_SAFE_INTEGER).contains(credit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn collect(headers: &[(&'static str, &'static str)], offered: &str) -> Result<RequestMetadata, Status> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        RequestMetadata::collect(&map, &Offer::parse([offered.as_bytes()]), &MetadataPolicy::default())
    }

    #[test]
    fn only_allowed_headers_pass() {
        let request = collect(
            &[
                ("authorization", "Bearer t"),
                ("cookie", "session=1"),
                ("grpc-metadata-x-game", "g1"),
                ("grpc-metadata-te", "trailers"),
                ("grpc-metadata-grpc-status", "0"),
                ("x-other", "1"),
                ("grpc-timeout", "1S"),
                ("grpcws-credit", "7"),
            ],
            "grpcws.v1.json",
        )
        .expect("valid metadata");
        let names: Vec<&str> = request.metadata.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["authorization", "x-game"]);
        assert_eq!((request.timeout, request.credit), (Some(Duration::from_secs(1)), Some(7)));
    }

    #[test]
    fn authorization_has_one_source() {
        // "dA" is base64url of "t".
        let offer = "grpcws.v1.json, grpcws.bearer.dA";
        assert!(collect(&[("authorization", "Bearer t")], offer).is_ok());
        let error = collect(&[("authorization", "Bearer other")], offer).expect_err("two tokens");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(!error.message().contains("other"), "a token must not be printed");
    }

    #[test]
    fn metadata_shares_no_memory_with_the_handshake() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("authorization", "Bearer t"), ("grpc-metadata-x-game", "g1"), ("traceparent", "00-1")]
        {
            headers.insert(name, HeaderValue::try_from(value.to_owned()).expect("valid"));
        }
        let offer = Offer::parse([b"grpcws.v1.json".as_slice()]);
        let request = RequestMetadata::collect(&headers, &offer, &MetadataPolicy::default()).expect("valid");
        assert_eq!(request.metadata.len(), headers.len());
        let place = |value: &HeaderValue| value.as_bytes().as_ptr();
        for value in request.metadata.values() {
            assert!(headers.values().all(|header| place(header) != place(value)), "{value:?}");
        }
    }

    #[test]
    fn what_does_not_parse_is_named() {
        for (name, value) in [
            ("grpc-timeout", "soon"),
            ("grpcws-credit", "0"),
            ("grpcws-credit", "-1"),
            ("grpcws-credit", "9007199254740992"),
            ("grpc-metadata-key-bin", "*"),
        ] {
            let error = collect(&[(name, value)], "grpcws.v1.json").expect_err(value);
            assert_eq!(error.code(), Code::InvalidArgument, "{name}: {value}");
        }
    }
}
