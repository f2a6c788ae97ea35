//! The status as gRPC over HTTP/2 carries it: in trailers, in an HTTP status, in the error code of a stream.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::{Code, Status};
use crate::encoding::{base64_decode, base64_encode};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What `grpc-message` percent-encodes: all but space to `~`, and `%` itself.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

impl Status {
    /// Takes the status out of trailers, or out of the headers of a response that has nothing else; `None`
    /// where they have no `grpc-status`. What is left becomes the metadata.
    ///
    /// A `grpc-status` that is no number is [`Code::Unknown`]. Of several values the first that is not OK counts, so
    /// that an error never looks like success. Details that are not base64 are lost, as they
    /// were before.
    #[must_use]
    pub fn from_trailers(mut trailers: HeaderMap) -> Option<Self> {
        let mut codes = trailers.get_all(GRPC_STATUS).iter().map(code);
        let first = codes.next()?;
        let code = std::iter::once(first).chain(codes).find(|code| *code != Code::Ok).unwrap_or(first);
        trailers.remove(GRPC_STATUS);
        let message = trailers
            .remove(GRPC_MESSAGE)
            .map(|message| percent_decode(message.as_bytes()).decode_utf8_lossy().into_owned());
        let details = trailers.remove(GRPC_STATUS_DETAILS).and_then(|value| base64_decode(value.as_bytes()));
        Some(
            Self::new(code, message.unwrap_or_default())
                .with_details(details.unwrap_or_default().into())
                .with_metadata(trailers),
        )
    }

    /// The trailers that say the status: `grpc-status`, `grpc-message` and `grpc-status-details-bin` where there
    /// are such, and the metadata.
    #[must_use]
    pub fn to_trailers(&self) -> HeaderMap {
        let mut trailers = self.metadata().clone();
        trailers.insert(GRPC_STATUS, HeaderValue::from(u16::from(self.code().number())));
        let message = percent_encode(self.message().as_bytes(), MESSAGE).to_string();
        if let Ok(message) = HeaderValue::try_from(message)
            && !message.is_empty()
        {
            trailers.insert(GRPC_MESSAGE, message);
        }
        if !self.details().is_empty()
            && let Ok(details) = HeaderValue::try_from(base64_encode(self.details()))
        {
            trailers.insert(GRPC_STATUS_DETAILS, details);
        }
        trailers
    }
}

fn code(value: &HeaderValue) -> Code {
    value.to_str().ok().and_then(|text| text.parse().ok()).map_or(Code::Unknown, Code::from_number)
}

impl Code {
    /// The code for an HTTP status that comes without a `grpc-status` (gRPC's `http-grpc-status-mapping`).
    #[must_use]
    pub fn from_http_status(status: http::StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The code for a stream that was reset with this HTTP/2 error code (gRPC's `PROTOCOL-HTTP2`, "Errors").
    #[must_use]
    pub fn from_http2_error(error_code: u32) -> Self {
        match error_code {
            // REFUSED_STREAM: nothing of the request was processed.
            0x7 => Self::Unavailable,
            // CANCEL
            0x8 => Self::Cancelled,
            // ENHANCE_YOUR_CALM
            0xb => Self::ResourceExhausted,
            // INADEQUATE_SECURITY
            0xc => Self::PermissionDenied,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_status_survives_its_trailers() {
        let mut metadata = HeaderMap::new();
        metadata.append("x-a", HeaderValue::from_static("1"));
        metadata.append("x-a", HeaderValue::from_static("2"));
        let status = Status::new(Code::NotFound, "100 % \t\u{263a}\u{1f608}")
            .with_details(Bytes::from_static(b"\x08\x05"))
            .with_metadata(metadata.clone());
        let trailers = status.to_trailers();
        assert_eq!(trailers["grpc-message"], "100 %25 %09%E2%98%BA%F0%9F%98%88");
        let back = Status::from_trailers(trailers).expect("it has a status");
        assert_eq!((back.code(), back.message()), (Code::NotFound, status.message()));
        assert_eq!((back.details(), back.metadata()), (status.details(), &metadata));
    }

    #[test]
    fn odd_trailers_are_never_a_success() {
        let read = |status: &'static str| {
            let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(status))]);
            Status::from_trailers(trailers).map(|status| status.code())
        };
        assert_eq!(read("0"), Some(Code::Ok));
        for odd in ["", "-1", "17", "4294967296", "0x0", "OK", "99999999999999999999"] {
            assert_eq!(read(odd), Some(Code::Unknown), "{odd:?}");
        }
        assert!(Status::from_trailers(HeaderMap::new()).is_none());
    }

    #[test]
    fn of_several_values_one_that_is_no_success_counts() {
        for (values, code) in [
            (["0", "5"], Code::NotFound),
            (["5", "0"], Code::NotFound),
            (["5", "7"], Code::NotFound),
            (["0", "x"], Code::Unknown),
            (["0", "0"], Code::Ok),
        ] {
            let mut trailers = HeaderMap::new();
            for value in values {
                trailers.append(GRPC_STATUS, HeaderValue::from_static(value));
            }
            let status = Status::from_trailers(trailers).expect("it has a status");
            assert_eq!((status.code(), status.metadata().len()), (code, 0), "{values:?}");
        }
    }
}
