//! From what HTTP/2 says to a gRPC status.

use std::error::Error;

use grpcws_proto::{Code, Status};
use h2::Reason;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The status of a call that ended with this error of HTTP/2: a reset by [`Code::from_http2_error`], and UNAVAILABLE
/// where the connection was lost.
#[must_use]
pub fn status_of_error(error: &h2::Error) -> Status {
    match error.reason() {
        Some(reason) if error.is_go_away() && error.is_remote() => {
            Status::new(Code::Unavailable, format!("the upstream closed the connection ({})", name(reason)))
        }
        Some(reason) if error.is_go_away() => {
            let text =
                format!("the connection was closed because the upstream broke HTTP/2 ({})", name(reason));
            Status::new(Code::Unavailable, text)
        }
        Some(reason) if error.is_library() => {
            let text = format!("the upstream broke HTTP/2 ({})", name(reason));
            Status::new(Code::Internal, text)
        }
        Some(reason) => {
            let text = format!("the upstream reset the stream ({})", name(reason));
            Status::new(Code::from_http2_error(reason.into()), text)
        }
        None if error.is_io() => Status::new(Code::Unavailable, "the connection to the upstream was lost"),
        None => Status::new(Code::Internal, format!("the request cannot be sent over HTTP/2: {error}")),
    }
}

/// The status of a request whose body ended with an error: the one in its chain of causes, or CANCELLED.
pub(crate) fn status_of_body(error: &(dyn Error + 'static)) -> Status {
    if let Some(status) = Status::find(error) {
        return status.clone();
    }
    Status::new(Code::Cancelled, format!("the request was not completed: {error}"))
}

/// The name of an HTTP/2 error code.
fn name(reason: Reason) -> String {
    let name = match reason {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        other => return format!("code {}", u32::from(other)),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_have_the_codes_of_grpc() {
        for (reason, code) in [
            (Reason::NO_ERROR, Code::Internal),
            (Reason::PROTOCOL_ERROR, Code::Internal),
            (Reason::INTERNAL_ERROR, Code::Internal),
            (Reason::REFUSED_STREAM, Code::Unavailable),
            (Reason::CANCEL, Code::Cancelled),
            (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
            (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
            (Reason::from(99), Code::Internal),
        ] {
            assert_eq!(status_of_error(&h2::Error::from(reason)).code(), code, "{reason:?}");
        }
    }

    #[test]
    fn the_status_in_the_causes_of_a_body_s_error_is_found() {
        let inner = Status::new(Code::DataLoss, "gone");
        let outer = std::io::Error::other(inner);
        assert_eq!(status_of_body(&outer).code(), Code::DataLoss);
        assert_eq!(status_of_body(&std::io::Error::other("x")).code(), Code::Cancelled);
    }
}
