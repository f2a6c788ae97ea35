//! The limit of the headers and trailers of responses.

use std::sync::Arc;

use grpcws_proto::{Code, Status};
use http::HeaderMap;

use crate::dial::Notes;

/// What HTTP/2 counts for a field besides its name and value (RFC 9113 §6.5.2).
const FIELD: usize = 32;

/// Where [`HeaderMap`] is full: h2 drops the names beyond it.
const MAX_NAMES: usize = 24_576;

/// The limit of the headers and trailers of responses on one connection.
///
/// h2 has a limit too, which is so far above this one that what h2 has cut is still beyond this one.
#[derive(Debug)]
pub(crate) struct HeaderLimit {
    max: usize,
    notes: Arc<Notes>,
}

impl HeaderLimit {
    pub(crate) fn new(max: usize, notes: Arc<Notes>) -> Self {
        Self { max, notes }
    }

    /// Whether these fields, which are the `what` of a response, may go on.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED where they are beyond the limit.
    pub(crate) fn check(&self, what: &str, fields: &HeaderMap) -> Result<(), Status> {
        let size = fields
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
            .fold(0, usize::saturating_add);
        let max = self.max;
        let text = if size > max {
            format!(
                "the {what} of the response are larger than the limit of {max} bytes (max-header-list-size)"
            )
        } else if fields.keys_len() >= MAX_NAMES {
            format!("the {what} of the response have {MAX_NAMES} names or more")
        } else {
            return Ok(());
        };
        let said = fields.get("grpc-status").and_then(|value| value.to_str().ok());
        let said =
            said.map(|code| format!("; the upstream ended the call with status {code}")).unwrap_or_default();
        Err(Status::new(Code::ResourceExhausted, text + &said))
    }

    /// The status of the calls on a connection that was ended because of headers or trailers.
    pub(crate) fn lost(&self) -> Option<Status> {
        let too_large = self.notes.too_large()?;
        let text = format!("the connection to the upstream was given up: {too_large} in one response");
        Some(Status::new(Code::Unavailable, text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn check(max: usize, fields: &HeaderMap) -> Result<(), Status> {
        HeaderLimit::new(max, Arc::default()).check("trailers", fields)
    }

    #[test]
    fn each_value_counts_as_in_http2() {
        let mut fields = HeaderMap::new();
        fields.append("x-a", HeaderValue::from_static("12345"));
        fields.append("x-a", HeaderValue::from_static("1"));
        assert!(check(3 + 5 + 32 + 3 + 1 + 32, &fields).is_ok());
        let status = check(75, &fields).unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.message(),
            "the trailers of the response are larger than the limit of 75 bytes (max-header-list-size)"
        );
    }

    #[test]
    fn the_error_tells_what_the_upstream_said() {
        let mut fields = HeaderMap::new();
        fields.append("grpc-status", HeaderValue::from_static("9"));
        let status = check(10, &fields).unwrap_err();
        assert!(status.message().ends_with("; the upstream ended the call with status 9"), "{status}");
    }

    #[test]
    fn a_map_that_may_have_dropped_names_is_refused() {
        let mut fields = HeaderMap::new();
        let mut number = 0;
        let value = HeaderValue::from_static("");
        let name = |number: i32| HeaderName::try_from(format!("x-{number}")).unwrap();
        while fields.try_append(name(number), value.clone()).is_ok() {
            number += 1;
        }
        assert_eq!(fields.keys_len(), MAX_NAMES);
        assert!(check(usize::MAX, &fields).unwrap_err().message().contains("24576 names"));
        fields.remove(name(0));
        assert!(check(usize::MAX, &fields).is_ok());
    }
}
